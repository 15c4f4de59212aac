//! What a run tells while it runs and when it is over.

use super::error::NodeFailure;
use mgie_plugin_api::{Level, Value};
use serde::Serialize;

/// Looks on while a graph runs. It is called on the thread that called [`super::Engine::run`], one event at a time;
/// while it works, nodes that tell something wait.
pub trait Observer {
    /// Something happened to a node.
    fn observe(&self, node: &str, event: &Event);

    /// A node ran, or its kept outputs are used: the values that flow from it.
    fn flowed(&self, _node: &str, _outputs: &[(String, Value)]) {}

    /// Whether previews are looked at; nodes make none for nobody.
    fn wants_previews(&self) -> bool {
        false
    }
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _node: &str, _event: &Event) {}
}

/// Something that happened to a node.
#[derive(Clone, Debug)]
pub enum Event {
    /// It will run.
    Queued,
    /// It runs, and may keep that many threads busy.
    Started {
        /// At least 1.
        threads: usize,
    },
    /// It is at `done` of `total` (0 where that is not known) in `label`.
    Progress {
        /// Steps that are done.
        done: u64,
        /// Steps in all, or 0.
        total: u64,
        /// What it is doing.
        label: String,
    },
    /// Something to look at while it still works.
    Preview(Value),
    /// A line for the log.
    Log {
        /// How urgent it is.
        level: Level,
        /// The line.
        message: String,
    },
    /// It did not run: its outputs were kept from an earlier run, or a node that computes the same ran for it.
    Cached,
    /// It ran.
    Finished(NodeReport),
    /// It failed.
    Failed(NodeFailure),
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran.
    Ran,
    /// Its outputs were kept from an earlier run, or a node that computes the same ran for it.
    Cached,
    /// Nothing that was asked for hangs on it, or what does was kept from an earlier run.
    NotNeeded,
    /// It failed.
    Failed,
    /// It was stopped, or not begun, because the run was cancelled or another node failed.
    Stopped,
}

/// What one node did in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub node: String,
    /// Its type.
    #[serde(rename = "type")]
    pub node_type: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it ran.
    pub seconds: f64,
    /// How many threads it was allowed to keep busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// The device that it says it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The rise of this process' resident memory while it ran, at its peak, in bytes: weights and scratch included,
    /// and what other nodes took meanwhile. None where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Bytes of its outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

impl NodeReport {
    pub(super) fn new(node: &str, node_type: &str, outcome: Outcome) -> Self {
        Self {
            node: node.to_owned(),
            node_type: node_type.to_owned(),
            outcome,
            seconds: 0.0,
            threads: None,
            device: None,
            peak_memory_bytes: None,
            output_bytes: None,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunReport {
    /// How long it took, reading and checking the graph included.
    pub seconds: f64,
    /// Every node of the graph, in the graph's order.
    pub nodes: Vec<NodeReport>,
    /// What is unusual about the graph, and what nodes warned of.
    pub warnings: Vec<String>,
}

impl RunReport {
    /// The names of the nodes with that outcome, in the graph's order.
    #[must_use]
    pub fn with(&self, outcome: Outcome) -> Vec<&str> {
        self.nodes.iter().filter(|report| report.outcome == outcome).map(|report| report.node.as_str()).collect()
    }
}
