//! Tensors in and out of `.safetensors` files, so that any stage can be captured and fed again.

mod load;
mod save;
pub mod tensor_file;

use mgie_plugin_api::Plugin;

mgie_plugin_api::export_plugin!(plugin);

/// The tensor plugin.
pub fn plugin() -> Plugin {
    Plugin::new("tensor", env!("CARGO_PKG_VERSION")).node(load::definition()).node(save::definition())
}
