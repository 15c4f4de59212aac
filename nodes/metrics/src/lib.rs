//! How far an edited picture is from its goal, as nodes.

use mgie_plugin_api::Plugin;

/// The metrics plugin.
pub fn plugin() -> Plugin {
    Plugin::new("metrics", env!("CARGO_PKG_VERSION"))
}
