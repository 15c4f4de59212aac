//! What one can do to a graph, and why it may be refused.

use super::layout::{Frame, Note};
use crate::document::Off;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One thing that is done to a graph; each is one step of undo. Positions are of a node's top left corner, in points of
/// the canvas at 100 %, y downwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Adds a node with a name made of its type, and selects it.
    Add {
        /// Id of its type.
        node_type: String,
        /// Where it lies.
        at: [f32; 2],
        /// A socket that it is connected to.
        wire: Option<NewWire>,
    },
    /// Adds a node with parameters given, such as a picture's path, and selects it.
    AddGiven {
        /// Id of its type.
        node_type: String,
        /// Where it lies.
        at: [f32; 2],
        /// Its parameters by name.
        params: Map<String, Value>,
    },
    /// Lays a wire from an output to an input, in the place of the one that went into it.
    Connect {
        /// Node and output.
        from: (String, String),
        /// Node and input.
        to: (String, String),
    },
    /// Takes away the wire into an input.
    Disconnect {
        /// Node and input.
        to: (String, String),
    },
    /// Takes away every wire from an output.
    DisconnectOutput {
        /// Node and output.
        from: (String, String),
    },
    /// Gives a parameter a value.
    SetParameter {
        /// The node.
        node: String,
        /// The parameter's id.
        parameter: String,
        /// The value, as it stands in the file.
        value: Value,
    },
    /// Gives a parameter its default.
    ResetParameter {
        /// The node.
        node: String,
        /// The parameter's id.
        parameter: String,
    },
    /// Moves nodes.
    Move {
        /// The nodes and where they will lie.
        nodes: Vec<(String, [f32; 2])>,
    },
    /// Gives a node another name; wires and layout follow.
    Rename {
        /// Its name.
        from: String,
        /// Its new name.
        to: String,
    },
    /// Deletes nodes and every wire at them.
    Delete {
        /// The nodes.
        nodes: Vec<String>,
    },
    /// Copies nodes beside themselves, with the wires among them and those that come into them, and selects the copies.
    Duplicate {
        /// The nodes.
        nodes: Vec<String>,
        /// From a node to its copy.
        offset: [f32; 2],
    },
    /// Adds the nodes of a graph's text (see [`super::copy`]) and selects them.
    Paste {
        /// The text.
        text: String,
        /// Where the top left corner of all of it will lie.
        at: [f32; 2],
    },
    /// Mutes nodes, bypasses them, or switches them on.
    SetOff {
        /// The nodes.
        nodes: Vec<String>,
        /// How they are off; none for on.
        off: Option<Off>,
    },
    /// Collapses nodes, or opens them.
    Collapse {
        /// The nodes.
        nodes: Vec<String>,
        /// Whether they are collapsed.
        collapsed: bool,
    },
    /// Adds a frame.
    AddFrame(Frame),
    /// Changes a frame.
    SetFrame {
        /// Which of [`super::Session::frames`].
        index: usize,
        /// What it becomes.
        frame: Frame,
    },
    /// Takes a frame away; what lies in it stays.
    RemoveFrame {
        /// Which of [`super::Session::frames`].
        index: usize,
    },
    /// Adds a note.
    AddNote(Note),
    /// Changes a note.
    SetNote {
        /// Which of [`super::Session::notes`].
        index: usize,
        /// What it becomes.
        note: Note,
    },
    /// Takes a note away.
    RemoveNote {
        /// Which of [`super::Session::notes`].
        index: usize,
    },
    /// Brings nodes in line, or spreads them evenly.
    Align {
        /// The nodes.
        nodes: Vec<String>,
        /// What is brought in line.
        edge: Edge,
        /// Width and height of each node, in the same order.
        sizes: Vec<[f32; 2]>,
    },
    /// Lays nodes out from left to right.
    Arrange {
        /// Width and height by node; what is missing is guessed.
        sizes: HashMap<String, [f32; 2]>,
        /// The nodes; none for all.
        nodes: Option<Vec<String>>,
    },
    /// Several edits as one step. Consecutive ones of one label merge until [`super::Session::settle`], as for a frame
    /// that is dragged with the nodes in it.
    Several {
        /// What the step is called in the menu.
        label: String,
        /// The edits, in order; none is made where one is refused.
        edits: Vec<Edit>,
    },
}

/// What a new node is connected to: its first socket that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewWire {
    /// An output that feeds the new node.
    Output {
        /// The node.
        node: String,
        /// Its output.
        output: String,
    },
    /// An input that the new node feeds.
    Input {
        /// The node.
        node: String,
        /// Its input.
        input: String,
    },
}

/// What [`Edit::Align`] brings in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// Left edges, to the leftmost.
    Left,
    /// Right edges, to the rightmost.
    Right,
    /// Top edges, to the topmost.
    Top,
    /// Bottom edges, to the bottommost.
    Bottom,
    /// Centres, one above the other.
    CentreX,
    /// Centres, side by side at one height.
    CentreY,
    /// Equal gaps from left to right; the outermost stay.
    SpreadX,
    /// Equal gaps from top to bottom; the outermost stay.
    SpreadY,
}

/// Why an edit was not made, in words for the person who tried; the graph is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why, and where there is one, the remedy.
    pub reason: String,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
