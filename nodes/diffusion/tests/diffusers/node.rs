//! Running nodes without a host.

use std::sync::{Arc, Mutex};

use mgie_plugin_api::serde_json::{Map, Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, Message, Object, Outputs, Run, Value, extension, kind};

use super::goldens::model;

/// A host that keeps previews and progress, and cancels after a number of questions.
#[derive(Clone, Default)]
pub struct Host {
    pub previews: Arc<Mutex<Vec<Value>>>,
    pub progress: Arc<Mutex<Vec<Json>>>,
    /// How often the answer to "cancelled?" is no before it is yes.
    pub patience: Option<Arc<Mutex<usize>>>,
}

impl Extensible for Host {
    fn extension(&self, id: &str) -> Option<Extension> {
        let host = self.clone();
        match id {
            extension::id::PREVIEW => Some(Extension::new(move |message| {
                host.previews.lock().unwrap().extend(message.values.into_iter().map(|(_, value)| value));
                Ok(Message::default())
            })),
            extension::id::PROGRESS => Some(Extension::new(move |message| {
                host.progress.lock().unwrap().push(message.json);
                Ok(Message::default())
            })),
            extension::id::CANCELLED => host.patience.map(|patience| {
                Extension::new(move |_| {
                    let mut patience = patience.lock().unwrap();
                    let cancelled = *patience == 0;
                    *patience = patience.saturating_sub(1);
                    Ok(Message::json(json!({ "cancelled": cancelled })))
                })
            }),
            extension::id::THREADS => Some(Extension::new(|_| Ok(Message::json(json!({ "threads": 2 }))))),
            _ => None,
        }
    }
}

/// Runs a node of the plugin: defaults as the host fills them in, then `parameters`.
pub fn run(node: &str, parameters: Json, inputs: &[(&str, &Value)]) -> Result<Outputs, Failure> {
    run_on(&Host::default(), node, parameters, inputs)
}

/// As [`run`], on that host.
pub fn run_on(host: &Host, node: &str, parameters: Json, inputs: &[(&str, &Value)]) -> Result<Outputs, Failure> {
    let plugin = mgie_diffusion::plugin();
    let definition = plugin.definition(node).unwrap();
    let mut all = Map::new();
    for parameter in &definition.description().parameters {
        all.insert(parameter.id.clone(), parameter.domain.default_json());
    }
    let Json::Object(given) = parameters else { panic!("parameters are an object") };
    for (name, value) in given {
        assert!(all.contains_key(&name), "{node} has no parameter {name}");
        all.insert(name, value);
    }
    let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
    definition.run(&Run::new(Json::Object(all), inputs, &Object::new(host.clone())))
}

/// One output of a node.
pub fn output(node: &str, parameters: Json, inputs: &[(&str, &Value)], socket: &str) -> Value {
    let outputs = run(node, parameters, inputs).unwrap_or_else(|failure| panic!("{node}: {failure}"));
    outputs.get(socket).unwrap().clone()
}

/// The failure of a node that must not succeed.
pub fn failure(node: &str, parameters: Json, inputs: &[(&str, &Value)]) -> Failure {
    match run(node, parameters, inputs) {
        Err(failure) => failure,
        Ok(outputs) => panic!("{node} gave {outputs:?}"),
    }
}

/// Panics unless every one of `parts` occurs in what the failure says.
pub fn assert_says(failure: &Failure, parts: &[&str]) {
    let text = failure.to_string();
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is missing from: {text}");
    }
}

/// A tensor value of f32.
pub fn tensor(kind: &str, header: Json, shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Value {
    Value::tensor(kind, header, mgie_plugin_api::Tensor::from_f32(shape, values).unwrap())
}

/// Image latents as the VAE node gives them.
pub fn image_latents(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Value {
    tensor(kind::LATENTS, json!({ "space": "image", "scaling": 0.18215 }), shape, values)
}

/// Conditioning.
pub fn conditioning(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Value {
    tensor(kind::CONDITIONING, json!({}), shape, values)
}

/// A picture of 8 bits, from values 0..=255.
pub fn picture(shape: impl Into<Vec<usize>>, bytes: &[f32]) -> Value {
    let samples = bytes.iter().map(|byte| byte / 255.0).collect();
    Value::image(mgie_plugin_api::Tensor::from_f32(shape, samples).unwrap(), 8)
}

/// The values of a tensor.
pub fn values(value: &Value) -> &[f32] {
    value.as_tensor().unwrap().f32().unwrap()
}

/// A path of the miniature, as the host would hand it to a node.
pub fn model_path(path: &str) -> String {
    model(path).display().to_string()
}

/// The miniature's UNet with MGIE's weights over it, or its own alone.
pub fn unet(mgie: bool) -> Value {
    let weights = if mgie { model_path("mgie_7b/unet.pt") } else { String::new() };
    let parameters = json!({ "model": model_path("instruct-pix2pix/unet"), "weights": weights });
    output("diffusion.load_unet", parameters, &[], "denoiser")
}
