//! The contact sheet of a sweep, which fills as its cells end. It is drawn by a node: this host draws no letters and
//! scales no pictures.

use super::{Cell, Sweep};
use crate::engine::{Engine, RunError, RunOptions, Silent};
use mgie_plugin_api::Value;
use serde_json::{Map, json};
use std::time::{Duration, Instant};

/// The node type that draws it.
pub const SHEET: &str = "image.sheet";

/// The most pixels that a cell is wide, where nobody says.
pub const CELL_WIDTH: u32 = 256;

/// How long cells are marked as not run.
const MARKING: Duration = Duration::from_secs(5);

/// The most cells of a sweep of one parameter that stand in one row.
const ONE_ROW: usize = 8;

/// A contact sheet. With two axes, or few values, labels stand above the columns and beside the rows; many values of one
/// parameter go on in further rows, with a label under each picture.
#[derive(Clone, Debug)]
pub struct Sheet {
    columns: String,
    rows: String,
    /// Columns, where the cells of one axis stand in several rows.
    folded: Option<usize>,
    width: u32,
    picture: Option<Value>,
}

impl Sheet {
    /// The sheet of a sweep, with nothing on it yet; `width` is the most pixels that a cell is wide.
    #[must_use]
    pub fn new(sweep: &Sweep, width: u32) -> Self {
        let across = sweep.columns().labels();
        let folded = (sweep.rows().is_none() && across.len() > ONE_ROW).then(|| across.len().isqrt().max(1) + 1);
        let (columns, rows) = match folded {
            Some(folded) => ("\n".repeat(folded), "\n".repeat(across.len().div_ceil(folded))),
            None => (across.join("\n"), sweep.rows().map(|rows| rows.labels().join("\n")).unwrap_or_default()),
        };
        Self { columns, rows, folded, width, picture: None }
    }

    /// Puts a cell's picture, or why there is none, into its place; what [`super::SweepEvent::Ended`] tells goes in here.
    ///
    /// # Errors
    /// As [`Engine::call`]: no plugin here offers [`SHEET`], or the sheet has become larger than a picture may be.
    pub fn fill(
        &mut self,
        cell: &Cell,
        picture: Result<&Value, &RunError>,
        engine: &Engine,
        options: &RunOptions,
    ) -> Result<(), RunError> {
        self.put(cell, picture.ok(), picture.err().map(ToString::to_string), engine, options)
    }

    /// Says so in the place of each cell that a cancelled sweep has not run, on a sheet that has others; `options` are not
    /// cancelled. What there is no time for stays empty: on a large sheet each takes a moment. Returns whether all are marked.
    pub fn mark_not_run(&mut self, cells: &[Cell], engine: &Engine, options: &RunOptions) -> bool {
        let began = Instant::now();
        self.picture.is_some()
            && cells.iter().all(|cell| {
                began.elapsed() < MARKING && self.put(cell, None, Some("not run".to_owned()), engine, options).is_ok()
            })
    }

    fn put(
        &mut self,
        cell: &Cell,
        picture: Option<&Value>,
        why: Option<String>,
        engine: &Engine,
        options: &RunOptions,
    ) -> Result<(), RunError> {
        let (column, row) = match self.folded {
            Some(folded) => (cell.column % folded, cell.column / folded),
            None => (cell.column, cell.row),
        };
        let mut text: Vec<String> = if self.folded.is_some() { cell.labels.clone() } else { Vec::new() };
        text.extend(why);
        let params = json!({
            "columns": self.columns, "rows": self.rows, "column": column + 1, "row": row + 1,
            "text": text.join("\n"), "cell": self.width,
        });
        let params: Map<String, serde_json::Value> = params.as_object().cloned().unwrap_or_default();
        let inputs = [("sheet", self.picture.as_ref()), ("picture", picture)];
        let inputs = inputs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect();
        let results = engine.call(SHEET, &params, inputs, options, &Silent)?;
        if let Some((_, sheet)) = results.values.into_iter().next() {
            self.picture = Some(sheet);
        }
        Ok(())
    }

    /// How many cells stand in a row.
    pub(super) fn per_row(&self, sweep: &Sweep) -> usize {
        self.folded.unwrap_or(sweep.columns().values().len())
    }

    /// The sheet as it is by now: an `image`; none where no cell was put on it.
    #[must_use]
    pub fn picture(&self) -> Option<&Value> {
        self.picture.as_ref()
    }
}
