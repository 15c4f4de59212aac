//! Node `clip.encode_image`: a picture → the hidden states of its patches after any layer of CLIP's vision tower.

use crate::config::{Tower, TowerConfig};
use crate::processor::{PixelValues, Processor, rgb8};
use crate::vision::VisionTower;
use crate::{device_of, with_device};
use candle_core::{DType, Device, Tensor};
use mgie_plugin_api::{
    Domain, Failure, Image, NodeDefinition, NodeDescription, Outputs, Run, Value, kind, serde_json::json,
};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::{Checkpoint, Weights, WeightsError, pool, wire};
use std::path::Path;

/// The tower, and what happens to pictures before it.
struct Model {
    processor: Processor,
    tower: VisionTower,
}

static LOADED: Loaded<Model> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    NodeDefinition::new(description(), |run| pool::with_threads(run.threads(), || encode(run)))
}

fn description() -> NodeDescription {
    let model = Domain::Model { default: "clip-vit-large-patch14".into(), optional: false };
    let layer = Domain::Integer { default: -2, hard: [-1024, 1024], soft: [-24, 24] };
    let description = NodeDescription::new(
        "clip.encode_image",
        "CLIP image encoder",
        "CLIP",
        "Turns a picture into CLIP's features of its patches.",
    )
    .input("image", "Image", kind::IMAGE, "The picture; its middle square is looked at. Alpha is ignored.")
    .parameter("model", "Model", model, "A Hugging Face CLIP folder.")
    .parameter(
        "layer",
        "Layer",
        layer,
        "Whose output: 0 is the embeddings, 1 the first layer, -1 the last, -2 (LLaVA's) the last but one.",
    );
    with_device(description)
        .output("features", "Features", kind::CLIP_FEATURES, "A row for each patch, without the class token.")
        .shaped(&[None, None])
}

fn encode(run: &Run) -> Result<Outputs, Failure> {
    let folder = run.path("model")?;
    let image = run.image("image")?;
    let (device, dtype) = device_of(run)?;
    let key = Key::of(&[&folder], dtype, &device)?;
    let model = LOADED.get_or_load(key, || load(run, &folder, dtype, &device))?;
    let config = model.tower.config();
    let chosen = run.integer("layer")?;
    let layer = layer(chosen, config.layers)?;

    let pixel_values = pixel_values(&image, &model, &folder)?;
    let pixel_values = Tensor::from_vec(pixel_values.values, (3, pixel_values.height, pixel_values.width), &device);
    let pixel_values = pixel_values.map_err(WeightsError::from)?;
    let hidden = model.tower.hidden_state(&pixel_values, layer, |number| {
        run.progress(number as u64, layer as u64, "encoding");
        if run.cancelled() { Err(WeightsError::Cancelled) } else { Ok(()) }
    })?;
    let grid = config.grid();
    let patches = hidden.narrow(0, 1, grid * grid).map_err(WeightsError::from)?;
    let features = wire::from_candle(&patches)?;
    if !features.is_finite()? {
        return Err(Failure::file(&folder, "this model's features of the picture are not finite")
            .remedy("set dtype to f32; if that does not help, copy the model again"));
    }
    let header = json!({ "layer": chosen, "grid": [grid, grid] });
    Ok(Outputs::new().with("features", Value::tensor(kind::CLIP_FEATURES, header, features)))
}

/// transformers' index into `hidden_states`, which has the embeddings first, as a number of layers.
fn layer(chosen: i64, layers: usize) -> Result<usize, Failure> {
    let entries = layers as i64 + 1;
    let index = if chosen < 0 { entries + chosen } else { chosen };
    usize::try_from(index).ok().filter(|index| *index <= layers).ok_or_else(|| {
        let expected = format!("-{entries} to {layers} for this model of {layers} layers");
        Failure::parameter("layer", expected, chosen.to_string())
    })
}

fn pixel_values(image: &Image, model: &Model, folder: &Path) -> Result<PixelValues, Failure> {
    let side = model.tower.config().image_size;
    let (height, width) = model.processor.result_size(image.height, image.width);
    if (height, width) != (side, side) {
        let problem = format!("makes {width}×{height} of the picture; the model takes {side}×{side}");
        return Err(Failure::file(folder.join("preprocessor_config.json"), problem)
            .remedy("copy config.json and preprocessor_config.json from the same model"));
    }
    let processed = model.processor.process(&rgb8(image), image.height, image.width);
    processed.map_err(|error| Failure::input("image", "a picture that CLIP's processor can resize", error.to_string()))
}

fn load(run: &Run, folder: &Path, dtype: DType, device: &Device) -> Result<(Model, u64), WeightsError> {
    let config = TowerConfig::read(folder, Tower::Vision)?;
    let processor = Processor::read(folder, config.image_size)?;
    let weights = Weights::watched(Checkpoint::open(folder)?, dtype, device, run);
    let tower = weights.load(|w| VisionTower::load(&w.pp("vision_model"), &config))?;
    Ok((Model { processor, tower }, weights.bytes()))
}

#[cfg(test)]
mod tests {
    use super::layer;

    #[test]
    fn layers_are_counted_as_transformers_counts_hidden_states() {
        for (chosen, expected) in [(0, 0), (1, 1), (24, 24), (-1, 24), (-2, 23), (-25, 0)] {
            assert_eq!(layer(chosen, 24).ok(), Some(expected), "layer {chosen}");
        }
        for chosen in [25, -26, i64::MIN, i64::MAX] {
            assert!(layer(chosen, 24).is_err_and(|failure| failure.place == "layer"), "layer {chosen}");
        }
    }
}
