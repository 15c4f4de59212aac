//! The node as a host runs it: its parameters and sockets, what it shows while it works, and its errors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_plugin_api::extension::id;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{
    Extensible, Extension, Failure, FailureKind, Message, Object, Outputs, Run, Tensor, Value, kind,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A host that remembers what it is told, and cancels after so many previews.
#[derive(Clone, Default)]
struct Host {
    told: Arc<Mutex<Vec<(&'static str, Message)>>>,
    previews: Arc<AtomicUsize>,
    patience: Option<usize>,
}

impl Host {
    fn told(&self, what: &str) -> Vec<Message> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|(id, _)| *id == what).map(|(_, message)| message.clone()).collect()
    }
}

impl Extensible for Host {
    fn extension(&self, wanted: &str) -> Option<Extension> {
        let host = self.clone();
        let what = [id::PROGRESS, id::PREVIEW, id::LOG, id::DEVICE].into_iter().find(|id| *id == wanted);
        match (wanted, what) {
            (id::CANCELLED, _) => Some(Extension::new(move |_| {
                let previews = host.previews.load(Ordering::Relaxed);
                Ok(Message::json(json!({ "cancelled": host.patience.is_some_and(|most| previews >= most) })))
            })),
            (id::THREADS, _) => Some(Extension::new(|_| Ok(Message::json(json!({ "threads": 2 }))))),
            (_, Some(what)) => Some(Extension::new(move |message| {
                if what == id::PREVIEW {
                    host.previews.fetch_add(1, Ordering::Relaxed);
                }
                host.told.lock().unwrap().push((what, message));
                Ok(Message::json(json!({})))
            })),
            _ => None,
        }
    }
}

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/miniature").canonicalize().unwrap()
}

fn parameters() -> Json {
    json!({
        "model": small().join("LLaVA-7B-v1"), "weights": small().join("mgie_7b/mllm.pt"), "max_new_tokens": 96,
        "no_repeat_ngram": 3, "sees_picture": true, "device": "cpu", "dtype": "f32"
    })
}

fn features(layer: i64, width: usize) -> Value {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/mllm.safetensors");
    let bytes = std::fs::read(golden).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let floats = file.tensor("features").unwrap().data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
    let tensor = Tensor::from_f32([16 * 40 / width, width], floats.collect()).unwrap();
    Value::tensor(kind::CLIP_FEATURES, json!({ "layer": layer, "grid": [4, 4] }), tensor)
}

fn expand(host: &Host, parameters: Json, features: Value, instruction: &str) -> Result<Outputs, Failure> {
    let inputs = vec![("features".to_owned(), features), ("instruction".to_owned(), Value::text(instruction))];
    let run = Run::new(parameters, inputs, &Object::new(host.clone()));
    mgie_mllm::plugin().definition("mllm.expand").unwrap().run(&run)
}

#[test]
fn the_node_gives_text_tokens_and_tensors_and_shows_the_text_as_it_grows() {
    let host = Host::default();
    let outputs = expand(&host, parameters(), features(-2, 40), "make the sky stormy").unwrap();
    let text = |socket: &str| outputs.get(socket).and_then(Value::as_text).unwrap();
    assert!(text("raw_text").starts_with("<s>A chat") && text("raw_text").ends_with("</s>"), "{}", text("raw_text"));
    assert!(text("text").ends_with('.') && !text("text").contains("[IMG0]"), "{}", text("text"));

    let tokens = outputs.get("token_ids").unwrap();
    let ids = tokens.as_tensor().unwrap().as_slice::<i64>().unwrap();
    let pieces = tokens.header()["pieces"].as_array().unwrap();
    assert_eq!((ids.len(), pieces.len()), (164, 164));
    assert_eq!(tokens.header()["prompt_length"], 121);
    assert_eq!((ids[0], &pieces[0]), (1, &json!("<s>")));
    assert_eq!((ids[121 + 34], &pieces[121 + 34]), (603, &json!("[IMG0]")));
    for socket in ["visual_tokens", "img_embeddings"] {
        assert_eq!(outputs.get(socket).unwrap().as_tensor().unwrap().shape(), [8, 48], "{socket}");
    }

    let previews = host.told(id::PREVIEW);
    assert_eq!(previews.len(), 43, "a preview a token");
    let last = previews.last().unwrap().value("preview").unwrap();
    assert_eq!(last.as_text(), Some(text("text")));
    let labels: Vec<Json> = host.told(id::PROGRESS).iter().map(|m| m.json["label"].clone()).collect();
    assert!(labels.contains(&json!("reading the prompt")) && labels.contains(&json!("writing")), "{labels:?}");
    assert_eq!(host.told(id::DEVICE).first().unwrap().json["device"], "cpu");
    assert!(host.told(id::LOG).is_empty());
}

#[test]
fn features_of_another_layer_are_taken_with_a_warning() {
    let host = Host::default();
    let mut parameters = parameters();
    parameters["max_new_tokens"] = json!(1);
    expand(&host, parameters, features(-1, 40), "x").unwrap();
    let message = host.told(id::LOG).first().unwrap().json["message"].to_string();
    assert!(message.contains("layer -1") && message.contains("layer -2"), "{message}");
}

#[test]
fn a_model_that_does_not_see_the_picture_needs_no_features() {
    let run = |sees_picture: bool| {
        let mut parameters = parameters();
        parameters["sees_picture"] = json!(sees_picture);
        let inputs = vec![("instruction".to_owned(), Value::text("make the sky stormy"))];
        let run = Run::new(parameters, inputs, &Object::new(Host::default()));
        mgie_mllm::plugin().definition("mllm.expand").unwrap().run(&run)
    };
    let outputs = run(false).unwrap();
    let raw_text = outputs.get("raw_text").and_then(Value::as_text).unwrap();
    assert!(raw_text.contains("if 'make the sky stormy' ASSISTANT:"), "{raw_text}");
    let failure = run(true).unwrap_err();
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Input, "features"), "{failure}");
    assert!(failure.remedy.contains("sees_picture"), "{failure}");
}

#[test]
fn a_run_is_cancelled_within_a_token() {
    let host = Host { patience: Some(3), ..Host::default() };
    let failure = expand(&host, parameters(), features(-2, 40), "make the sky stormy").unwrap_err();
    assert!(failure.is_cancelled(), "{failure}");
    assert_eq!(host.told(id::PREVIEW).len(), 3);
}

#[test]
fn errors_name_the_socket_the_parameter_or_the_file() {
    let with = |key: &str, value: Json| {
        let mut parameters = parameters();
        parameters[key] = value;
        parameters
    };
    let fail = |parameters: Json, width: usize, instruction: &str| {
        expand(&Host::default(), parameters, features(-2, width), instruction).unwrap_err()
    };
    let failure = fail(parameters(), 20, "x");
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Input, "features"), "{failure}");
    let failure = fail(parameters(), 40, &"make it red ".repeat(833));
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Input, "instruction"), "{failure}");
    assert!(failure.to_string().contains("2048") && failure.remedy.contains("shorten"), "{failure}");
    let failure = fail(with("dtype", json!("f8")), 40, "x");
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Parameter, "dtype"), "{failure}");
    let failure = fail(with("model", json!("/no/such/folder")), 40, "x");
    assert!(failure.kind == FailureKind::File && failure.place.contains("/no/such/folder"), "{failure}");
    let failure = fail(with("weights", json!("")), 40, "x");
    assert!(failure.kind == FailureKind::File && failure.remedy.contains("mllm.pt"), "{failure}");
    let failure = fail(with("weights", json!(small().join("mgie_7b/unet.pt"))), 40, "x");
    assert!(failure.kind == FailureKind::File && failure.remedy.contains("unet.pt"), "{failure}");
    let failure = fail(with("model", json!(small().join("clip-vit-large-patch14"))), 40, "x");
    assert!(failure.place.ends_with("config.json"), "{failure}");
}
