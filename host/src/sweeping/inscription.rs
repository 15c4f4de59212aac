//! What a saved sheet tells of itself beside the graph: a PNG text chunk with the keyword [`PNG_KEYWORD`], which holds
//!
//! ```json
//! { "output": "vae_decode.image", "per_row": 3,
//!   "columns": { "node": "denoise", "parameter": "guidance", "values": [5.0, 7.5, 10.0] },
//!   "rows": { "node": "denoise", "parameter": "image_guidance", "values": [1.2, 1.8] } }
//! ```
//!
//! `columns` goes across and `rows` down; without `rows`, the values of `columns` fill the sheet row by row, `per_row` cells
//! in each.

use super::{Axis, Sheet, Sweep};
use crate::document::{DocumentError, png_text};
use mgie_plugin_api::Value;
use serde_json::json;
use std::path::Path;

/// Keyword of the text chunk.
pub const PNG_KEYWORD: &str = "mgie_sweep";

/// Where an `image`'s header holds texts by keyword, for files that carry them.
const TEXTS: &str = "texts";

impl Axis {
    /// The axis for machines: node, parameter and values.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json!({ "node": self.node(), "parameter": self.parameter(), "values": self.values() })
    }
}

impl Sheet {
    /// The sheet as it is by now, with what a file is to tell of the sweep; none where no cell was put on it.
    #[must_use]
    pub fn inscribed(&self, sweep: &Sweep) -> Option<Value> {
        self.picture().map(|picture| inscribed(picture, sweep, self.per_row(sweep)))
    }
}

fn inscribed(picture: &Value, sweep: &Sweep, per_row: usize) -> Value {
    let (node, output) = sweep.output();
    let mut told = json!({
        "output": format!("{node}.{output}"), "per_row": per_row, "columns": sweep.columns().to_json(),
    });
    if let Some(rows) = sweep.rows() {
        told["rows"] = rows.to_json();
    }
    let mut header = picture.header().clone();
    header[TEXTS] = json!({ PNG_KEYWORD: told.to_string() });
    Value::new(picture.kind(), header, picture.body().clone())
}

/// What a PNG that is the sheet of a sweep tells of it, as [the module](self) says; none of another picture.
///
/// # Errors
/// Where the file cannot be read, or is no PNG.
pub fn inscription(path: &Path) -> Result<Option<serde_json::Value>, DocumentError> {
    let text = png_text(path, PNG_KEYWORD)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
