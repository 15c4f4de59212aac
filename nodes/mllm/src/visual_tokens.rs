//! Where in the hidden states the visual tokens H lie: the eight states that predict `[IMG0]` … `[IMG7]`.

/// How many visual tokens there are: `[IMG0]` … `[IMG7]`.
pub const VISUAL_TOKENS: usize = 8;

/// The row of the hidden states with which the eight visual tokens begin.
///
/// `sequence` is prompt and answer, and there is one hidden state fewer than it has tokens (the last token is never fed
/// back). The rule is the notebook's: the place of the first `[IMG0]` less one, or where there is none the ninth state
/// from the end; and never after that one, so that one state of the eight's successors is always left over.
///
/// `None` where the sequence is too short to hold eight, or begins with `[IMG0]`.
pub fn first_visual_token(sequence: &[u32], first_image_token: u32) -> Option<usize> {
    let states = sequence.len().checked_sub(1)?;
    let latest = states.checked_sub(VISUAL_TOKENS + 1)?;
    match sequence.iter().position(|id| *id == first_image_token) {
        Some(place) => Some(place.checked_sub(1)?.min(latest)),
        None => Some(latest),
    }
}

#[cfg(test)]
mod tests {
    use super::first_visual_token;

    const IMG0: u32 = 100;

    /// 30 tokens, the [IMG0] at `place`: 29 hidden states, of which row 20 is the ninth from the end.
    fn sequence(place: Option<usize>) -> Vec<u32> {
        (0..30).map(|i| if Some(i) == place { IMG0 } else { 1 }).collect()
    }

    #[test]
    fn the_window_begins_at_the_state_that_predicts_img0() {
        assert_eq!(first_visual_token(&sequence(Some(12)), IMG0), Some(11));
        assert_eq!(first_visual_token(&sequence(Some(21)), IMG0), Some(20));
    }

    #[test]
    fn the_window_is_moved_forward_where_img0_comes_too_late() {
        assert_eq!(first_visual_token(&sequence(Some(22)), IMG0), Some(20));
        assert_eq!(first_visual_token(&sequence(Some(29)), IMG0), Some(20));
    }

    #[test]
    fn the_window_without_img0_is_the_ninth_state_from_the_end_on() {
        assert_eq!(first_visual_token(&sequence(None), IMG0), Some(20));
    }

    #[test]
    fn a_sequence_that_cannot_hold_eight_states_has_no_window() {
        assert_eq!(first_visual_token(&[1; 9], IMG0), None);
        assert_eq!(first_visual_token(&[1; 10], IMG0), Some(0));
        assert_eq!(first_visual_token(&[], IMG0), None);
        assert_eq!(first_visual_token(&sequence(Some(0)), IMG0), None);
    }
}
