//! How far an edited picture is from its goal, as nodes.
//!
//! Reading order: [`pixels`] and [`ssim`] (arithmetic), then one module a node.

mod compare;
pub mod pixels;
pub mod ssim;

use mgie_plugin_api::Plugin;
use mgie_weights::loaded;

/// The metrics plugin.
pub fn plugin() -> Plugin {
    Plugin::new("metrics", env!("CARGO_PKG_VERSION")).node(compare::definition()).memory(loaded::memory)
}
