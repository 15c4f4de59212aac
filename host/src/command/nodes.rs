//! `mgie nodes`: the node types that are here, by category, or all about one.

use super::job;
use super::screen::{Lines, Screen};
use super::stop::Stop;
use super::typed::Nodes;
use mgie_host::plugins::{Catalogue, NodeType};
use mgie_host::spelling;
use mgie_host::validate::range_in_words;
use mgie_plugin_api::Domain;
use mgie_plugin_api::description::{NodeDescription, Parameter};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lists the node types, or tells about one.
///
/// # Errors
/// Where there is no such node type.
pub fn nodes(typed: &Nodes, lines: &Lines) -> Result<(), Stop> {
    let screen = Screen::new(lines.clone(), typed.telling);
    let catalogue = job::catalogue();
    catalogue.warnings().iter().for_each(|warning| screen.say(&format!("warning: {warning}")));
    let one = match &typed.node_type {
        None => None,
        Some(id) => Some(catalogue.node_type(id).ok_or_else(|| unknown(id, &catalogue))?),
    };
    if typed.telling.json {
        let report = match &one {
            Some(node_type) => object(node_type),
            None => json!({
                "nodes": catalogue.node_types().map(|node_type| object(node_type)).collect::<Vec<_>>(),
                "searched": catalogue.searched(),
                "warnings": catalogue.warnings(),
            }),
        };
        return super::print(&format!("{report:#}\n"));
    }
    super::print(&match &one {
        Some(node_type) => page(node_type),
        None => list(&catalogue),
    })
}

fn unknown(id: &str, catalogue: &Catalogue) -> Stop {
    let ids: Vec<&str> = catalogue.node_types().map(|known| known.description.id.as_str()).collect();
    let remedy = spelling::nearest(id, ids).map_or_else(
        || "`mgie nodes` lists those that are here".to_owned(),
        |nearest| format!("did you mean `{nearest}`?"),
    );
    Stop::wrong(format!("there is no node type `{id}`; {remedy}"))
}

fn object(node_type: &NodeType) -> Value {
    let mut object = serde_json::to_value(&node_type.description).unwrap_or_default();
    let library = &node_type.library;
    object["plugin"] = json!({ "name": library.name(), "version": library.version(), "path": library.path(), "open": library.is_open() });
    object
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.push_str(&arguments.to_string());
    text.push('\n');
}

fn list(catalogue: &Catalogue) -> String {
    let mut text = String::new();
    let mut categories: BTreeMap<&str, Vec<&Arc<NodeType>>> = BTreeMap::new();
    for node_type in catalogue.node_types() {
        categories.entry(&node_type.description.category).or_default().push(node_type);
    }
    if categories.is_empty() {
        let places: Vec<String> = catalogue.searched().iter().map(|place| format!("  {}", place.display())).collect();
        line(&mut text, format_args!("no plugins are here; these places were searched:\n{}", places.join("\n")));
    }
    let width = catalogue.node_types().map(|known| known.description.id.chars().count()).max().unwrap_or(0);
    for (category, node_types) in categories {
        line(&mut text, format_args!("{category}"));
        for node_type in node_types {
            let NodeDescription { id, summary, .. } = &node_type.description;
            let first = summary.split_inclusive(". ").next().unwrap_or_default().trim_end();
            line(&mut text, format_args!("  {id:<width$}  {first}"));
        }
    }
    text
}

fn page(node_type: &NodeType) -> String {
    let NodeDescription { id, label, category, summary, inputs, outputs, parameters, .. } = &node_type.description;
    let library = &node_type.library;
    let mut text = String::new();
    line(&mut text, format_args!("{id} — {label} ({category})\n\n{summary}"));
    if node_type.description.side_effect {
        line(&mut text, format_args!("It runs each time, because it does something besides."));
    }
    if !inputs.is_empty() {
        line(&mut text, format_args!("\ninputs"));
        for socket in inputs {
            let optional = if socket.optional { ", optional" } else { "" };
            line(
                &mut text,
                format_args!("  {} ({}{optional})  {}", socket.id, socket.accepts.join(" or "), socket.summary),
            );
        }
    }
    if !parameters.is_empty() {
        line(&mut text, format_args!("\nparameters"));
        for parameter in parameters {
            line(&mut text, format_args!("  {} ({})  {}", parameter.id, domain(parameter), parameter.summary));
        }
    }
    if !outputs.is_empty() {
        line(&mut text, format_args!("\noutputs"));
        for socket in outputs {
            let sizes =
                socket.shape.iter().flatten().map(|size| size.map_or("…".to_owned(), |size| size.to_string()));
            let sizes: Vec<String> = sizes.collect();
            let shape = if socket.shape.is_some() { format!(" [{}]", sizes.join(", ")) } else { String::new() };
            line(&mut text, format_args!("  {} ({}{shape})  {}", socket.id, socket.kind, socket.summary));
        }
    }
    line(&mut text, format_args!("\nplugin {} {}, {}", library.name(), library.version(), library.path().display()));
    text
}

/// Type, range and default of a parameter, in a few words.
fn domain(parameter: &Parameter) -> String {
    let unit = if parameter.unit.is_empty() { String::new() } else { format!(" {}", parameter.unit) };
    match &parameter.domain {
        Domain::Float { default, hard: [low, high], .. } => {
            format!("number {}, default {default}{unit}", range_in_words(low, high))
        }
        Domain::Integer { default, hard: [low, high], .. } => {
            format!("whole number {}, default {default}{unit}", range_in_words(low, high))
        }
        Domain::Seed { default } => format!("seed, default {default}"),
        Domain::Boolean { default } => format!("true or false, default {default}"),
        Domain::Text { default, .. } => format!("text, default {}", Value::from(default.as_str())),
        Domain::Choice { default, choices } => format!("{}, default {default}", choices.join(" | ")),
        Domain::File { default, optional, .. } => format!("file{}", with(default, *optional)),
        Domain::SaveFile { default, .. } => format!("file to write{}", with(default, false)),
        Domain::Folder { default, optional } => format!("folder{}", with(default, *optional)),
        Domain::Model { default, optional } => format!("model{}", with(default, *optional)),
    }
}

fn with(default: &str, optional: bool) -> String {
    match (default.is_empty(), optional) {
        (false, _) => format!(", default {default}"),
        (true, true) => ", may be left empty".to_owned(),
        (true, false) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_without_limits_is_told_without_their_digits() {
        let number = |hard: [f64; 2]| {
            let given = Domain::Float { default: -1.0, hard, soft: [0.0, 1.0] };
            domain(&NodeDescription::new("a.b", "A", "A", "A.").parameter("low", "Low", given, "").parameters[0])
        };
        assert_eq!(number([f64::MIN, f64::MAX]), "number of any size, default -1");
        assert_eq!(number([-2.0, 8.5]), "number from -2 to 8.5, default -1");
    }
}
