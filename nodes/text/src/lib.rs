//! Text as a node: written in the graph, read from a file, saved into one.

mod constant;
mod load;
mod save;

use mgie_plugin_api::Plugin;

mgie_plugin_api::export_plugin!(plugin);

/// The text plugin.
pub fn plugin() -> Plugin {
    Plugin::new("text", env!("CARGO_PKG_VERSION"))
        .node(constant::definition())
        .node(load::definition())
        .node(save::definition())
}
