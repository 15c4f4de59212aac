//! The order in which nodes can run, and the cycles that leave none.

use super::{Place, Problem};
use crate::document::Document;
use petgraph::Direction;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// The nodes of a graph as a directed graph, an edge for each wire between two nodes that are there.
fn directed(document: &Document) -> DiGraph<&str, ()> {
    let mut graph = DiGraph::new();
    let index: HashMap<&str, NodeIndex> =
        document.nodes.keys().map(|name| (name.as_str(), graph.add_node(name.as_str()))).collect();
    for (name, node) in &document.nodes {
        let Some(&to) = index.get(name.as_str()) else { continue };
        for wire in node.inputs.values() {
            if let Some(&from) = wire.source().and_then(|(source, _)| index.get(source)) {
                graph.add_edge(from, to, ());
            }
        }
    }
    graph
}

/// The names of the nodes, each after those that it takes values from, otherwise in the document's order. Nodes on a
/// cycle, and those that hang on one, are left out.
pub(crate) fn order(document: &Document) -> Vec<&str> {
    let graph = directed(document);
    let mut waits_for: Vec<usize> =
        graph.node_indices().map(|node| graph.edges_directed(node, Direction::Incoming).count()).collect();
    let mut ready: BTreeSet<NodeIndex> =
        graph.node_indices().filter(|node| waits_for.get(node.index()) == Some(&0)).collect();
    let mut order = Vec::with_capacity(waits_for.len());
    while let Some(node) = ready.pop_first() {
        order.extend(graph.node_weight(node).copied());
        for next in graph.neighbors_directed(node, Direction::Outgoing) {
            if let Some(waits_for) = waits_for.get_mut(next.index()) {
                *waits_for = waits_for.saturating_sub(1);
                if *waits_for == 0 {
                    ready.insert(next);
                }
            }
        }
    }
    order
}

/// One problem for each group of nodes that feed each other, with a shortest cycle through it.
pub(super) fn cycles(document: &Document) -> Vec<Problem> {
    let graph = directed(document);
    if toposort(&graph, None).is_ok() {
        return Vec::new();
    }
    kosaraju_scc(&graph).iter().filter_map(|group| shortest_cycle(&graph, group)).map(|cycle| problem(&cycle)).collect()
}

fn problem(cycle: &[&str]) -> Problem {
    const SHOWN: usize = 12;
    let first = cycle.first().copied().unwrap_or_default();
    let mut nodes: Vec<String> = cycle.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if cycle.len() > SHOWN {
        nodes.push(format!("{} more", cycle.len() - SHOWN));
    }
    nodes.push(format!("`{first}`"));
    Problem::error(first, Place::Wires, "wires that lead forward only")
        .found(format!("a cycle: {}", nodes.join(" → ")))
        .remedy("remove one of these wires")
}

/// A shortest cycle through the first node (by place in the file) of a strongly connected group.
fn shortest_cycle<'d>(graph: &DiGraph<&'d str, ()>, group: &[NodeIndex]) -> Option<Vec<&'d str>> {
    let start = *group.iter().min()?;
    let members: HashSet<NodeIndex> = group.iter().copied().collect();
    let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors_directed(node, Direction::Outgoing) {
            if next == start {
                let mut cycle = vec![node];
                while let Some(&before) = cycle.last().and_then(|last| came_from.get(last)) {
                    cycle.push(before);
                }
                cycle.reverse();
                return Some(cycle.iter().filter_map(|node| graph.node_weight(*node).copied()).collect());
            }
            if members.contains(&next) && !came_from.contains_key(&next) {
                came_from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}
