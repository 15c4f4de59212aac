//! The two passes under [`crate::resample`]: how much each source pixel counts for each new one, and the sums, in 8-bit
//! fixed point and in f32. The order of additions and the roundings are Pillow's (`Resample.c`).

use std::f64::consts::PI;
use std::ops::Range;

use crate::resample::{Axis, Filter};

/// Fraction bits of the fixed-point weights: an i32 less the 8 bits of a sample and 2 bits of head room.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// For each new pixel of one side: the first source pixel that counts, and the weights from there on, which sum to 1.
pub(crate) struct Taps {
    /// First source pixel and number of weights.
    bounds: Vec<(usize, usize)>,
    /// `stride` weights for each new pixel, of which the first so many count.
    weights: Vec<f64>,
    stride: usize,
}

impl Taps {
    /// The weights along `axis`. When shrinking, the filter is widened to cover every source pixel (antialiasing).
    pub fn new(axis: &Axis, filter: Filter) -> Self {
        let scale = f64::from(axis.to - axis.from) / axis.result as f64;
        let widening = scale.max(1.0);
        let support = reach(filter) * widening;
        let narrowing = 1.0 / widening;
        // No more weights than source pixels: a filter wider than the source is cut at both its ends.
        let stride = (support.ceil() as usize * 2 + 1).min(axis.source);
        let mut bounds = Vec::with_capacity(axis.count);
        let mut weights = vec![0.0; stride * axis.count];
        for (index, row) in weights.chunks_exact_mut(stride).enumerate() {
            let centre = f64::from(axis.from) + ((axis.first + index) as f64 + 0.5) * scale;
            // Cut towards zero after adding a half; a cast from a negative number gives 0, which is the lowest allowed.
            let first = ((centre - support + 0.5) as usize).min(axis.source - 1);
            let end = ((centre + support + 0.5) as usize).clamp(first, axis.source);
            let row = &mut row[..end - first];
            let mut sum = 0.0;
            for (offset, weight) in row.iter_mut().enumerate() {
                *weight = weigh(filter, ((offset + first) as f64 - centre + 0.5) * narrowing);
                sum += *weight;
            }
            if sum != 0.0 {
                row.iter_mut().for_each(|weight| *weight /= sum);
            }
            bounds.push((first, end - first));
        }
        Self { bounds, weights, stride }
    }

    /// The source pixels between the first and the last that count at all.
    pub fn span(&self) -> Range<usize> {
        let first = self.bounds.first().map_or(0, |&(first, _)| first);
        let end = self.bounds.last().map_or(0, |&(first, count)| first + count);
        first..end.max(first)
    }

    /// The same weights over a source whose first `skipped` pixels have been left out.
    pub fn starting_at(mut self, skipped: usize) -> Self {
        self.bounds.iter_mut().for_each(|(first, _)| *first -= skipped);
        self
    }

    fn rows<'a, W>(&'a self, weights: &'a [W]) -> impl Iterator<Item = (usize, &'a [W])> {
        let cut = |(&(first, count), row): (&(usize, usize), &'a [W])| (first, &row[..count]);
        self.bounds.iter().zip(weights.chunks_exact(self.stride)).map(cut)
    }

    fn fixed_point(&self) -> Vec<i32> {
        let one = f64::from(1 << PRECISION_BITS);
        let rounded = |&w: &f64| {
            if w < 0.0 { (w * one - 0.5) as i32 } else { (w * one + 0.5) as i32 }
        };
        self.weights.iter().map(rounded).collect()
    }
}

/// How far a filter reaches to either side, in source pixels.
fn reach(filter: Filter) -> f64 {
    match filter {
        Filter::Nearest | Filter::Box => 0.5,
        Filter::Bilinear | Filter::Hamming => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

/// The weight at `x` source pixels from the centre, before normalisation.
fn weigh(filter: Filter, x: f64) -> f64 {
    match filter {
        Filter::Nearest | Filter::Box => f64::from(x > -0.5 && x <= 0.5),
        Filter::Bilinear => (1.0 - x.abs()).max(0.0),
        Filter::Hamming => {
            let x = x.abs();
            if x == 0.0 {
                1.0
            } else if x >= 1.0 {
                0.0
            } else {
                // Pillow writes the window's two constants in single precision.
                let x = x * PI;
                x.sin() / x * (f64::from(0.54_f32) + f64::from(0.46_f32) * x.cos())
            }
        }
        Filter::Bicubic => {
            const A: f64 = -0.5;
            let x = x.abs();
            if x < 1.0 {
                ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
            } else if x < 2.0 {
                (((x - 5.0) * x + 8.0) * x - 4.0) * A
            } else {
                0.0
            }
        }
        Filter::Lanczos => {
            if (-3.0..3.0).contains(&x) {
                sinc(x) * sinc(x / 3.0)
            } else {
                0.0
            }
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

/// A fixed-point sum back to 8 bits. The half that rounds it has been added before.
fn to_u8(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Rows of `row_length` 8-bit samples, resampled across.
pub(crate) fn across_u8(source: &[u8], row_length: usize, channels: usize, taps: &Taps) -> Vec<u8> {
    match channels {
        1 => across_u8_of::<1>(source, row_length, taps),
        3 => across_u8_of::<3>(source, row_length, taps),
        _ => across_u8_of::<4>(source, row_length, taps),
    }
}

fn across_u8_of<const C: usize>(source: &[u8], row_length: usize, taps: &Taps) -> Vec<u8> {
    let weights = taps.fixed_point();
    let mut result = Vec::with_capacity(source.len() / row_length * taps.bounds.len() * C);
    for row in source.chunks_exact(row_length) {
        let pixels = row.as_chunks::<C>().0;
        for (first, weights) in taps.rows(&weights) {
            let mut sums = [1 << (PRECISION_BITS - 1); C];
            for (pixel, &weight) in pixels[first..first + weights.len()].iter().zip(weights) {
                for (sum, &sample) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(sample) * weight;
                }
            }
            result.extend_from_slice(&sums.map(to_u8));
        }
    }
    result
}

/// Rows of `row_length` 8-bit samples, resampled down.
pub(crate) fn down_u8(source: &[u8], row_length: usize, taps: &Taps) -> Vec<u8> {
    let weights = taps.fixed_point();
    let mut result = Vec::with_capacity(row_length * taps.bounds.len());
    let mut sums = vec![0_i32; row_length];
    for (first, weights) in taps.rows(&weights) {
        sums.fill(1 << (PRECISION_BITS - 1));
        let rows = source.chunks_exact(row_length).skip(first);
        for (row, &weight) in rows.zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(row) {
                *sum += i32::from(sample) * weight;
            }
        }
        result.extend(sums.iter().map(|&sum| to_u8(sum)));
    }
    result
}

/// Rows of `row_length` f32 samples, resampled across.
pub(crate) fn across_f32(source: &[f32], row_length: usize, channels: usize, taps: &Taps) -> Vec<f32> {
    match channels {
        1 => across_f32_of::<1>(source, row_length, taps),
        3 => across_f32_of::<3>(source, row_length, taps),
        _ => across_f32_of::<4>(source, row_length, taps),
    }
}

fn across_f32_of<const C: usize>(source: &[f32], row_length: usize, taps: &Taps) -> Vec<f32> {
    let mut result = Vec::with_capacity(source.len() / row_length * taps.bounds.len() * C);
    for row in source.chunks_exact(row_length) {
        let pixels = row.as_chunks::<C>().0;
        for (first, weights) in taps.rows(&taps.weights) {
            let mut sums = [0.0_f64; C];
            for (pixel, &weight) in pixels[first..first + weights.len()].iter().zip(weights) {
                for (sum, &sample) in sums.iter_mut().zip(pixel) {
                    *sum += f64::from(sample) * weight;
                }
            }
            result.extend_from_slice(&sums.map(|sum| sum as f32));
        }
    }
    result
}

/// Rows of `row_length` f32 samples, resampled down.
pub(crate) fn down_f32(source: &[f32], row_length: usize, taps: &Taps) -> Vec<f32> {
    let mut result = Vec::with_capacity(row_length * taps.bounds.len());
    let mut sums = vec![0.0_f64; row_length];
    for (first, weights) in taps.rows(&taps.weights) {
        sums.fill(0.0);
        let rows = source.chunks_exact(row_length).skip(first);
        for (row, &weight) in rows.zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(row) {
                *sum += f64::from(sample) * weight;
            }
        }
        result.extend(sums.iter().map(|&sum| sum as f32));
    }
    result
}
