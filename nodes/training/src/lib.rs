//! Training MGIE from the first stage to the last, and the world that the built-in model learns.

pub mod dataset;
pub mod scenes;

use mgie_plugin_api::Plugin;

/// The training plugin.
pub fn plugin() -> Plugin {
    Plugin::new("training", env!("CARGO_PKG_VERSION")).node(scenes::node::definition())
}
