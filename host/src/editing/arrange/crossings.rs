//! The order within columns that lets few wires cross: columns are sorted by where their neighbours lie, forwards and
//! backwards, and the best order seen is kept.

use super::Graph;
use std::collections::HashMap;

/// How often the columns are sorted each way.
const SWEEPS: usize = 12;
/// Wires that pass more columns than this do not count, so that a graph of thousands stays quick.
const LONGEST: usize = 40;
/// More wires than this between columns are not looked at so often.
const MANY: usize = 20_000;

/// A group's nodes, and a point for each column that a wire passes on its way, so that every wire leads to the next
/// column.
pub(super) struct Net {
    /// What stands where: a node of the graph, or none for a point of a wire.
    pub nodes: Vec<Option<usize>>,
    /// The places of each column, in the order in which they were found.
    pub columns: Vec<Vec<usize>>,
    /// Of each place, the neighbours in the column before and how far down its own side their wires end (0 to 1).
    pub before: Vec<Vec<(usize, f32)>>,
    /// Of each place, the neighbours in the column after, and how far down their sides.
    pub after: Vec<Vec<(usize, f32)>>,
}

impl Net {
    pub fn of(graph: &Graph, group: &[usize], layers: &HashMap<usize, usize>) -> Self {
        let mut net = Self { nodes: Vec::new(), columns: Vec::new(), before: Vec::new(), after: Vec::new() };
        let places: HashMap<usize, usize> =
            group.iter().map(|node| (*node, net.add(Some(*node), layers[node]))).collect();
        for (from, to, down) in &graph.wires {
            let (Some(start), Some(end)) = (places.get(from), places.get(to)) else { continue };
            let (first, last) = (layers[from], layers[to]);
            if last <= first || last - first > LONGEST {
                continue;
            }
            let mut at = *start;
            for column in first + 1..last {
                let point = net.add(None, column);
                net.connect(at, point, 0.5);
                at = point;
            }
            net.connect(at, *end, *down);
        }
        net
    }

    fn add(&mut self, node: Option<usize>, column: usize) -> usize {
        let place = self.nodes.len();
        self.nodes.push(node);
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        while self.columns.len() <= column {
            self.columns.push(Vec::new());
        }
        self.columns[column].push(place);
        place
    }

    fn connect(&mut self, from: usize, to: usize, down: f32) {
        self.after[from].push((to, down));
        self.before[to].push((from, down));
    }
}

/// The columns in the best order that was found.
pub(super) fn ordered(net: &Net) -> Vec<Vec<usize>> {
    let wires: usize = net.after.iter().map(Vec::len).sum();
    let sweeps = if wires > MANY { 2 } else { SWEEPS };
    let mut columns = net.columns.clone();
    let mut best = (crossings(net, &columns), columns.clone());
    let mut rank = vec![0.0; net.nodes.len()];
    for sweep in 0..sweeps {
        if best.0 == 0 && sweep > 1 {
            break;
        }
        // From the right first: what feeds a node stands in the order of its inputs.
        if sweep % 2 == 0 {
            for at in (0..columns.len().saturating_sub(1)).rev() {
                let (left, right) = columns.split_at_mut(at + 1);
                sort(&mut left[at], &right[0], &net.after, &mut rank);
            }
        } else {
            for at in 1..columns.len() {
                let (left, right) = columns.split_at_mut(at);
                sort(&mut right[0], &left[at - 1], &net.before, &mut rank);
            }
        }
        let found = crossings(net, &columns);
        if found < best.0 || (sweep == 0 && found == best.0) {
            best = (found, columns.clone());
        }
    }
    best.1
}

/// Sorts a column by the mean place of each one's neighbours in a column beside it; what has none stays where it is.
/// `rank` is room for one number a place.
fn sort(column: &mut [usize], beside: &[usize], neighbours: &[Vec<(usize, f32)>], rank: &mut [f32]) {
    beside.iter().enumerate().for_each(|(at, place)| rank[*place] = at as f32);
    let mean = |place: usize| {
        let of_place = &neighbours[place];
        let sum: f32 = of_place.iter().map(|(neighbour, down)| rank[*neighbour] + down).sum();
        (!of_place.is_empty()).then(|| sum / of_place.len() as f32)
    };
    let mut movable: Vec<(f32, usize)> = column.iter().filter_map(|place| Some((mean(*place)?, *place))).collect();
    movable.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sorted = movable.into_iter().map(|(_, place)| place);
    for place in column.iter_mut() {
        if !neighbours[*place].is_empty()
            && let Some(next) = sorted.next()
        {
            *place = next;
        }
    }
}

/// How many wires cross between neighbouring columns.
fn crossings(net: &Net, columns: &[Vec<usize>]) -> usize {
    let mut rank = vec![0usize; net.nodes.len()];
    columns.iter().for_each(|column| column.iter().enumerate().for_each(|(at, place)| rank[*place] = at));
    let mut crossed = 0;
    for pair in columns.windows(2) {
        let [left, right] = pair else { continue };
        // The ends of the wires, by their starts from top to bottom: each wire crosses those before it that end lower.
        let mut ends: Vec<usize> = Vec::new();
        for place in left {
            // A fifth of a place is fine enough to tell a node's inputs apart.
            let mut of_place: Vec<usize> =
                net.after[*place].iter().map(|(to, down)| rank[*to] * 8 + (down * 7.0) as usize).collect();
            of_place.sort_unstable();
            ends.extend(of_place);
        }
        crossed += inversions(&ends, right.len() * 8);
    }
    crossed
}

/// Pairs that stand in the wrong order, counted with a Fenwick tree.
fn inversions(numbers: &[usize], below: usize) -> usize {
    let mut tree = vec![0usize; below + 1];
    let mut count = 0;
    for (seen, number) in numbers.iter().enumerate() {
        let mut at = number + 1;
        let mut not_greater = 0;
        while at > 0 {
            not_greater += tree[at];
            at &= at - 1;
        }
        count += seen - not_greater;
        let mut at = number + 1;
        while at <= below {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversions_are_counted() {
        assert_eq!(inversions(&[], 0), 0);
        assert_eq!(inversions(&[0, 1, 1, 2], 3), 0);
        assert_eq!(inversions(&[3, 2, 1, 0], 4), 6);
        assert_eq!(inversions(&[1, 0, 1, 0], 2), 3);
    }
}
