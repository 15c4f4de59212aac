//! Node `metrics.dino`: how alike two pictures are to DINO, which sees structure and subject rather than words.

use candle_core::{DType, Device, Tensor};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::{Checkpoint, Weights, WeightsError, pool};
use std::path::Path;
use std::sync::Arc;

use crate::models::vit::{Vit, VitConfig};
use crate::models::vit_processor::VitProcessor;
use crate::pixels::Rgb;
use crate::similarity::{Eye, cosine, embeddings, finite};
use crate::{device_of, with_device};

/// DINO, in f32, and what happens to pictures before it.
pub struct Dino {
    processor: VitProcessor,
    model: Vit,
    device: Device,
}

static LOADED: Loaded<Dino> = Loaded::new();

impl Dino {
    /// The model of a folder, loaded once.
    ///
    /// # Errors
    /// Files that are missing or do not fit; no memory; cancelled.
    pub fn open(run: &Run, folder: &Path, device: &Device) -> Result<Arc<Self>, WeightsError> {
        LOADED.get_or_load(Key::of(&[folder], DType::F32, device)?, || {
            let config = VitConfig::read(folder)?;
            let processor = VitProcessor::read(folder, config.image_size)?;
            let weights = Weights::watched(Checkpoint::open(folder)?, DType::F32, device, run);
            // A `ViTModel` is saved with its names bare, a classifier's with `vit.` before them.
            let prefix = if weights.contains("vit.embeddings.cls_token") { "vit" } else { "" };
            let model = weights.load(|w| Vit::load(&w.pp(prefix), &config))?;
            Ok((Self { processor, model, device: device.clone() }, weights.bytes()))
        })
    }
}

impl Eye for Dino {
    fn embed(&self, pictures: &[&Rgb]) -> Result<Tensor, WeightsError> {
        let pixels = pictures.iter().map(|picture| self.processor.process(picture, &self.device));
        Ok(self.model.embed(&Tensor::stack(&pixels.collect::<Result<Vec<_>, _>>()?, 0)?)?)
    }
}

/// The node type.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "metrics.dino",
        "DINO similarity",
        "Metrics",
        "How alike two pictures are to DINO: the cosine between its class tokens. The pictures may have any sizes.",
    )
    .input("image", "Image", kind::IMAGE, "The picture, such as an edit. Alpha is ignored.")
    .input("goal", "Goal", kind::IMAGE, "What it should be.")
    .parameter(
        "model",
        "Model",
        Domain::Model { default: "dino-vits16".into(), optional: false },
        "A Hugging Face folder of a ViTModel, such as facebook/dino-vits16.",
    );
    let description = with_device(description).output("similarity", "Similarity", kind::NUMBER, "-1 to 1 (alike).");
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || measure(run)))
}

fn measure(run: &Run) -> Result<Outputs, Failure> {
    let (image, goal) = (Rgb::of_wire(&run.image("image")?, "image")?, Rgb::of_wire(&run.image("goal")?, "goal")?);
    let (folder, device) = (run.path("model")?, device_of(run)?);
    let dino = Dino::open(run, &folder, &device)?;
    let found = embeddings(&*dino, &[&image, &goal], || run.check_cancelled())?;
    let similarity = finite(cosine(&found[0], &found[1]), &folder)?;
    Ok(Outputs::new().with("similarity", Value::number(similarity)))
}
