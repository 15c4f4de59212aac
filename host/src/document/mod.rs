//! The graph document: nodes, their parameters and the wires between them, as they lie in a `*.json` file. It knows
//! nothing of what the node types mean: an unknown type, an unknown field and the studio's layout are kept as they
//! are, so that a file survives being opened by a program that lacks a plugin. [`crate::validate`] says what is wrong
//! with a document, [`crate::engine`] runs one.

mod error;
mod json;
mod migrate;
mod off;
mod open;
mod png_text;
mod save;
mod schema;
mod shape;
mod size;

pub use error::{DocumentError, DocumentProblem};
pub use off::Off;
pub use open::{MAX_FILE_BYTES, Opened};
pub use png_text::{KEYWORD as PNG_KEYWORD, png_text};
pub use schema::json_schema;
pub(crate) use shape::describe;

use crate::spelling;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// The format's version that this program reads and writes (the value of the key `mgie`).
pub const VERSION: u64 = 1;

/// A graph: nodes by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The nodes by name. A name is unique, holds letters, digits, `_` and `-` (see [`crate::validate`]).
    pub nodes: IndexMap<String, Node>,
    /// Every top-level key in the file's order; what this struct has a field for stands here as null.
    layout: Map<String, Value>,
}

/// One node of a graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Id of the node type, such as `image.load`. It may be one that no plugin here offers.
    pub node_type: String,
    /// Parameters that are given; the others have their default.
    pub params: Map<String, Value>,
    /// Wires by the input socket that they end in.
    pub inputs: IndexMap<String, Wire>,
    /// Whether it is switched off, and how.
    pub off: Option<Off>,
    /// Every key of the node in the file's order; what this struct has a field for stands here as null.
    layout: Map<String, Value>,
}

/// Where a wire comes from, as written in the file: `NODE.OUTPUT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wire(String);

impl Wire {
    /// A wire from an output socket of a node.
    #[must_use]
    pub fn new(node: &str, output: &str) -> Self {
        Self(format!("{node}.{output}"))
    }

    /// A wire as it is written; it need not be a good one.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The node and the output that the wire comes from; none where the text is not of the form `NODE.OUTPUT`.
    #[must_use]
    pub fn source(&self) -> Option<(&str, &str)> {
        let (node, output) = self.0.split_once('.')?;
        (!node.is_empty() && !output.is_empty()).then_some((node, output))
    }

    /// The wire as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Node {
    /// A node of that type with no parameter given and nothing wired in.
    #[must_use]
    pub fn new(node_type: impl Into<String>) -> Self {
        Self { node_type: node_type.into(), ..Self::default() }
    }

    /// Fields that this program gives no meaning, which are kept; and of each the one that was probably meant.
    pub fn misspelt_fields(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let unknown = self.layout.keys().filter(|key| !save::NODE_KEYS.contains(&key.as_str()));
        unknown.filter_map(|key| Some((key.as_str(), spelling::nearest(key, save::NODE_KEYS)?)))
    }
}

impl Document {
    /// A top-level field that this program gives no meaning, such as the studio's layout.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Value> {
        (!save::DOCUMENT_KEYS.contains(&key)).then(|| self.layout.get(key)).flatten()
    }

    /// As [`Document::field`], to change it in place.
    pub fn field_mut(&mut self, key: &str) -> Option<&mut Value> {
        if save::DOCUMENT_KEYS.contains(&key) { None } else { self.layout.get_mut(key) }
    }

    /// Sets a top-level field that this program gives no meaning; the keys `mgie` and `nodes` are refused.
    ///
    /// # Errors
    /// Gives the value back where the key is one that this struct has a field for.
    pub fn set_field(&mut self, key: &str, value: Value) -> Result<(), Value> {
        if save::DOCUMENT_KEYS.contains(&key) {
            return Err(value);
        }
        self.layout.insert(key.to_owned(), value);
        Ok(())
    }
}
