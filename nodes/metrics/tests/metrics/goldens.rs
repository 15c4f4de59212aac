//! What the reference computed, and nodes run without a host.

use candle_core::{DType, Device, Tensor};
use mgie_plugin_api::serde_json::{self, Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, Message, Object, Outputs, Run, Value, extension};
use mgie_weights::Weights;
use std::path::{Path, PathBuf};

pub struct NoHost;
impl Extensible for NoHost {
    fn extension(&self, _id: &str) -> Option<Extension> {
        None
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn tensors(dtype: DType) -> Weights<'static> {
    Weights::open(&root().join("tests/goldens/metrics.safetensors"), dtype, &Device::Cpu).unwrap()
}

pub fn facts() -> Json {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/goldens/metrics.json")).unwrap()).unwrap()
}

/// A tensor u8 [height, width, 3] of the goldens as a picture on a wire.
pub fn picture(tensor: &str) -> Value {
    from_bytes(&tensors(DType::U8).get_any(tensor).unwrap())
}

/// graphs/photos/landscape.png.
pub fn landscape() -> Value {
    let file = std::fs::read(root().join("graphs/photos/landscape.png")).unwrap();
    mgie_image::decode::decode(&file).unwrap().into_value().unwrap()
}

fn from_bytes(tensor: &Tensor) -> Value {
    let bytes: Vec<u8> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    image(tensor.dims(), bytes.iter().map(|v| f32::from(*v) / 255.0).collect(), 8)
}

pub fn image(shape: &[usize], samples: Vec<f32>, bit_depth: u8) -> Value {
    Value::image(mgie_plugin_api::Tensor::from_f32(shape, samples).unwrap(), bit_depth)
}

pub fn run(node: &str, parameters: Json, inputs: Vec<(&str, Value)>) -> Result<Outputs, Failure> {
    let inputs = inputs.into_iter().map(|(socket, value)| (socket.to_owned(), value)).collect();
    let run = Run::new(parameters, inputs, &Object::new(NoHost));
    mgie_metrics::plugin().definition(node).unwrap().run(&run)
}

pub fn number(outputs: &Outputs, socket: &str) -> f64 {
    outputs.get(socket).and_then(Value::as_number).unwrap()
}

/// A run that was cancelled before it began.
pub fn cancelled(parameters: Json, inputs: Vec<(String, Value)>) -> Run {
    struct Cancels;
    impl Extensible for Cancels {
        fn extension(&self, wanted: &str) -> Option<Extension> {
            let answer = |_| Ok(Message::json(json!({ "cancelled": true })));
            (wanted == extension::id::CANCELLED).then(|| Extension::new(answer))
        }
    }
    Run::new(parameters, inputs, &Object::new(Cancels))
}
