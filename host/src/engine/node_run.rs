//! One node, run on a thread of its own: it is made, handed its parameters and inputs, and held to its description;
//! what it tells meanwhile goes to the run's own thread as messages.

use super::cancel::CancelToken;
use super::carried::Carried;
use super::memory::MemoryGauge;
use super::observer::Event;
use super::outputs;
use super::value_cache::NodeOutputs;
use super::weights::{WeightsLedger, WeightsUse};
use crate::plugins::{Catalogue, NodeType};
use mgie_plugin_api::host::NodeHost;
use mgie_plugin_api::{Failure, Level, Value};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How often a node that waits for another of its type asks whether to stop.
const ASK: Duration = Duration::from_millis(5);

/// Locks of the node types of which only one may run at a time, in whatever run.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Mutex<()>>>>);

impl Gates {
    fn of(&self, node_type: &str) -> Arc<Mutex<()>> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(node_type.to_owned()).or_default())
    }
}

/// What the thread of a node tells the run.
pub(super) enum Told {
    /// Something happened to the node of that task.
    Event(usize, Event),
    /// The node of that task is through.
    Ended(usize, Ended),
}

/// How a node ended.
pub(super) struct Ended {
    pub result: Result<NodeOutputs, Failure>,
    pub seconds: f64,
    pub device: Option<String>,
    pub peak_memory_bytes: Option<u64>,
}

/// All that the thread of a node needs.
pub(super) struct Work {
    pub task: usize,
    pub node_type: Arc<NodeType>,
    pub parameters: serde_json::Value,
    pub inputs: Vec<(String, Value)>,
    /// How many threads it may keep busy, now.
    pub threads: Arc<AtomicUsize>,
    pub previews: bool,
    pub cancel: CancelToken,
    pub carried: Arc<Carried>,
    /// The folder that the node writes to, where it does.
    pub destination: Option<PathBuf>,
    pub weights: Option<WeightsUse>,
    /// Whether plugins are asked to let go of weights first.
    pub release: bool,
    pub catalogue: Arc<Catalogue>,
    pub ledger: Arc<WeightsLedger>,
    pub gates: Arc<Gates>,
    pub gauge: Option<MemoryGauge>,
}

impl Work {
    /// Runs the node and tells how it ended, whatever happens.
    pub fn run(mut self, tell: &SyncSender<Told>) {
        let began = Instant::now();
        let host = Arc::new(Host {
            task: self.task,
            tell: tell.clone(),
            cancel: self.cancel.clone(),
            threads: Arc::clone(&self.threads),
            previews: self.previews,
            carried: Arc::clone(&self.carried),
            catalogue: Arc::clone(&self.catalogue),
            destination: self.destination.take(),
            device: Mutex::default(),
        });
        let result = catch_unwind(AssertUnwindSafe(|| self.outputs(&host)))
            .unwrap_or_else(|_| Err(Failure::fault("the host panicked").remedy("report it to the makers of mgie")));
        if let Some(weights) = &self.weights {
            self.ledger.after(&self.node_type.library, weights, result.is_ok());
        }
        let ended = Ended {
            result,
            seconds: began.elapsed().as_secs_f64(),
            device: host.device.lock().unwrap_or_else(PoisonError::into_inner).take(),
            peak_memory_bytes: self.gauge.as_ref().map(MemoryGauge::rise),
        };
        // Nobody listens any more where the run's own thread is gone; then nobody waits for this either.
        drop(tell.send(Told::Ended(self.task, ended)));
    }

    fn outputs(&mut self, host: &Arc<Host>) -> Result<NodeOutputs, Failure> {
        let description = &self.node_type.description;
        for (socket, value) in &self.inputs {
            let input = description.inputs.iter().find(|input| input.id == *socket);
            if let Some(input) = input.filter(|input| !input.takes(value.kind())) {
                return Err(Failure::input(socket, input.accepts.join(" or "), value.to_string()));
            }
        }
        let gate = (!description.thread_safe).then(|| self.gates.of(&description.id));
        let _alone = match &gate {
            None => None,
            Some(gate) => loop {
                match gate.try_lock() {
                    Ok(alone) => break Some(alone),
                    Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
                    Err(TryLockError::WouldBlock) if self.cancel.is_cancelled() => return Err(Failure::cancelled()),
                    Err(TryLockError::WouldBlock) => std::thread::sleep(ASK),
                }
            },
        };
        if self.release {
            self.ledger.release(self.catalogue.libraries());
        }
        if self.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let node = self.node_type.library.create(&description.id, Arc::clone(host) as Arc<dyn NodeHost>)?;
        let given = node.run(std::mem::take(&mut self.parameters), std::mem::take(&mut self.inputs))?;
        outputs::check(description, given)
    }
}

/// What a node sees of the host.
struct Host {
    task: usize,
    tell: SyncSender<Told>,
    cancel: CancelToken,
    threads: Arc<AtomicUsize>,
    previews: bool,
    carried: Arc<Carried>,
    catalogue: Arc<Catalogue>,
    destination: Option<PathBuf>,
    device: Mutex<Option<String>>,
}

impl Host {
    fn event(&self, event: Event) {
        // A plugin's own thread may tell something after its run is over; nobody listens then.
        drop(self.tell.send(Told::Event(self.task, event)));
    }
}

impl NodeHost for Host {
    fn progress(&self, done: u64, total: u64, label: &str) {
        self.event(Event::Progress { done, total, label: label.to_owned() });
    }

    fn wants_preview(&self) -> bool {
        self.previews
    }

    fn preview(&self, value: Value) {
        self.event(Event::Preview(value));
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn log(&self, level: Level, message: &str) {
        self.event(Event::Log { level, message: message.to_owned() });
    }

    fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    fn ran_on(&self, device: &str) {
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = Some(device.to_owned());
    }

    fn graph_json(&self) -> Option<String> {
        let destination = self.destination.as_deref().unwrap_or(&self.carried.folder);
        Some(self.carried.text_for(&self.catalogue, destination))
    }
}
