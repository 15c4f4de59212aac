//! `metrics.dino` and `metrics.lpips` on random weights, against transformers and the reference's own arithmetic.

use crate::goldens::{facts, image, landscape, number, picture, run, tensors};
use candle_core::{DType, Device, Tensor};
use mgie_metrics::models::vit::{Vit, VitConfig};
use mgie_metrics::models::vit_processor::VitProcessor;
use mgie_metrics::pixels::Rgb;
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{FailureKind, Value};
use mgie_weights::Weights;
use std::collections::HashMap;
use std::path::Path;

/// The tensors of the goldens below `prefix`, as a checkpoint of their own.
fn checkpoint(prefix: &str, file: &Path) {
    let below = tensors(DType::F32).pp(prefix);
    let named: HashMap<String, Tensor> =
        below.names().into_iter().map(|name| (name.clone(), below.get_any(&name).unwrap())).collect();
    candle_core::safetensors::save(&named, file).unwrap();
}

fn dino(folder: &Path) {
    checkpoint("dino.weights", &folder.join("model.safetensors"));
    for file in ["config", "preprocessor_config"] {
        std::fs::write(folder.join(format!("{file}.json")), facts()["dino"][file].to_string()).unwrap();
    }
}

fn off(found: &Tensor, expected: &Tensor) -> f64 {
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    (sum((found - expected).unwrap()) / sum(expected.clone())).sqrt()
}

fn rgb(value: &Value) -> Rgb {
    Rgb::of_wire(&value.as_image().unwrap(), "image").unwrap()
}

#[test]
fn dinos_pixels_and_class_tokens_are_transformers() {
    let folder = tempfile::tempdir().unwrap();
    dino(folder.path());
    let config = VitConfig::read(folder.path()).unwrap();
    let processor = VitProcessor::read(folder.path(), config.image_size).unwrap();
    let vit = Weights::open(folder.path(), DType::F32, &Device::Cpu).unwrap().load(|w| Vit::load(w, &config)).unwrap();
    let goldens = tensors(DType::F32).pp("dino");
    for (name, value) in
        [("tall", picture("pair.blurred.goal")), ("small", picture("pair.equal.goal")), ("landscape", landscape())]
    {
        let pixels = processor.process(&rgb(&value), &Device::Cpu).unwrap();
        let expected = goldens.get_any(&format!("{name}.pixel_values")).unwrap();
        assert!(off(&pixels, &expected) < 1e-6, "{name}: pixel values are {:e} off", off(&pixels, &expected));
        let found = vit.embed(&expected.unsqueeze(0).unwrap()).unwrap().get(0).unwrap();
        let expected = goldens.get_any(name).unwrap();
        assert!(off(&found, &expected) < 1e-5, "{name}: the class token is {:e} off", off(&found, &expected));
    }
}

#[test]
fn the_dino_node_gives_the_cosine_of_pictures_of_any_sizes() {
    let folder = tempfile::tempdir().unwrap();
    dino(folder.path());
    for (name, goal) in [("tall, small", picture("pair.equal.goal")), ("tall, landscape", landscape())] {
        let parameters = json!({ "model": folder.path(), "device": "cpu" });
        let inputs = vec![("image", picture("pair.blurred.goal")), ("goal", goal)];
        let found = number(&run("metrics.dino", parameters, inputs).unwrap(), "similarity");
        let expected = facts()["dino"][name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-5, "{name}: found {found}, expected {expected}");
    }
}

#[test]
fn a_folder_that_holds_another_model_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    dino(folder.path());
    checkpoint("lpips.alex", &folder.path().join("model.safetensors"));
    let inputs = || vec![("image", picture("pair.equal.goal")), ("goal", picture("pair.equal.goal"))];
    let parameters = json!({ "model": folder.path(), "device": "cpu" });
    let failure = run("metrics.dino", parameters, inputs()).unwrap_err();
    assert!(failure.to_string().contains("embeddings.cls_token"), "{failure}");
    let parameters = json!({ "model": folder.path().join("nothing"), "device": "cpu" });
    let failure = run("metrics.dino", parameters, inputs()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::File, "{failure}");
}

fn lpips(network: &str, a: Value, b: Value) -> Result<f64, mgie_plugin_api::Failure> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lpips.safetensors");
    checkpoint(&format!("lpips.{network}"), &file);
    let parameters = json!({ "model": file, "device": "cpu" });
    run("metrics.lpips", parameters, vec![("image", a), ("goal", b)]).map(|outputs| number(&outputs, "distance"))
}

#[test]
fn lpips_is_the_references_through_both_networks() {
    for network in ["alex", "vgg"] {
        let found = lpips(network, picture("pair.blurred.goal"), picture("lpips.blurred"));
        let expected = facts()["lpips"][network].as_f64().unwrap();
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-4 * expected, "{network}: found {found}, expected {expected}");
        assert_eq!(lpips(network, picture("lpips.blurred"), picture("lpips.blurred")).unwrap(), 0.0);
    }
}

#[test]
fn lpips_refuses_other_and_too_small_sizes() {
    let small = || image(&[12, 40, 3], vec![0.5; 1440], 8);
    let failure = lpips("vgg", small(), small()).unwrap_err();
    assert!(failure.expected.contains("16×16") && failure.found.contains("40×12"), "{failure}");
    for (network, least) in [("alex", 31), ("vgg", 16)] {
        let square = |side: usize| image(&[side, side, 3], vec![0.5; side * side * 3], 8);
        assert_eq!(lpips(network, square(least), square(least)).unwrap(), 0.0);
        lpips(network, square(least - 1), square(least - 1)).unwrap_err();
    }
    let failure = lpips("vgg", picture("pair.blurred.goal"), landscape()).unwrap_err();
    assert!(failure.found.contains("61×133 against 300×203"), "{failure}");
}
