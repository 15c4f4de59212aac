//! Node `metrics.lpips`: how different two pictures look, learned from people's judgements.

use candle_core::{DType, Device, Tensor};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::{Checkpoint, Weights, WeightsError, pool};
use std::path::Path;
use std::sync::Arc;

use crate::models::lpips::Lpips;
use crate::pixels::Rgb;
use crate::similarity::finite;
use crate::{device_of, with_device};

static LOADED: Loaded<Lpips> = Loaded::new();

/// What the parameter `model` means, wherever it stands.
pub(crate) const ABOUT_MODEL: &str =
    "A file made in Python by torch.save(lpips.LPIPS(net='alex').state_dict(), path), or of net='vgg'.";

/// The model of a file, loaded once.
///
/// # Errors
/// A file that is missing or does not fit; no memory; cancelled.
pub(crate) fn open(run: &Run, file: &Path, device: &Device) -> Result<Arc<Lpips>, WeightsError> {
    LOADED.get_or_load(Key::of(&[file], DType::F32, device)?, || {
        let weights = Weights::watched(Checkpoint::open(file)?, DType::F32, device, run);
        let model = weights.load(Lpips::load)?;
        Ok((model, weights.bytes()))
    })
}

/// The distance of two pictures of one size.
///
/// # Errors
/// Other sizes or sides below [`Lpips::least_side`], as an input's failure; not enough memory or a failing device.
pub(crate) fn distance(model: &Lpips, image: &Rgb, goal: &Rgb, device: &Device) -> Result<f64, Failure> {
    let least = model.least_side();
    if (image.width, image.height) != (goal.width, goal.height) || image.width.min(image.height) < least {
        let expected = format!("two pictures of one size, at least {least}×{least} pixels");
        return Err(Failure::input("image", expected, format!("{} against {}", image.size(), goal.size()))
            .remedy("resize one of them (image.resize)"));
    }
    let tensor = |picture: &Rgb| -> candle_core::Result<Tensor> {
        let samples = Tensor::from_slice(&picture.samples, (1, picture.height, picture.width, 3), device)?;
        samples.permute((0, 3, 1, 2))?.contiguous()?.affine(2.0, -1.0)
    };
    let found = || -> candle_core::Result<f64> {
        let distance = model.distance(&tensor(image)?, &tensor(goal)?)?;
        Ok(f64::from(distance.to_dtype(DType::F32)?.get(0)?.to_scalar::<f32>()?))
    };
    Ok(found().map_err(WeightsError::from)?)
}

/// The node type.
pub fn definition() -> NodeDefinition {
    let model = Domain::Model { default: "lpips-alex.pth".into(), optional: false };
    let description = NodeDescription::new(
        "metrics.lpips",
        "LPIPS",
        "Metrics",
        "How different two pictures look: the learned perceptual distance by AlexNet or VGG16, as the weights are.",
    )
    .input("image", "Image", kind::IMAGE, "The picture, such as an edit. Alpha is ignored.")
    .input("goal", "Goal", kind::IMAGE, "What it should be; of the same size.")
    .parameter("model", "Model", model, ABOUT_MODEL);
    let description = with_device(description).output("distance", "Distance", kind::NUMBER, "0 (equal) and up.");
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || measure(run)))
}

fn measure(run: &Run) -> Result<Outputs, Failure> {
    let (image, goal) = (Rgb::of_wire(&run.image("image")?, "image")?, Rgb::of_wire(&run.image("goal")?, "goal")?);
    let (path, device) = (run.path("model")?, device_of(run)?);
    let model = open(run, &path, &device)?;
    run.check_cancelled()?;
    let distance = finite(distance(&model, &image, &goal, &device)?, &path)?;
    Ok(Outputs::new().with("distance", Value::number(distance)))
}
