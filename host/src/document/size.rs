//! About how large a graph is, without writing it.

use super::{Document, Node};
use serde_json::{Map, Value};

/// Quotes, commas and the like around a value.
const AROUND: usize = 4;

impl Document {
    /// About how many bytes its text has: indentation is left out, and numbers count as many as they mostly have.
    #[must_use]
    pub fn rough_bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(|(name, node)| name.len() + AROUND + node.rough_bytes()).sum();
        nodes + of_map(&self.layout)
    }
}

impl Node {
    fn rough_bytes(&self) -> usize {
        let inputs: usize = self.inputs.iter().map(|(id, wire)| id.len() + wire.as_str().len() + 2 * AROUND).sum();
        self.node_type.len() + inputs + of_map(&self.params) + of_map(&self.layout)
    }
}

fn of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| key.len() + AROUND + of(value)).sum()
}

fn of(value: &Value) -> usize {
    AROUND
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 4,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of).sum(),
            Value::Object(map) => of_map(map),
        }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_about_as_large_as_its_text() {
        let document = Document::parse(include_str!("../../../graphs/mgie.json")).unwrap();
        let (rough, text) = (document.rough_bytes(), document.to_text().len());
        assert!((text / 2..=text * 2).contains(&rough), "{rough} for {text}");
    }
}
