//! A run in the background, as somebody sees it who must never wait for it: what each node is doing, the values that
//! flowed, previews, a log. The studio is one user of it.
//!
//! Reading order: [`Runner`] (start, cancel, look), [`NodeState`] (what a node is doing); then `inbox` (what a run's
//! thread tells, and the window takes in when it likes), `waking` (how a window learns that there is something) and
//! `content` (which results are still those of the document).

mod content;
mod inbox;
mod log;
mod runner;
mod seen;
mod state;
mod waking;

pub use log::LogLine;
pub use runner::Runner;
pub use state::{Ending, NodeState, Status};
