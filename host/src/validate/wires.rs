//! Wires against the sockets at both their ends.

use super::{Live, Place, Problem};
use crate::document::{Node, Off};
use crate::plugins::NodeType;
use crate::spelling;
use mgie_plugin_api::NodeDescription;
use std::collections::HashMap;
use std::sync::Arc;

/// The most problems whose remedy is looked for among all nodes of the graph: in a file of many thousands that are all
/// wrong, looking for each one's would take minutes.
const LOOKED_FOR: usize = 100;

pub(super) fn check(
    name: &str,
    node: &Node,
    description: &NodeDescription,
    live: &Live<'_>,
    types: &HashMap<&str, Arc<NodeType>>,
    problems: &mut Vec<Problem>,
) {
    for (input, wire) in &node.inputs {
        let place = || Place::Input(input.clone());
        let socket = description.inputs.iter().find(|socket| socket.id == *input);
        if socket.is_none() {
            problems.push(unknown_input(name, input, description));
        }
        let Some((source, output)) = wire.source() else {
            problems.push(
                Problem::error(name, place(), "a wire \"NODE.OUTPUT\"")
                    .found(format!("\"{}\"", wire.as_str()))
                    .remedy(form_remedy(wire.as_str(), types)),
            );
            continue;
        };
        if !live.document.nodes.contains_key(source) {
            let problem = Problem::error(name, place(), "a wire from a node of this graph")
                .found(format!("\"{}\"", wire.as_str()));
            let names = live.document.nodes.keys().map(String::as_str).filter(|other| *other != name);
            let remedy = (problems.len() < LOOKED_FOR).then(|| spelling::remedy(source, names)).flatten();
            let remedy = remedy.unwrap_or_else(|| "add the node or remove the wire".into());
            problems.push(problem.remedy(remedy));
            continue;
        }
        // A node of unknown type was reported already; what it gives is not known.
        let Some(giver) = types.get(source).map(|node_type| &node_type.description) else { continue };
        let Some(from) = giver.outputs.iter().find(|socket| socket.id == output) else {
            let problem = Problem::error(name, place(), format!("an output of node `{source}` ({})", giver.id))
                .found(format!("\"{}\"", wire.as_str()));
            let outputs = giver.outputs.iter().map(|socket| socket.id.as_str());
            let remedy = spelling::remedy(output, outputs).unwrap_or_else(|| "that node has no outputs".into());
            problems.push(problem.remedy(remedy));
            continue;
        };
        if let Some(socket) = socket
            && !socket.takes(&from.kind)
        {
            let fitting: Vec<String> = giver
                .outputs
                .iter()
                .filter(|other| socket.takes(&other.kind))
                .map(|other| format!("\"{source}.{}\"", other.id))
                .collect();
            let remedy = if fitting.is_empty() {
                "wire in an output of such a kind".to_owned()
            } else {
                format!("of that node, {} would fit", fitting.join(" or "))
            };
            problems.push(
                Problem::error(name, place(), kinds(&socket.accepts))
                    .found(format!("`{}` from \"{source}.{output}\"", from.kind))
                    .remedy(remedy),
            );
        }
    }
    for socket in &description.inputs {
        if !socket.optional && !node.inputs.contains_key(&socket.id) {
            if let Some((source, off)) = live.cut.get(&(name.to_owned(), socket.id.clone())) {
                problems.push(
                    Problem::error(name, Place::Input(socket.id.clone()), kinds(&socket.accepts))
                        .found(format!("a wire from `{source}`, which is {}", off.participle()))
                        .remedy(off_remedy(source, *off)),
                );
                continue;
            }
            let remedy = if problems.len() < LOOKED_FOR {
                candidates(name, &socket.accepts, types)
            } else {
                "wire in an output of such a kind".to_owned()
            };
            problems.push(
                Problem::error(name, Place::Input(socket.id.clone()), kinds(&socket.accepts))
                    .found("no wire")
                    .remedy(remedy),
            );
        }
    }
}

/// What to do about an input whose wire comes from a node that is off.
fn off_remedy(source: &str, off: Off) -> String {
    match off {
        Off::Mute => format!("switch `{source}` on, bypass it, or wire in another output"),
        Off::Bypass => {
            format!("nothing of such a kind is wired into `{source}`; switch it on, or wire in another output")
        }
    }
}

fn unknown_input(name: &str, input: &str, description: &NodeDescription) -> Problem {
    let problem = Problem::error(name, Place::Input(input.to_owned()), format!("an input of `{}`", description.id));
    if description.parameters.iter().any(|parameter| parameter.id == input) {
        return problem.remedy(format!("`{input}` is a parameter; write its value under `params`"));
    }
    match spelling::remedy(input, description.inputs.iter().map(|socket| socket.id.as_str())) {
        Some(remedy) => problem.remedy(remedy),
        None if description.inputs.is_empty() => problem.remedy("this node type has no inputs; remove the wire"),
        None => problem.remedy(format!("`mgie nodes {}` lists its inputs", description.id)),
    }
}

fn kinds(accepts: &[String]) -> String {
    match accepts {
        [] => "nothing".to_owned(),
        accepts => {
            let kinds: Vec<String> = accepts.iter().map(|kind| format!("`{kind}`")).collect();
            kinds.join(" or ")
        }
    }
}

/// What could be wired into a socket that nothing is wired into: up to four outputs of the graph.
fn candidates(name: &str, accepts: &[String], types: &HashMap<&str, Arc<NodeType>>) -> String {
    let mut fitting: Vec<String> = types
        .iter()
        .filter(|(node, _)| **node != name)
        .flat_map(|(node, node_type)| node_type.description.outputs.iter().map(move |output| (*node, output)))
        .filter(|(_, output)| accepts.contains(&output.kind))
        .map(|(node, output)| format!("\"{node}.{}\"", output.id))
        .collect();
    fitting.sort();
    match fitting.len() {
        0 => "add a node that gives one and wire it in".to_owned(),
        1..=4 => format!("wire in {}", fitting.join(" or ")),
        more => {
            fitting.truncate(4);
            format!("wire in {} or one of {} others", fitting.join(", "), more - 4)
        }
    }
}

fn form_remedy(wire: &str, types: &HashMap<&str, Arc<NodeType>>) -> String {
    match types.get(wire).map(|node_type| node_type.description.outputs.as_slice()) {
        Some([only]) => format!("did you mean \"{wire}.{}\"?", only.id),
        Some(outputs @ [_, ..]) => {
            let outputs: Vec<String> = outputs.iter().map(|output| format!("\"{wire}.{}\"", output.id)).collect();
            format!("name one of its outputs: {}", outputs.join(", "))
        }
        _ => "a dot stands between the node and its output".to_owned(),
    }
}
