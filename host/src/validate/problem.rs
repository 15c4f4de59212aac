//! One thing that is wrong with a graph: the node, the place, expected, found, remedy.

use serde::Serialize;
use std::fmt;

/// Whether a graph can run in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It can.
    Warning,
    /// It cannot.
    Error,
}

/// Where in a node a problem is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "place", content = "name")]
pub enum Place {
    /// The node's name.
    Name,
    /// The node's type.
    Type,
    /// The parameter of that name.
    Parameter(String),
    /// The input socket of that name.
    Input(String),
    /// The output socket of that name.
    Output(String),
    /// The field of that name in the graph file.
    Field(String),
    /// The wires that lead through the node.
    Wires,
}

/// One thing that is wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the graph can run.
    pub severity: Severity,
    /// Name of the node.
    pub node: String,
    /// Where in the node.
    #[serde(flatten)]
    pub place: Place,
    /// What would be right.
    pub expected: String,
    /// What is there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Problem {
    /// Something that keeps the graph from running.
    #[must_use]
    pub fn error(node: &str, place: Place, expected: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            node: node.to_owned(),
            place,
            expected: expected.into(),
            found: String::new(),
            remedy: String::new(),
        }
    }

    /// Something that is unusual and may be meant.
    #[must_use]
    pub fn warning(node: &str, place: Place, expected: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(node, place, expected) }
    }

    /// Adds what is there.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Whether the graph cannot run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node `{}`", self.node.escape_debug())?;
        match &self.place {
            Place::Name => f.write_str(", name")?,
            Place::Type => f.write_str(", type")?,
            Place::Parameter(name) => write!(f, ", parameter `{name}`")?,
            Place::Input(name) => write!(f, ", input `{name}`")?,
            Place::Output(name) => write!(f, ", output `{name}`")?,
            Place::Field(name) => write!(f, ", field `{}`", name.escape_debug())?,
            Place::Wires => {}
        }
        write!(f, ": expected {}", self.expected)?;
        if !self.found.is_empty() {
            write!(f, ", found {}", self.found)?;
        }
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}
