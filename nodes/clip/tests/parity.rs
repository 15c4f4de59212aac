//! The miniature's CLIP against transformers' classes on the same files (`tests/reference/golden_clip.py`,
//! `golden_clip_text.py`): preprocessing within 1e-5, every stage within 1e-4 relative RMS; and the nodes around it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Tensor};
use mgie_clip::config::{Tower, TowerConfig};
use mgie_clip::processor::Processor;
use mgie_clip::vision::VisionTower;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, FailureKind, Object, Outputs, Run, Value, kind};
use mgie_weights::{Checkpoint, Weights, WeightsError, wire};
use std::path::{Path, PathBuf};

struct NoHost;
impl Extensible for NoHost {
    fn extension(&self, _id: &str) -> Option<Extension> {
        None
    }
}

const PICTURES: [&str; 3] = ["landscape", "tall", "small"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn clip() -> PathBuf {
    root().join("tests/miniature/clip-vit-large-patch14")
}

fn goldens(file: &str) -> Weights<'static> {
    Weights::open(&root().join(format!("tests/goldens/{file}.safetensors")), DType::F32, &Device::Cpu).unwrap()
}

fn golden(name: &str) -> Tensor {
    goldens("clip").get_any(name).unwrap()
}

/// A picture of the goldens as RGB of 8 bits, with height and width.
fn picture(name: &str) -> (Vec<u8>, usize, usize) {
    if name == "landscape" {
        let file = std::fs::read(root().join("graphs/photos/landscape.png")).unwrap();
        let picture = mgie_image::decode::decode(&file).unwrap();
        assert_eq!((picture.channels, picture.bit_depth), (3, 8));
        let bytes = picture.samples.iter().map(|v| (v * 255.0).round() as u8).collect();
        return (bytes, picture.height, picture.width);
    }
    let tensor = goldens("clip").in_dtype(DType::U8).get_any(&format!("{name}.picture")).unwrap();
    let (height, width, _) = tensor.dims3().unwrap();
    (tensor.flatten_all().unwrap().to_vec1().unwrap(), height, width)
}

fn tower(dtype: DType) -> VisionTower {
    let config = TowerConfig::read(&clip(), Tower::Vision).unwrap();
    let weights = Weights::new(Checkpoint::open(clip()).unwrap(), dtype, &Device::Cpu);
    weights.load(|w| VisionTower::load(&w.pp("vision_model"), &config)).unwrap()
}

fn hidden_state(tower: &VisionTower, pixel_values: &Tensor, layer: usize) -> Tensor {
    tower.hidden_state(pixel_values, layer, |_| Ok::<_, WeightsError>(())).unwrap()
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    let found = found.to_dtype(DType::F32).unwrap();
    (sum((found - expected).unwrap()) / sum(expected.clone())).sqrt()
}

#[test]
fn pixel_values_are_the_processors() {
    let processor = Processor::read(&clip(), 56).unwrap();
    for name in PICTURES {
        let (rgb, height, width) = picture(name);
        let found = processor.process(&rgb, height, width).unwrap();
        let expected: Vec<f32> = golden(&format!("{name}.pixel_values")).flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!((found.height, found.width, found.values.len()), (56, 56, expected.len()), "{name}");
        let off = found.values.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-6, "{name}: pixel values are {off:e} off");
    }
}

#[test]
fn hidden_states_of_every_layer_are_the_references() {
    let tower = tower(DType::F32);
    for name in PICTURES {
        let expected = golden(&format!("{name}.hidden_states"));
        for layer in 0..=4 {
            let found = hidden_state(&tower, &golden(&format!("{name}.pixel_values")), layer);
            let error = relative_rms(&found, &expected.get(layer).unwrap());
            assert!(error < 1e-5, "{name}: layer {layer} is {error:e} off");
        }
    }
}

#[test]
fn half_precision_stays_near_the_f32_reference() {
    let found = hidden_state(&tower(DType::F16), &golden("landscape.pixel_values"), 3);
    let error = relative_rms(&found, &golden("landscape.hidden_states").get(3).unwrap());
    assert!(error < 5e-3, "f16: {error:e} off");
}

fn run(node: &str, parameters: Json, input: (&str, Value)) -> Result<Outputs, Failure> {
    let run = Run::new(parameters, vec![(input.0.to_owned(), input.1)], &Object::new(NoHost));
    mgie_clip::plugin().definition(node).unwrap().run(&run)
}

fn encode_image(model: &Path, layer: i64, image: Value) -> Result<Outputs, Failure> {
    let parameters = json!({ "model": model, "layer": layer, "device": "cpu", "dtype": "auto" });
    run("clip.encode_image", parameters, ("image", image))
}

fn on_wire(name: &str) -> Value {
    let (rgb, height, width) = picture(name);
    let samples = rgb.iter().map(|v| f32::from(*v) / 255.0).collect();
    Value::image(mgie_plugin_api::Tensor::from_f32([height, width, 3], samples).unwrap(), 8)
}

#[test]
fn the_image_node_gives_the_patches_of_the_last_layer_but_one() {
    for name in PICTURES {
        let outputs = encode_image(&clip(), -2, on_wire(name)).unwrap();
        let features = outputs.get("features").unwrap();
        assert_eq!(features.kind(), kind::CLIP_FEATURES);
        assert_eq!(*features.header(), json!({ "layer": -2, "grid": [4, 4] }));
        let found = wire::to_candle(features.as_tensor().unwrap(), &Device::Cpu).unwrap();
        let error = relative_rms(&found, &golden(&format!("{name}.features")));
        assert!(error < 1e-5, "{name}: features are {error:e} off");
    }
}

#[test]
fn pictures_of_any_shape_are_encoded() {
    for (height, width, channels) in [(1, 1, 3), (1, 4000, 4), (4000, 1, 1)] {
        let samples = vec![0.5; height * width * channels];
        let image = Value::image(mgie_plugin_api::Tensor::from_f32([height, width, channels], samples).unwrap(), 16);
        let outputs = encode_image(&clip(), -2, image).unwrap();
        assert_eq!(outputs.get("features").unwrap().as_tensor().unwrap().shape(), [16, 40], "{height} × {width}");
    }
}

#[test]
fn a_layer_that_the_model_lacks_is_refused_with_the_range() {
    let failure = encode_image(&clip(), 5, on_wire("small")).unwrap_err();
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Parameter, "layer"), "{failure}");
    assert!(failure.expected.contains("-5 to 4"), "{failure}");
}

#[test]
fn a_folder_without_a_vision_tower_says_what_it_lacks() {
    let failure = encode_image(&root().join("tests/miniature/instruct-pix2pix/text_encoder"), -2, on_wire("small"));
    let failure = failure.unwrap_err();
    assert!(failure.to_string().contains("vision_model.embeddings"), "{failure}");
}

fn encode_text(text: &str) -> Outputs {
    let pix2pix = root().join("tests/miniature/instruct-pix2pix");
    let parameters = json!({
        "model": pix2pix.join("text_encoder"), "tokenizer": pix2pix.join("tokenizer"), "device": "cpu", "dtype": "f32"
    });
    run("clip.encode_text", parameters, ("text", Value::text(text))).unwrap()
}

#[test]
fn text_features_are_the_references_for_every_text() {
    let texts: Json =
        serde_json::from_str(&std::fs::read_to_string(root().join("tests/goldens/clip_text.json")).unwrap()).unwrap();
    let goldens = goldens("clip_text");
    let (hidden, pooled) = (goldens.get_any("last_hidden_state").unwrap(), goldens.get_any("pooled").unwrap());
    for (i, text) in texts["texts"].as_array().unwrap().iter().enumerate() {
        let outputs = encode_text(text.as_str().unwrap());
        for (socket, expected) in [("features", &hidden), ("pooled", &pooled)] {
            let found = wire::to_candle(outputs.get(socket).unwrap().as_tensor().unwrap(), &Device::Cpu).unwrap();
            let error = relative_rms(&found, &expected.get(i).unwrap());
            assert!(error < 1e-5, "{text}: {socket} is {error:e} off");
        }
    }
}

#[test]
fn the_text_node_says_how_many_tokens_are_not_padding() {
    assert_eq!(encode_text("").get("features").unwrap().header()["tokens"], 2);
    assert_eq!(encode_text(&"word ".repeat(76)).get("features").unwrap().header()["tokens"], 77);
}

#[test]
fn the_text_tower_of_a_clip_folder_with_both_towers_is_found() {
    let parameters = json!({ "model": clip(), "tokenizer": clip(), "device": "cpu", "dtype": "f32" });
    let outputs = run("clip.encode_text", parameters, ("text", Value::text("a cat"))).unwrap();
    assert_eq!(outputs.get("features").unwrap().as_tensor().unwrap().shape(), [77, 24]);
    assert_eq!(outputs.get("pooled").unwrap().as_tensor().unwrap().shape(), [24]);
}
