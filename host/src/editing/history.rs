//! The steps that can be undone and done again, each with the graph as it was.

use crate::document::Document;

/// The most steps that are kept.
const STEPS: usize = 500;

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

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    done: Vec<Step>,
    undone: Vec<Step>,
    /// Whether the last step still takes in edits of its drag.
    open: bool,
}

impl History {
    /// Notes that an edit was made to the graph `before`.
    pub fn note(&mut self, step: Step) {
        self.undone.clear();
        let merges = self.open && step.drag.is_some() && self.done.last().is_some_and(|last| last.drag == step.drag);
        self.open = step.drag.is_some();
        if merges {
            return;
        }
        self.done.push(step);
        if self.done.len() > STEPS {
            self.done.remove(0);
        }
    }

    /// Ends a drag: the next edit is a step of its own.
    pub fn settle(&mut self) {
        self.open = false;
    }

    /// Goes one step back from the graph `now`.
    pub fn undo(&mut self, now: &mut Document) -> Option<&Step> {
        let mut step = self.done.pop()?;
        std::mem::swap(&mut step.other_side, now);
        self.open = false;
        self.undone.push(step);
        self.undone.last()
    }

    /// Goes one step forward again.
    pub fn redo(&mut self, now: &mut Document) -> Option<&Step> {
        let mut step = self.undone.pop()?;
        std::mem::swap(&mut step.other_side, now);
        self.open = false;
        self.done.push(step);
        self.done.last()
    }

    pub fn undo_label(&self) -> Option<&str> {
        self.done.last().map(|step| step.label.as_str())
    }

    pub fn redo_label(&self) -> Option<&str> {
        self.undone.last().map(|step| step.label.as_str())
    }

    /// Changes every graph that is kept, as when the file moves to another folder.
    pub fn change_all(&mut self, mut change: impl FnMut(&mut Document)) {
        self.done.iter_mut().chain(&mut self.undone).for_each(|step| change(&mut step.other_side));
    }
}
