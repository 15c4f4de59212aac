//! Added tokens: words of the vocabulary that text is split at before the model's own tokenizer sees it. This follows
//! the slow tokenizers of transformers 4.28 (`tokenization_utils.py`, `Trie` and `PreTrainedTokenizer.tokenize`) to
//! the letter, since the ids that a model was trained on depend on it.

use std::collections::{BTreeMap, HashMap, HashSet};

/// What happens to the white space beside an added token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strip {
    /// Both sides lose it: a token that is a plain string.
    Both,
    /// As the token's own description (`AddedToken`) says.
    Only {
        /// The text before the token loses it.
        left: bool,
        /// The text after the token loses it.
        right: bool,
    },
}

/// Words that text is never split inside of.
#[derive(Debug, Default)]
pub(super) struct AddedTokens {
    words: HashSet<String>,
    nodes: Vec<Node>,
}

/// A node of the trie of all words.
#[derive(Debug, Default)]
struct Node {
    children: HashMap<char, usize>,
    is_word: bool,
}

/// A part of a split text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An added token.
    Token(String),
    /// Text between them; never empty.
    Text(String),
}

impl AddedTokens {
    /// Adds a word; the empty one is never found.
    pub(super) fn insert(&mut self, word: &str) {
        self.words.insert(word.to_string());
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for letter in word.chars() {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = *node.children.entry(letter).or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at).filter(|_| at != 0) {
            node.is_word = true;
        }
    }

    /// Splits a text at the added tokens and strips white space beside them.
    pub(super) fn split(&self, text: &str, strip: impl Fn(&str) -> Strip) -> Vec<Part> {
        let mut parts = self.cut(text);
        for i in 0..parts.len() {
            let Some(token) = parts.get(i).filter(|part| self.words.contains(*part)) else {
                continue;
            };
            let (left, right) = match strip(token) {
                Strip::Both => (true, true),
                Strip::Only { left, right } => (left, right),
            };
            if let Some(after) = parts.get_mut(i + 1).filter(|_| right) {
                *after = after.trim_start_matches(is_python_space).to_string();
            }
            if let Some(before) = i.checked_sub(1).and_then(|i| parts.get_mut(i)).filter(|_| left) {
                *before = before.trim_end_matches(is_python_space).to_string();
            }
        }
        let known = |part: String| {
            if self.words.contains(&part) { Part::Token(part) } else { Part::Text(part) }
        };
        parts.into_iter().filter(|part| !part.is_empty()).map(known).collect()
    }

    fn child(&self, node: usize, letter: Option<&char>) -> Option<usize> {
        self.nodes.get(node)?.children.get(letter?).copied()
    }

    fn is_word(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.is_word)
    }

    /// `Trie.split`: the text cut before and after every word, longest words first as that function sees them. It
    /// keeps all partial matches by where they start; when one completes, those that started no later may yet grow.
    fn cut(&self, text: &str) -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        let mut cuts = vec![0];
        let mut partial: BTreeMap<usize, usize> = BTreeMap::new();
        let mut skip = 0;
        for (current, letter) in letters.iter().enumerate() {
            if current < skip {
                continue;
            }
            let mut failed = Vec::new();
            let mut found = None;
            for (start, node) in partial.iter_mut() {
                if self.is_word(*node) {
                    found = Some(*start);
                    break;
                }
                match self.child(*node, Some(letter)) {
                    Some(child) => *node = child,
                    None => failed.push(*start),
                }
            }
            if let Some(start) = found {
                let (start, end, longer) = self.grow(&letters, &partial, start, current);
                skip = longer.unwrap_or(skip);
                cuts.extend([start, end]);
                partial.clear();
            } else {
                for start in failed {
                    partial.remove(&start);
                }
            }
            if current >= skip
                && let Some(child) = self.child(0, Some(letter))
            {
                partial.insert(current, child);
            }
        }
        let complete = partial.iter().find(|(_, node)| self.is_word(**node));
        if let Some((start, _)) = complete {
            cuts.extend([*start, letters.len()]);
        }
        cuts.push(letters.len());
        let mut parts = Vec::new();
        let mut start = 0;
        for end in cuts {
            if let Some(part) = letters.get(start..end).filter(|part| !part.is_empty()) {
                parts.push(part.iter().collect());
                start = end;
            }
        }
        parts
    }

    /// The word that starts at `found` is complete before `current`: the longest word that it, or a partial match that
    /// started earlier, grows to. Start and end of the word, and the end again where anything grew or was complete.
    fn grow(
        &self,
        letters: &[char],
        partial: &BTreeMap<usize, usize>,
        found: usize,
        current: usize,
    ) -> (usize, usize, Option<usize>) {
        let (mut start, mut end, mut longer) = (found, current, None);
        for (from, node) in partial {
            if *from > start {
                break;
            }
            // Earlier matches have already taken in the current letter (or have failed at it, which the original
            // does not look at either).
            let mut ahead = if *from < start { current + 1 } else { current };
            end = ahead;
            let mut node = *node;
            if self.is_word(node) {
                (start, longer) = (*from, Some(ahead));
            }
            while let Some(child) = self.child(node, letters.get(ahead)) {
                node = child;
                ahead += 1;
                if self.is_word(node) {
                    (start, end, longer) = (*from, ahead, Some(ahead));
                }
            }
        }
        (start, end, longer)
    }
}

/// What Python's `str.strip` strips: Unicode's white space and the four separators U+001C to U+001F.
pub(super) fn is_python_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}
