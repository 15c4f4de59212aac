//! Where things lie once their columns and the order within them are known: as straight to their neighbours as the order
//! and the room between them allow.

use super::crossings::Net;
use super::{ACROSS, BELOW, Graph};

/// How often places are drawn towards their neighbours, each way.
const SWEEPS: usize = 8;

/// Between a wire that passes and what lies beside it.
const WIRE: f32 = 16.0;

/// The places of nodes, the top left corner of all of them at the origin.
pub(super) fn places(graph: &Graph, net: &Net, columns: &[Vec<usize>]) -> Vec<(usize, [f32; 2])> {
    let height = |place: usize| net.nodes[place].map_or(0.0, |node| graph.sizes[node][1]);
    let gap = |above: usize, below: usize| {
        if net.nodes[above].is_some() && net.nodes[below].is_some() { BELOW } else { WIRE }
    };
    let mut top = vec![0.0f32; net.nodes.len()];
    for column in columns {
        let mut next = 0.0;
        for (at, place) in column.iter().enumerate() {
            if let Some(above) = at.checked_sub(1).and_then(|above| column.get(above)) {
                next += gap(*above, *place);
            }
            top[*place] = next;
            next += height(*place);
        }
    }
    for sweep in 0..SWEEPS {
        let rightwards = sweep % 2 == 0;
        let order: Vec<&Vec<usize>> =
            if rightwards { columns.iter().collect() } else { columns.iter().rev().collect() };
        for column in order {
            let wanted: Vec<f32> = column
                .iter()
                .map(|place| {
                    let neighbours = if rightwards { &net.before[*place] } else { &net.after[*place] };
                    if neighbours.is_empty() {
                        return top[*place];
                    }
                    // Outputs stand at the top of a node and inputs below each other: middles are near enough.
                    let sum: f32 = neighbours.iter().map(|(other, _)| top[*other] + height(*other) / 2.0).sum();
                    sum / neighbours.len() as f32 - height(*place) / 2.0
                })
                .collect();
            // How far below the column's first place each one lies at least.
            let mut least = Vec::with_capacity(column.len());
            let mut next = 0.0;
            for (at, place) in column.iter().enumerate() {
                if let Some(above) = at.checked_sub(1).and_then(|above| column.get(above)) {
                    next += gap(*above, *place);
                }
                least.push(next);
                next += height(*place);
            }
            let free: Vec<f32> = wanted.iter().zip(&least).map(|(wanted, least)| wanted - least).collect();
            for ((place, start), least) in column.iter().zip(ascending(&free)).zip(&least) {
                top[*place] = start + least;
            }
        }
    }
    let mut left = 0.0;
    let mut placed = Vec::new();
    for column in columns {
        let nodes = || column.iter().filter_map(|place| Some((*place, net.nodes[*place]?)));
        let width = nodes().map(|(_, node)| graph.sizes[node][0]).fold(0.0, f32::max);
        placed.extend(nodes().map(|(place, node)| (node, [left, top[place]])));
        left += width + ACROSS;
    }
    let highest = placed.iter().map(|(_, at)| at[1]).fold(f32::INFINITY, f32::min);
    placed.iter_mut().for_each(|(_, at)| at[1] = (at[1] - highest).round());
    placed
}

/// The ascending numbers nearest to these, by the sum of squares: neighbours in the wrong order share their mean.
fn ascending(numbers: &[f32]) -> Vec<f32> {
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for number in numbers {
        let mut block = (f64::from(*number), 1);
        while let Some((sum, count)) = blocks.last().copied()
            && sum * block.1 as f64 > block.0 * count as f64
        {
            blocks.pop();
            block = (block.0 + sum, block.1 + count);
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|(sum, count)| std::iter::repeat_n((sum / count as f64) as f32, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_the_wrong_order_share_their_mean() {
        assert_eq!(ascending(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(ascending(&[3.0, 1.0, 5.0, 0.0, 4.0]), [2.0, 2.0, 2.5, 2.5, 4.0]);
        assert_eq!(ascending(&[]), Vec::<f32>::new());
    }
}
