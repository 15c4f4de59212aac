//! Whether a manifest can be built upon: every id is one that graph files can name, none is given twice, and every
//! default is a value that its own parameter allows.

use mgie_plugin_api::description::{Domain, Parameter};
use mgie_plugin_api::{Manifest, NodeDescription};
use std::collections::HashSet;

/// The most nodes of one plugin, and the most sockets or parameters of one node.
const MAX_ENTRIES: usize = 4096;
/// The most bytes of an id.
const MAX_ID: usize = 128;

/// What is wrong with a manifest, in one line.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.nodes.len() > MAX_ENTRIES {
        return Err(format!("it has {} nodes, more than {MAX_ENTRIES}", manifest.nodes.len()));
    }
    check_unique("node types", manifest.nodes.iter().map(|node| node.id.as_str()))?;
    for node in &manifest.nodes {
        check_node(node).map_err(|reason| format!("node type `{}`: {reason}", node.id.escape_debug()))?;
    }
    Ok(())
}

fn check_node(node: &NodeDescription) -> Result<(), String> {
    check_id(&node.id, true)?;
    for (what, ids) in [
        ("inputs", node.inputs.iter().map(|socket| socket.id.as_str()).collect::<Vec<_>>()),
        ("outputs", node.outputs.iter().map(|socket| socket.id.as_str()).collect()),
        ("parameters", node.parameters.iter().map(|parameter| parameter.id.as_str()).collect()),
    ] {
        if ids.len() > MAX_ENTRIES {
            return Err(format!("it has {} {what}, more than {MAX_ENTRIES}", ids.len()));
        }
        ids.iter().try_for_each(|id| check_id(id, false))?;
        check_unique(what, ids)?;
    }
    for parameter in &node.parameters {
        check_parameter(parameter).map_err(|reason| format!("parameter `{}`: {reason}", parameter.id))?;
    }
    Ok(())
}

fn check_id(id: &str, dots: bool) -> Result<(), String> {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let parts = if dots { id.split('.').collect() } else { vec![id] };
    if id.len() > MAX_ID || parts.iter().any(|part| part.is_empty() || !part.chars().all(letter)) {
        let dots = if dots { ", in parts joined by dots" } else { "" };
        return Err(format!("the id {id:?} is not made of letters, digits, `_` and `-`{dots}"));
    }
    Ok(())
}

fn check_unique<'m>(what: &str, ids: impl IntoIterator<Item = &'m str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    match ids.into_iter().find(|id| !seen.insert(*id)) {
        Some(id) => Err(format!("two {what} have the id `{}`", id.escape_debug())),
        None => Ok(()),
    }
}

fn check_parameter(parameter: &Parameter) -> Result<(), String> {
    let sound = match &parameter.domain {
        Domain::Float { default, hard: [low, high], soft } => {
            (*low..=*high).contains(default) && soft.iter().all(|bound| (*low..=*high).contains(bound))
        }
        Domain::Integer { default, hard: [low, high], soft } => {
            (*low..=*high).contains(default) && soft.iter().all(|bound| (*low..=*high).contains(bound))
        }
        Domain::Choice { default, choices } => choices.contains(default),
        Domain::Seed { .. }
        | Domain::Boolean { .. }
        | Domain::Text { .. }
        | Domain::File { .. }
        | Domain::SaveFile { .. }
        | Domain::Folder { .. }
        | Domain::Model { .. } => true,
    };
    if sound { Ok(()) } else { Err("its default or its soft range is not within what it allows".to_owned()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn complaint(nodes: Vec<NodeDescription>) -> Option<String> {
        check(&Manifest { name: "test".into(), version: "1".into(), nodes }).err()
    }

    fn node(id: &str) -> NodeDescription {
        NodeDescription::new(id, "Node", "Test", "A node.")
    }

    #[test]
    fn ids_that_a_graph_file_cannot_name_are_refused() {
        assert_eq!(complaint(vec![node("org.example.blur-2")]), None);
        for id in ["", ".", "a..b", "a b", "ä.b", &"x".repeat(200)] {
            assert!(complaint(vec![node(id)]).unwrap().contains("the id"), "{id}");
        }
        assert!(complaint(vec![node("a").output("x.y", "", "text", "")]).unwrap().contains("\"x.y\""));
        assert_eq!(complaint(vec![node("a"), node("a")]).unwrap(), "two node types have the id `a`");
        let twice = node("a").input("x", "", "text", "").input("x", "", "text", "");
        assert_eq!(complaint(vec![twice]).unwrap(), "node type `a`: two inputs have the id `x`");
    }

    #[test]
    fn defaults_outside_of_their_own_range_are_refused() {
        let steps = |default| Domain::Integer { default, hard: [1, 10], soft: [1, 5] };
        assert_eq!(complaint(vec![node("a").parameter("steps", "", steps(3), "")]), None);
        assert!(complaint(vec![node("a").parameter("steps", "", steps(0), "")]).unwrap().contains("`steps`"));
        let choice = Domain::Choice { default: "c".into(), choices: vec!["a".into(), "b".into()] };
        assert!(complaint(vec![node("a").parameter("mode", "", choice, "")]).is_some());
    }
}
