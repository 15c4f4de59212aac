//! Node `clip.encode_text`: a text → CLIP's last hidden states of its 77 tokens, which Stable Diffusion is conditioned
//! on, and the one that sums it up.

use crate::config::{Tower, TowerConfig};
use crate::text::TextTower;
use crate::{device_of, with_device};
use candle_core::{DType, Device};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind, serde_json::json};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::tokenizer::ClipTokenizer;
use mgie_weights::{Checkpoint, Weights, WeightsError, pool, wire};
use std::path::Path;

/// The tower and its tokenizer.
struct Model {
    tokenizer: ClipTokenizer,
    tower: TextTower,
}

static LOADED: Loaded<Model> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    NodeDefinition::new(description(), |run| pool::with_threads(run.threads(), || encode(run)))
}

fn description() -> NodeDescription {
    let folder = |default: &str| Domain::Model { default: default.into(), optional: false };
    let description = NodeDescription::new(
        "clip.encode_text",
        "CLIP text encoder",
        "CLIP",
        "Turns a text into CLIP's features of its tokens. A longer text than CLIP takes is cut off.",
    )
    .input("text", "Text", kind::TEXT, "The text.")
    .parameter("model", "Model", folder("instruct-pix2pix/text_encoder"), "A CLIP folder, or a text_encoder.")
    .parameter("tokenizer", "Tokenizer", folder("instruct-pix2pix/tokenizer"), "vocab.json and merges.txt.");
    with_device(description)
        .output("features", "Features", kind::CLIP_TEXT_FEATURES, "A row for each of 77 tokens, after the final norm.")
        .shaped(&[None, None])
        .output("pooled", "Pooled", kind::TENSOR, "The row at the end of the text.")
        .shaped(&[None])
}

fn encode(run: &Run) -> Result<Outputs, Failure> {
    let (folder, tokenizer) = (run.path("model")?, run.path("tokenizer")?);
    let text = run.text("text")?;
    let (device, dtype) = device_of(run)?;
    let key = Key::of(&[&folder, &tokenizer], dtype, &device)?;
    let model = LOADED.get_or_load(key, || load(run, &folder, &tokenizer, dtype, &device))?;
    run.check_cancelled()?;

    let (ids, tokens) = model.tokenizer.encode_padded(text)?;
    let config = model.tower.config();
    if let Some(id) = ids.iter().find(|id| **id as usize >= config.vocabulary) {
        let problem = format!("gives token id {id}; {} has {} tokens", config.path.display(), config.vocabulary);
        return Err(Failure::file(&tokenizer, problem).remedy("take model and tokenizer from the same place"));
    }
    if ids.len() > config.positions {
        let problem =
            format!("gives {} tokens; {} has {} positions", ids.len(), config.path.display(), config.positions);
        return Err(Failure::file(&tokenizer, problem).remedy("take model and tokenizer from the same place"));
    }
    let hidden = model.tower.encode(&ids).map_err(WeightsError::from)?;
    let pooled = hidden.get(model.tower.pooled_at(&ids)).map_err(WeightsError::from)?;
    let features = wire::from_candle(&hidden)?;
    if !features.is_finite()? {
        return Err(Failure::file(&folder, "this model's features of the text are not finite")
            .remedy("set dtype to f32; if that does not help, copy the model again"));
    }
    Ok(Outputs::new()
        .with("features", Value::tensor(kind::CLIP_TEXT_FEATURES, json!({ "tokens": tokens }), features))
        .with("pooled", Value::tensor(kind::TENSOR, json!({}), wire::from_candle(&pooled)?)))
}

fn load(
    run: &Run,
    folder: &Path,
    tokenizer: &Path,
    dtype: DType,
    device: &Device,
) -> Result<(Model, u64), WeightsError> {
    let config = TowerConfig::read(folder, Tower::Text)?;
    let tokenizer = ClipTokenizer::open(tokenizer)?;
    let weights = Weights::watched(Checkpoint::open(folder)?, dtype, device, run);
    let tower = weights.load(|w| TextTower::load(&w.pp("text_model"), &config))?;
    Ok((Model { tokenizer, tower }, weights.bytes()))
}
