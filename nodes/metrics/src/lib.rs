//! How far an edited picture is from its goal, as nodes.
//!
//! Reading order: [`pixels`] and [`ssim`] (arithmetic), [`models`] and [`similarity`] (what models see), then one module
//! a node; [`methods`] is what those over whole data sets read. Models compute in f32 here: a metric's last digits are compared between papers.

pub mod clip;
mod compare;
mod contact_sheet;
pub mod dino;
mod lpips;
pub mod methods;
pub mod models;
pub mod pixels;
pub mod similarity;
pub mod ssim;
mod table;

use candle_core::Device;
use mgie_plugin_api::{Domain, Failure, NodeDescription, Plugin, Run};
use mgie_weights::{device, loaded};

/// The metrics plugin.
pub fn plugin() -> Plugin {
    Plugin::new("metrics", env!("CARGO_PKG_VERSION"))
        .node(compare::definition())
        .node(clip::visual_definition())
        .node(clip::text_definition())
        .node(dino::definition())
        .node(lpips::definition())
        .node(table::definition())
        .node(contact_sheet::definition())
        .memory(loaded::memory)
}

/// Adds the parameter `device`.
fn with_device(description: NodeDescription) -> NodeDescription {
    description.parameter(
        "device",
        "Device",
        Domain::Text { default: "auto".into(), multiline: false },
        "auto, cpu, cuda or cuda:N. auto is the first GPU where this build and machine have one.",
    )
}

/// Reads the parameter `device`, and tells the host.
fn device_of(run: &Run) -> Result<Device, Failure> {
    let device = device::device(run.string("device")?)?;
    run.ran_on(&device::name(&device));
    Ok(device)
}
