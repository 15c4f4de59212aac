//! Which sockets go together, and why two do not.

use crate::document::{Document, Node};
use crate::plugins::{Catalogue, NodeType};
use mgie_plugin_api::description::{InputSocket, OutputSocket};
use mgie_plugin_api::{NodeDescription, kind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Why a wire from an output to an input (node and socket each) is refused; none where they go together.
#[must_use]
pub fn why_not(document: &Document, catalogue: &Catalogue, from: (&str, &str), to: (&str, &str)) -> Option<String> {
    let (giver, taker) = match (node_type(document, catalogue, from.0), node_type(document, catalogue, to.0)) {
        (Ok(giver), Ok(taker)) => (giver, taker),
        (Err(why), _) | (_, Err(why)) => return Some(why),
    };
    let Some(output) = giver.description.outputs.iter().find(|socket| socket.id == from.1) else {
        return Some(format!("`{}` ({}) has no output `{}`", from.0, giver.description.label, from.1));
    };
    let Some(input) = taker.description.inputs.iter().find(|socket| socket.id == to.1) else {
        return Some(format!("`{}` ({}) has no input `{}`", to.0, taker.description.label, to.1));
    };
    if from.0 == to.0 {
        return Some(format!("`{}` cannot feed itself", from.0));
    }
    if !input.takes(&output.kind) {
        let accepts: Vec<String> = input.accepts.iter().map(|kind| format!("`{kind}`")).collect();
        return Some(format!(
            "`{}.{}` takes {}; `{}.{}` gives `{}`",
            to.0,
            to.1,
            accepts.join(" or "),
            from.0,
            from.1,
            output.kind
        ));
    }
    way(document, to.0, from.0)
        .map(|way| format!("this would make a cycle: `{}` already hangs on `{}` ({})", from.0, to.0, way.join(" → ")))
}

/// The node's type, or why nothing is known of it.
fn node_type(document: &Document, catalogue: &Catalogue, node: &str) -> Result<Arc<NodeType>, String> {
    let of_graph = document.nodes.get(node).ok_or_else(|| format!("there is no node `{node}`"))?;
    catalogue.node_type(&of_graph.node_type).ok_or_else(|| {
        format!("the plugin of `{node}` ({}) is missing, so its sockets are not known", of_graph.node_type)
    })
}

/// A shortest way along wires from one node to another, both named; none where there is none.
fn way<'d>(document: &'d Document, from: &str, to: &'d str) -> Option<Vec<&'d str>> {
    // Against the wires, from where it ends: what feeds a node stands in it, what it feeds does not.
    let mut next: HashMap<&str, &str> = HashMap::new();
    let mut seen: HashSet<&str> = HashSet::from([to]);
    let mut waiting = std::collections::VecDeque::from([to]);
    while let Some(name) = waiting.pop_front() {
        if name == from {
            let mut way = vec![name];
            while let Some(after) = way.last().and_then(|last| next.get(last)) {
                way.push(*after);
            }
            return Some(way);
        }
        for (source, _) in document.nodes.get(name).into_iter().flat_map(sources) {
            if seen.insert(source) {
                next.insert(source, name);
                waiting.push_back(source);
            }
        }
    }
    None
}

fn sources(node: &Node) -> impl Iterator<Item = (&str, &str)> {
    node.inputs.values().filter_map(|wire| wire.source())
}

/// The first input of a node type that takes a kind: one that names it before one that takes anything.
#[must_use]
pub fn fits_input<'t>(description: &'t NodeDescription, of_kind: &str) -> Option<&'t InputSocket> {
    let named = description.inputs.iter().find(|input| input.accepts.iter().any(|accepted| accepted == of_kind));
    named.or_else(|| description.inputs.iter().find(|input| input.takes(of_kind)))
}

/// The first output of a node type that fits an input: one whose kind is known before one that depends on the run.
#[must_use]
pub fn fits_output<'t>(description: &'t NodeDescription, input: &InputSocket) -> Option<&'t OutputSocket> {
    let fits = |output: &&OutputSocket| input.takes(&output.kind);
    let known = description.outputs.iter().find(|output| output.kind != kind::ANY && fits(output));
    known.or_else(|| description.outputs.iter().find(fits))
}
