//! `text.constant`: a text that is written in the graph.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};

/// The node type.
pub fn definition() -> NodeDefinition {
    let text = Domain::Text { default: String::new(), multiline: true };
    let description = NodeDescription::new("text.constant", "Text", "Text", "A text, such as an instruction.")
        .parameter("text", "Text", text, "The text; taken as it is.")
        .output("text", "Text", kind::TEXT, "The text.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    Ok(Outputs::new().with("text", Value::text(run.string("text")?)))
}
