//! Runs a graph on a thread of its own and keeps what a window shows of it.

mod taking_in;

use super::content::{Files, contents};
use super::inbox::{End, Inbox};
use super::log::LogLine;
use super::seen::Seen;
use super::state::{Ending, NodeState, Status};
use super::waking::Waker;
use crate::document::Document;
use crate::engine::{CancelToken, Engine, NodeFailure, RunError, RunOptions, RunReport, Targets, resident_bytes};
use crate::overwriting;
use crate::validate::{Live, Problem};
use mgie_plugin_api::{Level, Value};
use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a new run waits for the one that it replaces to stop. A plugin that does not listen keeps nobody waiting
/// for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs one graph after another in the background. No method waits for anything.
pub struct Runner {
    engine: Arc<Engine>,
    waker: Waker,
    run: Option<Run>,
    /// What is known of each node, by name.
    nodes: HashMap<String, Seen>,
    /// The content of each node in the document as it is now.
    contents: HashMap<String, blake3::Hash>,
    /// The files and weights that those nodes read.
    files: Files,
    log: VecDeque<LogLine>,
    report: Option<RunReport>,
    problems: Vec<Problem>,
    ending: Option<Ending>,
    failure: Option<NodeFailure>,
    /// The last run that may still be on its thread.
    last: Option<Arc<Ended>>,
}

/// The run that goes on.
struct Run {
    cancel: CancelToken,
    inbox: Arc<Inbox>,
    /// The content of each node in the document that is run.
    contents: HashMap<String, blake3::Hash>,
    /// Outputs of bypassed nodes, and the outputs that stand in for them.
    stand_ins: HashMap<(String, String), (String, String)>,
    /// Nodes that the run needs, and those of them that are through.
    needed: HashSet<String>,
    through: HashSet<String>,
}

/// Whether a run's thread is through.
#[derive(Default)]
struct Ended {
    over: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    fn tell(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits until it is, or patience ends; whether it is.
    fn wait(&self) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(over, PATIENCE, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Runner {
    /// A runner that calls `wake` on a thread of its own, at most about thirty times a second, when there is something
    /// for [`Runner::poll`] to take in.
    #[must_use]
    pub fn new(engine: Arc<Engine>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            engine,
            waker: Waker::new(wake),
            run: None,
            nodes: HashMap::new(),
            contents: HashMap::new(),
            files: Files::default(),
            log: VecDeque::new(),
            report: None,
            problems: Vec::new(),
            ending: None,
            failure: None,
            last: None,
        }
    }

    /// The engine that it runs graphs with.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Starts a run. One that goes on is cancelled, and the new one begins as soon as that has stopped (or does not, for
    /// ten seconds). The run has a token of its own: that in `options` stops it too.
    pub fn start(&mut self, document: Document, targets: Targets, mut options: RunOptions) {
        self.poll();
        self.cancel();
        self.abandon();
        let cancel = options.cancel.below();
        options.cancel = cancel.clone();
        let inbox = Arc::new(Inbox::new(self.waker.bell()));
        self.report = None;
        self.problems.clear();
        self.ending = None;
        self.failure = None;
        // Looked at before the run does, so that a file that changes in between counts as changed.
        self.files = Files::new(&options.folder, options.models.folder());
        self.contents = contents(&document, self.engine.catalogue(), &mut self.files);
        self.nodes.iter_mut().for_each(|(name, seen)| seen.compare(self.contents.get(name)));
        self.run = Some(Run {
            cancel,
            inbox: Arc::clone(&inbox),
            contents: self.contents.clone(),
            stand_ins: Live::of(&document, self.engine.catalogue()).stand_ins,
            needed: HashSet::new(),
            through: HashSet::new(),
        });
        let ended: Arc<Ended> = Arc::default();
        let before = self.last.replace(Arc::clone(&ended));
        let (engine, told) = (Arc::clone(&self.engine), Arc::clone(&inbox));
        let work = move || {
            if let Some(before) = before
                && !before.wait()
            {
                let line = "the run before this one does not stop; this one begins beside it";
                told.log(LogLine::now(None, Level::Warn, line));
            }
            let ran = catch_unwind(AssertUnwindSafe(|| {
                let lost = lost(&engine, &document, &targets, &options);
                if lost.is_empty() {
                    engine.run(&document, &targets, &options, told.as_ref())
                } else {
                    Err(RunError::Invalid(lost))
                }
            }));
            let end = match ran {
                Ok(Ok(results)) => End::Done(results.report),
                Ok(Err(error)) => End::from(error),
                Err(_) => {
                    told.log(LogLine::now(None, Level::Error, "the host panicked; report it to the makers of mgie"));
                    End::Failed(RunReport::default(), None)
                }
            };
            ended.tell();
            told.tell(|news| news.end = Some(end));
        };
        if let Err(error) = std::thread::Builder::new().name("run".to_owned()).spawn(work) {
            self.last = None;
            inbox.log(LogLine::now(None, Level::Error, format!("no thread for the run ({error})")));
            inbox.tell(|news| news.end = Some(End::Failed(RunReport::default(), None)));
        }
    }

    /// Asks the run to stop; [`Runner::is_running`] until it has.
    pub fn cancel(&mut self) {
        if let Some(run) = &self.run {
            run.cancel.cancel();
        }
    }

    /// Whether a run goes on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// Takes in what happened; whether something did.
    pub fn poll(&mut self) -> bool {
        let Some(mut run) = self.run.take() else { return false };
        let news = run.inbox.take();
        let changed = !news.is_empty();
        if !self.take_in(&mut run, news) {
            self.run = Some(run);
        }
        changed
    }

    /// What a node is doing, or did last.
    #[must_use]
    pub fn state(&self, node: &str) -> &NodeState {
        match self.nodes.get(node) {
            Some(seen) if seen.stale => &NodeState::Stale,
            Some(seen) => &seen.state,
            None => &NodeState::Idle,
        }
    }

    /// The value that flowed last from an output.
    #[must_use]
    pub fn value(&self, node: &str, output: &str) -> Option<&Value> {
        let values = &self.nodes.get(node)?.values;
        values.iter().find(|(name, _)| name == output).map(|(_, value)| value)
    }

    /// What a node shows while it runs; none once its outputs are there.
    #[must_use]
    pub fn preview(&self, node: &str) -> Option<&Value> {
        self.nodes.get(node)?.preview.as_ref()
    }

    /// The last lines that runs and nodes told, oldest first.
    #[must_use]
    pub fn log(&self) -> &VecDeque<LogLine> {
        &self.log
    }

    /// Empties the log.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// What the last run did, once it has ended.
    #[must_use]
    pub fn report(&self) -> Option<&RunReport> {
        self.report.as_ref()
    }

    /// What kept the last run from beginning; warnings among it.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How the last run ended; none while one goes on, and before the first.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The node that failed first in the last run; none where none did.
    #[must_use]
    pub fn failure(&self) -> Option<&NodeFailure> {
        self.failure.as_ref()
    }

    /// What the status bar tells.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            cached_bytes: self.engine.cached_bytes(),
            resident_bytes: resident_bytes(),
            progress: self.run.as_ref().map(|run| (run.through.len(), run.needed.len())),
        }
    }

    /// Says that the document has changed: nodes whose result no longer is that of the document become
    /// [`NodeState::Stale`], and are themselves again where the change is taken back. What is known of a node follows
    /// it to another name; of nodes that are gone, it is kept in case they come back.
    pub fn edited(&mut self, document: &Document) -> bool {
        let contents = contents(document, self.engine.catalogue(), &mut self.files);
        self.follow_renames(document, &contents);
        self.nodes.iter_mut().for_each(|(name, seen)| seen.compare(contents.get(name)));
        let changed = self.contents != contents;
        self.contents = contents;
        changed
    }

    /// Looks at the sizes and times of change of input files and weights, and does as [`Runner::edited`] where one is another
    /// one than when it was looked at last; whether that is so. What a node gave becomes [`NodeState::Stale`] with a file that
    /// it, or a node before it, has read.
    pub fn look_at_files(&mut self, document: &Document) -> bool {
        self.files.look() && self.edited(document)
    }

    /// Says that the graph was saved in another folder: its paths were written anew, and no result is another one for that.
    pub fn moved(&mut self, document: &Document, folder: &Path) {
        self.files.move_to(folder);
        self.edited(document);
    }

    /// Forgets everything that is known of nodes, as for another document. A run that goes on is cancelled.
    pub fn forget(&mut self) {
        self.cancel();
        self.run = None;
        self.nodes.clear();
        self.contents.clear();
        self.files = Files::default();
        self.report = None;
        self.problems.clear();
        self.ending = None;
        self.failure = None;
    }

    fn follow_renames(&mut self, document: &Document, contents: &HashMap<String, blake3::Hash>) {
        let unknown = document.nodes.keys().filter(|name| !self.nodes.contains_key(*name));
        let mut came: HashMap<blake3::Hash, &String> = HashMap::new();
        came.extend(unknown.filter_map(|name| Some((*contents.get(name)?, name))));
        if came.is_empty() {
            return;
        }
        let gone: Vec<String> = self.nodes.keys().filter(|name| !document.nodes.contains_key(*name)).cloned().collect();
        for old in gone {
            let new = self.nodes.get(&old).and_then(|seen| came.remove(&seen.content?)).cloned();
            if let Some(new) = new
                && let Some(seen) = self.nodes.remove(&old)
            {
                self.nodes.insert(new, seen);
            }
        }
    }

    /// Leaves a run to itself that is being replaced: its nodes are no longer busy.
    fn abandon(&mut self) {
        if let Some(mut run) = self.run.take() {
            let news = run.inbox.take();
            self.take_in(&mut run, news);
            self.stop_busy();
        }
    }
}

/// What a run would lose of the user's, with all else that is wrong with the graph then; empty where it loses nothing.
fn lost(engine: &Engine, document: &Document, targets: &Targets, options: &RunOptions) -> Vec<Problem> {
    let lost = overwriting::problems(document, engine.catalogue(), &options.folder, targets);
    if lost.is_empty() {
        return lost;
    }
    let mut problems = engine.check(document, targets, options);
    // The engine itself tells of two nodes that write to one file.
    let is_same = |one: &Problem, other: &Problem| (&one.node, &one.place) == (&other.node, &other.place);
    let is_told = |one: &Problem| problems.iter().any(|other| other.is_error() && is_same(one, other));
    let new: Vec<Problem> = lost.into_iter().filter(|problem| !is_told(problem)).collect();
    problems.extend(new);
    problems
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.cancel();
    }
}
