//! What a node, and a run, is doing.

/// What a node is doing, or did last.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum NodeState {
    /// Nothing is known of it.
    #[default]
    Idle,
    /// It will run.
    Waiting,
    /// It runs.
    Running {
        /// Steps that are done.
        done: u64,
        /// Steps in all; 0 where that is not known.
        total: u64,
        /// What it is doing.
        label: String,
    },
    /// Its outputs were kept from an earlier run, or a node that computes the same ran for it.
    Cached,
    /// It ran.
    Done {
        /// How long.
        seconds: f64,
    },
    /// It failed, or what is wrong with it kept the graph from running.
    Failed {
        /// What went wrong.
        message: String,
        /// What to do about it; may be empty.
        remedy: String,
    },
    /// The document, or a file that it or a node before it read, has changed since, so that it may give something else.
    Stale,
}

impl NodeState {
    /// Whether a run is at it, or will be.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Waiting | Self::Running { .. })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It gave what was asked for.
    Done,
    /// A node failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// The graph is wrong; nothing ran.
    Wrong,
}

/// What the status bar tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Bytes of outputs that the engine keeps.
    pub cached_bytes: u64,
    /// Bytes of main memory that this process holds; none where the system does not say.
    pub resident_bytes: Option<u64>,
    /// Nodes that are through, of those that the run needs; none where nothing runs.
    pub progress: Option<(usize, usize)>,
}
