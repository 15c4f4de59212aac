//! The steps that can be undone and done again, each with the graph as it was.

use crate::document::Document;
use std::collections::VecDeque;

/// The most steps that are kept.
const STEPS: usize = 500;

/// About the most bytes of graphs that are kept, counted as text (in memory they take several times that): each step keeps
/// a whole one. The last step is kept, however large it is.
const BYTES: usize = 64 << 20;

/// What consecutive edits have in common where they are one step: those of one drag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Drag {
    /// One parameter of a node.
    Parameter(String, String),
    /// The same nodes.
    Nodes(Vec<String>),
    /// One frame.
    Frame(usize),
    /// One note.
    Note(usize),
    /// Several edits under one label.
    Several(String),
}

/// A step: what leads from one state of the graph to another.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub label: String,
    /// The graph on the other side of the step: before it where it can be undone, after it where it can be done again.
    pub other_side: Document,
    /// Nodes that it gave another name: from, to.
    pub renamed: Vec<(String, String)>,
    pub drag: Option<Drag>,
}

/// A step, and about how many bytes its graph has.
#[derive(Clone, Debug)]
struct Kept {
    step: Step,
    bytes: usize,
}

impl Kept {
    fn new(step: Step) -> Self {
        Self { bytes: step.other_side.rough_bytes(), step }
    }

    fn cross(mut self, now: &mut Document) -> Self {
        std::mem::swap(&mut self.step.other_side, now);
        Self::new(self.step)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    done: VecDeque<Kept>,
    undone: Vec<Kept>,
    /// Whether the last step still takes in edits of its drag.
    open: bool,
}

impl History {
    /// Notes that an edit was made to the graph `before`.
    pub fn note(&mut self, step: Step) {
        self.undone.clear();
        let merges =
            self.open && step.drag.is_some() && self.done.back().is_some_and(|last| last.step.drag == step.drag);
        self.open = step.drag.is_some();
        if merges {
            return;
        }
        self.done.push_back(Kept::new(step));
        let mut bytes: usize = self.done.iter().map(|kept| kept.bytes).sum();
        while self.done.len() > STEPS || (bytes > BYTES && self.done.len() > 1) {
            bytes -= self.done.pop_front().map_or(0, |kept| kept.bytes);
        }
    }

    /// Ends a drag: the next edit is a step of its own.
    pub fn settle(&mut self) {
        self.open = false;
    }

    /// Goes one step back from the graph `now`.
    pub fn undo(&mut self, now: &mut Document) -> Option<&Step> {
        let kept = self.done.pop_back()?.cross(now);
        self.open = false;
        self.undone.push(kept);
        self.undone.last().map(|kept| &kept.step)
    }

    /// Goes one step forward again.
    pub fn redo(&mut self, now: &mut Document) -> Option<&Step> {
        let kept = self.undone.pop()?.cross(now);
        self.open = false;
        self.done.push_back(kept);
        self.done.back().map(|kept| &kept.step)
    }

    pub fn undo_label(&self) -> Option<&str> {
        self.done.back().map(|kept| kept.step.label.as_str())
    }

    pub fn redo_label(&self) -> Option<&str> {
        self.undone.last().map(|kept| kept.step.label.as_str())
    }

    /// Changes every graph that is kept, as when the file moves to another folder.
    pub fn change_all(&mut self, mut change: impl FnMut(&mut Document)) {
        self.done.iter_mut().chain(&mut self.undone).for_each(|kept| change(&mut kept.step.other_side));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Node;

    fn step(bytes: usize) -> Step {
        let mut node = Node::new("t");
        node.params.insert("text".to_owned(), "x".repeat(bytes).into());
        let mut graph = Document::default();
        graph.nodes.insert("a".to_owned(), node);
        Step { label: "set".to_owned(), other_side: graph, renamed: Vec::new(), drag: None }
    }

    fn steps_back(history: &mut History) -> usize {
        let mut now = Document::default();
        std::iter::from_fn(|| history.undo(&mut now).map(|_| ())).count()
    }

    #[test]
    fn small_graphs_are_kept_by_number_and_large_ones_by_bytes() {
        for (bytes, expected) in [(10, 500..=500), (1 << 20, 60..=64), (BYTES, 1..=1), (2 * BYTES, 1..=1)] {
            let mut history = History::default();
            (0..if bytes > 1 << 20 { 2 } else { 600 }).for_each(|_| history.note(step(bytes)));
            let found = steps_back(&mut history);
            assert!(expected.contains(&found), "{found} steps of {bytes} bytes");
        }
    }
}
