//! Merging characters to pieces: of all adjacent pairs that form a piece, the one with the highest score first, the
//! leftmost among equals. Source: sentencepiece 0.1.99, `src/bpe_model.cc`.

use super::{PieceKind, SentencePiece};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

/// Marks the end of the chain of symbols.
const NONE: usize = usize::MAX;

/// A run of the text that is one piece so far; empty once merged into its left neighbour.
struct Symbol {
    range: Range<usize>,
    previous: usize,
    next: usize,
    /// A user-defined symbol, which is never merged.
    frozen: bool,
}

/// Two neighbours that form a piece.
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both when they were queued: another size means that one has been merged since.
    size: usize,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

struct Merging<'a> {
    model: &'a SentencePiece,
    text: &'a str,
    symbols: Vec<Symbol>,
    agenda: BinaryHeap<Candidate>,
    /// Unused pieces that were merged to, with where they were split: they are taken apart again in the end.
    unused: HashMap<&'a str, usize>,
}

impl SentencePiece {
    /// The pieces of a normalised text with their ids.
    pub(super) fn segment<'a>(&'a self, text: &'a str) -> Vec<(&'a str, u32)> {
        let mut merging =
            Merging { model: self, text, symbols: Vec::new(), agenda: BinaryHeap::new(), unused: HashMap::new() };
        merging.split();
        merging.merge();
        let mut out = Vec::new();
        let mut at = if merging.symbols.is_empty() { NONE } else { 0 };
        while let Some(symbol) = merging.symbols.get(at) {
            merging.take_apart(text.get(symbol.range.clone()).unwrap_or_default(), &mut out);
            at = symbol.next;
        }
        out
    }
}

impl<'a> Merging<'a> {
    /// One symbol a character, or a user-defined symbol whole.
    fn split(&mut self) {
        let mut start = 0;
        while let Some(rest) = self.text.get(start..).filter(|rest| !rest.is_empty()) {
            let user_defined = self.model.normalizer.user_defined_prefix(rest);
            let length = user_defined.or_else(|| rest.chars().next().map(char::len_utf8)).unwrap_or(1);
            let i = self.symbols.len();
            self.symbols.push(Symbol {
                range: start..start + length,
                previous: i.checked_sub(1).unwrap_or(NONE),
                next: i + 1,
                frozen: user_defined.is_some(),
            });
            start += length;
        }
        if let Some(last) = self.symbols.last_mut() {
            last.next = NONE;
        }
        for right in 1..self.symbols.len() {
            self.consider(right - 1, right);
        }
    }

    /// Queues two neighbours if they form a piece.
    fn consider(&mut self, left: usize, right: usize) {
        let (Some(a), Some(b)) = (self.symbols.get(left), self.symbols.get(right)) else {
            return;
        };
        if a.frozen || b.frozen {
            return;
        }
        let Some(piece) = self.text.get(a.range.start..b.range.end) else {
            return;
        };
        let found = self.model.segments.get(piece).and_then(|id| self.model.get(*id));
        let Some(found) = found else {
            return;
        };
        self.agenda.push(Candidate { score: found.score, left, right, size: piece.len() });
        if found.kind == PieceKind::Unused {
            self.unused.insert(piece, a.range.len());
        }
    }

    fn merge(&mut self) {
        while let Some(best) = self.agenda.pop() {
            let (Some(left), Some(right)) = (self.symbols.get(best.left), self.symbols.get(best.right)) else {
                continue;
            };
            let stale =
                left.range.is_empty() || right.range.is_empty() || left.range.len() + right.range.len() != best.size;
            if stale {
                continue;
            }
            let (end, next, previous) = (right.range.end, right.next, left.previous);
            if let Some(left) = self.symbols.get_mut(best.left) {
                left.range.end = end;
                left.next = next;
            }
            if let Some(right) = self.symbols.get_mut(best.right) {
                right.range = end..end;
            }
            if let Some(after) = self.symbols.get_mut(next) {
                after.previous = best.left;
            }
            self.consider(previous, best.left);
            self.consider(best.left, next);
        }
    }

    /// Puts a piece out, unused ones as the pieces that they were merged from.
    fn take_apart(&self, piece: &'a str, out: &mut Vec<(&'a str, u32)>) {
        let mut open = vec![piece];
        while let Some(piece) = open.pop() {
            let id = self.model.id_of(piece);
            let unused = self.model.get(id).is_some_and(|found| found.kind == PieceKind::Unused);
            let halves = self.unused.get(piece).filter(|_| unused);
            match halves.and_then(|at| piece.split_at_checked(*at)) {
                Some((left, right)) => open.extend([right, left]),
                None => out.push((piece, id)),
            }
        }
    }
}
