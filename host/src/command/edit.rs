//! `mgie edit`: a graph whose nodes `photo`, `instruction` and `result` are filled in.

use super::job::{self, Job};
use super::overwriting;
use super::request::{Destination, Edit, Save};
use super::screen::{Lines, Screen};
use super::stop::Stop;
use super::telling;
use mgie_host::document::{Document, Opened};
use mgie_host::engine::{CancelToken, Targets};
use mgie_host::models::Models;
use mgie_host::parameter_text::path as absolute;
use mgie_host::plugins::Catalogue;
use mgie_plugin_api::{Domain, kind};
use std::path::{Path, PathBuf};

/// The graph that is run where none is named, nor brought along by the models folder.
pub const BUILT_IN: &str = include_str!("../../../graphs/mgie.json");

/// The built-in graph, or the one in a file. The built-in one lies in no folder.
///
/// # Errors
/// Why the file is no graph.
pub fn open(graph: Option<&Path>) -> Result<(Document, Option<PathBuf>), Stop> {
    Ok(match graph {
        Some(path) => {
            let Opened { document, folder, .. } = Document::open(path)?;
            (document, Some(folder))
        }
        None => (Document::parse(BUILT_IN)?, None),
    })
}

/// The graph that a models folder brings with it, for models that are not used as MGIE's own are: `edit.json`.
fn brought_along(models: &Models) -> Option<PathBuf> {
    models.folder().map(|folder| folder.join("edit.json")).filter(|graph| graph.is_file())
}

/// Edits a photo.
///
/// # Errors
/// Why it ended early.
pub fn edit(request: Edit, lines: &Lines, cancel: &CancelToken) -> Result<(), Stop> {
    let telling = request.running.telling;
    let mut screen = Screen::new(lines.clone(), telling);
    let mut rounds = Vec::new();
    let catalogue = job::catalogue();
    let mut models = None;
    let ended = (|| {
        let brought = match request.graph {
            Some(_) => None,
            None => brought_along(&job::models(request.running.models.as_deref(), None)?),
        };
        let (document, folder) = open(request.graph.as_deref().or(brought.as_deref()))?;
        screen.make_room_for(document.nodes.keys());
        let found = job::models(request.running.models.as_deref(), folder.as_deref().filter(|_| brought.is_none()))?;
        models = Some(found.clone());
        job::announce(&found, &screen);
        let folder = folder.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        let job = fill_in(request, document, folder, found, &catalogue)?;
        job.run(&catalogue, cancel, &screen, &mut rounds)
    })();
    let seconds: f64 = rounds.iter().map(|round| round.report.seconds).sum();
    telling::tell(ended, job::done(&rounds), models.as_ref(), Some(&catalogue), telling.json, &screen, |path| {
        screen.say(&format!("wrote {path} ({seconds:.1} s)"));
    })?;
    for text in rounds.iter().flat_map(|round| &round.told) {
        let printable: String = text.chars().filter(|letter| letter.is_whitespace() || !letter.is_control()).collect();
        let line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
        screen.say(&format!("as the language model put it: {line}"));
    }
    Ok(())
}

/// The outputs that say what a language model makes of the instruction: those named `text` of nodes that take one.
fn understood(document: &Document, catalogue: &Catalogue) -> Vec<(String, String)> {
    let says = |node_type: &str| {
        catalogue.node_type(node_type).is_some_and(|known| {
            known.description.inputs.iter().any(|input| input.id == "instruction")
                && known.description.outputs.iter().any(|output| output.id == "text" && output.kind == kind::TEXT)
        })
    };
    let nodes = document.nodes.iter().filter(|(_, node)| node.off.is_none() && says(&node.node_type));
    nodes.map(|(name, _)| (name.clone(), "text".to_owned())).collect()
}

/// Fills in the nodes that an edit needs, and the options of this command.
fn fill_in(
    request: Edit,
    mut document: Document,
    folder: PathBuf,
    models: Models,
    catalogue: &Catalogue,
) -> Result<Job, Stop> {
    let lacking: Vec<&str> = [("photo", "path"), ("instruction", "text"), ("result", "path")]
        .into_iter()
        .filter(|(node, parameter)| !takes(&document, catalogue, node, parameter))
        .map(|(node, _)| match node {
            "photo" => "`photo` with a parameter `path` (the photo)",
            "instruction" => "`instruction` with a parameter `text`",
            _ => "`result` with a parameter `path` (the file to write)",
        })
        .collect();
    if !lacking.is_empty() {
        return Err(Stop::wrong(format!(
            "this graph cannot be used to edit: it has no node {}; name its nodes so, or use `mgie run`",
            lacking.join(", nor ")
        )));
    }
    let photo = std::path::absolute(&request.photo).unwrap_or_else(|_| request.photo.clone());
    set(&mut document, "photo", "path", absolute(&request.photo.to_string_lossy()));
    set(&mut document, "instruction", "text", request.instruction.into());
    turn_knobs(&request.knobs, &mut document, catalogue)?;
    let graph = request.graph;
    let mut running = request.running;
    let mut targets = Targets::side_effects();
    match request.output {
        Some(Destination::Stdout) => {
            // Instead of being written by its node, the picture that goes into it is printed.
            let result = document.nodes.shift_remove("result").unwrap_or_default();
            let source = result.inputs.values().find_map(|wire| wire.source());
            let Some((node, output)) = source else {
                return Err(Stop::wrong("node `result`: nothing is wired into it; wire in the picture to write"));
            };
            running.saves.push(Save { node: node.to_owned(), output: output.to_owned(), to: Destination::Stdout });
            targets = Targets::default();
        }
        Some(Destination::File(path)) => {
            if let (Ok(one), Ok(other)) = (path.canonicalize(), photo.canonicalize())
                && one == other
            {
                return Err(Stop::wrong(format!(
                    "-o {}: this is the photo itself, which would be lost; name another file",
                    path.display()
                )));
            }
            set(&mut document, "result", "path", absolute(&path.to_string_lossy()));
        }
        None => set(
            &mut document,
            "result",
            "path",
            overwriting::free_beside(&photo, "-edited", "png").to_string_lossy().into_owned().into(),
        ),
    }
    let told = understood(&document, catalogue);
    Ok(Job { document, folder, graph, targets, frames: None, running, models, told })
}

fn set(document: &mut Document, node: &str, parameter: &str, value: serde_json::Value) {
    if let Some(node) = document.nodes.get_mut(node) {
        node.params.insert(parameter.to_owned(), value);
    }
}

/// Whether the graph has the node, and its type the parameter; an unknown type is told later, by validation.
fn takes(document: &Document, catalogue: &Catalogue, node: &str, parameter: &str) -> bool {
    document.nodes.get(node).is_some_and(|node| {
        catalogue.node_type(&node.node_type).is_none_or(|known| {
            let of_type = known.description.parameters.iter().find(|of_type| of_type.id == parameter);
            matches!(
                of_type.map(|of_type| &of_type.domain),
                Some(Domain::Text { .. } | Domain::File { .. } | Domain::SaveFile { .. })
            )
        })
    })
}

/// Sets the parameters that options of this command stand for, in every node that has them.
fn turn_knobs(
    knobs: &[(&'static str, &'static str, serde_json::Value)],
    document: &mut Document,
    catalogue: &Catalogue,
) -> Result<(), Stop> {
    let mut wrong = Vec::new();
    for (option, parameter, value) in knobs {
        let mut turned = false;
        for node in document.nodes.values_mut() {
            // Where a plugin is missing, that is what has to be told.
            let known = catalogue.node_type(&node.node_type);
            let has =
                known.is_none_or(|known| known.description.parameters.iter().any(|of_type| of_type.id == *parameter));
            turned |= has;
            if has && catalogue.node_type(&node.node_type).is_some() {
                node.params.insert((*parameter).to_owned(), value.clone());
            }
        }
        if !turned {
            wrong.push(format!("{option}: no node of this graph has a parameter `{parameter}`; leave it out"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::wrong_all(wrong)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_graph_is_one_that_can_edit() {
        let document = Document::parse(BUILT_IN).unwrap();
        assert!(["photo", "instruction", "result"].iter().all(|name| document.nodes.contains_key(*name)));
    }
}
