//! Which picture of a graph a sweep shows, where nobody says.

use super::SweepError;
use crate::document::Document;
use crate::plugins::Catalogue;
use mgie_plugin_api::kind;
use std::collections::HashSet;

/// The node type that saves pictures.
const IMAGE_SAVE: &str = "image.save";

/// The output, as node and output, whose picture the graph is for: the one that its only `image.save` saves; where there
/// is no such node, the only picture that nothing is wired to.
///
/// # Errors
/// [`SweepError::Output`] where there is none, or more than one.
pub fn output_shown(document: &Document, catalogue: &Catalogue) -> Result<(String, String), SweepError> {
    // What is switched off neither saves nor shows anything.
    let on = || document.nodes.iter().filter(|(_, node)| node.off.is_none());
    let wired: HashSet<(&str, &str)> =
        on().flat_map(|(_, node)| node.inputs.values()).filter_map(|wire| wire.source()).collect();
    let mut saved: Vec<(&str, &str)> = Vec::new();
    let mut pictures: Vec<(String, String)> = Vec::new();
    for (name, node) in on() {
        if node.node_type == IMAGE_SAVE {
            saved.extend(node.inputs.get("image").and_then(|wire| wire.source()));
        }
        let Some(node_type) = catalogue.node_type(&node.node_type) else { continue };
        let images = node_type.description.outputs.iter().filter(|socket| socket.kind == kind::IMAGE);
        pictures.extend(images.map(|socket| (name.clone(), socket.id.clone())));
    }
    saved.dedup();
    let free: Vec<&(String, String)> =
        pictures.iter().filter(|(node, output)| !wired.contains(&(node.as_str(), output.as_str()))).collect();
    let reason = match (saved.as_slice(), free.as_slice()) {
        ([(node, output)], _) => return Ok(((*node).to_owned(), (*output).to_owned())),
        ([], [only]) => return Ok((*only).clone()),
        ([], []) => "this graph saves none".to_owned(),
        ([], free) => format!("this graph saves none, and {} are wired to nothing", free.len()),
        (saved, _) => format!("this graph saves {} of them", saved.len()),
    };
    let pictures = pictures.iter().map(|(node, output)| format!("{node}.{output}")).collect();
    Err(SweepError::Output { reason, pictures })
}
