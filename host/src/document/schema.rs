//! The graph file's JSON Schema, for editors that check and complete as one types.

use super::Off;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// JSON Schema (draft 2020-12) of the graph file.
#[must_use]
pub fn json_schema() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<GraphFile>()
}

/// A graph of mgie: nodes by name, and the wires between them.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(title = "mgie graph")]
struct GraphFile {
    /// Version of the format.
    #[schemars(range(min = 1, max = 1))]
    mgie: u32,
    /// The nodes by name. A name holds letters, digits, `_` and `-`.
    #[schemars(extend("propertyNames" = { "pattern": r"^[\p{L}\p{N}_-]+$" }))]
    nodes: BTreeMap<String, NodeEntry>,
    /// The editor's layout; it has no influence on what the graph computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    studio: Option<serde_json::Map<String, serde_json::Value>>,
    /// Fields that are kept and given no meaning.
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

/// One node. `mgie nodes` lists the node types, `mgie nodes TYPE` what one takes and gives.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NodeEntry {
    /// Id of the node type, such as `image.load`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    node_type: String,
    /// Switches the node off: `mute` (it does not run; its wires count as not connected) or `bypass` (it does not run;
    /// each of its outputs is the value of its first connected input that has the output's kind).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Off")]
    off: Option<Off>,
    /// Parameters by name; those left out have their default. Relative paths are relative to the graph file.
    #[serde(default)]
    params: serde_json::Map<String, serde_json::Value>,
    /// Wires by the input they go into: `NODE.OUTPUT`.
    #[serde(default)]
    inputs: BTreeMap<String, WireText>,
    /// Fields that are kept and given no meaning.
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

/// Where a wire comes from: `NODE.OUTPUT`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct WireText(#[schemars(regex(pattern = r"^[^.]+\..+$"))] String);
