//! The engine: runs what was asked for of a graph, and only what that hangs on. A node's outputs are known by what they
//! were computed from (its type and version, its parameters, the contents of its input files, and the same of every
//! node before it), and kept within a budget of bytes: a parameter that changes runs its node again and what hangs on
//! it, a change that is taken back runs nothing.

mod cancel;
mod carried;
mod error;
mod fingerprint;
mod memory;
mod node_run;
mod observer;
mod outputs;
mod plan;
mod preparation;
mod schedule;
mod selection;
mod thread_shares;
mod value_cache;
mod weights;

pub use cancel::CancelToken;
pub use carried::Carried;
pub(crate) use carried::{move_paths, plain, relative};
pub use error::{NodeFailure, RunError};
pub(crate) use fingerprint::{Stamp, listing};
pub use memory::{machine_bytes, resident_bytes};
pub use observer::{Event, NodeReport, Observer, Outcome, RunReport, Silent};
pub use plan::needed;

use crate::document::Document;
use crate::models::Models;
use crate::plugins::Catalogue;
use crate::validate::{Place, Problem};
use fingerprint::FileHashes;
use mgie_plugin_api::Value;
use plan::Plan;
use schedule::{Executed, Manner, Shared, output_of};
use selection::Selection;
use serde_json::Map;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use value_cache::ValueCache;
use weights::WeightsLedger;

/// The most bytes of memory that an engine's keepings may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes of outputs that are kept for later runs. An output larger than this is passed on and not kept.
    pub cache_bytes: u64,
    /// Bytes of loaded weights that plugins may hold together; none for no limit. Where a run needs more at once, it
    /// goes on regardless.
    pub weights_bytes: Option<u64>,
}

impl Default for Budgets {
    /// 2 GiB of outputs; weights in three quarters of this machine's main memory, where that is known.
    fn default() -> Self {
        Self { cache_bytes: 2 << 30, weights_bytes: machine_bytes().map(|bytes| bytes / 4 * 3) }
    }
}

/// What is asked of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Outputs to return, by node and output.
    pub outputs: Vec<(String, String)>,
    /// Nodes to run.
    pub nodes: Vec<String>,
    /// Whether every node with a side effect runs, too.
    pub side_effects: bool,
}

impl Targets {
    /// Every node with a side effect.
    #[must_use]
    pub fn side_effects() -> Self {
        Self { side_effects: true, ..Self::default() }
    }

    /// Adds an output to return.
    #[must_use]
    pub fn and_output(mut self, node: &str, output: &str) -> Self {
        self.outputs.push((node.to_owned(), output.to_owned()));
        self
    }

    /// Adds a node to run.
    #[must_use]
    pub fn and_node(mut self, node: &str) -> Self {
        self.nodes.push(node.to_owned());
        self
    }
}

/// How a graph is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The folder that the graph's relative paths are relative to.
    pub folder: PathBuf,
    /// The folder that the paths of models are relative to.
    pub models: Models,
    /// How many threads all nodes together may keep busy, at least 1.
    pub threads: usize,
    /// Stops the run.
    pub cancel: CancelToken,
    /// The graph that files carry; none for the one that is run.
    pub carried: Option<Arc<Carried>>,
}

impl RunOptions {
    /// A run of a graph in a folder, with the models there, on all cores.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, models: Models) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { folder: folder.into(), models, threads, cancel: CancelToken::new(), carried: None }
    }
}

/// What a run gave.
#[derive(Clone, Debug, Default)]
pub struct RunResults {
    /// The outputs that were asked for, by node and output.
    pub values: HashMap<(String, String), Value>,
    /// What it did.
    pub report: RunReport,
}

/// Runs graphs. It lives across runs, may be shared by threads, and keeps what runs computed.
pub struct Engine {
    shared: Shared,
    hashes: FileHashes,
}

impl Engine {
    /// An engine that has kept nothing yet.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, budgets: Budgets) -> Self {
        Self {
            shared: Shared {
                catalogue,
                cache: ValueCache::new(budgets.cache_bytes),
                ledger: Arc::new(WeightsLedger::new(budgets.weights_bytes)),
                gates: Arc::default(),
            },
            hashes: FileHashes::default(),
        }
    }

    /// The plugins that it runs nodes of.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.shared.catalogue
    }

    /// Bytes of outputs that are kept.
    #[must_use]
    pub fn cached_bytes(&self) -> u64 {
        self.shared.cache.bytes()
    }

    /// Lets go of every kept output.
    pub fn clear_cache(&self) {
        self.shared.cache.clear();
    }

    /// Runs what is asked of a graph and what that hangs on, but nothing whose outputs are kept. Nodes with a side
    /// effect run each time.
    ///
    /// # Errors
    /// [`RunError::Invalid`] before anything ran, with every problem of the graph and its files;
    /// [`RunError::Failed`] where a node failed, after the others were stopped; [`RunError::Cancelled`].
    pub fn run(
        &self,
        document: &Document,
        targets: &Targets,
        options: &RunOptions,
        observer: &dyn Observer,
    ) -> Result<RunResults, RunError> {
        let began = Instant::now();
        let planned = Plan::new(document, &self.shared.catalogue, targets, options, &self.hashes);
        if options.cancel.is_cancelled() {
            return Err(RunError::Cancelled { report: RunReport::default() });
        }
        let plan = planned.map_err(RunError::Invalid)?;
        let carried = options.carried.clone().unwrap_or_else(|| {
            Arc::new(Carried { document: document.clone(), folder: options.folder.clone(), destination: None })
        });
        let executed = self.execute(&plan, options, carried, observer);
        let mut values = HashMap::new();
        for target in &targets.outputs {
            let (node, output) = plan.stand_ins.get(target).unwrap_or(target);
            let outputs = plan.by_node.get(node).and_then(|task| executed.values.get(task));
            if let Some(value) = outputs.and_then(|outputs| output_of(outputs, output)) {
                values.insert(target.clone(), value);
            }
        }
        let mut report = report(&plan, executed.reports, executed.warnings, began);
        let known: HashSet<String> = report.nodes.iter().map(|node| node.node.clone()).collect();
        for (name, node) in document.nodes.iter().filter(|(name, _)| !known.contains(*name)) {
            report.nodes.push(NodeReport::new(name, &node.node_type, Outcome::NotNeeded));
        }
        report.nodes.sort_by_cached_key(|node| document.nodes.get_index_of(&node.node));
        end(executed.complete, executed.failures, RunResults { values, report })
    }

    /// Every problem, and every warning, of the graph and its files that concerns what is asked of it; runs nothing.
    #[must_use]
    pub fn check(&self, document: &Document, targets: &Targets, options: &RunOptions) -> Vec<Problem> {
        match Plan::new(document, &self.shared.catalogue, targets, options, &self.hashes) {
            Ok(plan) => plan.warnings,
            Err(problems) => problems,
        }
    }

    /// Runs one node with values that are at hand, and returns its outputs; nothing is kept.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn call(
        &self,
        node_type: &str,
        params: &Map<String, serde_json::Value>,
        inputs: Vec<(String, Value)>,
        options: &RunOptions,
        observer: &dyn Observer,
    ) -> Result<RunResults, RunError> {
        let began = Instant::now();
        let Some(found) = self.shared.catalogue.node_type(node_type) else {
            let problem = Problem::error(node_type, Place::Type, "a node type that a plugin here offers")
                .remedy("`mgie nodes` lists them; add the plugin that offers this one");
            return Err(RunError::Invalid(vec![problem]));
        };
        let plan = Plan::of_one(node_type, found, params, inputs, options, &self.hashes).map_err(RunError::Invalid)?;
        let carried = options.carried.clone().unwrap_or_else(|| {
            Arc::new(Carried { document: Document::default(), folder: options.folder.clone(), destination: None })
        });
        let executed = self.execute(&plan, options, carried, observer);
        let outputs = executed.values.get(&0).map(|outputs| outputs.as_ref().clone()).unwrap_or_default();
        let values = outputs.into_iter().map(|(output, value)| ((node_type.to_owned(), output), value)).collect();
        let report = report(&plan, executed.reports, executed.warnings, began);
        end(executed.complete, executed.failures, RunResults { values, report })
    }

    fn execute(&self, plan: &Plan, options: &RunOptions, carried: Arc<Carried>, observer: &dyn Observer) -> Executed {
        let mut selection = Selection::of(plan, &self.shared.cache);
        let load = self.to_load(plan, &selection);
        let tight = load > 0 && !self.shared.ledger.fits(load);
        if tight {
            // Kept objects may keep weights alive that the run must make room for.
            self.shared.cache.forget_objects();
            selection = Selection::of(plan, &self.shared.cache);
        }
        let manner = Manner { threads: options.threads.max(1), cancel: options.cancel.clone(), carried, tight };
        schedule::execute(plan, selection, &self.shared, &manner, observer)
    }

    /// Bytes of weights that the tasks that will run have yet to load.
    fn to_load(&self, plan: &Plan, selection: &Selection) -> u64 {
        let mut counted = HashSet::new();
        selection
            .to_run
            .iter()
            .filter_map(|at| plan.tasks.get(*at))
            .filter_map(|task| Some((task.node_type.library.path(), task.weights.as_ref()?)))
            .filter(|(library, weights)| counted.insert((library.to_owned(), weights.key)))
            .fold(0u64, |sum, (library, weights)| sum.saturating_add(self.shared.ledger.to_load(library, weights)))
    }
}

fn report(plan: &Plan, nodes: Vec<NodeReport>, told: Vec<String>, began: Instant) -> RunReport {
    let mut warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
    warnings.extend(told);
    RunReport { seconds: began.elapsed().as_secs_f64(), nodes, warnings }
}

fn end(complete: bool, failures: Vec<NodeFailure>, results: RunResults) -> Result<RunResults, RunError> {
    if complete {
        Ok(results)
    } else if failures.is_empty() {
        Err(RunError::Cancelled { report: results.report })
    } else {
        Err(RunError::Failed { failures, report: results.report })
    }
}
