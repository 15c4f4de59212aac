//! 3×3 convolutions. On the CPU in f32 they are matrix products over unrolled patches, done here: candle's own
//! convolution spends more time on unrolling, a number at a time with large strides, than on the product (measured on
//! this VAE). Elsewhere they are candle's, which are also what the test compares with.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module};
use mgie_weights::Weights;
use rayon::prelude::*;

use crate::kernels::{Matrix, multiply};
use crate::layers::numbers;

/// Taps of the kernel along each side.
const TAPS: usize = 3;

/// Pixels of the result that one matrix product computes, at least: enough that reading the weights again for every
/// product does not count.
const RUN: usize = 512;

/// Where the border of zeros lies and how far apart the patches are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// A border of one pixel all around, a patch at each pixel: the size stays.
    One,
    /// A border of one pixel all around, a patch at every other pixel: the size is halved, rounding up.
    Two,
    /// A border of one pixel to the right and below only, a patch at every other pixel: an even size is halved.
    TwoPaddedBehind,
}

impl Stride {
    /// Pixels between patches, and border to the left and above.
    fn step_and_border(self) -> (usize, usize) {
        match self {
            Self::One => (1, 1),
            Self::Two => (2, 1),
            Self::TwoPaddedBehind => (2, 0),
        }
    }

    fn result(self, side: usize) -> usize {
        match self {
            Self::One => side,
            Self::Two => side.div_ceil(2),
            Self::TwoPaddedBehind => side / 2,
        }
    }
}

/// A 3×3 convolution with bias.
#[derive(Debug, Clone)]
pub struct Conv3x3 {
    weights: Kernel,
    stride: Stride,
}

#[derive(Debug, Clone)]
enum Kernel {
    /// f32 `[to, from·9 + 1]`: the kernel row by row, the bias at its end.
    Matrix(Tensor),
    Candle(Conv2d),
}

impl Conv3x3 {
    /// From `from` to `to` channels.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn new(w: &Weights, from: usize, to: usize, stride: Stride) -> Result<Self> {
        let (weight, bias) = (w.get((to, from, TAPS, TAPS), "weight")?, w.get(to, "bias")?);
        Self::from_tensors(&weight, &bias, stride)
    }

    fn from_tensors(weight: &Tensor, bias: &Tensor, stride: Stride) -> Result<Self> {
        let weights = if weight.device().is_cpu() && weight.dtype() == DType::F32 {
            Kernel::Matrix(Tensor::cat(&[weight.flatten_from(1)?, bias.unsqueeze(1)?], 1)?.contiguous()?)
        } else {
            let (stride, padding) = stride.step_and_border();
            let config = Conv2dConfig { stride, padding, ..Conv2dConfig::default() };
            Kernel::Candle(Conv2d::new(weight.clone(), Some(bias.clone()), config))
        };
        Ok(Self { weights, stride })
    }
}

impl Module for Conv3x3 {
    /// `[batch, from, height, width]` to `[batch, to, …]`, in the size that the stride gives.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.weights {
            Kernel::Matrix(matrix) => convolve(matrix, x, self.stride),
            Kernel::Candle(conv) if self.stride == Stride::TwoPaddedBehind => {
                conv.forward(&x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?)
            }
            Kernel::Candle(conv) => conv.forward(x),
        }
    }
}

/// The sizes of one convolution.
#[derive(Clone, Copy)]
struct Sizes {
    channels: usize,
    height: usize,
    width: usize,
    stride: Stride,
}

impl Sizes {
    fn result_height(self) -> usize {
        self.stride.result(self.height)
    }

    fn result_width(self) -> usize {
        self.stride.result(self.width)
    }
}

/// Rows of the result, counted through all pictures of the batch, go in runs through one matrix product each.
fn convolve(matrix: &Tensor, x: &Tensor, stride: Stride) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let (to, columns) = matrix.dims2()?;
    if columns != channels * TAPS * TAPS + 1 {
        candle_core::bail!("a convolution of {} channels on a picture of {channels}", columns / (TAPS * TAPS))
    }
    let sizes = Sizes { channels, height, width, stride };
    let (result_height, result_width) = (sizes.result_height(), sizes.result_width());
    let shape = (batch, to, result_height, result_width);
    let pixels = result_height * result_width;
    if batch * to * pixels == 0 {
        return Tensor::zeros(shape, x.dtype(), x.device());
    }

    let x = x.contiguous()?;
    let [(x_storage, x_layout), (kernel, kernel_layout)] = [&x, matrix].map(Tensor::storage_and_layout);
    let (samples, kernel) = (numbers(&x_storage, x_layout)?, numbers(&kernel, kernel_layout)?);

    let rows = batch * result_height;
    let run = RUN.div_ceil(result_width).min(rows);
    let runs = rows.div_ceil(run);
    let threads = rayon::current_num_threads().div_ceil(runs);
    let products: Vec<_> = (0..runs)
        .into_par_iter()
        .map(|index| {
            let rows = index * run..((index + 1) * run).min(rows);
            let length = rows.len() * result_width;
            let patches = patches(samples, sizes, rows);
            let mut product = vec![0f32; to * length];
            let (kernel, patches) =
                (Matrix::in_rows(kernel, to, columns, columns), Matrix::in_rows(&patches, columns, length, length));
            multiply(kernel, patches, 1.0, &mut product, length, threads);
            product
        })
        .collect();

    let mut result = vec![0f32; batch * to * pixels];
    result.par_chunks_mut(pixels).enumerate().for_each(|(index, plane)| {
        let (picture, channel) = (index / to, index % to);
        for (y, row) in plane.chunks_exact_mut(result_width).enumerate() {
            let at = picture * result_height + y;
            let product = &products[at / run];
            let start = channel * (product.len() / to) + at % run * result_width;
            row.copy_from_slice(&product[start..start + result_width]);
        }
    });
    Tensor::from_vec(result, shape, x.device())
}

/// The patches of some rows of the result, as columns: f32 `[channels·9 + 1, rows·width]`, a row of ones at the end for
/// the bias.
fn patches(samples: &[f32], sizes: Sizes, rows: std::ops::Range<usize>) -> Vec<f32> {
    let Sizes { channels, height, width, stride } = sizes;
    let (step, border) = stride.step_and_border();
    let (result_height, result_width) = (sizes.result_height(), sizes.result_width());
    let mut columns = Vec::with_capacity((channels * TAPS * TAPS + 1) * rows.len() * result_width);
    for channel in 0..channels {
        for (down, across) in (0..TAPS).flat_map(|down| (0..TAPS).map(move |across| (down, across))) {
            for row in rows.clone() {
                let (picture, y) = (row / result_height, row % result_height);
                let line = (y * step + down).checked_sub(border).filter(|line| *line < height).map(|line| {
                    let start = ((picture * channels + channel) * height + line) * width;
                    &samples[start..start + width]
                });
                match line {
                    None => columns.resize(columns.len() + result_width, 0.0),
                    Some(line) => append_taps(&mut columns, line, across, step, border, result_width),
                }
            }
        }
    }
    columns.resize(columns.len() + rows.len() * result_width, 1.0);
    columns
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use candle_core::Device;

    fn numbers(shape: &[usize], seed: f32) -> Tensor {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|index| ((index as f32 + seed) * 0.731).sin());
        Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
    }

    #[test]
    fn every_stride_and_size_gives_what_candles_convolution_gives() {
        let (weight, bias) = (numbers(&[5, 3, 3, 3], 0.1), numbers(&[5], 0.2));
        for stride in [Stride::One, Stride::Two, Stride::TwoPaddedBehind] {
            for (height, width) in [(1, 1), (1, 9), (2, 3), (8, 8), (7, 5), (40, 33)] {
                if stride == Stride::TwoPaddedBehind && (height < 2 || width < 2) {
                    continue;
                }
                let x = numbers(&[3, 3, height, width], 0.3);
                let found = Conv3x3::from_tensors(&weight, &bias, stride).unwrap().forward(&x).unwrap();
                let (step, border) = stride.step_and_border();
                let padded = x.pad_with_zeros(2, border, 1).unwrap().pad_with_zeros(3, border, 1).unwrap();
                let plain = padded.conv2d(&weight, 0, step, 1, 1).unwrap();
                let expected = plain.broadcast_add(&bias.reshape((1, 5, 1, 1)).unwrap()).unwrap();
                assert_eq!(found.dims(), expected.dims(), "{stride:?} {height}×{width}");
                let far = (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(far < 1e-5, "{stride:?} {height}×{width}: {far}");
            }
        }
    }

    #[test]
    fn a_view_into_a_larger_tensor_is_read_where_it_lies() {
        let (weight, bias) = (numbers(&[2, 3, 3, 3], 0.1), numbers(&[2], 0.2));
        let conv = Conv3x3::from_tensors(&weight, &bias, Stride::One).unwrap();
        let large = numbers(&[2, 6, 4, 5], 0.3);
        let view = large.narrow(0, 1, 1).unwrap();
        let (part, copied) = (view.narrow(1, 2, 3).unwrap(), view.narrow(1, 2, 3).unwrap().force_contiguous().unwrap());
        let values = |x: &Tensor| conv.forward(x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(&part), values(&copied));
    }
}
