//! Nodes brought in line, or spread with equal gaps.

use super::edit::Edge;

impl Edge {
    /// Whether it makes gaps equal instead of bringing something in line.
    pub(super) fn spreads(self) -> bool {
        matches!(self, Self::SpreadX | Self::SpreadY)
    }

    fn axis(self) -> usize {
        match self {
            Self::Left | Self::Right | Self::CentreX | Self::SpreadX => 0,
            Self::Top | Self::Bottom | Self::CentreY | Self::SpreadY => 1,
        }
    }
}

/// Where rectangles lie once they are aligned; a size that is missing counts as zero.
pub(super) fn aligned(at: &[[f32; 2]], sizes: &[[f32; 2]], edge: Edge) -> Vec<[f32; 2]> {
    let axis = edge.axis();
    let spans: Vec<(f32, f32)> = at
        .iter()
        .enumerate()
        .map(|(index, at)| (at[axis], at[axis] + sizes.get(index).map_or(0.0, |size| size[axis].max(0.0))))
        .collect();
    let low = spans.iter().map(|span| span.0).fold(f32::INFINITY, f32::min);
    let high = spans.iter().map(|span| span.1).fold(f32::NEG_INFINITY, f32::max);
    let starts: Vec<f32> = match edge {
        Edge::Left | Edge::Top => spans.iter().map(|_| low).collect(),
        Edge::Right | Edge::Bottom => spans.iter().map(|span| high - (span.1 - span.0)).collect(),
        Edge::CentreX | Edge::CentreY => {
            spans.iter().map(|span| (low + high) / 2.0 - (span.1 - span.0) / 2.0).collect()
        }
        Edge::SpreadX | Edge::SpreadY => spread(&spans, low, high),
    };
    let mut aligned = at.to_vec();
    aligned.iter_mut().zip(starts).for_each(|(at, start)| at[axis] = start);
    aligned
}

/// Starts of spans with equal gaps between them, in the order in which their middles lie now; where they have no room
/// between the outermost, they overlap evenly.
fn spread(spans: &[(f32, f32)], low: f32, high: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    let middle = |index: &usize| spans.get(*index).map_or(0.0, |span| span.0 + span.1);
    order.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
    let filled: f32 = spans.iter().map(|span| span.1 - span.0).sum();
    let gap = (high - low - filled) / (spans.len().max(2) - 1) as f32;
    let mut starts = vec![0.0; spans.len()];
    let mut next = low;
    for index in order {
        if let (Some(start), Some(span)) = (starts.get_mut(index), spans.get(index)) {
            *start = next;
            next += span.1 - span.0 + gap;
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: [[f32; 2]; 3] = [[0.0, 50.0], [100.0, 0.0], [30.0, 20.0]];
    const SIZES: [[f32; 2]; 3] = [[10.0, 10.0], [20.0, 40.0], [40.0, 20.0]];

    #[test]
    fn edges_and_centres_come_in_line_and_the_other_direction_stays() {
        assert_eq!(aligned(&AT, &SIZES, Edge::Left), [[0.0, 50.0], [0.0, 0.0], [0.0, 20.0]]);
        assert_eq!(aligned(&AT, &SIZES, Edge::Right), [[110.0, 50.0], [100.0, 0.0], [80.0, 20.0]]);
        assert_eq!(aligned(&AT, &SIZES, Edge::Top), [[0.0, 0.0], [100.0, 0.0], [30.0, 0.0]]);
        assert_eq!(aligned(&AT, &SIZES, Edge::Bottom), [[0.0, 50.0], [100.0, 20.0], [30.0, 40.0]]);
        assert_eq!(aligned(&AT, &SIZES, Edge::CentreX), [[55.0, 50.0], [50.0, 0.0], [40.0, 20.0]]);
        assert_eq!(aligned(&AT, &SIZES, Edge::CentreY), [[0.0, 25.0], [100.0, 10.0], [30.0, 20.0]]);
    }

    #[test]
    fn spreading_makes_the_gaps_equal_between_the_outermost() {
        // 10 + 40 + 20 wide in 0..120: two gaps of 25.
        assert_eq!(aligned(&AT, &SIZES, Edge::SpreadX), [[0.0, 50.0], [100.0, 0.0], [35.0, 20.0]]);
        // 40 + 20 + 10 high in 0..60: they overlap by 5.
        assert_eq!(aligned(&AT, &SIZES, Edge::SpreadY), [[0.0, 50.0], [100.0, 0.0], [30.0, 35.0]]);
    }

    #[test]
    fn one_node_or_none_stays_where_it_is() {
        for edge in [Edge::Left, Edge::CentreY, Edge::SpreadX, Edge::SpreadY] {
            assert_eq!(aligned(&[], &[], edge), Vec::<[f32; 2]>::new());
            assert_eq!(aligned(&[[3.0, 4.0]], &[], edge), [[3.0, 4.0]], "{edge:?}");
        }
    }
}
