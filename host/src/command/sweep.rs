//! `mgie run --sweep`: one or two parameters in several values each, on one sheet.

use super::request::{Destination, Running, Save, Sweep as Request};
use super::screen::Screen;
use super::stop::{Complaint, Stop};
use super::telling::Done;
use super::{job, overwriting, saving, settings};
use mgie_host::document::Document;
use mgie_host::engine::{CancelToken, Carried, Engine, Observer, RunError, RunOptions, RunReport};
use mgie_host::models::Models;
use mgie_host::overwriting::{named_by, paths};
use mgie_host::plugins::Catalogue;
use mgie_host::sweeping::{
    self, Axis, CELL_WIDTH, CellReport, SHEET, Sheet, Sweep, SweepError, SweepEvent, SweepReport,
};
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// A graph to sweep.
pub struct SweepJob {
    /// The graph.
    pub document: Document,
    /// The folder that its relative paths are relative to.
    pub folder: PathBuf,
    /// The file it was opened from.
    pub graph: PathBuf,
    /// Nodes that run for each cell, too.
    pub nodes: Vec<String>,
    /// What was asked for.
    pub sweep: Request,
    /// What else was asked for.
    pub running: Running,
    /// The models that it runs with.
    pub models: Models,
}

impl SweepJob {
    /// Runs every cell, writes the sheet, and notes in `done` what was done. Where it ends early, the sheet holds the cells
    /// that were done, and takes no other sheet's place.
    ///
    /// # Errors
    /// Why it ended early; [`Stop::Failed`] with every cell that failed, once the others are done and the sheet is written.
    pub fn run(
        mut self,
        catalogue: &Arc<Catalogue>,
        cancel: &CancelToken,
        screen: &Screen,
        done: &mut Done,
    ) -> Result<(), Stop> {
        settings::apply(&self.running.settings, &mut self.document, catalogue).map_err(Stop::wrong_all)?;
        let sweep = self.sweep(catalogue)?;
        let (engine, mut options) = job::engine(&self.running, &self.folder, &self.models, catalogue, cancel);
        self.check(&sweep, &engine)?;
        // Raised by whoever interrupts, and where the sheet cannot be drawn.
        options.cancel = cancel.below();
        // A cell that is done goes onto the sheet, whoever interrupts; the second interrupt ends the program.
        let drawing = RunOptions { cancel: CancelToken::new(), ..options.clone() };
        let width = self.sweep.cell.unwrap_or(CELL_WIDTH);
        let sheet = RefCell::new(Sheet::new(&sweep, width));
        let undrawn: RefCell<Option<RunError>> = RefCell::default();
        let (count, begun) = (sweep.cells().len(), Cell::new(0_usize));
        let ran = sweep.run(&engine, &options, &|event| match event {
            SweepEvent::Began(cell) => {
                begun.set(begun.get() + 1);
                screen.show(&format!("cell {} of {count}: {}", begun.get(), cell.labels.join(", ")));
            }
            SweepEvent::Node { node, event, .. } => screen.observe(node, event),
            SweepEvent::Ended { picture: Err(RunError::Cancelled { .. }), .. } => {}
            SweepEvent::Ended { cell, picture } => {
                if let Err(error) = sheet.borrow_mut().fill(cell, picture, &engine, &drawing) {
                    options.cancel.cancel();
                    undrawn.borrow_mut().get_or_insert(error);
                }
            }
        });
        let report = ran?;
        note(&sweep, &report, done);
        let (mut sheet, undrawn) = (sheet.into_inner(), undrawn.into_inner());
        let marked = report.cancelled && sheet.mark_not_run(&report.not_run(&sweep), &engine, &drawing);
        let whole = !report.cancelled && undrawn.is_none();
        let to = if whole { self.sweep.sheet.clone() } else { self.for_a_part() };
        let wrote = match sheet.inscribed(&sweep) {
            Some(picture) => self.write(&sweep, &picture, to, &engine, &drawing, done),
            None => Ok(()),
        };
        if !whole {
            done.warnings.extend(wrote.err().iter().flat_map(Stop::complaints).map(|it| it.text.clone()));
            done.warnings.push(how_far(&report, count, done.saved.is_empty(), marked));
            return Err(undrawn.map_or(Stop::Interrupted(None), |error| Stop::from(error).at("the sheet")));
        }
        wrote?;
        let failed: Vec<Complaint> = report.cells.iter().flat_map(complaints).collect();
        if failed.is_empty() { Ok(()) } else { Err(Stop::Failed(failed, None)) }
    }

    fn sweep(&self, catalogue: &Catalogue) -> Result<Sweep, Stop> {
        let (mut axes, mut wrong) = (Vec::new(), Vec::new());
        for axis in &self.sweep.axes {
            match Axis::of_text(&axis.node, &axis.parameter, &axis.text, &self.document, catalogue) {
                Ok(axis) => axes.push(axis),
                Err(error) => wrong.extend(of_error(&error)),
            }
        }
        if !wrong.is_empty() {
            return Err(Stop::Wrong(wrong));
        }
        let sweep = Sweep::new(self.document.clone(), axes, self.sweep.output.clone(), catalogue);
        Ok(sweep.map_err(|error| Stop::Wrong(of_error(&error)))?.and_nodes(self.nodes.iter().cloned()))
    }

    /// What can be told before anything runs: that the sheet can be drawn and written, and that nothing is lost by it.
    fn check(&self, sweep: &Sweep, engine: &Engine) -> Result<(), Stop> {
        let mut wrong = Vec::new();
        if engine.catalogue().node_type(SHEET).is_none() {
            wrong.push(format!("no plugin here offers `{SHEET}`, which draws the sheet; add the plugin that does"));
        }
        wrong.extend(saving::check_picture("--save-sheet", &self.sweep.sheet, engine).err());
        wrong.extend(self.lost(sweep, engine.catalogue()));
        if wrong.is_empty() { Ok(()) } else { Err(Stop::wrong_all(wrong)) }
    }

    /// What of the user's would be written over by the sheet, or by a node that was asked for; two cells that write to one
    /// file are told, too.
    fn lost(&self, sweep: &Sweep, catalogue: &Catalogue) -> Vec<String> {
        const TOLD: usize = 5;
        let (mut read, mut written, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for cell in sweep.cells() {
            for (node, parameter, path) in paths(&sweep.document_of(&cell), catalogue) {
                if path.text.is_empty() {
                    continue;
                }
                let by = named_by(&node, &parameter);
                let file = self.folder.join(&path.text);
                if path.written && self.nodes.contains(&node) {
                    let by = format!("{by} ({})", cell.labels.join(", "));
                    written.push(overwriting::Named { path: file, by });
                } else if !path.written && seen.insert((file.clone(), by.clone())) {
                    read.push(overwriting::Named { path: file, by });
                }
            }
        }
        let (node, output) = sweep.output();
        let sheet = Save { node: node.to_owned(), output: output.to_owned(), to: self.sweep.sheet.clone() };
        let mut lost = overwriting::check(&read, &written, &[sheet], Some(&self.graph));
        lost.truncate(TOLD);
        lost
    }

    /// Where a sheet goes that lacks cells: where the whole one would, unless something is there.
    fn for_a_part(&self) -> Destination {
        match &self.sweep.sheet {
            Destination::File(path) if path.exists() => {
                let ending = path.extension().unwrap_or_default().to_string_lossy();
                Destination::File(overwriting::free_beside(path, "-partial", &ending))
            }
            whole => whole.clone(),
        }
    }

    fn write(
        &self,
        sweep: &Sweep,
        picture: &mgie_plugin_api::Value,
        to: Destination,
        engine: &Engine,
        options: &RunOptions,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let (node, output) = sweep.output();
        let save = Save { node: node.to_owned(), output: output.to_owned(), to };
        let (document, folder) = (sweep.document().clone(), self.folder.clone());
        let carried = Arc::new(Carried { document, folder, destination: None });
        saving::write(&save, picture, engine, options, &carried)?;
        let saved = save.done();
        done.parts.insert("saved".to_owned(), json!([saved]));
        done.saved.push(saved);
        Ok(())
    }
}

/// How far an interrupted sweep came.
fn how_far(report: &SweepReport, count: usize, unwritten: bool, marked: bool) -> String {
    let done = report.cells.iter().filter(|cell| cell.ended.is_ok()).count();
    let failed = report.failures().filter(|(_, error)| !matches!(error, RunError::Cancelled { .. })).count();
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    let sheet = match (unwritten, marked) {
        (true, _) => "no sheet was written",
        (false, true) => "the sheet marks the others as not run",
        (false, false) => "the sheet leaves places of the others empty",
    };
    format!("interrupted after {done} of {count} cells{failed}; {sheet}")
}

/// What is wrong with a sweep, one by one; where it is not clear which picture is meant, the option that says it.
fn of_error(error: &SweepError) -> Vec<Complaint> {
    match error {
        SweepError::Wrong(problems) => problems.iter().map(Complaint::from).collect(),
        SweepError::Output { .. } => vec![Complaint::plain(format!("--sweep: {error} (--sweep-output NODE.OUTPUT)"))],
        other => vec![Complaint::plain(format!("--sweep: {other}"))],
    }
}

/// Why a cell failed, with what the cell is before it.
fn complaints(cell: &CellReport) -> Vec<Complaint> {
    let Err(error) = &cell.ended else { return Vec::new() };
    of_run(error).at(&cell.cell.labels.join(", ")).complaints().to_vec()
}

fn of_run(error: &RunError) -> Stop {
    match error {
        RunError::Invalid(problems) => {
            Stop::Failed(problems.iter().filter(|problem| problem.is_error()).map(Complaint::from).collect(), None)
        }
        RunError::Failed { failures, .. } => Stop::Failed(failures.iter().map(Complaint::from).collect(), None),
        RunError::Cancelled { .. } => Stop::Interrupted(None),
    }
}

/// What a run did, as far as it came.
fn of_cell(cell: &CellReport) -> Option<&RunReport> {
    match &cell.ended {
        Ok(report) | Err(RunError::Failed { report, .. } | RunError::Cancelled { report }) => Some(report),
        Err(RunError::Invalid(_)) => None,
    }
}

/// Notes what the sweep did.
fn note(sweep: &Sweep, report: &SweepReport, done: &mut Done) {
    let place = |cell: &sweeping::Cell, status: &str| {
        let settings = sweep.settings(cell).into_iter();
        let settings: Map<String, Value> =
            settings.map(|it| (format!("{}.{}", it.node, it.parameter), it.value)).collect();
        json!({
            "column": cell.column + 1, "row": cell.row + 1, "labels": cell.labels, "settings": settings, "status": status,
        })
    };
    let cell = |cell: &CellReport| {
        let mut entry = place(&cell.cell, cell.ended.as_ref().map_or_else(|error| of_run(error).status(), |_| "done"));
        if let Some(report) = of_cell(cell) {
            entry["seconds"] = report.seconds.into();
            entry["nodes"] = json!(report.nodes);
        }
        entry["errors"] = cell.ended.as_ref().err().map(|error| of_run(error).errors()).unwrap_or_default().into();
        entry
    };
    let (node, output) = sweep.output();
    done.parts.insert("output".to_owned(), format!("{node}.{output}").into());
    done.parts.insert("columns".to_owned(), sweep.columns().to_json());
    if let Some(rows) = sweep.rows() {
        done.parts.insert("rows".to_owned(), rows.to_json());
    }
    let begun: HashSet<&sweeping::Cell> = report.cells.iter().map(|cell| &cell.cell).collect();
    let cells = sweep.cells();
    let left = cells.iter().filter(|cell| !begun.contains(cell)).map(|cell| place(cell, "not_run"));
    done.parts.insert("cells".to_owned(), report.cells.iter().map(cell).chain(left).collect());
    done.parts.insert("saved".to_owned(), json!([]));
    done.warnings.extend(report.cells.iter().filter_map(of_cell).flat_map(|report| report.warnings.iter().cloned()));
}
