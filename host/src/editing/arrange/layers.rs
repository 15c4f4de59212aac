//! The column of each node.

use super::Graph;
use std::collections::HashMap;

/// The column of each node of a group, by node; the leftmost is 0. Wires lead to a column further right, except one in
/// each cycle.
pub(super) fn layers(graph: &Graph, group: &[usize]) -> HashMap<usize, usize> {
    let mut feeds: HashMap<usize, Vec<usize>> = group.iter().map(|node| (*node, Vec::new())).collect();
    for (from, to, _) in &graph.wires {
        if let Some(feeds) = feeds.get_mut(from) {
            feeds.push(*to);
        }
    }
    let order = order(group, &feeds);
    let place: HashMap<usize, usize> = order.iter().enumerate().map(|(place, node)| (*node, place)).collect();
    let leads_on = |from: usize, to: usize| place.get(&from) < place.get(&to);
    let mut layer: HashMap<usize, usize> = group.iter().map(|node| (*node, 0)).collect();
    for node in &order {
        let next = layer[node] + 1;
        for to in feeds[node].iter().filter(|to| leads_on(*node, **to)) {
            layer.entry(*to).and_modify(|layer| *layer = next.max(*layer));
        }
    }
    // A node that nothing feeds moves right, next to the first that it feeds.
    let fed: std::collections::HashSet<usize> =
        graph.wires.iter().filter(|(from, to, _)| leads_on(*from, *to)).map(|(_, to, _)| *to).collect();
    for node in order.iter().filter(|node| !fed.contains(node)) {
        let first = feeds[node].iter().filter(|to| leads_on(*node, **to)).map(|to| layer[to]).min();
        if let Some(first) = first {
            layer.insert(*node, first - 1);
        }
    }
    let lowest = layer.values().copied().min().unwrap_or(0);
    layer.values_mut().for_each(|layer| *layer -= lowest);
    layer
}

/// The nodes, each before those that it feeds, as far as cycles allow: backwards the order in which a search in depth
/// leaves them.
fn order(group: &[usize], feeds: &HashMap<usize, Vec<usize>>) -> Vec<usize> {
    let mut left = Vec::with_capacity(group.len());
    let mut seen = std::collections::HashSet::new();
    // Nodes that nothing feeds come first, so that a cycle behind them is cut at its end and not at its beginning.
    let fed: std::collections::HashSet<usize> = feeds.values().flatten().copied().collect();
    let (inner, outer): (Vec<usize>, Vec<usize>) = group.iter().partition(|node| fed.contains(node));
    for start in outer.into_iter().chain(inner) {
        if !seen.insert(start) {
            continue;
        }
        let mut path = vec![(start, 0)];
        while let Some((node, at)) = path.last_mut() {
            match feeds[node].get(*at) {
                Some(next) => {
                    *at += 1;
                    if seen.insert(*next) {
                        path.push((*next, 0));
                    }
                }
                None => {
                    left.push(*node);
                    path.pop();
                }
            }
        }
    }
    left.reverse();
    left
}
