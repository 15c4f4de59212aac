//! Copies as text: the graph file's own JSON, so that they can be pasted into another window or a text editor, and what
//! somebody wrote by hand can be pasted here.

use super::arrange;
use super::edit::Refusal;
use super::layout::{self, Frame, Note};
use super::naming;
use crate::document::{Document, Wire};
use crate::engine::move_paths;
use crate::plugins::Catalogue;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The key of a copy's text that names the folder that its relative paths are relative to.
const FOLDER: &str = "copied_from";

/// Nodes as the text of a graph, with the wires among them and their layout. Names that the graph lacks are passed over.
/// `folder` is the graph's.
#[must_use]
pub fn copy(document: &Document, nodes: &[String], folder: &Path) -> String {
    let wanted: HashSet<&str> = nodes.iter().map(String::as_str).collect();
    let mut copied = Document::default();
    for (name, node) in document.nodes.iter().filter(|(name, _)| wanted.contains(name.as_str())) {
        let mut node = node.clone();
        node.inputs.retain(|_, wire| wire.source().is_some_and(|(source, _)| wanted.contains(source)));
        copied.nodes.insert(name.clone(), node);
    }
    let names: Vec<String> = copied.nodes.keys().cloned().collect();
    for name in &names {
        if let Some(at) = layout::position(document, name) {
            layout::set_position(&mut copied, name, at);
        }
        layout::set_collapsed(&mut copied, name, layout::is_collapsed(document, name));
    }
    // A key that a graph has a field for is refused; this is none.
    drop(copied.set_field(FOLDER, folder.to_string_lossy().into()));
    copied.to_text()
}

/// A copy's text as a graph in `folder` needs it: relative paths name the same files as where they were copied.
#[must_use]
pub fn brought_to(folder: &Path, text: String, catalogue: &Catalogue) -> String {
    let Ok(mut document) = Document::parse(&text) else { return text };
    let from = document.field(FOLDER).and_then(|from| from.as_str()).map(PathBuf::from);
    let Some(from) = from.filter(|from| *from != folder) else { return text };
    move_paths(&mut document, catalogue, &from, folder);
    document.to_text()
}

/// Frames and notes alone, as the text of a graph.
#[must_use]
pub fn copy_boxes(frames: &[Frame], notes: &[Note]) -> String {
    let mut copied = Document::default();
    frames.iter().for_each(|frame| layout::add_box(&mut copied, frame));
    notes.iter().for_each(|note| layout::add_box(&mut copied, note));
    copied.to_text()
}

/// Adds what a text holds, its top left corner at `at`. A wire from a node that is not in the text is kept where this
/// graph has a node of that name. Gives the names of the new nodes.
///
/// # Errors
/// What the text is instead.
pub(super) fn paste(document: &mut Document, text: &str, at: [f32; 2]) -> Result<Vec<String>, Refusal> {
    let pasted =
        Document::parse(text).map_err(|error| Refusal::new(format!("what was copied is no graph of mgie: {error}")))?;
    let (frames, notes) = (layout::boxes::<Frame>(&pasted), layout::boxes::<Note>(&pasted));
    if pasted.nodes.is_empty() && frames.is_empty() && notes.is_empty() {
        return Err(Refusal::new("what was copied is an empty graph"));
    }
    let positions = arrange::placed(&pasted, &HashMap::new());
    let corners = positions.values().copied().chain(frames.iter().map(|frame| frame.at));
    let corner = corners.chain(notes.iter().map(|note| note.at)).reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1])]);
    let corner = corner.unwrap_or_default();
    let moved = |from: [f32; 2]| [at[0] + from[0] - corner[0], at[1] + from[1] - corner[1]];

    let there: HashSet<String> = document.nodes.keys().cloned().collect();
    let mut names: HashMap<&str, String> = HashMap::new();
    for (old, node) in &pasted.nodes {
        let name = naming::free(document, old);
        document.nodes.insert(name.clone(), node.clone());
        layout::set_position(document, &name, moved(positions.get(old).copied().unwrap_or(corner)));
        layout::set_collapsed(document, &name, layout::is_collapsed(&pasted, old));
        names.insert(old, name);
    }
    let new: Vec<String> = pasted.nodes.keys().filter_map(|old| names.get(old.as_str()).cloned()).collect();
    for name in &new {
        let Some(node) = document.nodes.get_mut(name) else { continue };
        node.inputs.retain(|_, wire| {
            let Some((source, output)) = wire.source() else { return false };
            match names.get(source) {
                Some(copy) => *wire = Wire::new(copy, output),
                None => return there.contains(source),
            }
            true
        });
    }
    frames.into_iter().for_each(|frame| layout::add_box(document, &Frame { at: moved(frame.at), ..frame }));
    notes.into_iter().for_each(|note| layout::add_box(document, &Note { at: moved(note.at), ..note }));
    Ok(new)
}
