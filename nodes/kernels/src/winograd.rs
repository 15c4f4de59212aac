//! 3×3 convolutions of stride 1 with a quarter of the multiplications: tiles of 4×4 pixels of the result, each from 6×6
//! pixels of the input, are transformed so that the convolution becomes 36 products of matrices, one for each place in a
//! tile. It is less exact than the direct product (about 1e-6 of the largest number rather than 1e-7), so training uses it
//! and inference does not. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308,
//! F(4×4, 3×3); the gradients are the transposed transforms.

use pulp::Arch;
use rayon::prelude::*;

use crate::Stride;
use crate::matrix::{Matrix, multiply, multiply_onto};
use crate::patches::Sizes;
use crate::scratch::Scratch;
use crate::winograd_transforms::{Gather, KernelGradients, Kernels, LANES, PLACES, STEP, Spread, Tiles};

/// Tiles that go through one product at a time, at least.
const RUN: usize = 128;

/// In how many parts the weights' gradient is summed at most, and the tiles of a part at least. Parts depend on sizes alone,
/// so that the sum does not depend on the threads at hand.
const SUMS: usize = 4;
const SUMMED: usize = 1024;

/// Channels on both sides from which it is worth its transforms.
const CHANNELS: usize = 32;

/// Tiles of the batch from which it is worth transforming the kernel.
const TILES: usize = 32;

/// Whether the convolution of such pictures to `to` channels is faster this way.
pub(crate) fn pays(sizes: Sizes, batch: usize, to: usize) -> bool {
    let tiles = batch * sizes.height.div_ceil(STEP) * sizes.width.div_ceil(STEP);
    sizes.stride == Stride::One && sizes.channels >= CHANNELS && to >= CHANNELS && tiles >= TILES
}

/// One convolution of pictures `[channels, height, width]`.
#[derive(Debug, Clone, Copy)]
struct Shape {
    from: usize,
    to: usize,
    height: usize,
    width: usize,
}

impl Shape {
    fn pixels(self) -> usize {
        self.height * self.width
    }

    fn tiles(self) -> usize {
        self.height.div_ceil(STEP) * self.width.div_ceil(STEP)
    }

    /// Pictures that go through one product.
    fn run(self) -> usize {
        RUN.div_ceil(self.tiles()).max(1)
    }

    /// The tiles of picture `index` of `pictures`, each pixel of `channels` channels.
    fn tiles_of(self, index: usize, pictures: usize, channels: usize, border: usize) -> Tiles {
        Tiles {
            down: self.height.div_ceil(STEP),
            across: self.width.div_ceil(STEP),
            first: index * self.tiles(),
            all: pictures * self.tiles(),
            width: channels.next_multiple_of(LANES),
            border,
        }
    }

    /// The tiles of pictures `[channels, height, width]`: `[36, tiles, channels rounded up]`.
    fn spread(self, pictures: &[f32], channels: usize, gradient: bool) -> Scratch {
        let count = pictures.len() / (channels * self.pixels());
        let tiles = |index| self.tiles_of(index, count, channels, 1);
        let (width, length) = (tiles(0).width, tiles(0).picture());
        let mut planes = Scratch::new(PLACES * count * self.tiles() * width);
        // The border and the channels that are rounded up stay zero.
        let mut lying = Scratch::zeros(length);
        for (index, picture) in pictures.chunks_exact(channels * self.pixels()).enumerate() {
            let line = tiles(index).picture() / (tiles(index).down * STEP + 2);
            for (y, row) in lying.chunks_exact_mut(line).skip(1).take(self.height).enumerate() {
                let row = &mut row[width..(self.width + 1) * width];
                by_pixel(&picture[y * self.width..], self.pixels(), channels, row, width);
            }
            Arch::new().dispatch(Spread { picture: &lying, tiles: tiles(index), planes: &mut planes, gradient });
        }
        planes
    }
}

/// Channels `stride` apart to the pixels of `row`, each `width` numbers.
fn by_pixel(from: &[f32], stride: usize, channels: usize, row: &mut [f32], width: usize) {
    for first in (0..channels).step_by(LANES) {
        let lanes = LANES.min(channels - first);
        let from: [&[f32]; LANES] = std::array::from_fn(|lane| &from[(first + lane.min(lanes - 1)) * stride..]);
        for (x, pixel) in row.chunks_exact_mut(width).enumerate() {
            let values: [f32; LANES] = std::array::from_fn(|lane| from[lane][x]);
            pixel[first..first + lanes].copy_from_slice(&values[..lanes]);
        }
    }
}

/// The kernel `[to, from, 9]` in the transformed domain: `[36, from, to rounded up]`; or turned round, as the gradient of
/// the input needs it: `[36, to, from rounded up]`.
fn kernels(kernel: &[f32], shape: Shape, turned: bool) -> Scratch {
    let (inputs, outputs) = if turned { (shape.to, shape.from) } else { (shape.from, shape.to) };
    let width = outputs.next_multiple_of(LANES);
    let mut taps = Scratch::zeros(9 * inputs * width);
    for (index, kernel) in kernel.as_chunks::<9>().0.iter().enumerate() {
        let (to, from) = (index / shape.from, index % shape.from);
        let at = if turned { to * width + from } else { from * width + to };
        for tap in 0..9 {
            taps[tap * inputs * width + at] = kernel[if turned { 8 - tap } else { tap }];
        }
    }
    let mut planes = Scratch::new(PLACES * inputs * width);
    Arch::new().dispatch(Kernels { taps: &taps, planes: &mut planes });
    planes
}

/// The convolution of pictures with `kernel` `[to, from, 3, 3]`, or `turned`: the gradient of the input from that of the
/// result.
pub(crate) fn convolve(
    samples: &[f32],
    sizes: Sizes,
    kernel: &[f32],
    bias: Option<&[f32]>,
    to: usize,
    turned: bool,
) -> Vec<f32> {
    let shape = Shape { from: sizes.channels, to, height: sizes.height, width: sizes.width };
    let (inputs, outputs) = if turned { (to, shape.from) } else { (shape.from, to) };
    let kernels = kernels(kernel, shape, turned);
    let pixels = shape.pixels();
    let mut result = vec![0f32; samples.len() / inputs * outputs];
    let width = outputs.next_multiple_of(LANES);
    let run = shape.run();
    let runs = result.par_chunks_mut(run * outputs * pixels).zip(samples.par_chunks(run * inputs * pixels));
    let kernels = &*kernels;
    runs.for_each(|(result, samples)| {
        let count = samples.len() / (inputs * pixels);
        let all = count * shape.tiles();
        let tiles = shape.spread(samples, inputs, false);
        let mut products = Scratch::new(PLACES * all * width);
        let rows = inputs.next_multiple_of(LANES);
        let planes = tiles.chunks_exact(all * rows).zip(kernels.chunks_exact(inputs * width));
        for (product, (tiles, kernel)) in products.chunks_exact_mut(all * width).zip(planes) {
            let tiles = Matrix::in_rows(tiles, all, inputs, rows);
            multiply(tiles, Matrix::in_rows(kernel, inputs, width, width), 1.0, product, width, 1);
        }
        let mut lying = Scratch::new(shape.tiles_of(0, count, outputs, 0).picture());
        for (index, picture) in result.chunks_exact_mut(outputs * pixels).enumerate() {
            let tiles = shape.tiles_of(index, count, outputs, 0);
            Arch::new().dispatch(Gather { planes: &products, tiles, picture: &mut lying });
            for y in 0..shape.height {
                let row = &lying[y * tiles.across * STEP * width..];
                for (channel, plane) in picture.chunks_exact_mut(pixels).enumerate() {
                    let bias = bias.map_or(0.0, |bias| bias[channel]);
                    let line = &mut plane[y * shape.width..(y + 1) * shape.width];
                    for (to, pixel) in line.iter_mut().zip(row.chunks_exact(width)) {
                        *to = pixel[channel] + bias;
                    }
                }
            }
        }
    });
    result
}

/// The gradient of the kernel `[to, from, 3, 3]` from the input and the gradient of the result.
pub(crate) fn kernel_gradient(samples: &[f32], gradient: &[f32], sizes: Sizes, to: usize) -> Vec<f32> {
    let shape = Shape { from: sizes.channels, to, height: sizes.height, width: sizes.width };
    let (from, pixels) = (shape.from, shape.pixels());
    let width = to.next_multiple_of(LANES);
    let rows = from.next_multiple_of(LANES);
    let pictures = samples.len() / (from * pixels);
    let parts = (pictures * shape.tiles() / SUMMED).clamp(1, SUMS);
    let share = pictures.div_ceil(parts);
    let sums: Vec<_> = samples
        .par_chunks(share * from * pixels)
        .zip(gradient.par_chunks(share * to * pixels))
        .map(|(samples, gradient)| {
            let mut sum = Scratch::zeros(PLACES * from * width);
            let run = shape.run();
            for (samples, gradient) in samples.chunks(run * from * pixels).zip(gradient.chunks(run * to * pixels)) {
                let all = samples.len() / (from * pixels) * shape.tiles();
                let tiles = shape.spread(samples, from, false);
                let slopes = shape.spread(gradient, to, true);
                let planes = tiles.chunks_exact(all * rows).zip(slopes.chunks_exact(all * width));
                for (sum, (tiles, slopes)) in sum.chunks_exact_mut(from * width).zip(planes) {
                    let tiles = Matrix::in_rows(tiles, all, from, rows).transposed();
                    multiply_onto(tiles, Matrix::in_rows(slopes, all, width, width), 1.0, sum, width, 1);
                }
            }
            sum
        })
        .collect();
    let mut sums = sums.into_iter();
    let mut planes = sums.next().unwrap_or_else(|| Scratch::zeros(PLACES * from * width));
    for more in sums {
        planes.iter_mut().zip(more.iter()).for_each(|(sum, more)| *sum += more);
    }
    let mut taps = Scratch::new(9 * from * width);
    Arch::new().dispatch(KernelGradients { planes: &planes, taps: &mut taps });
    let mut result = vec![0f32; to * from * 9];
    for (index, kernel) in result.as_chunks_mut::<9>().0.iter_mut().enumerate() {
        let (to, from_channel) = (index / from, index % from);
        for (tap, value) in kernel.iter_mut().enumerate() {
            *value = taps[(tap * from + from_channel) * width + to];
        }
    }
    result
}
