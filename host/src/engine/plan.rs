//! From a graph to tasks: the nodes that what was asked for hangs on, each after those it takes values from, with its
//! parameters resolved, its files looked at, and the key of what it will compute.

use super::fingerprint::{FileHashes, Stamp};
use super::preparation::Preparation;
use super::weights::WeightsUse;
use super::{RunOptions, Targets};
use crate::document::{Document, Off};
use crate::plugins::{Catalogue, NodeType};
use crate::validate::{self, Live, Place, Problem};
use mgie_plugin_api::Value;
use serde_json::Map;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the value of an input comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// An output of another task.
    Task(usize, String),
    /// A value that was handed in.
    Given(Value),
}

/// One computation: a node, or several that compute the same.
pub(super) struct Task {
    /// The names of its nodes; the first one runs.
    pub nodes: Vec<String>,
    pub node_type: Arc<NodeType>,
    /// Parameters as the node gets them.
    pub parameters: serde_json::Value,
    pub inputs: Vec<(String, Source)>,
    pub key: blake3::Hash,
    /// Whether its outputs may be kept and stand in for another run of it.
    pub keep: bool,
    /// The files that went into the key, as they were then.
    pub files: Vec<(PathBuf, Stamp)>,
    pub weights: Option<WeightsUse>,
    /// The folder that it writes to.
    pub destination: Option<PathBuf>,
    /// How many tasks there are at most between this one's start and the end of the run.
    pub reach: usize,
}

/// The tasks of a run, each after those that it takes values from.
pub(super) struct Plan {
    pub tasks: Vec<Task>,
    pub by_node: HashMap<String, usize>,
    by_key: HashMap<blake3::Hash, usize>,
    /// The tasks that were asked for.
    pub wanted: Vec<usize>,
    /// What is unusual about the graph.
    pub warnings: Vec<Problem>,
    /// Outputs of bypassed nodes, and those whose values they pass on.
    pub stand_ins: HashMap<(String, String), (String, String)>,
}

impl Plan {
    /// Checks the graph and what is asked of it, reads the input files, and orders the nodes.
    ///
    /// # Errors
    /// Every problem of the graph that concerns what was asked for; warnings among them.
    pub fn new(
        document: &Document,
        catalogue: &Catalogue,
        targets: &Targets,
        options: &RunOptions,
        hashes: &FileHashes,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let whole = document;
        let live = Live::of(whole, catalogue);
        let document: &Document = &live.document;
        check_targets(whole, &live, catalogue, targets, &mut problems);
        let asked = asked_for(&live, catalogue, targets);
        let needed = closure(document, &asked);
        let found = validate::validate_live(whole, &live, catalogue);
        // With the whole graph asked for, every node counts: one of unknown type may have been meant to save.
        let counts = |problem: &Problem| targets.side_effects || needed.contains(problem.node.as_str());
        let sound = problems.is_empty() && !found.iter().any(|problem| problem.is_error() && counts(problem));
        problems.extend(found);
        let mut plan = Self {
            tasks: Vec::new(),
            by_node: HashMap::new(),
            by_key: HashMap::new(),
            wanted: Vec::new(),
            warnings: Vec::new(),
            stand_ins: HashMap::new(),
        };
        let mut preparation = Preparation::new(options, hashes);
        // Where the graph has problems already, its files are looked at all the same, so that all are told at once.
        let order = if sound { validate::order(document) } else { document.nodes.keys().map(String::as_str).collect() };
        for name in order.into_iter().filter(|name| needed.contains(name)) {
            plan.add(name, document, catalogue, &mut preparation);
        }
        let ready = sound && !preparation.problems.iter().any(Problem::is_error);
        problems.extend(preparation.problems);
        if !ready {
            return Err(problems);
        }
        plan.warnings = problems;
        plan.wanted = asked.iter().filter_map(|name| plan.by_node.get(*name).copied()).collect();
        plan.wanted.sort_unstable();
        plan.wanted.dedup();
        plan.measure_reach();
        plan.stand_ins = live.stand_ins;
        Ok(plan)
    }

    fn add(&mut self, name: &str, document: &Document, catalogue: &Catalogue, preparation: &mut Preparation<'_>) {
        let Some(node) = document.nodes.get(name) else { return };
        let Some(node_type) = catalogue.node_type(&node.node_type) else { return };
        let prepared = preparation.parameters(name, &node.params, &node_type);
        let mut key = Key::of(&node_type);
        key.add(&prepared.key);
        let mut inputs = Vec::new();
        for socket in &node_type.description.inputs {
            let Some((source, output)) = node.inputs.get(&socket.id).and_then(|wire| wire.source()) else { continue };
            let Some(&task) = self.by_node.get(source) else { continue };
            key.add(socket.id.as_bytes());
            key.add(self.tasks.get(task).map_or(&[], |task| task.key.as_bytes()));
            key.add(output.as_bytes());
            inputs.push((socket.id.clone(), Source::Task(task, output.to_owned())));
        }
        let key = key.finish();
        let keep = !node_type.description.side_effect;
        // Nodes that compute the same are one task, unless each has something to do besides.
        let at = if keep { *self.by_key.entry(key).or_insert(self.tasks.len()) } else { self.tasks.len() };
        self.by_node.insert(name.to_owned(), at);
        if let Some(task) = self.tasks.get_mut(at) {
            task.nodes.push(name.to_owned());
            return;
        }
        self.tasks.push(Task {
            nodes: vec![name.to_owned()],
            node_type,
            parameters: prepared.values,
            inputs,
            key,
            keep,
            files: prepared.files,
            weights: prepared.weights,
            destination: prepared.destination,
            reach: 0,
        });
    }

    fn measure_reach(&mut self) {
        for at in (0..self.tasks.len()).rev() {
            let Some(task) = self.tasks.get(at) else { continue };
            let reach = task.reach + 1;
            for from in task.sources().collect::<Vec<_>>() {
                if let Some(from) = self.tasks.get_mut(from) {
                    from.reach = from.reach.max(reach);
                }
            }
        }
    }

    /// A plan of one node with values that are at hand.
    ///
    /// # Errors
    /// Every problem of its parameters.
    pub fn of_one(
        name: &str,
        node_type: Arc<NodeType>,
        params: &Map<String, serde_json::Value>,
        inputs: Vec<(String, Value)>,
        options: &RunOptions,
        hashes: &FileHashes,
    ) -> Result<Self, Vec<Problem>> {
        let mut preparation = Preparation::new(options, hashes);
        preparation.problems = validate::parameters(name, params, &node_type.description);
        let prepared = preparation.parameters(name, params, &node_type);
        if preparation.problems.iter().any(Problem::is_error) {
            return Err(preparation.problems);
        }
        let task = Task {
            nodes: vec![name.to_owned()],
            key: Key::of(&node_type).finish(),
            node_type,
            parameters: prepared.values,
            inputs: inputs.into_iter().map(|(socket, value)| (socket, Source::Given(value))).collect(),
            keep: false,
            files: Vec::new(),
            weights: prepared.weights,
            destination: prepared.destination,
            reach: 0,
        };
        Ok(Self {
            tasks: vec![task],
            by_node: HashMap::from([(name.to_owned(), 0)]),
            by_key: HashMap::new(),
            wanted: vec![0],
            warnings: Vec::new(),
            stand_ins: HashMap::new(),
        })
    }
}

impl Task {
    /// The tasks that it takes values from, one for each wire.
    pub fn sources(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().filter_map(|(_, source)| match source {
            Source::Task(task, _) => Some(*task),
            Source::Given(_) => None,
        })
    }

    /// The name of the node that runs.
    pub fn name(&self) -> &str {
        self.nodes.first().map(String::as_str).unwrap_or_default()
    }

    /// Whether the files that went into the key are as they were then.
    pub fn files_unchanged(&self) -> bool {
        self.files.iter().all(|(path, stamp)| Stamp::now(path).as_ref() == Some(stamp))
    }
}

fn check_targets(
    document: &Document,
    live: &Live<'_>,
    catalogue: &Catalogue,
    targets: &Targets,
    problems: &mut Vec<Problem>,
) {
    let unknown = |name: &str| {
        let remedy = crate::spelling::remedy(name, document.nodes.keys().map(String::as_str));
        Problem::error(name, Place::Name, "a node of this graph").remedy(remedy.unwrap_or_default())
    };
    let is_off = |name: &str, off: Off| {
        Problem::error(name, Place::Name, "a node that is on")
            .found(format!("one that is {}", off.participle()))
            .remedy("switch it on, or ask for another one")
    };
    problems.extend(targets.nodes.iter().filter_map(|name| match document.nodes.get(name) {
        None => Some(unknown(name)),
        Some(node) => node.off.map(|off| is_off(name, off)),
    }));
    for (name, output) in &targets.outputs {
        let Some(node) = document.nodes.get(name) else {
            problems.push(unknown(name));
            continue;
        };
        if let Some(off) = node.off
            && !live.stand_ins.contains_key(&(name.clone(), output.clone()))
        {
            problems.push(is_off(name, off));
            continue;
        }
        let Some(node_type) = catalogue.node_type(&node.node_type) else { continue };
        let outputs = || node_type.description.outputs.iter().map(|socket| socket.id.as_str());
        if !outputs().any(|id| id == output) {
            let remedy = crate::spelling::remedy(output, outputs());
            problems.push(
                Problem::error(name, Place::Output(output.clone()), format!("an output of `{}`", node.node_type))
                    .remedy(remedy.unwrap_or_else(|| "this node type has none".to_owned())),
            );
        }
    }
}

/// The names of the nodes that run for what is asked of a graph.
#[must_use]
pub fn needed(document: &Document, catalogue: &Catalogue, targets: &Targets) -> HashSet<String> {
    let live = Live::of(document, catalogue);
    let asked = asked_for(&live, catalogue, targets);
    closure(&live.document, &asked).into_iter().map(ToOwned::to_owned).collect()
}

/// The nodes that are asked for themselves, in the graph's order.
fn asked_for<'l>(live: &'l Live<'_>, catalogue: &Catalogue, targets: &Targets) -> Vec<&'l str> {
    let outputs: HashSet<&str> = targets
        .outputs
        .iter()
        .map(|target| live.stand_ins.get(target).map_or(target.0.as_str(), |(source, _)| source.as_str()))
        .collect();
    let nodes: HashSet<&str> = targets.nodes.iter().map(String::as_str).collect();
    let saves = |node_type: &str| catalogue.node_type(node_type).is_some_and(|known| known.description.side_effect);
    live.document
        .nodes
        .iter()
        .filter(|(name, node)| {
            nodes.contains(name.as_str())
                || outputs.contains(name.as_str())
                || (targets.side_effects && saves(&node.node_type))
        })
        .map(|(name, _)| name.as_str())
        .collect()
}

/// The nodes that those hang on, themselves included.
fn closure<'d>(document: &'d Document, asked: &[&'d str]) -> HashSet<&'d str> {
    let mut needed: HashSet<&str> = HashSet::new();
    let mut waiting: Vec<&str> = asked.to_vec();
    while let Some(name) = waiting.pop() {
        if let Some((name, node)) = document.nodes.get_key_value(name)
            && needed.insert(name)
        {
            waiting.extend(node.inputs.values().filter_map(|wire| wire.source()).map(|(source, _)| source));
        }
    }
    needed
}

/// Hashes what a node will compute, field by field.
struct Key(blake3::Hasher);

impl Key {
    fn of(node_type: &NodeType) -> Self {
        let mut key = Self(blake3::Hasher::new());
        key.add(b"mgie node 1");
        key.add(node_type.description.id.as_bytes());
        key.add(&node_type.description.version.to_le_bytes());
        key.add(node_type.library.name().as_bytes());
        key.add(node_type.library.version().as_bytes());
        key
    }

    /// Adds a field; its length goes in first, so that no two lists of fields look the same.
    fn add(&mut self, field: &[u8]) {
        self.0.update(&(field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    fn finish(&self) -> blake3::Hash {
        self.0.finalize()
    }
}
