//! `tensor.load`: one tensor of a `.safetensors` file, as the value that it was.

use mgie_plugin_api::serde_json::{self, Map, Value as Json};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::tensor_file::{self, Wanted};

const DTYPES: [&str; 3] = ["auto", "f32", "file"];

/// The node type.
pub fn definition() -> NodeDefinition {
    let path = Domain::File { default: String::new(), extensions: vec!["safetensors".to_owned()], optional: false };
    let line = || Domain::Text { default: String::new(), multiline: false };
    let dtype = Domain::Choice { default: DTYPES[0].to_owned(), choices: DTYPES.map(str::to_owned).to_vec() };
    let description = NodeDescription::new(
        "tensor.load",
        "Load tensor",
        "Tensor",
        "Reads one tensor of a .safetensors file. A file that tensor.save or --save wrote gives back the value that it \
         was, kind and header included, so that a captured stage can be fed again.",
    )
    .parameter("path", "Path", path, "The .safetensors file.")
    .parameter("name", "Name", line(), "Which tensor; empty for `value`, or the only one in the file.")
    .parameter(
        "kind",
        "Kind",
        line(),
        "What the value is said to be, such as sd.latents; empty for what the file says, or else tensor.",
    )
    .parameter(
        "header",
        "Header",
        line(),
        "What is said of the value, as a JSON object such as {\"space\": \"image\"}; empty for what the file says.",
    )
    .parameter(
        "dtype",
        "Type",
        dtype,
        "file keeps the elements' type; f32 turns other floats into f32, which nodes expect; auto does so unless the \
         kind is tensor.",
    )
    .output("value", "Value", kind::ANY, "The tensor.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let path = run.path("path")?;
    let given = |name: &str| Ok::<_, Failure>(Some(run.string(name)?.trim()).filter(|text| !text.is_empty()));
    let header: Option<Map<String, Json>> = match given("header")? {
        None => None,
        Some(text) => Some(serde_json::from_str(text).map_err(|error| {
            Failure::parameter("header", "a JSON object such as {\"space\": \"image\"}", error.to_string())
        })?),
    };
    let dtype = run.string("dtype")?;
    if !DTYPES.contains(&dtype) {
        return Err(Failure::parameter("dtype", format!("one of {}", DTYPES.join(", ")), dtype));
    }
    let value =
        tensor_file::read(&path, Wanted { name: given("name")?, kind: given("kind")?, header: header.as_ref() })?;
    let widen = dtype == "f32" || (dtype == "auto" && value.kind() != kind::TENSOR);
    let value = if widen { tensor_file::widened(value)? } else { value };
    Ok(Outputs::new().with("value", value))
}
