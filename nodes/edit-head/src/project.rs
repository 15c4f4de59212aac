//! Node `edit_head.project`: visual tokens and [IMG] embeddings → conditioning, and the null conditioning, which is the
//! same head's answer to visual tokens of zero (it is not the conditioning of an empty text).

use crate::EditHead;
use candle_core::Tensor;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind, serde_json::json};
use mgie_weights::device::{self, Layers};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::{Checkpoint, Weights, WeightsError, pool, wire};
use std::path::Path;
use std::sync::Arc;

static LOADED: Loaded<EditHead> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    NodeDefinition::new(description(), |run| pool::with_threads(run.threads(), || project(run)))
}

fn description() -> NodeDescription {
    let weights = Domain::Model { default: "mgie_7b/mllm.pt".into(), optional: false };
    let description = NodeDescription::new(
        "edit_head.project",
        "Edit head",
        "MGIE",
        "Turns the language model's visual tokens into what the UNet attends to: MGIE's edit head.",
    )
    .input("visual_tokens", "Visual tokens", kind::VISUAL_TOKENS, "The states that predict [IMG0] … [IMG7].")
    .input("img_embeddings", "[IMG] embeddings", kind::IMG_EMBEDDINGS, "Input embeddings of [IMG0] … [IMG7].")
    .parameter("weights", "Weights", weights, "MGIE's mllm.pt, which holds the edit head.");
    device::with_parameters(description, DTYPE)
        .output("conditioning", "Conditioning", kind::CONDITIONING, "What the UNet attends to.")
        .shaped(&[None, None])
        .output("null_conditioning", "Null conditioning", kind::CONDITIONING, "The same for visual tokens of zero.")
        .shaped(&[None, None])
}

const DTYPE: &str = "auto is f32 on the CPU and f16 on a GPU. On the CPU, half precision only rounds the weights.";

fn project(run: &Run) -> Result<Outputs, Failure> {
    let path = run.path("weights")?;
    let device = device::device(run.string("device")?)?;
    let dtype = device::dtype(run.string("dtype")?, &device, Layers::Linear)?;
    run.ran_on(&device::name(&device));
    let key = Key::of(&[&path], dtype, &device)?;
    let head: Arc<EditHead> = LOADED.get_or_load(key, || load(run, &path, dtype, &device))?;
    run.check_cancelled()?;

    let tokens = rows(run, "visual_tokens", &head)?;
    let embeddings = rows(run, "img_embeddings", &head)?;
    if tokens.dims() != embeddings.dims() {
        let (expected, found) = (format!("{:?}, as visual_tokens", tokens.dims()), format!("{:?}", embeddings.dims()));
        return Err(Failure::input("img_embeddings", expected, found));
    }
    run.progress(0, 2, "projecting");
    let conditioning = head.forward(&tokens, &embeddings).map_err(WeightsError::from)?;
    run.check_cancelled()?;
    run.progress(1, 2, "projecting");
    let zeros = tokens.zeros_like().map_err(WeightsError::from)?;
    let null = head.forward(&zeros, &embeddings).map_err(WeightsError::from)?;
    let conditioning = finite(&conditioning, &path)?;
    let null = finite(&null, &path)?;
    Ok(Outputs::new().with("conditioning", conditioning).with("null_conditioning", null))
}

fn load(
    run: &Run,
    path: &Path,
    dtype: candle_core::DType,
    device: &candle_core::Device,
) -> Result<(EditHead, u64), WeightsError> {
    let weights = Weights::watched(Checkpoint::open(path)?, dtype, device, run);
    let head = weights.load(|w| EditHead::load(&w.pp("edit_head"))).map_err(|error| match error {
        WeightsError::Compute(problem) => WeightsError::malformed(path, problem),
        other => other,
    })?;
    // On the CPU the head holds f32 whatever it was read as.
    let bytes = if device.is_cpu() { weights.bytes() / dtype.size_in_bytes() as u64 * 4 } else { weights.bytes() };
    Ok((head, bytes))
}

/// The tensor in `socket`, [s, hidden], on the head's device.
fn rows(run: &Run, socket: &str, head: &EditHead) -> Result<Tensor, Failure> {
    let tensor = run.tensor(socket)?;
    if !matches!(tensor.shape(), &[rows, width] if rows > 0 && width == head.hidden()) {
        let expected = format!("[8, {}], the width that this edit head was trained with", head.hidden());
        return Err(Failure::input(socket, expected, format!("{:?}", tensor.shape()))
            .remedy("give mllm.expand and edit_head.project the same `weights`"));
    }
    if !tensor.is_finite()? {
        return Err(Failure::input(socket, "finite numbers", "NaN or infinity"));
    }
    Ok(wire::to_candle(tensor, head.device())?)
}

fn finite(conditioning: &Tensor, path: &Path) -> Result<Value, Failure> {
    let tensor = wire::from_candle(conditioning)?;
    if !tensor.is_finite()? {
        return Err(Failure::file(path, "this edit head's output is not finite for these visual tokens")
            .remedy("set dtype to f32 or bf16; if that does not help, copy the file again"));
    }
    Ok(Value::tensor(kind::CONDITIONING, json!({}), tensor))
}
