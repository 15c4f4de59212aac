//! How the thread budget is split among nodes that run at the same time. The node that most hangs on decides how long
//! the run takes, so it gets what the others leave, and they get little; nodes that equally much hangs on get the same.

/// The threads of each running node, given how much hangs on each; at least 1 each.
///
/// The sum is within the budget, except that those that most hangs on share three quarters of it in any case: with two
/// or three threads it is passed by the single ones of the others, for as long as they run.
pub(super) fn shares(budget: usize, reaches: &[usize]) -> Vec<usize> {
    let most = reaches.iter().max().copied().unwrap_or(0);
    let first = reaches.iter().filter(|reach| **reach == most).count().max(1);
    let others = reaches.len().saturating_sub(first);
    let little = (budget / (2 * reaches.len().max(1))).max(1);
    let rest = budget.saturating_sub(little * others).max((budget * 3).div_ceil(4));
    let much = (rest / first).max(1);
    reaches.iter().map(|reach| if *reach == most { much } else { little }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_that_most_hangs_on_gets_what_the_others_leave() {
        for (budget, reaches, expected) in [
            (16, &[5][..], &[16][..]),
            (16, &[5, 2], &[12, 4]),
            (16, &[2, 5, 2], &[2, 12, 2]),
            (8, &[3, 3], &[4, 4]),
            (8, &[3, 3, 1], &[3, 3, 1]),
            (4, &[1, 0], &[3, 1]),
            (2, &[6, 3], &[2, 1]),
            (2, &[3, 3], &[1, 1]),
            (1, &[6], &[1]),
            (4, &[], &[]),
        ] {
            assert_eq!(shares(budget, reaches), expected, "{budget} {reaches:?}");
        }
    }
}
