//! The sockets of every node of a graph as the canvas shows them: those that the node type describes, and those that only
//! wires know of, because the plugin is missing or the file names a socket that is not there.

use crate::document::Document;
use crate::plugins::{Catalogue, NodeType};
use mgie_plugin_api::kind;
use std::collections::HashMap;
use std::sync::Arc;

/// A socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Name in graph files.
    pub id: String,
    /// Name on the node.
    pub label: String,
    /// Kinds that it takes, or the one that it gives; empty where that is not known.
    pub kinds: Vec<String>,
    /// Whether it may stay empty.
    pub optional: bool,
    /// What it is for.
    pub summary: String,
    /// Whether the node type has it.
    pub known: bool,
}

impl Socket {
    /// The kind that says its colour and its outline.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kinds.first().map_or(kind::ANY, String::as_str)
    }

    fn only_wired(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            label: id.to_owned(),
            kinds: Vec::new(),
            optional: true,
            summary: "Only a wire knows of it.".to_owned(),
            known: false,
        }
    }
}

/// What a node looks like.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// Inputs, in display order.
    pub inputs: Vec<Socket>,
    /// Outputs, in display order.
    pub outputs: Vec<Socket>,
    /// The node type; none where its plugin is missing.
    pub node_type: Option<Arc<NodeType>>,
}

impl Sockets {
    /// The place of an input.
    #[must_use]
    pub fn input(&self, id: &str) -> Option<usize> {
        self.inputs.iter().position(|socket| socket.id == id)
    }

    /// The place of an output.
    #[must_use]
    pub fn output(&self, id: &str) -> Option<usize> {
        self.outputs.iter().position(|socket| socket.id == id)
    }
}

/// The sockets of every node, by the node's name.
#[must_use]
pub fn of(document: &Document, catalogue: &Catalogue) -> HashMap<String, Sockets> {
    let mut all: HashMap<String, Sockets> = document
        .nodes
        .iter()
        .map(|(name, node)| {
            let node_type = catalogue.node_type(&node.node_type);
            let mut sockets = Sockets { inputs: Vec::new(), outputs: Vec::new(), node_type };
            if let Some(node_type) = sockets.node_type.clone() {
                describe(&mut sockets, &node_type);
            }
            for id in node.inputs.keys() {
                if sockets.input(id).is_none() {
                    sockets.inputs.push(Socket::only_wired(id));
                }
            }
            (name.clone(), sockets)
        })
        .collect();
    for wire in document.nodes.values().flat_map(|node| node.inputs.values()) {
        let Some((source, output)) = wire.source() else { continue };
        if let Some(sockets) = all.get_mut(source)
            && sockets.output(output).is_none()
        {
            sockets.outputs.push(Socket::only_wired(output));
        }
    }
    all
}

fn describe(sockets: &mut Sockets, node_type: &NodeType) {
    let description = &node_type.description;
    sockets.inputs.extend(description.inputs.iter().map(|input| Socket {
        id: input.id.clone(),
        label: input.label.clone(),
        kinds: input.accepts.clone(),
        optional: input.optional,
        summary: input.summary.clone(),
        known: true,
    }));
    sockets.outputs.extend(description.outputs.iter().map(|output| Socket {
        id: output.id.clone(),
        label: output.label.clone(),
        kinds: vec![output.kind.clone()],
        optional: true,
        summary: output.summary.clone(),
        known: true,
    }));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_node_whose_plugin_is_missing_has_the_sockets_that_its_wires_name() {
        let document = Document::parse(
            r#"{"mgie": 1, "nodes": {
                "a": {"type": "x.y", "inputs": {"in": "b.out"}},
                "b": {"type": "x.z"}}}"#,
        )
        .unwrap();
        let all = of(&document, &Catalogue::default());
        assert_eq!(all["a"].inputs[0].id, "in");
        assert_eq!(all["b"].outputs[0].id, "out");
        assert!(!all["b"].outputs[0].known && all["b"].node_type.is_none());
    }
}
