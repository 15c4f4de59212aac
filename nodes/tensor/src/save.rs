//! `tensor.save`: a value's tensor into a `.safetensors` file.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};

use crate::tensor_file;

/// The node type.
pub fn definition() -> NodeDefinition {
    let path = Domain::SaveFile { default: String::new(), extensions: vec!["safetensors".to_owned()] };
    let description = NodeDescription::new(
        "tensor.save",
        "Save tensor",
        "Tensor",
        "Writes the tensor of any value as `value` into a .safetensors file, with the value's kind and header in its \
         metadata. A file of that name is replaced, once the new one is complete.",
    )
    .input("value", "Value", kind::ANY, "Any value that has a tensor.")
    .parameter("path", "Path", path, "The file to write; its name ends in .safetensors.")
    .output("path", "Path", kind::TEXT, "The file that was written.")
    .with_side_effect();
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let value = run.value("value")?;
    let path = run.path("path")?;
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors")) {
        let found = path.display().to_string();
        return Err(Failure::parameter("path", "a name that ends in .safetensors", found));
    }
    tensor_file::write(&path, value)?;
    Ok(Outputs::new().with("path", Value::text(path.display().to_string())))
}
