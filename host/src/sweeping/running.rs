//! The cells of a sweep, one by one on one engine. One that fails leaves the others alone.

use super::{Cell, Sweep};
use crate::engine::{Engine, Event, NodeFailure, Observer, RunError, RunOptions, RunReport, Targets};
use crate::validate::Problem;
use mgie_plugin_api::{Failure, Value};
use std::collections::HashSet;

/// Something that happened while a sweep runs. It is told on the thread that runs the sweep.
#[derive(Clone, Copy, Debug)]
pub enum SweepEvent<'e> {
    /// A cell begins.
    Began(&'e Cell),
    /// Something happened to a node of the cell that runs.
    Node {
        /// The cell.
        cell: &'e Cell,
        /// The node.
        node: &'e str,
        /// What happened.
        event: &'e Event,
    },
    /// A cell is over. Its picture is held by nobody else but the engine's cache.
    Ended {
        /// The cell.
        cell: &'e Cell,
        /// Its picture, or why there is none.
        picture: Result<&'e Value, &'e RunError>,
    },
}

/// What became of a cell.
#[derive(Debug)]
pub struct CellReport {
    /// The cell.
    pub cell: Cell,
    /// What its run did, or why it gave no picture.
    pub ended: Result<RunReport, RunError>,
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// The cells that were begun, in the order in which they ran.
    pub cells: Vec<CellReport>,
    /// Whether it was cancelled before every cell was done.
    pub cancelled: bool,
}

impl SweepReport {
    /// The cells that failed, with why.
    pub fn failures(&self) -> impl Iterator<Item = (&Cell, &RunError)> {
        self.cells.iter().filter_map(|report| Some((&report.cell, report.ended.as_ref().err()?)))
    }

    /// The cells that a cancellation left without an end, the one that ran then among them.
    #[must_use]
    pub fn not_run(&self, sweep: &Sweep) -> Vec<Cell> {
        let ended = |cell: &&CellReport| !matches!(cell.ended, Err(RunError::Cancelled { .. }));
        let ended: HashSet<&Cell> = self.cells.iter().filter(ended).map(|cell| &cell.cell).collect();
        sweep.cells().into_iter().filter(|cell| !ended.contains(cell)).collect()
    }
}

impl Sweep {
    /// Runs every cell and blocks until the last one is over or `options.cancel` is raised. Stages that do not hang on the
    /// swept parameters run once, as far as the engine's cache can hold what they gave.
    ///
    /// # Errors
    /// [`RunError::Invalid`] before anything ran, where no cell at all can run; its problems are those of the first one. A
    /// cell that cannot run, or fails, while others can is told in the report.
    pub fn run(
        &self,
        engine: &Engine,
        options: &RunOptions,
        tell: &dyn Fn(SweepEvent<'_>),
    ) -> Result<SweepReport, RunError> {
        let cells = self.cells();
        let targets = self.targets();
        self.check(&cells, &targets, engine, options)?;
        let mut report = SweepReport::default();
        for cell in cells {
            if options.cancel.is_cancelled() {
                report.cancelled = true;
                break;
            }
            tell(SweepEvent::Began(&cell));
            let watch = Watch { cell: &cell, tell };
            let ran = engine.run(&self.document_of(&cell), &targets, options, &watch);
            let (node, output) = self.output();
            let ended = ran.and_then(|results| match results.values.get(&(node.to_owned(), output.to_owned())) {
                Some(value) => Ok((value.clone(), results.report)),
                None => Err(no_output(node, output, results.report)),
            });
            tell(SweepEvent::Ended { cell: &cell, picture: ended.as_ref().map(|(value, _)| value) });
            report.cancelled = matches!(ended, Err(RunError::Cancelled { .. }));
            report.cells.push(CellReport { cell, ended: ended.map(|(_, report)| report) });
            if report.cancelled {
                break;
            }
        }
        Ok(report)
    }

    fn targets(&self) -> Targets {
        let (node, output) = self.output();
        Targets { nodes: self.nodes().to_vec(), ..Targets::default() }.and_output(node, output)
    }

    /// Looks for a cell that can run; with a sound graph that is the first one.
    fn check(&self, cells: &[Cell], targets: &Targets, engine: &Engine, options: &RunOptions) -> Result<(), RunError> {
        let mut first: Option<Vec<Problem>> = None;
        for cell in cells {
            let problems = engine.check(&self.document_of(cell), targets, options);
            if options.cancel.is_cancelled() || !problems.iter().any(Problem::is_error) {
                return Ok(());
            }
            first.get_or_insert(problems);
        }
        first.map_or(Ok(()), |problems| Err(RunError::Invalid(problems)))
    }
}

fn no_output(node: &str, output: &str, report: RunReport) -> RunError {
    let failure = Failure::failed(format!("it gave no output `{output}`"));
    RunError::Failed {
        failures: vec![NodeFailure { node: node.to_owned(), node_type: String::new(), failure }],
        report,
    }
}

/// Tells of a cell's nodes.
struct Watch<'r> {
    cell: &'r Cell,
    tell: &'r dyn Fn(SweepEvent<'_>),
}

impl Observer for Watch<'_> {
    fn observe(&self, node: &str, event: &Event) {
        (self.tell)(SweepEvent::Node { cell: self.cell, node, event });
    }
}
