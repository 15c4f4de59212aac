//! One or two parameters in several values each, side by side: a [`Sweep`] is a graph with one [`Axis`] or two, each
//! combination of their values is a [`Cell`], and a [`Sheet`] shows what they gave. Cells run one by one on one engine, so
//! that what does not hang on the swept parameters runs once. Nothing here knows a window: the command line and the
//! studio both run a sweep on a thread of theirs and are told of each cell.
//!
//! Reading order: [`axis`](Axis) (which values), [`sweep`](Sweep) (which cells, in which order), `running`,
//! [`sheet`](Sheet), [`inscription`] (what a saved sheet tells of its axes).

mod axis;
mod error;
mod inscription;
mod output;
mod running;
mod sheet;
mod sweep;
mod values;

pub use axis::Axis;
pub use error::SweepError;
pub use inscription::{PNG_KEYWORD, inscription};
pub use output::output_shown;
pub use running::{CellReport, SweepEvent, SweepReport};
pub use sheet::{CELL_WIDTH, SHEET, Sheet};
pub use sweep::{Cell, Setting, Sweep};

/// The most cells of a sweep.
pub const MAX_CELLS: usize = 400;
