//! Running the tasks of a plan: each when what it hangs on is there, side by side within the thread budget, those first
//! that most hangs on; weights within their own budget; and everything stopped soon after a node fails or somebody
//! asks to stop.

mod admission;

use super::NodeFailure;
use super::cancel::CancelToken;
use super::carried::Carried;
use super::memory::MemoryWatch;
use super::node_run::{Ended, Gates, Told, Work};
use super::observer::{Event, NodeReport, Observer, Outcome};
use super::plan::{Plan, Source};
use super::selection::Selection;
use super::value_cache::{self, NodeOutputs, ValueCache};
use super::weights::WeightsLedger;
use crate::plugins::Catalogue;
use admission::Admission;
use mgie_plugin_api::{Failure, Level, Value};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Messages that may wait for the observer before nodes wait for it.
const WAITING_MESSAGES: usize = 256;
/// Stack of a node's thread, in bytes: as much as a program's first thread has.
const STACK_BYTES: usize = 8 << 20;

/// What a run shares with other runs of the engine.
pub(super) struct Shared {
    pub catalogue: Arc<Catalogue>,
    pub cache: ValueCache,
    pub ledger: Arc<WeightsLedger>,
    pub gates: Arc<Gates>,
}

/// How a run goes about it.
pub(super) struct Manner {
    pub threads: usize,
    /// The user's request to stop.
    pub cancel: CancelToken,
    pub carried: Arc<Carried>,
    /// Whether all weights together pass the budget, so that nodes that load some run one after the other.
    pub tight: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotNeeded,
    Waiting,
    Running,
    Cached,
    Ran,
    Failed,
    Stopped,
}

/// How much hangs on a task, most first, and its place in the plan.
type Rank = (Reverse<usize>, usize);

/// What became of the tasks of a plan.
pub(super) struct Executed {
    /// Outputs of the tasks that were asked for.
    pub values: HashMap<usize, Arc<NodeOutputs>>,
    /// A report for each node of the plan.
    pub reports: Vec<NodeReport>,
    pub failures: Vec<NodeFailure>,
    /// Whether every task that was needed has its outputs.
    pub complete: bool,
    /// Lines that nodes warned with.
    pub warnings: Vec<String>,
}

/// Runs the tasks of a plan that a selection says must.
pub(super) fn execute(
    plan: &Plan,
    selection: Selection,
    shared: &Shared,
    manner: &Manner,
    observer: &dyn Observer,
) -> Executed {
    Schedule::new(plan, selection, shared, manner, observer).run()
}

struct Schedule<'r> {
    plan: &'r Plan,
    shared: &'r Shared,
    manner: &'r Manner,
    observer: &'r dyn Observer,
    /// Raised by the user's request, and by a node that failed.
    cancel: CancelToken,
    states: Vec<State>,
    /// How many of its sources a task still waits for.
    missing: Vec<usize>,
    /// The tasks that wait for nothing any more, those first that most hangs on.
    ready: BTreeSet<Rank>,
    consumers: Vec<Vec<usize>>,
    /// How many consumers still need the outputs of a task.
    needed_by: Vec<usize>,
    values: HashMap<usize, Arc<NodeOutputs>>,
    /// What each running task was given.
    given: HashMap<usize, Given>,
    ended: HashMap<usize, NodeReport>,
    failures: Vec<NodeFailure>,
    warnings: Vec<String>,
    memory: MemoryWatch,
}

impl<'r> Schedule<'r> {
    fn new(
        plan: &'r Plan,
        selection: Selection,
        shared: &'r Shared,
        manner: &'r Manner,
        observer: &'r dyn Observer,
    ) -> Self {
        let tasks = plan.tasks.len();
        let mut schedule = Self {
            plan,
            shared,
            manner,
            observer,
            cancel: manner.cancel.below(),
            states: vec![State::NotNeeded; tasks],
            missing: vec![0; tasks],
            ready: BTreeSet::new(),
            consumers: vec![Vec::new(); tasks],
            needed_by: vec![0; tasks],
            values: HashMap::new(),
            given: HashMap::new(),
            ended: HashMap::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            memory: MemoryWatch::start(),
        };
        for at in selection.to_run.iter().rev() {
            schedule.states[*at] = State::Waiting;
            for from in plan.tasks[*at].sources() {
                schedule.consumers[from].push(*at);
                schedule.needed_by[from] += 1;
                if !selection.kept.contains_key(&from) {
                    schedule.missing[*at] += 1;
                }
            }
            if schedule.missing[*at] == 0 {
                schedule.ready.insert(schedule.rank(*at));
            }
        }
        // A value that was asked for is needed until the end.
        plan.wanted.iter().for_each(|at| schedule.needed_by[*at] += 1);
        for (at, outputs) in selection.kept {
            schedule.states[at] = State::Cached;
            schedule.values.insert(at, outputs);
        }
        schedule
    }

    fn run(mut self) -> Executed {
        for (at, task) in self.plan.tasks.iter().enumerate() {
            let event = match self.states[at] {
                State::Waiting => Event::Queued,
                State::Cached => Event::Cached,
                _ => continue,
            };
            for name in &task.nodes {
                self.observer.observe(name, &event);
                if let Some(outputs) = self.values.get(&at) {
                    self.observer.flowed(name, outputs);
                }
            }
        }
        let (tell, told) = sync_channel(WAITING_MESSAGES);
        loop {
            self.start_what_can(&tell);
            if self.given.is_empty() {
                break;
            }
            match told.recv() {
                Ok(Told::Event(at, event)) => self.observe(at, event),
                Ok(Told::Ended(at, ended)) => self.end(at, ended),
                // This function itself holds a sender.
                Err(_) => break,
            }
        }
        self.conclude()
    }

    fn start_what_can(&mut self, tell: &SyncSender<Told>) {
        while !self.cancel.is_cancelled() && self.given.len() < self.manner.threads {
            let mut admitted = self.ready.iter().filter_map(|(_, at)| Some((*at, self.admit(*at)?)));
            let Some((at, admission)) = admitted.next() else { break };
            // Those that start next are counted in, so that the first one does not take their share.
            let next = admitted.map(|(at, _)| at).take(self.manner.threads - self.given.len() - 1);
            let soon: Vec<usize> = std::iter::once(at).chain(next).collect();
            let threads = self.share_threads(&soon);
            self.start(at, admission, threads, tell);
        }
    }

    fn start(&mut self, at: usize, admission: Admission, threads: usize, tell: &SyncSender<Told>) {
        let task = &self.plan.tasks[at];
        let inputs = task.inputs.iter().filter_map(|(socket, source)| {
            let value = match source {
                Source::Given(value) => value.clone(),
                Source::Task(from, output) => output_of(self.values.get(from)?, output)?,
            };
            Some((socket.clone(), value))
        });
        let share = Arc::new(AtomicUsize::new(threads));
        let work = Work {
            task: at,
            node_type: Arc::clone(&task.node_type),
            parameters: task.parameters.clone(),
            inputs: inputs.collect(),
            threads: Arc::clone(&share),
            previews: self.observer.wants_previews(),
            cancel: self.cancel.clone(),
            carried: Arc::clone(&self.manner.carried),
            destination: task.destination.clone(),
            weights: task.weights.clone(),
            release: admission.release,
            catalogue: Arc::clone(&self.shared.catalogue),
            ledger: Arc::clone(&self.shared.ledger),
            gates: Arc::clone(&self.shared.gates),
            gauge: self.memory.gauge(),
        };
        if admission.release {
            self.shared.ledger.announce_release();
            self.shared.cache.forget_objects();
        }
        self.ready.remove(&self.rank(at));
        self.states[at] = State::Running;
        self.given.insert(at, Given { at_start: threads, threads: share, load: admission.load });
        self.observer.observe(task.name(), &Event::Started { threads });
        let tell = tell.clone();
        let name = task.node_type.description.id.clone();
        let spawned = std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || work.run(&tell));
        if let Err(error) = spawned {
            let failure = Failure::memory(format!("no thread for the node ({error})"));
            self.end(at, Ended { result: Err(failure), seconds: 0.0, device: None, peak_memory_bytes: None });
        }
    }

    fn observe(&mut self, at: usize, event: Event) {
        // A plugin's own thread may tell something of a node that is through.
        if self.states.get(at) != Some(&State::Running) {
            return;
        }
        let name = self.plan.tasks[at].name();
        if let Event::Log { level: Level::Warn | Level::Error, message } = &event {
            self.warnings.push(format!("node `{name}`: {message}"));
        }
        self.observer.observe(name, &event);
    }

    fn end(&mut self, at: usize, ended: Ended) {
        let Some(given) = self.given.remove(&at) else { return };
        self.share_threads(&[]);
        let task = &self.plan.tasks[at];
        let mut report = NodeReport::new(task.name(), &task.node_type.description.id, Outcome::Ran);
        report.seconds = ended.seconds;
        report.threads = Some(given.at_start);
        report.device = ended.device;
        report.peak_memory_bytes = ended.peak_memory_bytes;
        match ended.result {
            Ok(outputs) => {
                let outputs = Arc::new(outputs);
                report.output_bytes = Some(value_cache::bytes(&outputs));
                if task.keep && task.files_unchanged() {
                    self.shared.cache.keep(task.key, Arc::clone(&outputs));
                }
                self.states[at] = State::Ran;
                self.values.insert(at, outputs);
                for consumer in &self.consumers[at] {
                    self.missing[*consumer] = self.missing[*consumer].saturating_sub(1);
                    if self.missing[*consumer] == 0 && self.states[*consumer] == State::Waiting {
                        self.ready.insert(self.rank(*consumer));
                    }
                }
                self.observer.observe(task.name(), &Event::Finished(report.clone()));
                for twin in task.nodes.iter().skip(1) {
                    self.observer.observe(twin, &Event::Cached);
                }
                if let Some(outputs) = self.values.get(&at) {
                    task.nodes.iter().for_each(|name| self.observer.flowed(name, outputs));
                }
            }
            Err(failure) if failure.is_cancelled() && self.cancel.is_cancelled() => {
                report.outcome = Outcome::Stopped;
                self.states[at] = State::Stopped;
            }
            Err(failure) => {
                let failure = if failure.is_cancelled() {
                    Failure::fault("it says that it was cancelled, and nobody asked")
                        .remedy("this is a fault in the plugin; report it to whoever made it")
                } else {
                    failure
                };
                report.outcome = Outcome::Failed;
                self.states[at] = State::Failed;
                let failure = NodeFailure {
                    node: task.name().to_owned(),
                    node_type: task.node_type.description.id.clone(),
                    failure,
                };
                self.observer.observe(task.name(), &Event::Failed(failure.clone()));
                self.failures.push(failure);
                self.cancel.cancel();
            }
        }
        self.ended.insert(at, report);
        for from in task.sources() {
            self.needed_by[from] = self.needed_by[from].saturating_sub(1);
            if self.needed_by[from] == 0 {
                self.values.remove(&from);
            }
        }
    }

    fn conclude(mut self) -> Executed {
        let complete = self.states.iter().all(|state| matches!(state, State::NotNeeded | State::Cached | State::Ran));
        let mut reports = Vec::new();
        for (at, task) in self.plan.tasks.iter().enumerate() {
            let id = &task.node_type.description.id;
            let outcome = match self.states[at] {
                State::NotNeeded => Outcome::NotNeeded,
                State::Cached => Outcome::Cached,
                State::Ran => Outcome::Ran,
                State::Failed => Outcome::Failed,
                State::Waiting | State::Running | State::Stopped => Outcome::Stopped,
            };
            let first = self.ended.remove(&at);
            reports.push(first.unwrap_or_else(|| NodeReport::new(task.name(), id, outcome)));
            let twins = if outcome == Outcome::Ran { Outcome::Cached } else { outcome };
            reports.extend(task.nodes.iter().skip(1).map(|twin| NodeReport::new(twin, id, twins)));
        }
        let values = self.plan.wanted.iter().filter_map(|at| Some((*at, self.values.remove(at)?))).collect();
        Executed { values, reports, failures: self.failures, complete, warnings: self.warnings }
    }
}

/// What a running task was given.
struct Given {
    /// Its share of the threads when it started.
    at_start: usize,
    /// Its share now.
    threads: Arc<AtomicUsize>,
    /// Bytes of weights that it will load.
    load: u64,
}

pub(super) fn output_of(outputs: &NodeOutputs, name: &str) -> Option<Value> {
    outputs.iter().find(|(output, _)| output == name).map(|(_, value)| value.clone())
}
