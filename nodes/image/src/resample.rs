//! Resampling that gives Pillow's numbers: what `Image.resize` computes for every filter, to the last bit for 8-bit
//! pictures and to the last rounding of an f32 for pictures of higher precision. CLIP's and the diffusion models'
//! image processors resize with Pillow, so that an edit can only be compared with the original if this is the same.
//!
//! Source: Pillow's `Resample.c`, `Geometry.c` (nearest) and `Convert.c` (alpha), as of Pillow 3 to 12: across first,
//! then down. Pillow 13 goes down first where that saves work, which rounds some 8-bit values differently; the models'
//! published results were all made before it.

use thiserror::Error;

use crate::alpha;
use crate::resample_taps::Taps;

/// The weight function of a resampling, named as in Pillow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Takes the source pixel under the centre of the new one; no antialiasing.
    Nearest,
    /// The mean of the source pixels under the new one.
    Box,
    /// A triangle of one source pixel to either side.
    Bilinear,
    /// A Hamming-windowed sinc of one source pixel to either side.
    Hamming,
    /// The cubic convolution with a = -0.5, two source pixels to either side.
    Bicubic,
    /// The sinc windowed by a wider sinc, three source pixels to either side.
    Lanczos,
}

impl Filter {
    /// Every filter under the name that parameters use.
    pub const NAMED: [(&'static str, Filter); 6] = [
        ("nearest", Filter::Nearest),
        ("box", Filter::Box),
        ("bilinear", Filter::Bilinear),
        ("hamming", Filter::Hamming),
        ("bicubic", Filter::Bicubic),
        ("lanczos", Filter::Lanczos),
    ];

    /// The filter of this name (lower case), if there is one.
    pub fn from_name(name: &str) -> Option<Filter> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|&(_, filter)| filter)
    }
}

/// The most samples that a result, or what lies between the two passes, may have.
pub const MAX_SAMPLES: usize = 1 << 30;

/// Why a resampling was refused. Nothing has been allocated by then.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ResampleError {
    /// The samples are not width × height × channels many.
    #[error("{found} samples given for a picture of {width}×{height} with {channels} channels")]
    Length {
        /// Samples given.
        found: usize,
        /// Width said to hold, in pixels.
        width: usize,
        /// Height said to hold, in pixels.
        height: usize,
        /// Channels said to hold.
        channels: usize,
    },
    /// Only grey (1), RGB (3) and RGBA (4) are pictures.
    #[error("a picture has 1, 3 or 4 channels, not {0}")]
    Channels(usize),
    /// A side is zero or longer than 2^24.
    #[error(
        "a picture with a side of 0, or above 16777216, cannot be resized: from {from_width}×{from_height} to {width}×{height}"
    )]
    Size {
        /// Width before, in pixels.
        from_width: usize,
        /// Height before, in pixels.
        from_height: usize,
        /// Width asked for, in pixels.
        width: usize,
        /// Height asked for, in pixels.
        height: usize,
    },
    /// The result, or what lies between the two passes, would not fit in memory.
    #[error(
        "resizing {from_width}×{from_height} to {width}×{height} takes more than {MAX_SAMPLES} samples at a time; \
         do it in steps, or to a smaller size"
    )]
    Memory {
        /// Width before, in pixels.
        from_width: usize,
        /// Height before, in pixels.
        from_height: usize,
        /// Width asked for, in pixels.
        width: usize,
        /// Height asked for, in pixels.
        height: usize,
    },
    /// The part of the source to take does not lie within it.
    #[error("the part {0:?} (left, top, right, bottom) does not lie within the picture")]
    Part([f32; 4]),
    /// The window to compute does not lie within the result.
    #[error("the window {0:?} does not lie within the resized picture")]
    Window(Window),
}

/// A rectangle of whole pixels in a resized picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Columns to leave out at the left.
    pub left: usize,
    /// Rows to leave out at the top.
    pub top: usize,
    /// Columns to keep.
    pub width: usize,
    /// Rows to keep.
    pub height: usize,
}

/// A resize to be done: the new size and filter, and optionally which part of the source is stretched over it and which
/// window of the result is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resize {
    width: usize,
    height: usize,
    filter: Filter,
    part: Option<[f32; 4]>,
    window: Option<Window>,
}

impl Resize {
    /// Stretches the whole source to `width` × `height` pixels.
    pub fn new(width: usize, height: usize, filter: Filter) -> Self {
        Self { width, height, filter, part: None, window: None }
    }

    /// Takes only this part of the source (left, top, right, bottom in source pixels, fractions allowed): Pillow's `box`.
    #[must_use]
    pub fn of_part(mut self, part: [f32; 4]) -> Self {
        self.part = Some(part);
        self
    }

    /// Computes only this window of the result. Its pixels equal those of the whole result, cropped; a centre crop out
    /// of a very long picture thus costs only what it keeps.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Width and height of what comes out, in pixels.
    pub fn result_size(&self) -> (usize, usize) {
        self.window.map_or((self.width, self.height), |window| (window.width, window.height))
    }

    /// Resizes 8-bit samples, `[height, width, channels]` row-major with 1, 3 or 4 channels; four are RGBA with straight
    /// alpha, which is multiplied in before and divided out after as Pillow does. Bit-exact to Pillow.
    pub fn u8(&self, pixels: &[u8], width: usize, height: usize, channels: usize) -> Result<Vec<u8>, ResampleError> {
        let plan = self.plan(pixels.len(), width, height, channels)?;
        if plan.is_identity() {
            return Ok(plan.crop(pixels));
        }
        if self.filter == Filter::Nearest {
            return Ok(plan.nearest(pixels));
        }
        if channels == 4 {
            let mut result = plan.resample_u8(&alpha::multiplied_u8(pixels));
            alpha::divide_u8(&mut result);
            return Ok(result);
        }
        Ok(plan.resample_u8(pixels))
    }

    /// Resizes f32 samples, laid out as for [`Resize::u8`], without clamping: sums in f64, an f32 between the passes and
    /// at the end, as Pillow does for its mode `F`. Four channels are RGBA with straight alpha; where the resized alpha
    /// is zero, colours are left as they were summed.
    pub fn f32(&self, pixels: &[f32], width: usize, height: usize, channels: usize) -> Result<Vec<f32>, ResampleError> {
        let plan = self.plan(pixels.len(), width, height, channels)?;
        if plan.is_identity() {
            return Ok(plan.crop(pixels));
        }
        if self.filter == Filter::Nearest {
            return Ok(plan.nearest(pixels));
        }
        if channels == 4 {
            let mut result = plan.resample_f32(&alpha::multiplied_f32(pixels));
            alpha::divide_f32(&mut result);
            return Ok(result);
        }
        Ok(plan.resample_f32(pixels))
    }

    /// Resizes a picture as it lies on a wire: f32 samples, `[height, width, channels]`. `bit_depth` 8 (every sample is
    /// n/255) takes Pillow's exact 8-bit path and gives n/255 again; 16 takes the f32 path and clamps to 0..1, since
    /// sharp filters overshoot; 32 takes the f32 path unclamped.
    pub fn picture(
        &self,
        samples: &[f32],
        width: usize,
        height: usize,
        channels: usize,
        bit_depth: u8,
    ) -> Result<Vec<f32>, ResampleError> {
        if bit_depth == 8 {
            let bytes: Vec<u8> = samples.iter().map(|&v| (v * 255.0).round_ties_even() as u8).collect();
            let resized = self.u8(&bytes, width, height, channels)?;
            return Ok(resized.into_iter().map(|v| f32::from(v) / 255.0).collect());
        }
        let mut resized = self.f32(samples, width, height, channels)?;
        if bit_depth == 16 {
            resized.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        }
        Ok(resized)
    }

    fn plan(&self, samples: usize, width: usize, height: usize, channels: usize) -> Result<Plan, ResampleError> {
        if !matches!(channels, 1 | 3 | 4) {
            return Err(ResampleError::Channels(channels));
        }
        let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(channels));
        if expected != Some(samples) {
            return Err(ResampleError::Length { found: samples, width, height, channels });
        }
        let sides = [width, height, self.width, self.height];
        // Past 2^24 a side is no longer an exact f32, in which Pillow keeps the part to take.
        if !sides.iter().all(|side| (1..=1 << 24).contains(side)) {
            return Err(ResampleError::Size {
                from_width: width,
                from_height: height,
                width: self.width,
                height: self.height,
            });
        }
        let whole = [0.0, 0.0, width as f32, height as f32];
        let part = self.part.unwrap_or(whole);
        let [left, top, right, bottom] = part;
        let within =
            left >= 0.0 && top >= 0.0 && right <= whole[2] && bottom <= whole[3] && left < right && top < bottom;
        if !within {
            return Err(ResampleError::Part(part));
        }
        let window = self.window.unwrap_or(Window { left: 0, top: 0, width: self.width, height: self.height });
        let inside = |first: usize, length: usize, side: usize| {
            length > 0 && first.checked_add(length).is_some_and(|end| end <= side)
        };
        if !inside(window.left, window.width, self.width) || !inside(window.top, window.height, self.height) {
            return Err(ResampleError::Window(window));
        }
        let between = if self.filter == Filter::Nearest { window.height } else { window.height.max(height) };
        let most = window.width.checked_mul(between).and_then(|pixels| pixels.checked_mul(channels));
        if most.is_none_or(|samples| samples > MAX_SAMPLES) {
            return Err(ResampleError::Memory {
                from_width: width,
                from_height: height,
                width: self.width,
                height: self.height,
            });
        }
        Ok(Plan {
            width,
            channels,
            across: Axis {
                source: width,
                from: left,
                to: right,
                result: self.width,
                first: window.left,
                count: window.width,
            },
            down: Axis {
                source: height,
                from: top,
                to: bottom,
                result: self.height,
                first: window.top,
                count: window.height,
            },
            filter: self.filter,
        })
    }
}

/// Resizes 8-bit samples `[height, width, channels]` to `new_height` × `new_width`, bit-exact to Pillow; see [`Resize::u8`].
pub fn resize_u8(
    pixels: &[u8],
    width: usize,
    height: usize,
    channels: usize,
    new_width: usize,
    new_height: usize,
    filter: Filter,
) -> Result<Vec<u8>, ResampleError> {
    Resize::new(new_width, new_height, filter).u8(pixels, width, height, channels)
}

/// Resizes f32 samples `[height, width, channels]` to `new_height` × `new_width` as Pillow does in mode `F`; see [`Resize::f32`].
pub fn resize_f32(
    pixels: &[f32],
    width: usize,
    height: usize,
    channels: usize,
    new_width: usize,
    new_height: usize,
    filter: Filter,
) -> Result<Vec<f32>, ResampleError> {
    Resize::new(new_width, new_height, filter).f32(pixels, width, height, channels)
}

/// One side of a resize: which stretch of the source becomes how many pixels, and which of those are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    /// Pixels in the source.
    pub source: usize,
    /// Where the stretch begins, in source pixels.
    pub from: f32,
    /// Where the stretch ends, in source pixels.
    pub to: f32,
    /// Pixels that the stretch becomes.
    pub result: usize,
    /// The first of them that is wanted.
    pub first: usize,
    /// How many of them are wanted.
    pub count: usize,
}

impl Axis {
    fn is_identity(&self) -> bool {
        self.result == self.source && self.from == 0.0 && self.to == self.source as f32
    }

    /// The source pixel for each wanted one, nearest. Positions are summed step by step as Pillow does, since that
    /// decides the ties.
    fn nearest(&self) -> Vec<usize> {
        let step = f64::from(self.to - self.from) / self.result as f64;
        let mut position = f64::from(self.from) + step * 0.5;
        let mut taken = Vec::with_capacity(self.count);
        for index in 0..self.first + self.count {
            if index >= self.first {
                taken.push((position as usize).min(self.source - 1));
            }
            position += step;
        }
        taken
    }
}

/// A resize whose sizes have been checked against the samples.
struct Plan {
    width: usize,
    channels: usize,
    across: Axis,
    down: Axis,
    filter: Filter,
}

impl Plan {
    fn is_identity(&self) -> bool {
        self.across.is_identity() && self.down.is_identity()
    }

    fn crop<T: Copy>(&self, pixels: &[T]) -> Vec<T> {
        let (row, left, kept) = self.row_lengths();
        let rows = pixels.chunks_exact(row).skip(self.down.first).take(self.down.count);
        rows.flat_map(|row| row[left..left + kept].iter().copied()).collect()
    }

    fn row_lengths(&self) -> (usize, usize, usize) {
        (self.width * self.channels, self.across.first * self.channels, self.across.count * self.channels)
    }

    fn nearest<T: Copy>(&self, pixels: &[T]) -> Vec<T> {
        let columns = self.across.nearest();
        let row_length = self.width * self.channels;
        let mut result = Vec::with_capacity(self.across.count * self.down.count * self.channels);
        for row in self.down.nearest() {
            let row = &pixels[row * row_length..(row + 1) * row_length];
            for &column in &columns {
                result.extend_from_slice(&row[column * self.channels..(column + 1) * self.channels]);
            }
        }
        result
    }

    /// Both passes, across before down, over only those rows that the second pass looks at. A side that keeps its size
    /// is not filtered, only cut to the window.
    fn two_passes<T: Copy>(
        &self,
        pixels: &[T],
        across: impl Fn(&[T], usize, usize, &Taps) -> Vec<T>,
        down: impl Fn(&[T], usize, &Taps) -> Vec<T>,
    ) -> Vec<T> {
        let down_taps = (!self.down.is_identity()).then(|| Taps::new(&self.down, self.filter));
        let rows = down_taps.as_ref().map_or(self.down.first..self.down.first + self.down.count, Taps::span);
        let row_length = self.width * self.channels;
        let source = &pixels[rows.start * row_length..rows.end * row_length];
        let narrowed = if self.across.is_identity() {
            let (row, left, kept) = self.row_lengths();
            source.chunks_exact(row).flat_map(|row| row[left..left + kept].iter().copied()).collect()
        } else {
            across(source, row_length, self.channels, &Taps::new(&self.across, self.filter))
        };
        match down_taps {
            Some(taps) => down(&narrowed, self.across.count * self.channels, &taps.starting_at(rows.start)),
            None => narrowed,
        }
    }

    fn resample_u8(&self, pixels: &[u8]) -> Vec<u8> {
        use crate::resample_taps::{across_u8, down_u8};
        self.two_passes(pixels, across_u8, down_u8)
    }

    fn resample_f32(&self, pixels: &[f32]) -> Vec<f32> {
        use crate::resample_taps::{across_f32, down_f32};
        self.two_passes(pixels, across_f32, down_f32)
    }
}
