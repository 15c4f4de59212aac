//! CLIP as nodes: pictures to the features that the language model sees, text to what InstructPix2Pix is conditioned on.
//!
//! Reading order: [`processor`] (what happens to a picture before), [`vision`] and [`text`] (the towers, of the same
//! layers), [`ClipModel`] (both, and the space where they meet), [`config`] (their sizes), and the nodes. Gradients flow
//! through the models: the trainer uses this very code.

pub mod config;
mod encode_image;
mod encode_text;
mod layer;
mod model;
pub mod processor;
pub mod text;
pub mod vision;

pub use config::{Tower, TowerConfig};
pub use model::ClipModel;
pub use processor::Processor;
pub use text::TextTower;
pub use vision::VisionTower;

use candle_core::{DType, Device};
use mgie_plugin_api::{Failure, NodeDescription, Plugin, Run};
use mgie_weights::device::{self, Layers};
use mgie_weights::loaded;

/// What this library holds.
pub fn plugin() -> Plugin {
    Plugin::new("clip", env!("CARGO_PKG_VERSION"))
        .node(encode_image::definition())
        .node(encode_text::definition())
        .memory(loaded::memory)
}

/// Adds the parameters `device` and `dtype`.
fn with_device(description: NodeDescription) -> NodeDescription {
    device::with_parameters(description, "auto is f32 on the CPU and f16 on a GPU. bf16 needs a GPU.")
}

/// Reads the parameters `device` and `dtype`, and tells the host.
fn device_of(run: &Run) -> Result<(Device, DType), Failure> {
    let device = device::device(run.string("device")?)?;
    let dtype = device::dtype(run.string("dtype")?, &device, Layers::Linear)?;
    if dtype == DType::BF16 && device.is_cpu() {
        let found = "bf16 on the CPU, where candle multiplies no matrices in it";
        return Err(Failure::parameter("dtype", "auto, f32 or f16", found).remedy("use f32 there"));
    }
    run.ran_on(&device::name(&device));
    Ok((device, dtype))
}
