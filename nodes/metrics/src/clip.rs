//! Nodes `metrics.cvs` and `metrics.cts`: how alike a picture is to another, and to a text, to the CLIP that is wired in.

use candle_core::{DType, Device, Tensor};
use mgie_clip::ClipModel;
use mgie_clip::config::{Tower, TowerConfig};
use mgie_clip::processor::Processor;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::tokenizer::ClipTokenizer;
use mgie_weights::{Checkpoint, Weights, WeightsError, pool};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::pixels::Rgb;
use crate::similarity::{Eye, cosine, embeddings, finite, rows};
use crate::{device_of, with_device};

/// A whole CLIP, in f32, and what happens to pictures and texts before it.
pub struct Clip {
    folder: PathBuf,
    processor: Processor,
    tokenizer: ClipTokenizer,
    model: ClipModel,
    device: Device,
}

static LOADED: Loaded<Clip> = Loaded::new();

impl Clip {
    /// The model of a folder, loaded once.
    ///
    /// # Errors
    /// Files that are missing or do not fit; no memory; cancelled.
    pub fn open(run: &Run, folder: &Path, device: &Device) -> Result<Arc<Self>, WeightsError> {
        LOADED.get_or_load(Key::of(&[folder], DType::F32, device)?, || {
            let (vision, text) = (TowerConfig::read(folder, Tower::Vision)?, TowerConfig::read(folder, Tower::Text)?);
            let processor = Processor::read(folder, vision.image_size)?;
            let tokenizer = ClipTokenizer::open(folder)?;
            let weights = Weights::watched(Checkpoint::open(folder)?, DType::F32, device, run);
            let model = weights.load(|w| {
                let [projection, _] = w.sizes("visual_projection.weight")?;
                ClipModel::load(w, &vision, &text, projection)
            })?;
            let folder = folder.to_owned();
            Ok((Self { folder, processor, tokenizer, model, device: device.clone() }, weights.bytes()))
        })
    }

    /// A text's embedding, `get_text_features`; a longer text than the model takes is cut off.
    ///
    /// # Errors
    /// A tokenizer that does not fit the model, not enough memory or a failing device.
    pub fn embed_text(&self, text: &str) -> Result<Vec<f32>, WeightsError> {
        let (ids, _) = self.tokenizer.encode_padded(text)?;
        let config = self.model.text().config();
        if ids.len() > config.positions || ids.iter().any(|id| *id as usize >= config.vocabulary) {
            let (tokens, vocabulary, positions) = (ids.len(), config.vocabulary, config.positions);
            let problem = format!(
                "its tokenizer gives {tokens} tokens up to id {}; the model has {positions} positions and {vocabulary} tokens",
                ids.iter().max().copied().unwrap_or_default()
            );
            return Err(WeightsError::malformed(&self.folder, problem).with_remedy("copy the whole folder again"));
        }
        Ok(rows(&self.model.text_embedding(&[ids])?)?.remove(0))
    }
}

impl Eye for Clip {
    fn embed(&self, pictures: &[&Rgb]) -> Result<Tensor, WeightsError> {
        let side = self.model.vision().config().image_size;
        let pixels = |picture: &&Rgb| {
            let processed = self.processor.process(&picture.bytes(), picture.height, picture.width);
            let processed = processed.map_err(|error| WeightsError::Compute(error.to_string()))?;
            if (processed.height, processed.width) != (side, side) {
                let (height, width) = (processed.height, processed.width);
                let problem = format!("makes {width}×{height} of a picture; the model takes {side}×{side}");
                return Err(WeightsError::malformed(&self.folder.join("preprocessor_config.json"), problem)
                    .with_remedy("copy config.json and preprocessor_config.json from the same model"));
            }
            Ok(Tensor::from_vec(processed.values, (3, side, side), &self.device)?)
        };
        let pixels = pictures.iter().map(pixels).collect::<Result<Vec<_>, _>>()?;
        Ok(self.model.image_embedding(&Tensor::stack(&pixels, 0)?)?)
    }
}

fn with_model(description: NodeDescription) -> NodeDescription {
    let model = Domain::Model { default: "clip-vit-large-patch14".into(), optional: false };
    let description = description.parameter("model", "Model", model, "A Hugging Face CLIP folder with both towers.");
    with_device(description).output("similarity", "Similarity", kind::NUMBER, "-1 to 1 (alike).")
}

/// The node type `metrics.cvs`.
pub fn visual_definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "metrics.cvs",
        "CLIP visual similarity",
        "Metrics",
        "How alike two pictures are to CLIP (CVS): the cosine between their embeddings. They may have any sizes.",
    )
    .input("image", "Image", kind::IMAGE, "The picture, such as an edit. Alpha is ignored.")
    .input("goal", "Goal", kind::IMAGE, "What it should be.");
    NodeDefinition::new(with_model(description), |run| pool::with_threads(run.threads(), || visual(run)))
}

/// The node type `metrics.cts`.
pub fn text_definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "metrics.cts",
        "CLIP text similarity",
        "Metrics",
        "How well a text says what is on a picture, to CLIP (CTS): the cosine between their embeddings.",
    )
    .input("image", "Image", kind::IMAGE, "The picture, such as an edit. Alpha is ignored.")
    .input("text", "Text", kind::TEXT, "What should be on it, such as the goal's caption.");
    NodeDefinition::new(with_model(description), |run| pool::with_threads(run.threads(), || textual(run)))
}

fn visual(run: &Run) -> Result<Outputs, Failure> {
    let (image, goal) = (Rgb::of_wire(&run.image("image")?, "image")?, Rgb::of_wire(&run.image("goal")?, "goal")?);
    let (folder, device) = (run.path("model")?, device_of(run)?);
    let clip = Clip::open(run, &folder, &device)?;
    let found = embeddings(&*clip, &[&image, &goal], || run.check_cancelled())?;
    let similarity = finite(cosine(&found[0], &found[1]), &folder)?;
    Ok(Outputs::new().with("similarity", Value::number(similarity)))
}

fn textual(run: &Run) -> Result<Outputs, Failure> {
    let (image, text) = (Rgb::of_wire(&run.image("image")?, "image")?, run.text("text")?);
    let (folder, device) = (run.path("model")?, device_of(run)?);
    let clip = Clip::open(run, &folder, &device)?;
    let found = embeddings(&*clip, &[&image], || run.check_cancelled())?;
    let similarity = finite(cosine(&found[0], &clip.embed_text(text)?), &folder)?;
    Ok(Outputs::new().with("similarity", Value::number(similarity)))
}
