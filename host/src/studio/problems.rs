//! What is wrong with a graph, in the few words that fit on a node; the whole sentence is one hover away.

use crate::validate::{Place, Problem};

/// The problem in a line, without the node's name.
#[must_use]
pub fn brief(problem: &Problem) -> String {
    let place = match &problem.place {
        Place::Name => "name: ".to_owned(),
        Place::Type => "type: ".to_owned(),
        Place::Parameter(name) | Place::Input(name) | Place::Output(name) | Place::Field(name) => format!("{name}: "),
        Place::Wires => String::new(),
    };
    let found = if problem.found.is_empty() { String::new() } else { format!(", found {}", problem.found) };
    format!("{place}expected {}{found}", problem.expected)
}
