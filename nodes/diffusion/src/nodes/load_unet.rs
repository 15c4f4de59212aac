//! `diffusion.load_unet`: a UNet from its files, as a denoiser that `diffusion.denoise` drives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device};
use mgie_plugin_api::{
    Domain, Extensible, Extension, Failure, NodeDefinition, NodeDescription, Object, Outputs, Run, Value, extension,
    kind,
};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::{Checkpoint, Overlay, Weights, WeightsError};

use crate::config::Config;
use crate::denoiser;
use crate::schedule::Prediction;
use crate::unet::{Unet, UnetConfig};

static UNETS: Loaded<Unet> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    let model = Domain::Model { default: "instruct-pix2pix/unet".into(), optional: false };
    let weights = Domain::Model { default: "mgie_7b/unet.pt".into(), optional: true };
    let choices = [Prediction::Epsilon, Prediction::Velocity].map(|prediction| prediction.name().to_owned()).to_vec();
    let prediction = Domain::Choice { default: Prediction::Epsilon.name().into(), choices };
    let description = NodeDescription::new(
        "diffusion.load_unet",
        "Load UNet",
        "Diffusion",
        "Loads a Stable Diffusion 1.5 UNet with eight input channels, for Denoise to drive.",
    )
    .parameter("model", "Model", model, "The UNet's folder: config.json and weights, as diffusers writes it.")
    .parameter("weights", "Weights", weights, "Weights that lie over the folder's; may be empty.")
    .parameter("prediction_type", "Predicts", prediction, "What the UNet was trained to predict.");
    let description = super::with_device_and_dtype(description).output(
        "denoiser",
        "Denoiser",
        kind::DENOISER,
        "The UNet, as an object that predicts noise.",
    );
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let name = run.string("prediction_type")?;
    let prediction = Prediction::named(name)
        .ok_or_else(|| Failure::parameter("prediction_type", "epsilon or v_prediction", name.to_owned()))?;
    let (device, dtype) = super::device_and_dtype(run)?;
    let files = Files { model: run.path("model")?, weights: run.optional_path("weights")? };
    let key = files.key(dtype, &device)?;
    let unet = UNETS.get_or_load(key.clone(), || {
        let (config, overlay) = files.open()?;
        super::load(run, overlay, dtype, &device, |w| Unet::new(w, &config))
    })?;
    let header = denoiser::expectations(unet.config(), prediction, dtype, &device).header();
    let object = Object::new(UnetObject(Arc::new(Source { files, key, dtype, device })));
    Ok(Outputs::new().with("denoiser", Value::object(kind::DENOISER, header, object)))
}

/// Where a UNet's configuration and weights lie.
struct Files {
    model: PathBuf,
    weights: Option<PathBuf>,
}

impl Files {
    fn key(&self, dtype: DType, device: &Device) -> Result<Key, WeightsError> {
        let paths: Vec<&Path> = std::iter::once(&self.model).chain(&self.weights).map(PathBuf::as_path).collect();
        Key::of(&paths, dtype, device)
    }

    fn open(&self) -> Result<(UnetConfig, Overlay), WeightsError> {
        let config = UnetConfig::read(&Config::read(self.model.join("config.json"))?)?;
        let base = Checkpoint::open(&self.model)?;
        let overlay = match &self.weights {
            None => Overlay::from(base),
            Some(path) => {
                let above = Checkpoint::open(path)?;
                if !above.names().any(|name| base.get(name).is_some()) {
                    let problem = format!("holds none of the tensors of {}", self.model.display());
                    return Err(WeightsError::malformed(path, problem)
                        .with_remedy("name a UNet's weights, such as MGIE's unet.pt, or leave the parameter empty"));
                }
                Overlay::new().then(above).then(base)
            }
        };
        Ok((config, overlay))
    }
}

/// A UNet that can be let go of while nobody asks it, and loaded again when somebody does: the value on the wire, which
/// a cache may keep for long, holds no weights.
struct Source {
    files: Files,
    key: Key,
    dtype: DType,
    device: Device,
}

impl Source {
    fn unet(&self) -> Result<Arc<Unet>, WeightsError> {
        UNETS.get_or_load(self.key.clone(), || {
            let (config, overlay) = self.files.open()?;
            let weights = Weights::new(overlay, self.dtype, &self.device);
            let unet = weights.load(|w| Unet::new(w, &config))?;
            Ok((unet, weights.bytes()))
        })
    }
}

struct UnetObject(Arc<Source>);

impl Extensible for UnetObject {
    fn extension(&self, id: &str) -> Option<Extension> {
        let source = Arc::clone(&self.0);
        (id == extension::id::DENOISER)
            .then(|| Extension::new(move |message| denoiser::answer(&*source.unet()?, &source.device, &message)))
    }
}
