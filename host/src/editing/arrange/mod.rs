//! Laying nodes out from left to right.

use super::layout;
use crate::document::{Document, Node};
use std::collections::HashMap;

/// Where the first node of a graph without layout lies.
pub(super) const CORNER: [f32; 2] = [40.0, 40.0];

/// The position of every node: the file's, or one below everything that has one.
pub(super) fn placed(document: &Document) -> HashMap<String, [f32; 2]> {
    let (with, without): (Vec<_>, Vec<_>) = document
        .nodes
        .keys()
        .map(|name| (name.clone(), layout::position(document, name)))
        .partition(|(_, at)| at.is_some());
    let mut positions: HashMap<String, [f32; 2]> =
        with.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
    let without: Vec<String> = without.into_iter().map(|(name, _)| name).collect();
    let sizes = HashMap::new();
    let corner = positions
        .iter()
        .map(|(name, at)| [at[0], at[1] + size_of(document, name, &sizes)[1]])
        .reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]);
    let corner = corner.map_or(CORNER, |corner| [corner[0], corner[1] + 80.0]);
    for (name, at) in arranged(document, &without, &sizes) {
        positions.insert(name, [corner[0] + at[0], corner[1] + at[1]]);
    }
    positions
}

/// Positions of nodes, the top left corner of all of them at the origin. Sizes that are missing are guessed.
pub(super) fn arranged(
    document: &Document,
    names: &[String],
    sizes: &HashMap<String, [f32; 2]>,
) -> Vec<(String, [f32; 2])> {
    let mut x = 0.0;
    names
        .iter()
        .map(|name| {
            let at = [x, 0.0];
            x += size_of(document, name, sizes)[0] + 60.0;
            (name.clone(), at)
        })
        .collect()
}

fn size_of(document: &Document, name: &str, sizes: &HashMap<String, [f32; 2]>) -> [f32; 2] {
    let given = sizes.get(name).copied().filter(|size| size.iter().all(|side| side.is_finite() && *side >= 0.0));
    given.unwrap_or_else(|| document.nodes.get(name).map_or([220.0, 80.0], guessed))
}

/// About as large as the studio shows a node.
fn guessed(node: &Node) -> [f32; 2] {
    let rows = node.inputs.len().max(1) + node.params.len();
    [220.0, 50.0 + 26.0 * rows as f32]
}
