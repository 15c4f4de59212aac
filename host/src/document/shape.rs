//! From JSON to a [`Document`]: which keys there are and what form each has. Everything of a wrong form is listed at
//! once; what the keys say is not looked at here.

use super::save::{DOCUMENT_KEYS, NODE_KEYS};
use super::{Document, DocumentProblem, Node, Off, Wire, migrate};
use indexmap::IndexMap;
use serde_json::{Map, Value};

pub(super) fn document(value: Value) -> Result<Document, DocumentProblem> {
    let Value::Object(mut map) = value else {
        return form(format!("a graph is an object, {{ \"mgie\": 1, \"nodes\": … }}; this is {}", describe(&value)));
    };
    match map.get("mgie") {
        Some(version) => match version.as_u64() {
            Some(version) => migrate::migrate(&mut map, version)?,
            None => return form(format!("`mgie` is the format's version, a whole number; found {version}")),
        },
        None => {
            return form(
                "this is no mgie graph: the key `mgie` is missing; a graph begins with \"mgie\": 1".to_owned(),
            );
        }
    }
    let mut wrong = Vec::new();
    let nodes = match map.get_mut("nodes").map(Value::take) {
        Some(Value::Object(entries)) => {
            entries.into_iter().map(|(name, value)| (name.clone(), node(&name, value, &mut wrong))).collect()
        }
        Some(other) => {
            wrong.push(format!("`nodes` is an object of nodes by name; found {}", describe(&other)));
            IndexMap::new()
        }
        None => {
            wrong.push("the key `nodes` is missing; it is an object of nodes by name".to_owned());
            IndexMap::new()
        }
    };
    if !wrong.is_empty() {
        return Err(DocumentProblem::Form(wrong));
    }
    blank(&mut map, &DOCUMENT_KEYS);
    Ok(Document { nodes, layout: map })
}

fn form(problem: String) -> Result<Document, DocumentProblem> {
    Err(DocumentProblem::Form(vec![problem]))
}

fn node(name: &str, value: Value, wrong: &mut Vec<String>) -> Node {
    let Value::Object(mut map) = value else {
        wrong.push(format!("node `{name}`: a node is an object with a `type`; found {}", describe(&value)));
        return Node::default();
    };
    let mut node = Node::default();
    match map.get_mut("type").map(Value::take) {
        Some(Value::String(node_type)) if !node_type.is_empty() => node.node_type = node_type,
        Some(other) => {
            wrong.push(format!("node `{name}`: `type` is the id of a node type; found {}", describe(&other)));
        }
        None => wrong.push(format!("node `{name}`: `type` is missing; `mgie nodes` lists the node types")),
    }
    match map.get("off") {
        None => {}
        Some(value) => match value.as_str().and_then(Off::from_word) {
            Some(off) => node.off = Some(off),
            None => wrong.push(format!(
                "node `{name}`: `off` is \"mute\" or \"bypass\", or left out; found {}",
                describe(value)
            )),
        },
    }
    match map.get_mut("params").map(Value::take) {
        None => {}
        Some(Value::Object(params)) => node.params = params,
        Some(other) => wrong
            .push(format!("node `{name}`: `params` is an object of parameters by name; found {}", describe(&other))),
    }
    match map.get_mut("inputs").map(Value::take) {
        None => {}
        Some(Value::Object(inputs)) => {
            for (input, value) in inputs {
                match value {
                    Value::String(wire) => {
                        node.inputs.insert(input, Wire(wire));
                    }
                    Value::Array(wires) if wires.len() > 1 => wrong.push(format!(
                        "node `{name}`, input `{input}`: {} wires go into it ({}); an input takes one wire",
                        wires.len(),
                        wires.iter().take(4).map(Value::to_string).collect::<Vec<_>>().join(", ")
                    )),
                    other => wrong.push(format!(
                        "node `{name}`, input `{input}`: a wire is the text \"NODE.OUTPUT\"; found {}",
                        describe(&other)
                    )),
                }
            }
        }
        Some(other) => {
            wrong.push(format!("node `{name}`: `inputs` is an object of wires by input; found {}", describe(&other)))
        }
    }
    blank(&mut map, &NODE_KEYS);
    node.layout = map;
    node
}

/// Leaves only the place of the keys that a struct has a field for.
fn blank(map: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = map.get_mut(*key) {
            *value = Value::Null;
        }
    }
}

/// What a JSON value is, in words.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 60 => format!("the text {value}"),
        Value::String(text) => {
            let start: String = text.chars().take(40).collect();
            format!("a text of {} characters that begins with {}", text.chars().count(), Value::from(start))
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(map) => format!("an object of {}", map.len()),
    }
}
