//! MGIE's edit head as a node, and its counterpart for plain text: two ways to make what the UNet attends to.

mod edit_head;
mod project;
mod text_conditioning;

pub use edit_head::EditHead;

use mgie_plugin_api::Plugin;
use mgie_weights::loaded;

/// What this library holds.
pub fn plugin() -> Plugin {
    Plugin::new("edit-head", env!("CARGO_PKG_VERSION"))
        .node(project::definition())
        .node(text_conditioning::definition())
        .memory(loaded::memory)
}
