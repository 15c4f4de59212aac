//! The nodes, one a file, and what all of them that run a model share: where and in what dtype, and how loading is
//! watched.

pub mod denoise;
pub mod load_unet;
pub mod vae_decode;
pub mod vae_encode;

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{DType, Device};
use mgie_plugin_api::{Failure, NodeDescription, Run};
use mgie_weights::device::{self, Layers};
use mgie_weights::{Overlay, Weights, WeightsError};

/// Adds the parameters `device` and `dtype`.
fn with_device_and_dtype(description: NodeDescription) -> NodeDescription {
    device::with_parameters(
        description,
        "What is computed in; auto is f32 on the CPU and f16 on a GPU. bf16 needs a GPU.",
    )
}

/// Reads the parameters `device` and `dtype`, and says where the node runs.
fn device_and_dtype(run: &Run) -> Result<(Device, DType), Failure> {
    let device = device::device(run.string("device")?)?;
    let dtype = device::dtype(run.string("dtype")?, &device, Layers::Convolutions)?;
    run.ran_on(&device::name(&device));
    Ok((device, dtype))
}

/// Builds a model from `overlay`, telling the host how far loading is and stopping where the host asks for it; with the
/// bytes that it holds.
fn load<M>(
    run: &Run,
    overlay: Overlay,
    dtype: DType,
    device: &Device,
    build: impl FnOnce(&Weights) -> candle_core::Result<M>,
) -> Result<(M, u64), WeightsError> {
    let weights = Weights::watched(overlay, dtype, device, run);
    let model = weights.load(build)?;
    Ok((model, weights.bytes()))
}

/// Counts the layers of a long computation for the host, and ends it where the host asks for that.
struct LayersTold<'a> {
    run: &'a Run,
    label: &'a str,
    done: AtomicU64,
    total: u64,
}

impl<'a> LayersTold<'a> {
    fn new(run: &'a Run, label: &'a str, total: usize) -> Self {
        Self { run, label, done: AtomicU64::new(0), total: total as u64 }
    }

    /// To be called before each layer.
    fn next(&self) -> candle_core::Result<()> {
        self.run.progress(self.done.fetch_add(1, Ordering::Relaxed), self.total, self.label);
        if self.run.cancelled() { Err(candle_core::Error::Msg("cancelled".into())) } else { Ok(()) }
    }

    /// What a computation that ended with `error` ended with, in the host's terms.
    fn failure(&self, error: WeightsError) -> Failure {
        if self.run.cancelled() { Failure::cancelled() } else { error.into() }
    }
}
