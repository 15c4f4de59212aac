//! A run without a host, as the tests of the nodes need it.

use mgie_plugin_api::serde_json::{self, json};
use mgie_plugin_api::{Extensible, Extension, NodeDefinition, Object, Outputs, Run, Tensor, Value, kind};

struct NoHost;
impl Extensible for NoHost {
    fn extension(&self, _id: &str) -> Option<Extension> {
        None
    }
}

/// Runs a node with `parameters` (its defaults filled in) on `inputs`; the failure as people read it.
pub fn run(
    node: &NodeDefinition,
    parameters: serde_json::Value,
    inputs: Vec<(&str, Value)>,
) -> Result<Outputs, String> {
    let mut all = serde_json::Map::new();
    for parameter in &node.description().parameters {
        all.insert(parameter.id.clone(), parameter.domain.default_json());
    }
    if let serde_json::Value::Object(given) = parameters {
        all.extend(given);
    }
    let inputs = inputs.into_iter().map(|(socket, value)| (socket.to_owned(), value)).collect();
    node.run(&Run::new(all.into(), inputs, &Object::new(NoHost))).map_err(|failure| failure.to_string())
}

/// A tensor of no particular kind.
pub fn tensor<const N: usize>(shape: [usize; N], numbers: Vec<f32>) -> Result<Value, String> {
    let tensor = Tensor::from_f32(shape, numbers).map_err(|error| error.to_string())?;
    Ok(Value::tensor(kind::TENSOR, json!({}), tensor))
}
