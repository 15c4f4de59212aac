//! `text.save`: a text into a file.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};

/// The node type.
pub fn definition() -> NodeDefinition {
    let path = Domain::SaveFile { default: String::new(), extensions: vec!["txt".to_owned()] };
    let description = NodeDescription::new(
        "text.save",
        "Save text",
        "Text",
        "Writes a text into a file, in UTF-8 and as it is. A file of that name is replaced, once the new one is \
         complete.",
    )
    .input("text", "Text", kind::TEXT, "The text.")
    .parameter("path", "Path", path, "The file to write.")
    .output("path", "Path", kind::TEXT, "The file that was written.")
    .with_side_effect();
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let text = run.text("text")?;
    let path = run.path("path")?;
    file::write_whole(&path, &[text.as_bytes()])?;
    Ok(Outputs::new().with("path", Value::text(path.display().to_string())))
}
