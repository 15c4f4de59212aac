//! The miniature's edit head against `torch.nn.Transformer` on the same files (`tests/reference/golden_edit_head.py`),
//! within 1e-4 relative RMS, and the nodes around it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Tensor};
use mgie_edit_head::EditHead;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, FailureKind, Object, Outputs, Run, Value, kind};
use mgie_weights::{Checkpoint, Weights, wire};
use std::path::{Path, PathBuf};

struct NoHost;
impl Extensible for NoHost {
    fn extension(&self, _id: &str) -> Option<Extension> {
        None
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn mllm() -> PathBuf {
    root().join("tests/miniature/mgie_7b/mllm.pt")
}

fn golden(file: &str, name: &str) -> Tensor {
    let file = root().join(format!("tests/goldens/{file}.safetensors"));
    Weights::open(&file, DType::F32, &Device::Cpu).unwrap().get_any(name).unwrap()
}

fn head(dtype: DType) -> EditHead {
    let weights = Weights::new(Checkpoint::open(mllm()).unwrap(), dtype, &Device::Cpu);
    weights.load(|w| EditHead::load(&w.pp("edit_head"))).unwrap()
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    (sum((found - expected).unwrap()) / sum(expected.clone())).sqrt()
}

#[test]
fn conditioning_is_the_references_for_every_answer() {
    let head = head(DType::F32);
    let embeddings = golden("edit_head", "img_embeddings");
    for name in ["plain", "accents", "empty", "long", "ngram", "late", "short", "ngram_eos", "random"] {
        let file = if name == "random" { "edit_head" } else { "mllm" };
        let tokens = golden(file, &format!("{name}.visual_tokens"));
        let found = head.forward(&tokens, &embeddings).unwrap();
        let error = relative_rms(&found, &golden("edit_head", &format!("{name}.conditioning")));
        assert!(error < 1e-5, "{name}: conditioning is {error:e} off");
    }
}

#[test]
fn half_precision_on_the_cpu_stays_near_the_f32_reference() {
    let (tokens, embeddings) = (golden("mllm", "plain.visual_tokens"), golden("edit_head", "img_embeddings"));
    for (dtype, most) in [(DType::F16, 1e-3), (DType::BF16, 3e-2)] {
        let found = head(dtype).forward(&tokens, &embeddings).unwrap();
        let error = relative_rms(&found, &golden("edit_head", "plain.conditioning"));
        assert!(error < most, "{dtype:?}: conditioning is {error:e} off");
    }
}

#[test]
fn a_file_with_a_layers_tensor_missing_is_refused_by_its_name() {
    let whole = Checkpoint::open(mllm()).unwrap();
    let weights = Weights::new(whole.clone(), DType::F32, &Device::Cpu);
    let lacking = "edit_head.mapper.decoder.layers.1.norm3.weight";
    let tensors = whole.names().filter(|name| *name != lacking && name.starts_with("edit_head."));
    let tensors = tensors.map(|name| (name.to_owned(), weights.get_any(name).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lacking.safetensors");
    candle_core::safetensors::save(&tensors.collect(), &file).unwrap();
    let failure = project(file.to_str().unwrap(), &golden("mllm", "plain.visual_tokens")).unwrap_err();
    assert!(failure.to_string().contains(lacking), "{failure}");
}

fn project(weights: &str, tokens: &Tensor) -> Result<Outputs, Failure> {
    let value = |kind: &str, tensor: &Tensor| Value::tensor(kind, json!({}), wire::from_candle(tensor).unwrap());
    let inputs = vec![
        ("visual_tokens".to_owned(), value(kind::VISUAL_TOKENS, tokens)),
        ("img_embeddings".to_owned(), value(kind::IMG_EMBEDDINGS, &golden("edit_head", "img_embeddings"))),
    ];
    run("edit_head.project", json!({ "weights": weights, "device": "cpu", "dtype": "f32" }), inputs)
}

fn run(node: &str, parameters: Json, inputs: Vec<(String, Value)>) -> Result<Outputs, Failure> {
    let run = Run::new(parameters, inputs, &Object::new(NoHost));
    mgie_edit_head::plugin().definition(node).unwrap().run(&run)
}

#[test]
fn the_node_gives_conditioning_and_the_null_conditioning_of_zero_tokens() {
    let outputs = project(mllm().to_str().unwrap(), &golden("mllm", "plain.visual_tokens")).unwrap();
    for (socket, name) in [("conditioning", "plain.conditioning"), ("null_conditioning", "null_conditioning")] {
        let value = outputs.get(socket).unwrap();
        assert_eq!(value.kind(), kind::CONDITIONING);
        let found = wire::to_candle(value.as_tensor().unwrap(), &Device::Cpu).unwrap();
        let error = relative_rms(&found, &golden("edit_head", name));
        assert!(error < 1e-5, "{socket} is {error:e} off");
    }
}

#[test]
fn visual_tokens_of_another_model_are_refused_by_socket_and_width() {
    let tokens = Tensor::zeros((8, 40), DType::F32, &Device::Cpu).unwrap();
    let failure = project(mllm().to_str().unwrap(), &tokens).unwrap_err();
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Input, "visual_tokens"), "{failure}");
    assert!(failure.expected.contains("48") && failure.found.contains("40"), "{failure}");
}

#[test]
fn a_file_without_an_edit_head_says_which_tensor_it_lacks() {
    let unet = root().join("tests/miniature/mgie_7b/unet.pt");
    let failure = project(unet.to_str().unwrap(), &golden("mllm", "plain.visual_tokens")).unwrap_err();
    assert!(failure.to_string().contains("edit_head.llm2hid.weight"), "{failure}");
}

#[test]
fn text_features_go_through_unchanged_and_must_be_alike() {
    let features = |rows: usize| {
        let data = (0..rows * 24).map(|i| i as f32).collect();
        let tensor = mgie_plugin_api::Tensor::from_f32([rows, 24], data).unwrap();
        Value::tensor(kind::CLIP_TEXT_FEATURES, json!({ "tokens": 5 }), tensor)
    };
    let inputs = |null: usize| vec![("features".into(), features(77)), ("null_features".into(), features(null))];
    let outputs = run("edit_head.text_conditioning", json!({}), inputs(77)).unwrap();
    for socket in ["conditioning", "null_conditioning"] {
        let value = outputs.get(socket).unwrap();
        assert_eq!(value.kind(), kind::CONDITIONING);
        assert_eq!(value.as_tensor().unwrap().f32().unwrap(), features(77).as_tensor().unwrap().f32().unwrap());
    }
    let failure = run("edit_head.text_conditioning", json!({}), inputs(76)).unwrap_err();
    assert_eq!(failure.place, "null_features", "{failure}");
}
