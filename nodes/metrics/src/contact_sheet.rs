//! Node `metrics.contact_sheet`: the first pairs of a data set with every method's edit, on one labelled picture.

use mgie_image::lettering::{Canvas, Colour, text_height};
use mgie_image::resample::{Filter, Resize};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};
use mgie_weights::pool;
use std::path::PathBuf;

use crate::methods::{dataset, methods, with_inputs};
use crate::pixels::Rgb;

const PAPER: Colour = [255, 255, 255];
const INK: Colour = [24, 24, 24];
const FAINT: Colour = [110, 110, 110];
const RULE: Colour = [208, 208, 208];

/// Space between things, in pixels.
const GAP: usize = 8;

/// Pixels of a picture's caption that are one pixel of a letter: small, so that a sentence fits under a picture.
const SMALL: usize = 1;
const LARGE: usize = 2;

/// The node type.
pub fn definition() -> NodeDefinition {
    let description = with_inputs(NodeDescription::new(
        "metrics.contact_sheet",
        "Contact sheet",
        "Metrics",
        "The first pairs of a data set on one picture, a row each: the instruction, the source, every method's edit with \
         the expressive instruction it was made by, and the goal.",
    ))
    .parameter(
        "count",
        "Count",
        Domain::Integer { default: 8, hard: [1, 1000], soft: [1, 24] },
        "How many pairs, from the first.",
    )
    .parameter(
        "cell",
        "Picture",
        Domain::Integer { default: 128, hard: [32, 1024], soft: [96, 256] },
        "Width of each picture on the sheet.",
    )
    .unit("px")
    .output("image", "Image", kind::IMAGE, "The sheet.")
    // What lies in the folders is not part of the cache key.
    .with_side_effect();
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || sheet(run)))
}

/// One row of the sheet: pictures with what is written under them.
struct Row {
    instruction: String,
    cells: Vec<(Rgb, String)>,
}

impl Row {
    /// Its height in pixels, with the space after it.
    fn height(&self, width: usize, cell: usize) -> usize {
        let texts = self.cells.iter().map(|(_, text)| text_height(text, cell, SMALL)).max().unwrap_or_default();
        text_height(&self.instruction, width, LARGE) + GAP + cell + GAP / 2 + texts + 2 * GAP
    }
}

fn sheet(run: &Run) -> Result<Outputs, Failure> {
    let (methods, set, size) = (methods(run)?, dataset(run)?, run.count("size")?);
    let (count, cell) = (run.count("count")?.min(set.len()), run.count("cell")?.max(1));
    let mut headings = vec!["source"];
    headings.extend(methods.iter().map(|method| method.name.as_str()));
    headings.push("goal");

    let mut rows = Vec::with_capacity(count);
    for (index, entry) in set.entries().iter().take(count).enumerate() {
        run.progress(index as u64, count as u64, "reading");
        run.check_cancelled()?;
        let pair = set.pair(index, size)?;
        let of = |picture, path: &PathBuf| Rgb::of(picture).map_err(|found| Failure::file(path, found));
        let mut cells = vec![(of(pair.source, &entry.source)?, String::new())];
        for method in &methods {
            let text = method.text(&entry.name).unwrap_or_default().to_owned();
            cells.push((method.edit(&entry.name, size)?, text));
        }
        cells.push((of(pair.goal, &entry.goal)?, entry.expressive.clone().unwrap_or_default()));
        rows.push(Row { instruction: entry.instruction.clone(), cells });
    }

    let width = headings.len() * (cell + GAP) - GAP;
    let heading_height = headings.iter().map(|text| text_height(text, cell, LARGE)).max().unwrap_or_default();
    let height = GAP + heading_height + GAP + rows.iter().map(|row| row.height(width, cell)).sum::<usize>();
    let mut canvas = Canvas::new(width + 2 * GAP, height, PAPER)?;
    let left = |column: usize| (GAP + column * (cell + GAP)) as i64;
    for (column, heading) in headings.iter().enumerate() {
        canvas.text(left(column), GAP as i64, cell, LARGE, heading, FAINT);
    }
    let mut top = (GAP + heading_height + GAP) as i64;
    for row in &rows {
        run.check_cancelled()?;
        canvas.fill_rect(left(0), top - GAP as i64 / 2, width, 1, RULE);
        let pictures = top + (canvas.text(left(0), top, width, LARGE, &row.instruction, INK) + GAP) as i64;
        for (column, (picture, text)) in row.cells.iter().enumerate() {
            let bytes = Resize::new(cell, cell, Filter::Bicubic).u8(&picture.bytes(), picture.width, picture.height, 3);
            let bytes = bytes.map_err(|error| Failure::parameter("cell", "a size to draw at", error.to_string()))?;
            canvas.picture(left(column), pictures, (cell, cell), &bytes, (cell, cell))?;
            canvas.text(left(column), pictures + (cell + GAP / 2) as i64, cell, SMALL, text, INK);
        }
        top += row.height(width, cell) as i64;
    }
    Ok(Outputs::new().with("image", canvas.to_picture().into_value()?))
}
