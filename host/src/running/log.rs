//! Lines that runs and nodes told, the last of them.

use mgie_plugin_api::Level;
use std::collections::VecDeque;
use std::time::SystemTime;

/// The most lines that are kept.
pub(super) const LINES: usize = 2000;
/// The most characters of a line that are kept.
const CHARACTERS: usize = 4000;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was told.
    pub time: SystemTime,
    /// The node that told it; none where it is of the run.
    pub node: Option<String>,
    /// How urgent it is.
    pub level: Level,
    /// The line.
    pub message: String,
}

impl LogLine {
    pub(super) fn now(node: Option<&str>, level: Level, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if let Some((end, _)) = message.char_indices().nth(CHARACTERS) {
            message.truncate(end);
            message.push('…');
        }
        Self { time: SystemTime::now(), node: node.map(ToOwned::to_owned), level, message }
    }
}

/// Adds lines, and forgets the oldest beyond the bound.
pub(super) fn add(log: &mut VecDeque<LogLine>, lines: impl IntoIterator<Item = LogLine>) {
    log.extend(lines);
    let over = log.len().saturating_sub(LINES);
    log.drain(..over);
}
