//! Training MGIE from the first stage to the last, and the world that the built-in model learns.

pub mod checkpoint;
pub mod curve;
mod curve_picture;
pub mod dataset;
pub mod edit_set;
pub mod initial;
pub mod latents;
pub mod model_files;
pub mod nodes;
pub mod optimizer;
pub mod parameters;
pub mod parts;
pub mod sampling;
pub mod scenes;
pub mod setup;
pub mod stages;
pub mod trainer;

use mgie_plugin_api::Plugin;

/// The training plugin.
pub fn plugin() -> Plugin {
    Plugin::new("training", env!("CARGO_PKG_VERSION"))
        .node(scenes::node::definition())
        .node(nodes::blueprint::definition())
        .node(nodes::vae::definition())
        .node(nodes::clip::definition())
        .node(nodes::denoiser::definition())
        .node(nodes::llava::definition())
        .node(nodes::mgie::definition())
        .node(nodes::edit_set::definition())
}
