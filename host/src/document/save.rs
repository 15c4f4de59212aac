//! Writing a graph, always in one style: keys in the order in which they were read, two spaces a level, one entry a
//! line; lists of plain values on one line, and objects of plain values too where the line is not too long. A file in
//! this style is written back byte for byte.

use super::{Document, DocumentError, DocumentProblem, Node, VERSION, Wire};
use serde_json::{Map, Value};
use std::path::Path;

/// The longest line, in characters, that an object of plain values is written on.
const LINE: usize = 120;

/// Top-level keys that [`Document`] has a field for.
pub(super) const DOCUMENT_KEYS: [&str; 2] = ["mgie", "nodes"];
/// Keys of a node that [`Node`] has a field for.
pub(super) const NODE_KEYS: [&str; 4] = ["type", "off", "params", "inputs"];

impl Document {
    /// The graph as the text of its file, which ends in a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        write_value(&mut text, &Value::Object(self.to_map()), 0);
        text.push('\n');
        text
    }

    /// Writes the graph: beside the file first, then renamed, so that the file is never half there.
    ///
    /// # Errors
    /// [`DocumentProblem::Write`] where the folder cannot be written to.
    pub fn save(&self, path: &Path) -> Result<(), DocumentError> {
        mgie_plugin_api::file::write_whole(path, &[self.to_text().as_bytes()])
            .map_err(|failure| DocumentError::from(DocumentProblem::Write(failure)))
    }

    fn to_map(&self) -> Map<String, Value> {
        let nodes = self.nodes.iter().map(|(name, node)| (name.clone(), Value::Object(node.to_map()))).collect();
        ordered(&self.layout, [("mgie", VERSION.into(), true), ("nodes", Value::Object(nodes), true)])
    }
}

impl Node {
    fn to_map(&self) -> Map<String, Value> {
        let inputs =
            self.inputs.iter().map(|(input, Wire(wire))| (input.clone(), Value::from(wire.as_str()))).collect();
        let mut map = ordered(
            &self.layout,
            [
                ("type", self.node_type.as_str().into(), true),
                ("off", self.off.map_or(Value::Null, |off| off.word().into()), self.off.is_some()),
                ("params", Value::Object(self.params.clone()), !self.params.is_empty()),
                ("inputs", Value::Object(inputs), !self.inputs.is_empty()),
            ],
        );
        if self.off.is_none() {
            map.shift_remove("off");
        }
        map
    }
}

/// The known fields (key, value, whether it is worth writing where the file did not have it) and the unknown ones in
/// the file's order; known fields that the file did not have stand first.
fn ordered<const N: usize>(layout: &Map<String, Value>, known: [(&str, Value, bool); N]) -> Map<String, Value> {
    let mut map = Map::new();
    for (key, value, worth) in &known {
        if *worth && !layout.contains_key(*key) {
            map.insert((*key).to_owned(), value.clone());
        }
    }
    for (key, value) in layout {
        let value = known.iter().find(|(known, ..)| known == key).map_or(value, |(_, value, _)| value);
        map.insert(key.clone(), value.clone());
    }
    map
}

fn write_value(text: &mut String, value: &Value, level: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            if let Some(short) = on_one_line(text, map) {
                text.push_str(&short);
                return;
            }
            text.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                text.push_str(if index == 0 { "\n" } else { ",\n" });
                indent(text, level + 1);
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(": ");
                write_value(text, value, level + 1);
            }
            text.push('\n');
            indent(text, level);
            text.push('}');
        }
        Value::Array(items) if !items.iter().all(is_plain) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "\n" } else { ",\n" });
                indent(text, level + 1);
                write_value(text, item, level + 1);
            }
            text.push('\n');
            indent(text, level);
            text.push(']');
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            text.push('[');
            text.push_str(&items.join(", "));
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// An object of plain values as one line's end, where it is short enough behind what that line holds already.
fn on_one_line(text: &str, map: &Map<String, Value>) -> Option<String> {
    if !map.values().all(is_plain) {
        return None;
    }
    let entries: Vec<String> =
        map.iter().map(|(key, value)| format!("{}: {value}", Value::from(key.as_str()))).collect();
    let short = format!("{{ {} }}", entries.join(", "));
    let before = text.rsplit('\n').next().unwrap_or_default();
    (before.chars().count() + short.chars().count() <= LINE).then_some(short)
}

fn indent(text: &mut String, level: usize) {
    text.extend(std::iter::repeat_n("  ", level));
}
