//! The patches that a 3×3 convolution sees, unrolled into the columns of a matrix, and the way back.

use std::ops::Range;

use crate::Stride;

/// Taps of the kernel along each side.
pub(crate) const TAPS: usize = 3;

impl Stride {
    /// Pixels between patches, and border to the left and above.
    fn step_and_border(self) -> (usize, usize) {
        match self {
            Self::One => (1, 1),
            Self::Two => (2, 1),
            Self::TwoPaddedBehind => (2, 0),
        }
    }

    /// How wide or high the result of a convolution is.
    pub(crate) fn result(self, side: usize) -> usize {
        match self {
            Self::One => side,
            Self::Two => side.div_ceil(2),
            Self::TwoPaddedBehind => side / 2,
        }
    }
}

/// The sizes of what is convolved: each picture `[channels, height, width]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) stride: Stride,
}

impl Sizes {
    pub(crate) fn result_height(self) -> usize {
        self.stride.result(self.height)
    }

    pub(crate) fn result_width(self) -> usize {
        self.stride.result(self.width)
    }

    /// Numbers of a picture.
    pub(crate) fn count(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Pixels of a picture's result.
    pub(crate) fn pixels(self) -> usize {
        self.result_height() * self.result_width()
    }

    /// Rows of the matrix of patches.
    pub(crate) fn taps(self) -> usize {
        self.channels * TAPS * TAPS
    }

    /// Where the line of `picture` and `channel` starts that tap `down` of row `y` of the result reads, if it lies in
    /// the picture.
    fn line(self, picture: usize, channel: usize, y: usize, down: usize) -> Option<usize> {
        let (step, border) = self.stride.step_and_border();
        let line = (y * step + down).checked_sub(border).filter(|line| *line < self.height)?;
        Some(((picture * self.channels + channel) * self.height + line) * self.width)
    }
}

/// The patches of some rows of the result, counted through all pictures, as columns: `[channels·9, rows·width]`, put in
/// place of what `columns` holds.
pub(crate) fn unroll(samples: &[f32], sizes: Sizes, rows: Range<usize>, columns: &mut Vec<f32>) {
    let (step, border) = sizes.stride.step_and_border();
    let (result_height, result_width) = (sizes.result_height(), sizes.result_width());
    columns.clear();
    columns.reserve(sizes.taps() * rows.len() * result_width);
    for channel in 0..sizes.channels {
        for (down, across) in (0..TAPS).flat_map(|down| (0..TAPS).map(move |across| (down, across))) {
            for row in rows.clone() {
                match sizes.line(row / result_height, channel, row % result_height, down) {
                    None => columns.resize(columns.len() + result_width, 0.0),
                    Some(start) => {
                        let line = &samples[start..start + sizes.width];
                        append_taps(columns, line, across, step, border, result_width);
                    }
                }
            }
        }
    }
}

/// Every `step`th number of `line`, the first one `across − border` from its start, `count` of them; zeros beyond.
fn append_taps(columns: &mut Vec<f32>, line: &[f32], across: usize, step: usize, border: usize, count: usize) {
    let end = columns.len() + count;
    // At most one number lies before the line: the border is one wide.
    let before = border.saturating_sub(across);
    columns.resize(columns.len() + before, 0.0);
    let from = (before * step + across).saturating_sub(border);
    let line = line.get(from..).unwrap_or_default();
    let room = end - columns.len();
    if step == 1 {
        columns.extend_from_slice(&line[..room.min(line.len())]);
    } else {
        columns.extend(line.iter().step_by(step).take(room));
    }
    columns.resize(end, 0.0);
}

/// Adds each number of `columns`, which lie as [`unroll`] puts them for some rows of one picture's result, to the
/// number of `picture` that it would have been read from.
pub(crate) fn add_rolled(columns: &[f32], sizes: Sizes, rows: Range<usize>, picture: &mut [f32]) {
    let (step, border) = sizes.stride.step_and_border();
    let result_width = sizes.result_width();
    let mut lines = columns.chunks_exact(result_width.max(1));
    for channel in 0..sizes.channels {
        for (down, across) in (0..TAPS).flat_map(|down| (0..TAPS).map(move |across| (down, across))) {
            for (y, line) in rows.clone().zip(&mut lines) {
                let Some(start) = sizes.line(0, channel, y, down) else { continue };
                let before = border.saturating_sub(across);
                let from = (before * step + across).saturating_sub(border);
                let target = &mut picture[start..start + sizes.width];
                let target = target.get_mut(from..).unwrap_or_default();
                for (to, from) in target.iter_mut().step_by(step).zip(&line[before.min(line.len())..]) {
                    *to += from;
                }
            }
        }
    }
}
