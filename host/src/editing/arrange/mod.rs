//! Laying nodes out from left to right: each right of what feeds it, wires short and with few crossings. The same graph
//! always comes out the same.
//!
//! The steps are those of Sugiyama, Tagawa and Toda (1981): [`layers`] gives each node its column, [`crossings`] the
//! order within the columns, [`columns`] the places. Groups that no wire connects lie one below the other, nodes without
//! any wire in rows below them.

mod columns;
mod crossings;
mod layers;

use super::layout;
use crate::document::{Document, Node};
use std::collections::{HashMap, HashSet};

/// Where the first node of a graph without layout lies.
pub(super) const CORNER: [f32; 2] = [40.0, 40.0];

/// Between one column and the next: room for wires to bend.
const ACROSS: f32 = 80.0;
/// Between a node and the one below it.
const BELOW: f32 = 40.0;
/// Between groups that no wire connects.
const APART: f32 = 80.0;
/// How wide rows of single nodes are at least.
const ROW: f32 = 1200.0;

/// The position of every node: the file's, or one below everything that has one. Sizes that are missing are guessed.
pub(super) fn placed(document: &Document, sizes: &HashMap<String, [f32; 2]>) -> HashMap<String, [f32; 2]> {
    let mut positions: HashMap<String, [f32; 2]> =
        document.nodes.keys().filter_map(|name| Some((name.clone(), layout::position(document, name)?))).collect();
    let without: Vec<String> = document.nodes.keys().filter(|name| !positions.contains_key(*name)).cloned().collect();
    if without.is_empty() {
        return positions;
    }
    let bottoms = positions.iter().map(|(name, at)| [at[0], at[1] + size_of(document, name, sizes)[1]]);
    let corner = bottoms.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]);
    let corner = corner.map_or(CORNER, |corner| [corner[0], corner[1] + APART]);
    for (name, at) in arranged(document, &without, sizes) {
        positions.insert(name, [corner[0] + at[0], corner[1] + at[1]]);
    }
    positions
}

/// Positions of nodes, the top left corner of all of them at the origin. Only wires among them count; sizes that are
/// missing are guessed.
pub(super) fn arranged(
    document: &Document,
    names: &[String],
    sizes: &HashMap<String, [f32; 2]>,
) -> Vec<(String, [f32; 2])> {
    let graph = Graph::of(document, names, sizes);
    let mut at = vec![[0.0; 2]; names.len()];
    let (mut top, mut width) = (0.0, ROW);
    let mut singles = Vec::new();
    for group in graph.groups() {
        if let [only] = group.as_slice() {
            singles.push(*only);
            continue;
        }
        let placed = group_at_origin(&graph, &group);
        let mut size = [0.0f32; 2];
        for (node, place) in placed {
            at[node] = [place[0], top + place[1]];
            size = [0, 1].map(|axis| size[axis].max(place[axis] + graph.sizes[node][axis]));
        }
        width = f32::max(width, size[0]);
        top += size[1] + APART;
    }
    in_rows(&graph, &singles, top, width, &mut at);
    names.iter().cloned().zip(at).collect()
}

fn group_at_origin(graph: &Graph, group: &[usize]) -> Vec<(usize, [f32; 2])> {
    let layers = layers::layers(graph, group);
    let net = crossings::Net::of(graph, group, &layers);
    let ordered = crossings::ordered(&net);
    columns::places(graph, &net, &ordered)
}

/// Nodes that no wire touches: side by side, in rows no wider than the rest.
fn in_rows(graph: &Graph, singles: &[usize], top: f32, width: f32, at: &mut [[f32; 2]]) {
    let (mut x, mut y, mut height) = (0.0, top, 0.0f32);
    for node in singles {
        let size = graph.sizes[*node];
        if x > 0.0 && x + size[0] > width {
            (x, y, height) = (0.0, y + height + BELOW, 0.0);
        }
        at[*node] = [x, y];
        x += size[0] + ACROSS / 2.0;
        height = height.max(size[1]);
    }
}

/// The nodes by number, in the document's order, and the wires among them.
struct Graph {
    sizes: Vec<[f32; 2]>,
    /// From which node, to which, and how far down the side of the latter (0 to 1); in the order of nodes and inputs.
    wires: Vec<(usize, usize, f32)>,
}

impl Graph {
    fn of(document: &Document, names: &[String], sizes: &HashMap<String, [f32; 2]>) -> Self {
        let numbers: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut wires = Vec::new();
        let mut seen = HashSet::new();
        for (to, name) in names.iter().enumerate() {
            let Some(node) = document.nodes.get(name) else { continue };
            let inputs = node.inputs.len() as f32;
            for (index, wire) in node.inputs.values().enumerate() {
                let from = wire.source().and_then(|(source, _)| numbers.get(source)).copied();
                if let Some(from) = from.filter(|from| *from != to)
                    && seen.insert((from, to))
                {
                    wires.push((from, to, (index as f32 + 0.5) / inputs));
                }
            }
        }
        Self { sizes: names.iter().map(|name| size_of(document, name, sizes)).collect(), wires }
    }

    /// The nodes in groups that wires connect, whichever way they lead; by the first node of each.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut leader: Vec<usize> = (0..self.sizes.len()).collect();
        fn find(leader: &mut [usize], mut node: usize) -> usize {
            while leader[node] != node {
                leader[node] = leader[leader[node]];
                node = leader[node];
            }
            node
        }
        for (from, to, _) in &self.wires {
            let (a, b) = (find(&mut leader, *from), find(&mut leader, *to));
            leader[a.max(b)] = a.min(b);
        }
        let mut groups: indexmap::IndexMap<usize, Vec<usize>> = indexmap::IndexMap::new();
        for node in 0..self.sizes.len() {
            groups.entry(find(&mut leader, node)).or_default().push(node);
        }
        groups.into_values().collect()
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(nodes: serde_json::Value) -> Document {
        Document::parse(&json!({ "mgie": 1, "nodes": nodes }).to_string()).unwrap()
    }

    fn all(document: &Document) -> Vec<String> {
        document.nodes.keys().cloned().collect()
    }

    fn chain(wires: &[(&str, &[&str])]) -> Document {
        let nodes = wires.iter().map(|(name, from)| {
            let inputs: serde_json::Map<String, serde_json::Value> = from
                .iter()
                .enumerate()
                .map(|(index, from)| (format!("i{index}"), format!("{from}.o").into()))
                .collect();
            ((*name).to_owned(), json!({ "type": "t", "inputs": inputs }))
        });
        document(nodes.collect::<serde_json::Map<_, _>>().into())
    }

    /// Places by name; no two nodes overlap, and every wire leads to the right.
    fn laid_out(document: &Document) -> HashMap<String, [f32; 2]> {
        let sizes = HashMap::new();
        let at: HashMap<String, [f32; 2]> = arranged(document, &all(document), &sizes).into_iter().collect();
        let size = |name: &str| size_of(document, name, &sizes);
        for (a, of_a) in &at {
            for (b, of_b) in at.iter().filter(|(b, _)| *b != a) {
                let apart =
                    |axis: usize| of_a[axis] + size(a)[axis] <= of_b[axis] || of_b[axis] + size(b)[axis] <= of_a[axis];
                assert!(apart(0) || apart(1), "{a} {of_a:?} lies on {b} {of_b:?}");
            }
        }
        let low = at.values().copied().reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1])]).unwrap();
        assert_eq!(low, [0.0, 0.0]);
        at
    }

    #[test]
    fn every_node_lies_right_of_what_feeds_it() {
        let document = Document::parse(include_str!("../../../../graphs/mgie.json")).unwrap();
        let at = laid_out(&document);
        for (name, node) in &document.nodes {
            for (source, _) in node.inputs.values().filter_map(|wire| wire.source()) {
                assert!(at[source][0] + 220.0 < at[name][0], "{source} {name}");
            }
        }
        assert_eq!(at["unet"][0], at["edit_head"][0], "what nothing feeds is near what it feeds");
    }

    #[test]
    fn a_graph_comes_out_the_same_each_time_and_where_it_lay_does_not_matter() {
        let document = Document::parse(include_str!("../../../../graphs/mgie.json")).unwrap();
        let mut moved = document.clone();
        layout::set_position(&mut moved, "clip", [-500.0, 900.0]);
        assert_eq!(laid_out(&document), laid_out(&moved));
    }

    #[test]
    fn crossed_wires_are_uncrossed() {
        // As written, a feeds the lower and b the upper.
        let graph = chain(&[("a", &[]), ("b", &[]), ("of_b", &["b"]), ("of_a", &["a"]), ("end", &["of_b", "of_a"])]);
        let at = laid_out(&graph);
        assert_eq!(at["a"][1] < at["b"][1], at["of_a"][1] < at["of_b"][1]);
        assert!(at["of_b"][1] < at["of_a"][1], "in the order of the inputs that they feed");
    }

    #[test]
    fn a_row_of_nodes_lies_in_a_line() {
        let at = laid_out(&chain(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]));
        assert_eq!(at["b"], [300.0, 0.0]);
        assert_eq!(at["c"], [600.0, 0.0]);
    }

    #[test]
    fn nodes_without_wires_lie_together_below() {
        let graph = chain(&[("x", &[]), ("a", &[]), ("y", &[]), ("b", &["a"]), ("z", &[])]);
        let at = laid_out(&graph);
        assert!(at["x"][1] > at["b"][1] + 70.0);
        assert!(at["x"][1] == at["y"][1] && at["y"][1] == at["z"][1] && at["x"][0] < at["y"][0]);
    }

    #[test]
    fn a_cycle_is_laid_out_as_well_as_can_be() {
        laid_out(&chain(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"]), ("self", &["self"])]));
    }

    #[test]
    fn only_the_nodes_that_are_asked_for_are_laid_out_and_their_sizes_count() {
        let graph = chain(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]);
        let sizes = HashMap::from([("b".to_owned(), [500.0, 10.0]), ("c".to_owned(), [f32::NAN, 1.0])]);
        let at = arranged(&graph, &["b".to_owned(), "c".to_owned()], &sizes);
        assert_eq!(at.len(), 2);
        assert_eq!((at[0].1[0], at[1].1[0]), (0.0, 580.0));
    }

    #[test]
    fn nodes_that_the_file_gives_no_place_lie_below_those_that_have_one() {
        let mut graph = chain(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]);
        layout::set_position(&mut graph, "a", [100.0, 200.0]);
        let at = placed(&graph, &HashMap::new());
        assert_eq!(at["a"], [100.0, 200.0]);
        assert_eq!(at["b"][0], 100.0);
        assert!(at["b"][1] > 276.0 && at["c"][0] > 320.0);
    }

    #[test]
    fn large_graphs_are_laid_out_in_a_moment() {
        // 500 nodes in a grid of 20 columns, each fed by three of the column before.
        let mut nodes = serde_json::Map::new();
        for at in 0..500usize {
            let (column, row) = (at / 25, at % 25);
            let from = |shift: usize| format!("n{}.o", (column - 1) * 25 + (row + shift * 7) % 25);
            let inputs = if column == 0 { json!({}) } else { json!({ "a": from(0), "b": from(1), "c": from(2) }) };
            nodes.insert(format!("n{at}"), json!({ "type": "t", "inputs": inputs }));
        }
        let began = std::time::Instant::now();
        let grid = document(nodes.into());
        placed(&grid, &HashMap::new());
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
        // One long chain, whose first node also feeds every other.
        let mut nodes = serde_json::Map::new();
        nodes.insert("n0".to_owned(), json!({ "type": "t" }));
        for at in 1..3000 {
            let inputs = json!({ "a": format!("n{}.o", at - 1), "b": "n0.o" });
            nodes.insert(format!("n{at}"), json!({ "type": "t", "inputs": inputs }));
        }
        placed(&document(nodes.into()), &HashMap::new());
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
