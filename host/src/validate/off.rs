//! The graph as it runs: nodes that are off are taken out, and a wire from a bypassed node comes from what the node would
//! pass on.

use super::order;
use crate::document::{Document, Node, Off, Wire};
use crate::plugins::Catalogue;
use mgie_plugin_api::description::OutputSocket;
use mgie_plugin_api::kind;
use std::borrow::Cow;
use std::collections::HashMap;

/// An output, by node and socket.
type Socket = (String, String);

/// A graph without the nodes that are off.
pub(crate) struct Live<'d> {
    /// The nodes that are on, with the wires that reach them.
    pub document: Cow<'d, Document>,
    /// Wires that are gone because a node before them is off: by node and input that they went into, the node that is
    /// off and how.
    pub cut: HashMap<Socket, (String, Off)>,
    /// Outputs of bypassed nodes, and the outputs of nodes that are on whose values they pass on.
    pub stand_ins: HashMap<Socket, Socket>,
}

impl<'d> Live<'d> {
    pub fn of(document: &'d Document, catalogue: &Catalogue) -> Self {
        if document.nodes.values().all(|node| node.off.is_none()) {
            return Self { document: Cow::Borrowed(document), cut: HashMap::new(), stand_ins: HashMap::new() };
        }
        let stand_ins = stand_ins(document, catalogue);
        let mut cut = HashMap::new();
        let mut live = document.clone();
        live.nodes.retain(|_, node| node.off.is_none());
        for (name, node) in &mut live.nodes {
            node.inputs.retain(|input, wire| {
                let Some((source, output)) = wire.source() else { return true };
                let Some(off) = document.nodes.get(source).and_then(|source| source.off) else { return true };
                match stand_ins.get(&(source.to_owned(), output.to_owned())) {
                    Some((source, output)) => *wire = Wire::new(source, output),
                    None => {
                        cut.insert((name.clone(), input.clone()), (source.to_owned(), off));
                        return false;
                    }
                }
                true
            });
        }
        Self { document: Cow::Owned(live), cut, stand_ins }
    }
}

/// What the outputs of bypassed nodes pass on. Nodes come after those that feed them, so that what a bypassed node passes
/// on is known when the next one asks.
fn stand_ins(document: &Document, catalogue: &Catalogue) -> HashMap<Socket, Socket> {
    let mut found: HashMap<Socket, Socket> = HashMap::new();
    for name in order(document) {
        let Some(node) = document.nodes.get(name).filter(|node| node.off == Some(Off::Bypass)) else { continue };
        let Some(node_type) = catalogue.node_type(&node.node_type) else { continue };
        for output in &node_type.description.outputs {
            let mut connected = node_type.description.inputs.iter().filter_map(|input| {
                let source = reached(document, node, &input.id, &found)?;
                Some((source, input.accepts.as_slice()))
            });
            let fit = connected.find(|(source, accepts)| passes(document, catalogue, source, accepts, output));
            if let Some((source, _)) = fit {
                found.insert((name.to_owned(), output.id.clone()), source);
            }
        }
    }
    found
}

/// The output of a node that is on which the wire into an input comes from in the end.
fn reached(document: &Document, node: &Node, input: &str, found: &HashMap<Socket, Socket>) -> Option<Socket> {
    let (source, output) = node.inputs.get(input)?.source()?;
    let socket = (source.to_owned(), output.to_owned());
    match document.nodes.get(source)?.off {
        None => Some(socket),
        Some(_) => found.get(&socket).cloned(),
    }
}

/// Whether what comes from `source` into an input that accepts these kinds has the output's kind. A kind that is known
/// only when the graph runs is taken for the one that the input asks for.
fn passes(
    document: &Document,
    catalogue: &Catalogue,
    (source, of_source): &Socket,
    accepts: &[String],
    output: &OutputSocket,
) -> bool {
    if output.kind == kind::ANY {
        return true;
    }
    let giver = document.nodes.get(source).and_then(|giver| catalogue.node_type(&giver.node_type));
    let given =
        giver.as_ref().and_then(|giver| giver.description.outputs.iter().find(|socket| socket.id == *of_source));
    match given.map_or(kind::ANY, |socket| socket.kind.as_str()) {
        kind::ANY => accepts == [output.kind.as_str()],
        given => given == output.kind,
    }
}
