//! What a window knows of one node: its state, what flowed from it, and whether that is still what the document says.

use super::state::NodeState;
use mgie_plugin_api::Value;

/// What is known of a node.
#[derive(Default)]
pub(super) struct Seen {
    pub state: NodeState,
    /// What the document said of the node when it came to that state; none where that does not count.
    pub content: Option<blake3::Hash>,
    pub stale: bool,
    pub values: Vec<(String, Value)>,
    pub preview: Option<Value>,
}

impl Seen {
    /// `now` is the node's content in the document as it is now.
    pub fn set(&mut self, state: NodeState, content: Option<blake3::Hash>, now: Option<&blake3::Hash>) {
        self.state = state;
        self.content = content;
        self.compare(now);
    }

    /// Marks the state as stale where it is not that of the document.
    pub fn compare(&mut self, now: Option<&blake3::Hash>) {
        let differs = self.content.zip(now).is_some_and(|(content, now)| content != *now);
        self.stale = differs && !self.state.is_busy();
    }
}
