//! `text.load`: a text from a file.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};

/// The most bytes that a text file may have: 1 MiB.
const MAX_BYTES: u64 = 1 << 20;

/// The node type.
pub fn definition() -> NodeDefinition {
    let path = Domain::File { default: String::new(), extensions: vec!["txt".to_owned()], optional: false };
    let description = NodeDescription::new(
        "text.load",
        "Load text",
        "Text",
        "Reads a text file (UTF-8, up to 1 MiB). Windows' line ends become line feeds.",
    )
    .parameter("path", "Path", path, "The text file.")
    .parameter(
        "trim",
        "Trim",
        Domain::Boolean { default: true },
        "Leaves out white space before and after the text, such as the line end that editors put behind it.",
    )
    .output("text", "Text", kind::TEXT, "The text.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let path = run.path("path")?;
    let bytes = file::read_whole(&path, MAX_BYTES)?;
    let text = match bytes.as_slice() {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            return Err(Failure::file(&path, "the text is UTF-16").remedy("save it as UTF-8"));
        }
        // The mark that some editors put before UTF-8 is no part of the text.
        [0xEF, 0xBB, 0xBF, text @ ..] => text,
        text => text,
    };
    let text = std::str::from_utf8(text).map_err(|error| {
        let message = format!("the text is not UTF-8 from byte {} on", error.valid_up_to());
        Failure::file(&path, message).remedy("name a text file, or save it as UTF-8")
    })?;
    let text = text.replace("\r\n", "\n");
    let text = if run.boolean("trim")? { text.trim() } else { &text };
    Ok(Outputs::new().with("text", Value::text(text)))
}
