//! 3×3 convolutions on the CPU in f32, as matrix products over unrolled patches: candle's own convolution spends more
//! time on unrolling, a number at a time with large strides, than on the product (measured on this project's VAE).
//! Patches are unrolled for a run of pixels at a time, so that they are still in the cache when they are multiplied, and
//! again in the backward pass rather than kept.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::Stride;
use crate::cpu::{Parts, numbers, shaped_as, with_numbers};
use crate::matrix::{Matrix, multiply, multiply_onto};
use crate::patches::{Sizes, TAPS, add_rolled, unroll};
use crate::scratch::Scratch;
use crate::sums::{long_sum, sum_of_rows};
use crate::winograd;

/// Pixels of the result that one matrix product computes, at least: enough that reading the weights again for every
/// product does not count.
const RUN: usize = 512;

/// In how many parts the weights' gradient is summed. Fixed, so that the sum does not depend on the threads at hand.
const SUMS: usize = 4;

/// Pixels of such a part at least.
const SUMMED: usize = 1 << 13;

/// `x` `[batch, from, h, w]`, `weight` `[to, from, 3, 3]`, `bias` `[to]`, all contiguous.
pub(crate) struct Convolution {
    pub(crate) stride: Stride,
    /// Whether the last digits may be given up for speed ([`winograd`]).
    pub(crate) training: bool,
}

impl Convolution {
    /// The sizes of each picture, the number of pictures and the channels of the result.
    fn sizes(&self, x: &Shape, weight: &Shape, bias: &Shape) -> Result<(Sizes, usize, usize)> {
        let (batch, channels, height, width) = x.dims4()?;
        let (to, from, down, across) = weight.dims4()?;
        if from != channels || (down, across) != (TAPS, TAPS) || bias.elem_count() != to {
            bail!("a 3×3 convolution of {x:?} with weights {weight:?} and bias {bias:?}")
        }
        Ok((Sizes { channels, height, width, stride: self.stride }, batch, to))
    }
}

impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        "conv3x3"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (sizes, batch, to) = self.sizes(x_layout.shape(), weight_layout.shape(), bias_layout.shape())?;
        let (x, weight, bias) = (numbers(x, x_layout)?, numbers(weight, weight_layout)?, numbers(bias, bias_layout)?);
        let result = if self.training && winograd::pays(sizes, batch, to) {
            winograd::convolve(x, sizes, weight, Some(bias), to, false)
        } else {
            convolve(x, sizes, batch, weight, Some(bias), to)
        };
        Ok((CpuStorage::F32(result), (batch, to, sizes.result_height(), sizes.result_width()).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (sizes, batch, to) = self.sizes(x.shape(), weight.shape(), bias.shape())?;
        with_numbers([x, weight, gradient], |[samples, kernel, gradient]| {
            let pays = winograd::pays(sizes, batch, to);
            let of_x = x.track_op().then(|| {
                shaped_as(
                    x,
                    if pays {
                        winograd::convolve(gradient, sizes, kernel, None, to, true)
                    } else {
                        input_gradient(gradient, sizes, batch, kernel, to)
                    },
                )
            });
            let of_weight = weight.track_op().then(|| {
                shaped_as(
                    weight,
                    if pays {
                        winograd::kernel_gradient(samples, gradient, sizes, to)
                    } else {
                        kernel_gradient(samples, gradient, sizes, batch, to)
                    },
                )
            });
            let of_bias = bias.track_op().then(|| shaped_as(bias, channel_sums(gradient, sizes.pixels(), to)));
            Ok((of_x.transpose()?, of_weight.transpose()?, of_bias.transpose()?))
        })
    }
}

/// Rows of the result, counted through all pictures of the batch, go in runs through one matrix product each.
fn runs(sizes: Sizes, rows: usize) -> (usize, usize) {
    let run = RUN.div_ceil(sizes.result_width().max(1)).clamp(1, rows.max(1));
    (run, rows.div_ceil(run))
}

/// The parts of some rows, counted through all pictures, that lie in one picture each: the picture, the rows there, and
/// the rows among those asked for.
fn by_picture(rows: Range<usize>, height: usize) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> {
    let first = rows.start;
    (rows.start / height..rows.end.div_ceil(height)).map(move |picture| {
        let top = picture * height;
        let part = rows.start.max(top)..rows.end.min(top + height);
        (picture, part.start - top..part.end - top, part.start - first..part.end - first)
    })
}

/// The convolution of `batch` pictures with `kernel` `[to, channels·9]`.
fn convolve(samples: &[f32], sizes: Sizes, batch: usize, kernel: &[f32], bias: Option<&[f32]>, to: usize) -> Vec<f32> {
    let (height, width, pixels, taps) = (sizes.result_height(), sizes.result_width(), sizes.pixels(), sizes.taps());
    let mut result = vec![0f32; batch * to * pixels];
    if result.is_empty() {
        return result;
    }
    let rows = batch * height;
    let (run, count) = runs(sizes, rows);
    let threads = rayon::current_num_threads().div_ceil(count);
    let target = Parts::new(&mut result);
    (0..count).into_par_iter().for_each_init(Default::default, |(patches, product): &mut (Vec<f32>, Vec<f32>), at| {
        let rows = at * run..((at + 1) * run).min(rows);
        let length = rows.len() * width;
        unroll(samples, sizes, rows.clone(), patches);
        product.resize(to * length, 0.0);
        let kernel = Matrix::in_rows(kernel, to, taps, taps);
        multiply(kernel, Matrix::in_rows(patches, taps, length, length), 1.0, product, length, threads);
        for (picture, there, here) in by_picture(rows, height) {
            for (channel, product) in product.chunks_exact(length).enumerate() {
                let product = &product[here.start * width..here.end * width];
                let start = ((picture * to + channel) * height + there.start) * width;
                // SAFETY: every row of the result belongs to one run, every run to one task, and this one asks for
                // each of its rows once.
                let result = unsafe { target.part(start, product.len()) };
                let bias = bias.map_or(0.0, |bias| bias[channel]);
                for (to, from) in result.iter_mut().zip(product) {
                    *to = from + bias;
                }
            }
        }
    });
    result
}

/// The gradient of the samples from that of the result.
fn input_gradient(gradient: &[f32], sizes: Sizes, batch: usize, kernel: &[f32], to: usize) -> Vec<f32> {
    let (height, width, taps) = (sizes.result_height(), sizes.result_width(), sizes.taps());
    if sizes.stride == Stride::One {
        // What each pixel passed to its neighbours comes back from them: the same convolution, turned round.
        let mut turned = vec![0f32; kernel.len()];
        for (channel, from) in kernel.chunks_exact(TAPS * TAPS).enumerate() {
            let (to_channel, from_channel) = (channel / sizes.channels, channel % sizes.channels);
            let start = (from_channel * to + to_channel) * TAPS * TAPS;
            turned[start..start + TAPS * TAPS].iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
        }
        return convolve(gradient, Sizes { channels: to, ..sizes }, batch, &turned, None, sizes.channels);
    }
    let mut result = vec![0f32; batch * sizes.count()];
    if gradient.is_empty() || result.is_empty() {
        return result;
    }
    let (run, count) = runs(sizes, height);
    let pictures = result.par_chunks_mut(sizes.count()).zip(gradient.par_chunks(to * sizes.pixels()));
    pictures.for_each_init(Vec::new, |patches, (result, gradient)| {
        for at in 0..count {
            let rows = at * run..((at + 1) * run).min(height);
            let length = rows.len() * width;
            patches.resize(taps * length, 0.0);
            let kernel = Matrix::in_rows(kernel, to, taps, taps).transposed();
            let gradient = Matrix::in_rows(&gradient[rows.start * width..], to, length, sizes.pixels());
            multiply(kernel, gradient, 1.0, patches, length, 1);
            add_rolled(patches, sizes, rows, result);
        }
    });
    result
}

/// The gradient of the kernel.
fn kernel_gradient(samples: &[f32], gradient: &[f32], sizes: Sizes, batch: usize, to: usize) -> Vec<f32> {
    let (height, width, taps) = (sizes.result_height(), sizes.result_width(), sizes.taps());
    let mut result = vec![0f32; to * taps];
    if gradient.is_empty() || result.is_empty() {
        return result;
    }
    let rows = batch * height;
    let (run, count) = runs(sizes, rows);
    let parts = (rows * width / SUMMED).clamp(1, SUMS);
    let share = count.div_ceil(parts);
    let sums: Vec<_> = (0..count.div_ceil(share))
        .into_par_iter()
        .map(|part| {
            // Turned, since the product is twice as fast where the longer side comes first.
            let mut sum = Scratch::zeros(taps * to);
            let (mut patches, mut gathered) = (Vec::new(), Vec::new());
            for at in part * share..((part + 1) * share).min(count) {
                let rows = at * run..((at + 1) * run).min(rows);
                let length = rows.len() * width;
                unroll(samples, sizes, rows.clone(), &mut patches);
                gathered.resize(to * length, 0.0);
                for (channel, gathered) in gathered.chunks_exact_mut(length).enumerate() {
                    for (picture, there, here) in by_picture(rows.clone(), height) {
                        let start = ((picture * to + channel) * height + there.start) * width;
                        let from = &gradient[start..start + there.len() * width];
                        gathered[here.start * width..here.end * width].copy_from_slice(from);
                    }
                }
                let gathered = Matrix::in_rows(&gathered, to, length, length).transposed();
                multiply_onto(Matrix::in_rows(&patches, taps, length, length), gathered, 1.0, &mut sum, to, 1);
            }
            sum
        })
        .collect();
    for sum in sums {
        for (channel, kernel) in result.chunks_exact_mut(taps).enumerate() {
            kernel.iter_mut().zip(sum[channel..].iter().step_by(to)).for_each(|(to, from)| *to += from);
        }
    }
    result
}

/// The sum of each channel's numbers over all pictures.
fn channel_sums(gradient: &[f32], pixels: usize, to: usize) -> Vec<f32> {
    let planes: Vec<_> = gradient.chunks_exact(pixels.max(1)).map(|plane| long_sum(plane, |x| x) as f32).collect();
    sum_of_rows(&planes, to)
}
