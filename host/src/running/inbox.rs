//! What a run's thread tells, until the window takes it in. Where nobody does for long, progress and previews take each
//! other's place, so that the inbox stays small.

use super::log::{LINES, LogLine};
use crate::engine::{Event, NodeFailure, Observer, RunError, RunReport};
use crate::validate::Problem;
use mgie_plugin_api::{Level, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// What happened since the window last looked.
#[derive(Default)]
pub(super) struct News {
    /// By node, in the order in which each was first told of. Of each node only the last state counts.
    pub states: indexmap::IndexMap<String, Step>,
    pub previews: HashMap<String, Value>,
    pub values: Vec<(String, Vec<(String, Value)>)>,
    pub log: VecDeque<LogLine>,
    pub end: Option<End>,
}

impl News {
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
            && self.previews.is_empty()
            && self.values.is_empty()
            && self.log.is_empty()
            && self.end.is_none()
    }
}

/// What a node came to.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Queued,
    Running { done: u64, total: u64, label: String },
    Cached,
    Done { seconds: f64 },
    Failed { message: String, remedy: String },
}

/// How a run ended.
pub(super) enum End {
    Done(RunReport),
    Failed(RunReport, Option<NodeFailure>),
    Cancelled(RunReport),
    Wrong(Vec<Problem>),
}

impl From<RunError> for End {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Invalid(problems) => Self::Wrong(problems),
            RunError::Failed { report, failures } => Self::Failed(report, failures.into_iter().next()),
            RunError::Cancelled { report } => Self::Cancelled(report),
        }
    }
}

/// The inbox of one run.
pub(super) struct Inbox {
    news: Mutex<News>,
    ring: Box<dyn Fn() + Send + Sync>,
}

impl Inbox {
    pub fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Self { news: Mutex::default(), ring: Box::new(ring) }
    }

    /// What happened since the last time.
    pub fn take(&self) -> News {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner));
        (self.ring)();
    }

    pub fn log(&self, line: LogLine) {
        self.tell(|news| add_line(&mut news.log, line));
    }
}

fn add_line(log: &mut VecDeque<LogLine>, line: LogLine) {
    log.push_back(line);
    if log.len() > LINES {
        log.pop_front();
    }
}

impl Observer for Inbox {
    fn observe(&self, node: &str, event: &Event) {
        self.tell(|news| {
            let step = match event {
                Event::Queued => Step::Queued,
                Event::Started { .. } => Step::Running { done: 0, total: 0, label: String::new() },
                Event::Progress { done, total, label } => {
                    Step::Running { done: *done, total: *total, label: label.clone() }
                }
                Event::Cached => Step::Cached,
                Event::Finished(report) => Step::Done { seconds: report.seconds },
                Event::Failed(failure) => {
                    let line = LogLine::now(Some(node), Level::Error, failure.failure.to_string());
                    add_line(&mut news.log, line);
                    let mut told = failure.failure.clone();
                    let remedy = std::mem::take(&mut told.remedy);
                    Step::Failed { message: told.to_string(), remedy }
                }
                Event::Preview(value) => {
                    news.previews.insert(node.to_owned(), value.clone());
                    return;
                }
                Event::Log { level, message } => {
                    add_line(&mut news.log, LogLine::now(Some(node), *level, message.as_str()));
                    return;
                }
            };
            news.states.insert(node.to_owned(), step);
        });
    }

    fn flowed(&self, node: &str, outputs: &[(String, Value)]) {
        self.tell(|news| news.values.push((node.to_owned(), outputs.to_vec())));
    }

    fn wants_previews(&self) -> bool {
        true
    }
}
