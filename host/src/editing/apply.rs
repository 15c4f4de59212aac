//! How each edit is made. An edit that is refused may leave the document half changed: the session works on a copy.

use super::edit::{Edit, NewWire, Refusal};
use super::history::Drag;
use super::layout::{self, Boxed, Frame, Note};
use super::{align, arrange, clipboard, naming, wiring};
use crate::document::{Document, Node, Off, Wire};
use crate::plugins::{Catalogue, NodeType};
use crate::validate::{canonical, name_problem};
use mgie_plugin_api::description::Domain;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What an edit did.
#[derive(Default)]
pub(super) struct Made {
    /// What the step is called in the menu.
    pub label: String,
    pub drag: Option<Drag>,
    /// Nodes that have another name now: from, to.
    pub renamed: Vec<(String, String)>,
    /// The nodes that are selected now; none where the selection stays.
    pub select: Option<Vec<String>>,
}

impl Made {
    fn labelled(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    fn drag(mut self, drag: Drag) -> Self {
        self.drag = Some(drag);
        self
    }

    fn select(mut self, nodes: Vec<String>) -> Self {
        self.select = Some(nodes);
        self
    }
}

/// Makes an edit.
///
/// # Errors
/// Why it is refused.
pub(super) fn apply(document: &mut Document, edit: Edit, catalogue: &Catalogue) -> Result<Made, Refusal> {
    match edit {
        Edit::Add { node_type, at, wire } => add(document, catalogue, &node_type, at, Map::new(), wire),
        Edit::AddGiven { node_type, at, params } => add(document, catalogue, &node_type, at, params, None),
        Edit::Connect { from, to } => connect(document, catalogue, (&from.0, &from.1), (&to.0, &to.1)),
        Edit::Disconnect { to: (node, input) } => {
            let wire = node_mut(document, &node)?.inputs.shift_remove(&input);
            wire.map(|_| Made::labelled(format!("Disconnect {node}")))
                .ok_or_else(|| Refusal::new(format!("nothing is wired into `{node}.{input}`")))
        }
        Edit::DisconnectOutput { from: (node, output) } => {
            let wire = Wire::new(&node, &output);
            document.nodes.values_mut().for_each(|node| node.inputs.retain(|_, other| *other != wire));
            Ok(Made::labelled(format!("Disconnect {node}")))
        }
        Edit::SetParameter { node, parameter, value } => set_parameter(document, catalogue, node, parameter, value),
        Edit::ResetParameter { node, parameter } => {
            let label = parameter_label(document, catalogue, &node, &parameter);
            node_mut(document, &node)?.params.shift_remove(&parameter);
            Ok(Made::labelled(format!("Reset {label} of {node}")))
        }
        Edit::Move { nodes } => {
            let mut names: Vec<String> = nodes.iter().map(|(name, _)| name.clone()).collect();
            all_there(document, &names)?;
            nodes.iter().for_each(|(name, at)| layout::set_position(document, name, *at));
            let label = format!("Move {}", counted(&names));
            names.sort();
            Ok(Made::labelled(label).drag(Drag::Nodes(names)))
        }
        Edit::Rename { from, to } => rename(document, from, to),
        Edit::Delete { nodes } => delete(document, &nodes),
        Edit::Duplicate { nodes, offset } => duplicate(document, &nodes, offset),
        Edit::Paste { text, at } => {
            let names = clipboard::paste(document, &text, at)?;
            let what = if names.is_empty() { "frames and notes".to_owned() } else { counted(&names) };
            Ok(Made::labelled(format!("Paste {what}")).select(names))
        }
        Edit::SetOff { nodes, off } => {
            nodes.iter().try_for_each(|name| node_mut(document, name).map(|node| node.off = off))?;
            let verb = match off {
                Some(Off::Mute) => "Mute",
                Some(Off::Bypass) => "Bypass",
                None => "Switch on",
            };
            Ok(Made::labelled(format!("{verb} {}", counted(&nodes))))
        }
        Edit::Collapse { nodes, collapsed } => {
            all_there(document, &nodes)?;
            nodes.iter().for_each(|name| layout::set_collapsed(document, name, collapsed));
            let verb = if collapsed { "Collapse" } else { "Expand" };
            Ok(Made::labelled(format!("{verb} {}", counted(&nodes))))
        }
        Edit::AddFrame(frame) => Ok(add_box(document, &frame, "frame")),
        Edit::SetFrame { index, frame } => {
            set_box(document, index, Some(&frame), "frame").map(|made| made.drag(Drag::Frame(index)))
        }
        Edit::RemoveFrame { index } => set_box::<Frame>(document, index, None, "frame"),
        Edit::AddNote(note) => Ok(add_box(document, &note, "note")),
        Edit::SetNote { index, note } => {
            set_box(document, index, Some(&note), "note").map(|made| made.drag(Drag::Note(index)))
        }
        Edit::RemoveNote { index } => set_box::<Note>(document, index, None, "note"),
        Edit::Align { nodes, edge, sizes } => {
            all_there(document, &nodes)?;
            let at: Vec<[f32; 2]> =
                nodes.iter().map(|name| layout::position(document, name).unwrap_or_default()).collect();
            for (name, at) in nodes.iter().zip(align::aligned(&at, &sizes, edge)) {
                layout::set_position(document, name, at);
            }
            let verb = if edge.spreads() { "Spread" } else { "Align" };
            Ok(Made::labelled(format!("{verb} {}", counted(&nodes))))
        }
        Edit::Arrange { sizes, nodes } => arrange_nodes(document, &sizes, nodes),
        Edit::Several { label, edits } => several(document, catalogue, label, edits),
    }
}

fn several(document: &mut Document, catalogue: &Catalogue, label: String, edits: Vec<Edit>) -> Result<Made, Refusal> {
    let mut all = Made::labelled(label.clone()).drag(Drag::Several(label));
    let mut selected: Vec<String> = Vec::new();
    for edit in edits {
        let made = apply(document, edit, catalogue)?;
        all.renamed.extend(made.renamed);
        if let Some(select) = made.select {
            selected.extend(select);
            all.select = Some(selected.clone());
        }
    }
    Ok(all)
}

fn add(
    document: &mut Document,
    catalogue: &Catalogue,
    id: &str,
    at: [f32; 2],
    params: Map<String, Value>,
    wire: Option<NewWire>,
) -> Result<Made, Refusal> {
    let Some(node_type) = catalogue.node_type(id) else {
        return Err(Refusal::new(format!("no plugin here offers the node type `{id}`")));
    };
    let description = &node_type.description;
    let name = naming::free(document, naming::of_type(id));
    let mut node = Node::new(id);
    node.params = params;
    document.nodes.insert(name.clone(), node);
    layout::set_position(document, &name, at);
    let no_fit =
        |socket: &str| Refusal::new(format!("no socket of {} goes together with `{socket}`", description.label));
    match wire {
        None => {}
        Some(NewWire::Output { node, output }) => {
            let kind = type_of(document, catalogue, &node)
                .and_then(|giver| {
                    giver.description.outputs.iter().find(|socket| socket.id == output).map(|s| s.kind.clone())
                })
                .ok_or_else(|| Refusal::new(format!("there is no output `{node}.{output}`")))?;
            let input = wiring::fits_input(description, &kind).ok_or_else(|| no_fit(&format!("{node}.{output}")))?;
            connect(document, catalogue, (&node, &output), (&name, &input.id))?;
        }
        Some(NewWire::Input { node, input }) => {
            let taker = type_of(document, catalogue, &node);
            let socket =
                taker.as_ref().and_then(|taker| taker.description.inputs.iter().find(|socket| socket.id == input));
            let socket = socket.ok_or_else(|| Refusal::new(format!("there is no input `{node}.{input}`")))?;
            let output = wiring::fits_output(description, socket).ok_or_else(|| no_fit(&format!("{node}.{input}")))?;
            connect(document, catalogue, (&name, &output.id), (&node, &input))?;
        }
    }
    Ok(Made::labelled(format!("Add {}", description.label)).select(vec![name]))
}

fn connect(
    document: &mut Document,
    catalogue: &Catalogue,
    from: (&str, &str),
    to: (&str, &str),
) -> Result<Made, Refusal> {
    if let Some(why) = wiring::why_not(document, catalogue, from, to) {
        return Err(Refusal::new(why));
    }
    node_mut(document, to.0)?.inputs.insert(to.1.to_owned(), Wire::new(from.0, from.1));
    Ok(Made::labelled(format!("Connect {} to {}", from.0, to.0)))
}

fn set_parameter(
    document: &mut Document,
    catalogue: &Catalogue,
    node: String,
    parameter: String,
    value: Value,
) -> Result<Made, Refusal> {
    let label = parameter_label(document, catalogue, &node, &parameter);
    if let Some(node_type) = type_of(document, catalogue, &node) {
        let known = node_type.description.parameters.iter().find(|known| known.id == parameter);
        let known = known.ok_or_else(|| {
            Refusal::new(format!("`{node}` ({}) has no parameter `{parameter}`", node_type.description.label))
        })?;
        check_value(&known.domain, &value).map_err(|why| Refusal::new(format!("{label} of `{node}`: {why}")))?;
    }
    node_mut(document, &node)?.params.insert(parameter.clone(), value);
    Ok(Made::labelled(format!("Set {label} of {node}")).drag(Drag::Parameter(node, parameter)))
}

/// Whether a parameter may be given a value. A path may be empty, or have the wrong ending, while somebody types it;
/// validation tells of it before anything runs.
fn check_value(domain: &Domain, value: &Value) -> Result<(), String> {
    let is_path =
        matches!(domain, Domain::File { .. } | Domain::SaveFile { .. } | Domain::Folder { .. } | Domain::Model { .. });
    match canonical(domain, value) {
        Err(wrong) if !(is_path && value.is_string()) => {
            Err(format!("expected {}, found {}", wrong.expected, wrong.found))
        }
        _ => Ok(()),
    }
}

fn rename(document: &mut Document, from: String, to: String) -> Result<Made, Refusal> {
    let Some(index) = document.nodes.get_index_of(&from) else { return Err(no_node(&from)) };
    if from == to {
        return Ok(Made::labelled(format!("Rename {from}")));
    }
    if let Some(problem) = name_problem(&to) {
        let remedy = if problem.remedy.is_empty() { String::new() } else { format!("; {}", problem.remedy) };
        return Err(Refusal::new(format!(
            "a node cannot be called `{}`: expected {}, found {}{remedy}",
            to.escape_debug(),
            problem.expected,
            problem.found
        )));
    }
    if document.nodes.replace_index(index, to.clone()).is_err() {
        return Err(Refusal::new(format!("there is a node `{to}` already")));
    }
    for wire in document.nodes.values_mut().flat_map(|node| node.inputs.values_mut()) {
        if let Some((source, output)) = wire.source()
            && source == from
        {
            *wire = Wire::new(&to, output);
        }
    }
    layout::rename(document, &from, &to);
    Ok(Made { renamed: vec![(from.clone(), to.clone())], ..Made::labelled(format!("Rename {from} to {to}")) })
}

fn delete(document: &mut Document, nodes: &[String]) -> Result<Made, Refusal> {
    all_there(document, nodes)?;
    let gone: HashSet<&str> = nodes.iter().map(String::as_str).collect();
    document.nodes.retain(|name, _| !gone.contains(name.as_str()));
    for node in document.nodes.values_mut() {
        node.inputs.retain(|_, wire| wire.source().is_none_or(|(source, _)| !gone.contains(source)));
    }
    nodes.iter().for_each(|name| layout::remove(document, name));
    Ok(Made::labelled(format!("Delete {}", counted(nodes))))
}

fn duplicate(document: &mut Document, nodes: &[String], offset: [f32; 2]) -> Result<Made, Refusal> {
    all_there(document, nodes)?;
    let of_nodes: HashSet<&str> = nodes.iter().map(String::as_str).collect();
    // In the graph's order, so that copies stand in it as their originals do.
    let originals: Vec<String> =
        document.nodes.keys().filter(|name| of_nodes.contains(name.as_str())).cloned().collect();
    let mut names: HashMap<String, String> = HashMap::new();
    let mut copies = Vec::new();
    for original in &originals {
        let Some(node) = document.nodes.get(original).cloned() else { continue };
        let name = naming::free(document, original);
        document.nodes.insert(name.clone(), node);
        let at = layout::position(document, original).unwrap_or_default();
        layout::set_position(document, &name, [at[0] + offset[0], at[1] + offset[1]]);
        layout::set_collapsed(document, &name, layout::is_collapsed(document, original));
        names.insert(original.clone(), name.clone());
        copies.push(name);
    }
    for name in &copies {
        let inputs = document.nodes.get_mut(name).map(|node| &mut node.inputs);
        for wire in inputs.into_iter().flat_map(|inputs| inputs.values_mut()) {
            if let Some((source, output)) = wire.source()
                && let Some(copy) = names.get(source)
            {
                *wire = Wire::new(copy, output);
            }
        }
    }
    Ok(Made::labelled(format!("Duplicate {}", counted(nodes))).select(copies))
}

fn arrange_nodes(
    document: &mut Document,
    sizes: &HashMap<String, [f32; 2]>,
    nodes: Option<Vec<String>>,
) -> Result<Made, Refusal> {
    if let Some(nodes) = &nodes {
        all_there(document, nodes)?;
    }
    let label = nodes.as_ref().map_or("Arrange the graph".to_owned(), |nodes| format!("Arrange {}", counted(nodes)));
    let wanted: Option<HashSet<&str>> = nodes.as_ref().map(|nodes| nodes.iter().map(String::as_str).collect());
    let names: Vec<String> = document
        .nodes
        .keys()
        .filter(|name| wanted.as_ref().is_none_or(|wanted| wanted.contains(name.as_str())))
        .cloned()
        .collect();
    // What is laid out anew begins where it began before.
    let corner = names
        .iter()
        .filter_map(|name| layout::position(document, name))
        .reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1])]);
    let corner = corner.unwrap_or(arrange::CORNER);
    for (name, at) in arrange::arranged(document, &names, sizes) {
        layout::set_position(document, &name, [corner[0] + at[0], corner[1] + at[1]]);
    }
    Ok(Made::labelled(label))
}

fn add_box<B: Boxed>(document: &mut Document, new: &B, what: &str) -> Made {
    layout::add_box(document, new);
    Made::labelled(format!("Add a {what}"))
}

fn set_box<B: Boxed>(document: &mut Document, index: usize, new: Option<&B>, what: &str) -> Result<Made, Refusal> {
    let verb = if new.is_some() { "Change" } else { "Remove" };
    if layout::set_box(document, index, new) {
        Ok(Made::labelled(format!("{verb} a {what}")))
    } else {
        Err(Refusal::new(format!("there is no {what} of that number")))
    }
}

fn type_of(document: &Document, catalogue: &Catalogue, node: &str) -> Option<Arc<NodeType>> {
    catalogue.node_type(&document.nodes.get(node)?.node_type)
}

/// The parameter's name as the node shows it.
fn parameter_label(document: &Document, catalogue: &Catalogue, node: &str, parameter: &str) -> String {
    type_of(document, catalogue, node)
        .and_then(|known| {
            known.description.parameters.iter().find(|known| known.id == parameter).map(|p| p.label.clone())
        })
        .unwrap_or_else(|| parameter.to_owned())
}

fn node_mut<'d>(document: &'d mut Document, name: &str) -> Result<&'d mut Node, Refusal> {
    document.nodes.get_mut(name).ok_or_else(|| no_node(name))
}

fn all_there(document: &Document, names: &[String]) -> Result<(), Refusal> {
    match names.iter().find(|name| !document.nodes.contains_key(*name)) {
        Some(name) => Err(no_node(name)),
        None => Ok(()),
    }
}

fn no_node(name: &str) -> Refusal {
    Refusal::new(format!("there is no node `{name}`"))
}

/// The nodes in a menu's words: its name where it is one.
fn counted(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        names => format!("{} nodes", names.len()),
    }
}
