//! What the canvas and the side panel show of the open graph, and where they put what is to be done.

use super::action::Action;
use super::parameters::Picker;
use super::sockets::Sockets;
use crate::editing::Session;
use crate::plugins::Catalogue;
use crate::running::Runner;
use crate::validate::Problem;
use std::collections::HashMap;

/// The open graph, for a frame.
pub struct Shown<'a> {
    /// The graph.
    pub session: &'a Session,
    /// How its run is going.
    pub runner: &'a Runner,
    /// The node types.
    pub catalogue: &'a Catalogue,
    /// The sockets of its nodes.
    pub sockets: &'a HashMap<String, Sockets>,
    /// What is wrong with it, by node.
    pub problems: &'a HashMap<String, Vec<Problem>>,
    /// The system's dialogs.
    pub picker: &'a mut Picker,
    /// What is to be done.
    pub actions: &'a mut Vec<Action>,
}
