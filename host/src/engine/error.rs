//! How a run can end without its results.

use super::observer::RunReport;
use crate::validate::Problem;
use mgie_plugin_api::Failure;
use serde::Serialize;
use std::fmt;

/// A node that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeFailure {
    /// Its name.
    pub node: String,
    /// Its type.
    #[serde(rename = "type")]
    pub node_type: String,
    /// What went wrong.
    #[serde(flatten)]
    pub failure: Failure,
}

impl fmt::Display for NodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node `{}` ({}): {}", self.node, self.node_type, self.failure)
    }
}

/// Why a run has no results.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The graph, or what was asked of it, is wrong; nothing ran. Among the problems there may be warnings.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
    /// A node failed.
    #[error("{}", lines(.failures))]
    Failed {
        /// The nodes that failed, in the order in which they did.
        failures: Vec<NodeFailure>,
        /// What was done until then.
        report: RunReport,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled {
        /// What was done until then.
        report: RunReport,
    },
}

fn lines<T: fmt::Display>(items: &[T]) -> String {
    let lines: Vec<String> = items.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
