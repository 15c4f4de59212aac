//! `mgie models`: where the models are looked for, and which of those that a graph names are there.

use super::job;
use super::screen::{Lines, Screen};
use super::stop::Stop;
use super::typed::Models as Typed;
use indicatif::HumanBytes;
use mgie_host::document::Document;
use mgie_host::models::{Models, Origin, VARIABLE, bytes_in};
use mgie_host::plugins::Catalogue;
use mgie_plugin_api::Domain;
use serde_json::{Value, json};
use std::path::Path;

/// A file or folder of weights that nodes of a graph name.
struct Expected {
    path: String,
    nodes: Vec<String>,
    /// Bytes of it, where it is there.
    bytes: Option<u64>,
}

/// Tells about the models of a graph.
///
/// # Errors
/// Where the graph is none, the folder that was named is not there, or something in it is missing.
pub fn models(typed: &Typed, lines: &Lines) -> Result<(), Stop> {
    let screen = Screen::new(lines.clone(), typed.telling);
    let catalogue = job::catalogue();
    catalogue.warnings().iter().for_each(|warning| screen.say(&format!("warning: {warning}")));
    let (document, folder) = super::edit::open(typed.graph.as_deref())?;
    let models = job::models(typed.models.as_deref(), folder.as_deref())?;
    let built_in = Models::built_in(folder.as_deref());
    let expected = expected(&document, &catalogue, &models);
    let report = if typed.telling.json {
        format!("{:#}\n", object(&models, &built_in, &expected))
    } else {
        text(&models, &built_in, &expected)
    };
    super::print(&report)?;
    let missing = expected.iter().filter(|expected| expected.bytes.is_none()).count();
    if missing == 0 {
        return Ok(());
    }
    Err(Stop::failed(format!("{missing} of {} are missing; put them into the models folder", expected.len())))
}

fn expected(document: &Document, catalogue: &Catalogue, models: &Models) -> Vec<Expected> {
    let mut expected: Vec<Expected> = Vec::new();
    for (name, node) in &document.nodes {
        let Some(node_type) = catalogue.node_type(&node.node_type) else { continue };
        for parameter in &node_type.description.parameters {
            let Domain::Model { default, .. } = &parameter.domain else { continue };
            let path = node.params.get(&parameter.id).and_then(Value::as_str).unwrap_or(default);
            if path.is_empty() {
                continue;
            }
            if let Some(known) = expected.iter_mut().find(|known| known.path == path) {
                known.nodes.push(name.clone());
                continue;
            }
            let at = models.folder().map_or_else(|| Path::new(path).to_owned(), |folder| folder.join(path));
            expected.push(Expected { path: path.to_owned(), nodes: vec![name.clone()], bytes: bytes_in(&at) });
        }
    }
    expected.sort_by(|a, b| a.path.cmp(&b.path));
    expected
}

fn text(models: &Models, built_in: &Models, expected: &[Expected]) -> String {
    let mut lines = Vec::new();
    match models {
        Models::At { folder, origin } => lines.push(format!(
            "{} ({})",
            folder.display(),
            match origin {
                Origin::Named => "named by --models".to_owned(),
                Origin::Environment => format!("named by {VARIABLE}"),
                Origin::BuiltIn =>
                    "the built-in small model of drawn scenes; --models or MGIE_MODELS names another".to_owned(),
            }
        )),
        Models::Missing { looked } => {
            lines.push("there is no models folder; --models or MGIE_MODELS names one. Looked at:".to_owned());
            lines.extend(looked.iter().map(|place| format!("  {}", place.display())));
        }
    }
    let width = expected.iter().map(|expected| expected.path.chars().count()).max().unwrap_or(0);
    for Expected { path, nodes, bytes } in expected {
        let there = bytes.map_or_else(|| "missing".to_owned(), |bytes| HumanBytes(bytes).to_string());
        lines.push(format!("  {path:<width$}  {there:>11}  for {}", nodes.join(", ")));
    }
    if let (Models::At { folder, .. }, false) = (built_in, models == built_in) {
        lines.push(format!("built in: {} (a small model of drawn scenes)", folder.display()));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn object(models: &Models, built_in: &Models, expected: &[Expected]) -> Value {
    let origin = match models {
        Models::At { origin: Origin::Named, .. } => "named",
        Models::At { origin: Origin::Environment, .. } => "environment",
        Models::At { origin: Origin::BuiltIn, .. } => "built_in",
        Models::Missing { .. } => "missing",
    };
    let looked = match models {
        Models::At { .. } => &[][..],
        Models::Missing { looked } => looked,
    };
    let expected: Vec<Value> = expected
        .iter()
        .map(|it| json!({ "path": it.path, "nodes": it.nodes, "there": it.bytes.is_some(), "bytes": it.bytes }))
        .collect();
    json!({
        "folder": models.folder(),
        "origin": origin,
        "looked": looked,
        "built_in": built_in.folder(),
        "models": expected,
    })
}
