//! Where things lie on a contact sheet: labels above the columns and left of the rows, and cells of one size. How large
//! the cells of a sheet are is seen from the sheet's own size, so that nothing has to be handed on beside the picture.

use crate::lettering::{Canvas, Colour, text_height, text_width};
use mgie_plugin_api::Failure;

const PAPER: Colour = [255; 3];
const INK: Colour = [32; 3];
/// The ground of a cell.
pub const CELL: Colour = [240; 3];

/// Space between things, in pixels.
const GAP: usize = 8;

/// The smallest cell: one that a label of a few letters can stand above.
pub const SMALLEST: (usize, usize) = (96, 64);

/// Scales of labels: large, and small where they would take many lines.
const LARGE: usize = 2;
const SMALL: usize = 1;
const LINES: usize = 3;

/// The widest that labels of rows are, in pixels.
const WIDEST_LABEL: usize = 192;

/// A sheet's labels, and the size of its cells in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid<'l> {
    pub columns: Vec<&'l str>,
    pub rows: Vec<&'l str>,
    pub cell: (usize, usize),
}

impl<'l> Grid<'l> {
    /// A grid of the smallest cells; each line of a text is a label.
    pub fn new(columns: &'l str, rows: &'l str) -> Self {
        let labels = |text: &'l str| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            if lines.is_empty() { vec![""] } else { lines }
        };
        Self { columns: labels(columns), rows: labels(rows), cell: SMALLEST }
    }

    /// The grid with cells that have room for that size, too.
    pub fn with_room_for(&self, size: (usize, usize)) -> Self {
        Self { cell: (self.cell.0.max(size.0), self.cell.1.max(size.1)), ..self.clone() }
    }

    /// The grid of a sheet with these labels and that size, where there is one.
    pub fn of_sheet(&self, sheet: (usize, usize)) -> Option<Self> {
        let across = sheet.0.checked_sub(2 * GAP + self.labels_width())?;
        let width = (across + GAP).checked_div(self.columns.len())?.checked_sub(GAP)?;
        let grid = Self { cell: (width, 0), ..self.clone() };
        let down = sheet.1.checked_sub(2 * GAP + grid.headings_height())?;
        let height = (down + GAP).checked_div(self.rows.len())?.checked_sub(GAP)?;
        let grid = Self { cell: (width, height), ..grid };
        (grid.size() == sheet && width > 0 && height > 0).then_some(grid)
    }

    /// Width and height of the sheet.
    pub fn size(&self) -> (usize, usize) {
        let along = |places: usize, side: usize| places.saturating_mul(side.saturating_add(GAP)).saturating_sub(GAP);
        let width = along(self.columns.len(), self.cell.0).saturating_add(2 * GAP + self.labels_width());
        let height = along(self.rows.len(), self.cell.1).saturating_add(2 * GAP + self.headings_height());
        (width, height)
    }

    /// The top left corner of a cell.
    fn place(&self, (column, row): (usize, usize)) -> (usize, usize) {
        let left = GAP + self.labels_width() + column * (self.cell.0 + GAP);
        let top = GAP + self.headings_height() + row * (self.cell.1 + GAP);
        (left, top)
    }

    fn scale(labels: &[&str], width: usize) -> usize {
        let fits = |label: &&str| text_height(label, width, LARGE) <= LINES * text_height("A", width, LARGE);
        if labels.iter().all(fits) { LARGE } else { SMALL }
    }

    /// The height of the labels above the columns, with the space below them.
    fn headings_height(&self) -> usize {
        let (width, scale) = (self.cell.0, Self::scale(&self.columns, self.cell.0));
        let highest = self.columns.iter().map(|label| text_height(label, width, scale)).max().unwrap_or(0);
        if highest == 0 { 0 } else { highest + GAP / 2 }
    }

    /// The width of the labels left of the rows, with the space behind them.
    fn labels_width(&self) -> usize {
        let widest = self.rows.iter().map(|label| text_width(label, LARGE)).max().unwrap_or(0);
        if widest == 0 { 0 } else { widest.min(WIDEST_LABEL) + GAP }
    }

    /// A sheet of empty cells.
    ///
    /// # Errors
    /// Where it has more pixels than a picture may have.
    pub fn draw(&self) -> Result<Canvas, Failure> {
        let (width, height) = self.size();
        let mut canvas =
            Canvas::new(width, height, PAPER).map_err(|failure| failure.remedy("make the cells smaller, or fewer"))?;
        let scale = Self::scale(&self.columns, self.cell.0);
        for (column, label) in self.columns.iter().enumerate() {
            let left = self.place((column, 0)).0;
            canvas.text(left as i64, GAP as i64, self.cell.0, scale, label, INK);
        }
        let across = self.labels_width().saturating_sub(GAP);
        for (row, label) in self.rows.iter().enumerate().filter(|(_, label)| !label.is_empty()) {
            // On a canvas of its own, so that a long label ends where its row does.
            let mut beside = Canvas::new(across, self.cell.1, PAPER)?;
            beside.text(0, 0, across, Self::scale(&[label], across), label, INK);
            paste(&mut canvas, (GAP, self.place((0, row)).1), &beside)?;
        }
        for row in 0..self.rows.len() {
            for column in 0..self.columns.len() {
                self.clear(&mut canvas, (column, row));
            }
        }
        Ok(canvas)
    }

    fn clear(&self, canvas: &mut Canvas, at: (usize, usize)) {
        let (left, top) = self.place(at);
        canvas.fill_rect(left as i64, top as i64, self.cell.0, self.cell.1, CELL);
    }

    /// The sheet with cells that have room for that size, too: every cell so far in the middle of its larger one.
    ///
    /// # Errors
    /// As [`Grid::draw`].
    pub fn grown(self, sheet: Canvas, size: (usize, usize)) -> Result<(Self, Canvas), Failure> {
        let grid = self.with_room_for(size);
        if grid == self {
            return Ok((self, sheet));
        }
        let mut larger = grid.draw()?;
        for row in 0..self.rows.len() {
            for column in 0..self.columns.len() {
                let (left, top) = self.place((column, row));
                let rows = sheet.pixels.chunks_exact(sheet.width * 3).skip(top).take(self.cell.1);
                let pixels = rows.flat_map(|row| row.get(left * 3..(left + self.cell.0) * 3).unwrap_or_default());
                let cell = Canvas { width: self.cell.0, height: self.cell.1, pixels: pixels.copied().collect() };
                grid.fill(&mut larger, (column, row), Some(&cell))?;
            }
        }
        Ok((grid, larger))
    }

    /// Puts a block into the middle of a cell, in place of what was there; none leaves the cell empty.
    ///
    /// # Errors
    /// A fault where the block has not as many samples as its sides say.
    pub fn fill(&self, canvas: &mut Canvas, at: (usize, usize), block: Option<&Canvas>) -> Result<(), Failure> {
        self.clear(canvas, at);
        let Some(block) = block else { return Ok(()) };
        let (left, top) = self.place(at);
        let left = left + self.cell.0.saturating_sub(block.width) / 2;
        let top = top + self.cell.1.saturating_sub(block.height) / 2;
        paste(canvas, (left, top), block)
    }
}

fn paste(canvas: &mut Canvas, (left, top): (usize, usize), block: &Canvas) -> Result<(), Failure> {
    let size = (block.width, block.height);
    canvas.picture(left as i64, top as i64, size, &block.pixels, size)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_sheet_tells_the_size_of_its_cells() {
        for (columns, rows) in
            [("", ""), ("guidance 5\nguidance 7.5", ""), ("a\n\nc", "image guidance 1.2\nb"), ("\n", "\n\n")]
        {
            for cell in [SMALLEST, (97, 256), (512, 384)] {
                let labels = Grid::new(columns, rows);
                let grid = Grid { cell, ..labels.clone() };
                assert_eq!(labels.of_sheet(grid.size()), Some(grid), "{columns:?} {rows:?} {cell:?}");
            }
        }
        let one = Grid::new("a\nb", "");
        assert_eq!(one.of_sheet((1, 1)), None);
        assert_eq!(one.of_sheet((one.size().0 + 1, one.size().1)), None, "two columns cannot share one pixel");
    }

    #[test]
    fn labels_that_would_take_many_lines_are_small() {
        let long = "a sentence that is long enough to need more than three lines of large letters above a narrow cell";
        assert_eq!(Grid::scale(&["guidance 7.5"], 96), LARGE);
        assert_eq!(Grid::scale(&["guidance 7.5", long], 96), SMALL);
    }

    #[test]
    fn more_cells_than_a_picture_may_have_pixels_are_refused() {
        let columns = "x\n".repeat(5_000);
        let failure = Grid::new(&columns, &columns).draw().unwrap_err().to_string();
        assert!(failure.contains("megapixels"), "{failure}");
    }
}
