//! What went wrong in a node, as data: the thing, the place and the remedy. It crosses the door as JSON; the host adds
//! the node's name and shows it to people.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;

/// What sort of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The run was cancelled; not an error.
    Cancelled,
    /// An input socket holds something that the node cannot use.
    Input,
    /// A parameter has a value that the node cannot use.
    Parameter,
    /// A file or folder is missing, unreadable, malformed or unwritable.
    File,
    /// There is not enough memory, or a limit guards against running out of it.
    Memory,
    /// A device was asked for that is not there or cannot do what was asked.
    Device,
    /// Anything else that a node has to report.
    Failed,
    /// The node panicked or broke the door's rules: a fault in the plugin.
    Fault,
}

/// An error of a node: what, where, what was expected, what was found and what to do about it. Its fields are those of
/// [`Details`], behind a pointer so that a `Result` of it stays small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Failure(Box<Details>);

/// The fields of a [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// What sort of thing it is.
    pub kind: FailureKind,
    /// The socket, parameter, file or device; empty where there is no single place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What went wrong, in a few words; empty where `expected` and `found` say it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What would have been right.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What was there instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Failure {
    fn new(kind: FailureKind, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            place: place.into(),
            message: message.into(),
            expected: String::new(),
            found: String::new(),
            remedy: String::new(),
        }))
    }

    /// The run was cancelled.
    pub fn cancelled() -> Self {
        Self::new(FailureKind::Cancelled, "", "cancelled")
    }

    /// Input `socket` holds something else than the node needs.
    pub fn input(socket: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(FailureKind::Input, socket, "").expected(expected).found(found)
    }

    /// Parameter `name` holds something else than the node needs.
    pub fn parameter(name: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(FailureKind::Parameter, name, "").expected(expected).found(found)
    }

    /// A file or folder is missing, unreadable, malformed or unwritable.
    pub fn file(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::new(FailureKind::File, path.as_ref().display().to_string(), message)
    }

    /// There is not enough memory for `message`, or a limit guards against it.
    pub fn memory(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Memory, "", message)
    }

    /// Device `name` is not there or cannot do what was asked.
    pub fn device(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Device, name, message)
    }

    /// Anything else.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Failed, "", message)
    }

    /// The node broke the door's rules.
    pub fn fault(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Fault, "", message)
    }

    /// Adds what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Adds what was there instead.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Whether the run was cancelled rather than failed.
    pub fn is_cancelled(&self) -> bool {
        self.kind == FailureKind::Cancelled
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn from_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|_| Self::fault(format!("an error that is no JSON: {}", json.trim())))
    }
}

impl Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        match self.kind {
            FailureKind::Input => write!(f, "input `{}`", self.place)?,
            FailureKind::Parameter => write!(f, "parameter `{}`", self.place)?,
            FailureKind::Device => write!(f, "device `{}`", self.place)?,
            _ => f.write_str(&self.place)?,
        }
        if !self.place.is_empty() || matches!(self.kind, FailureKind::Input | FailureKind::Parameter) {
            separator = ": ";
        }
        for (label, text) in [("", &self.message), ("expected ", &self.expected), ("found ", &self.found)] {
            if !text.is_empty() {
                write!(f, "{separator}{label}{text}")?;
                separator = ", ";
            }
        }
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<crate::TensorError> for Failure {
    fn from(error: crate::TensorError) -> Self {
        Self::fault(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_place_expected_found_remedy() {
        let failure = Failure::input("features", "[n, 1024]", "[256, 768]").remedy("wire in the model's own CLIP");
        assert_eq!(
            failure.to_string(),
            "input `features`: expected [n, 1024], found [256, 768]; wire in the model's own CLIP"
        );
        assert_eq!(Failure::from_json(&failure.to_json()), failure);
        assert_eq!(Failure::failed("no luck").to_string(), "no luck");
        assert_eq!(Failure::file("a/b.png", "is a folder").to_string(), "a/b.png: is a folder");
    }
}
