//! Nodes that are switched off for a while, and stay in the graph with their parameters and wires.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a node is off: the node's field `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// It does not run, and its wires count as not connected.
    Mute,
    /// It does not run; each of its outputs is the value of its first connected input that has the output's kind. An
    /// output that finds none counts as not connected.
    Bypass,
}

impl Off {
    /// The word in the graph file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Bypass => "bypass",
        }
    }

    /// What the node is, in a sentence.
    #[must_use]
    pub fn participle(self) -> &'static str {
        match self {
            Self::Mute => "muted",
            Self::Bypass => "bypassed",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Mute, Self::Bypass].into_iter().find(|off| off.word() == word)
    }
}
