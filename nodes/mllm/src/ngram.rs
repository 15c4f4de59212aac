//! `no_repeat_ngram_size`: no run of n tokens may come twice in prompt and answer together. Rules and edge cases are
//! those of transformers' `NoRepeatNGramLogitsProcessor`.

use std::collections::{HashMap, HashSet};

/// The tokens that may not come next, kept up to date as the sequence grows.
#[derive(Debug, Clone)]
pub struct NoRepeatNgram {
    size: usize,
    sequence: Vec<u32>,
    /// The first n − 1 tokens of every n-gram seen → the tokens that completed it.
    seen: HashMap<Vec<u32>, HashSet<u32>>,
}

impl NoRepeatNgram {
    /// A rule for n-grams of `size` tokens over what `prompt` begins; `size` 0 forbids nothing.
    pub fn new(size: usize, prompt: &[u32]) -> Self {
        let mut rule = Self { size, sequence: Vec::with_capacity(prompt.len()), seen: HashMap::new() };
        for id in prompt {
            rule.push(*id);
        }
        rule
    }

    /// Appends a token to the sequence.
    pub fn push(&mut self, id: u32) {
        self.sequence.push(id);
        if let Some(start) = self.sequence.len().checked_sub(self.size)
            && let Some((last, begin)) = self.sequence.get(start..).and_then(<[u32]>::split_last)
        {
            self.seen.entry(begin.to_vec()).or_default().insert(*last);
        }
    }

    /// The tokens that would complete an n-gram for the second time.
    pub fn forbidden(&self) -> impl Iterator<Item = u32> + '_ {
        let begin = self.sequence.len().checked_sub(self.size.saturating_sub(1));
        let begin = begin.and_then(|start| self.sequence.get(start..));
        begin.and_then(|begin| self.seen.get(begin)).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::NoRepeatNgram;

    fn forbidden(size: usize, sequence: &[u32]) -> Vec<u32> {
        let mut found: Vec<u32> = NoRepeatNgram::new(size, sequence).forbidden().collect();
        found.sort_unstable();
        found
    }

    /// The expectations are what `NoRepeatNGramLogitsProcessor(size)` of transformers sets to −∞ for the sequence.
    #[test]
    fn tokens_are_forbidden_that_would_repeat_an_ngram() {
        let cases: [(usize, &[u32], &[u32]); 9] = [
            (3, &[1, 2, 3, 1, 2], &[3]),
            (3, &[1, 2, 3, 1, 2, 4, 1, 2], &[3, 4]),
            (3, &[7, 7, 7, 7], &[7]),
            (3, &[7, 7], &[]),
            (3, &[7], &[]),
            (3, &[1, 2, 3, 4], &[]),
            (2, &[5, 6, 5], &[6]),
            (1, &[5, 6, 5], &[5, 6]),
            (0, &[5, 5, 5], &[]),
        ];
        for (size, sequence, expected) in cases {
            assert_eq!(forbidden(size, sequence), expected, "size {size}, sequence {sequence:?}");
        }
    }

    #[test]
    fn a_run_of_image_placeholders_counts_as_tokens() {
        let mut rule = NoRepeatNgram::new(3, &[1, 9, 9, 9, 9, 2]);
        assert_eq!(rule.forbidden().count(), 0);
        rule.push(9);
        rule.push(9);
        let mut found: Vec<u32> = rule.forbidden().collect();
        found.sort_unstable();
        assert_eq!(found, [2, 9]);
    }
}
