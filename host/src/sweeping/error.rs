//! Why something is no sweep.

use super::MAX_CELLS;
use crate::validate::Problem;

/// Why something is no sweep. Nothing has run by then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// The node, the parameter or some of the values are not right.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Problem>),
    /// An axis has no value.
    #[error("node `{node}`, parameter `{parameter}`: there is no value; give it one, or several with a comma between")]
    NoValues {
        /// The node.
        node: String,
        /// The parameter.
        parameter: String,
    },
    /// Only one parameter, or two, can be laid out on a sheet.
    #[error("a sweep has one parameter or two, one across and one down; found {0}")]
    Axes(usize),
    /// Both axes are one parameter.
    #[error("node `{node}`, parameter `{parameter}`: it is swept twice; put all its values into one list")]
    Twice {
        /// The node.
        node: String,
        /// The parameter.
        parameter: String,
    },
    /// There are too many cells.
    #[error("at least {0} cells are more than the {MAX_CELLS} that a sweep may have; give fewer values")]
    Cells(usize),
    /// Nobody knows which picture to show.
    #[error("which picture is to be shown? {reason}; name an output that is a picture{}", among(.pictures))]
    Output {
        /// Why it is not clear.
        reason: String,
        /// The outputs of the graph that are pictures, as `NODE.OUTPUT`.
        pictures: Vec<String>,
    },
}

fn among(pictures: &[String]) -> String {
    if pictures.is_empty() { String::new() } else { format!(": {}", pictures.join(", ")) }
}
