//! 1×1 convolutions on the CPU in f32: a matrix product a picture, without unrolling anything.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};
use crate::matrix::{Matrix, multiply, multiply_onto};
use crate::sums::{long_sum, sum_of_rows};

/// In how many parts sums over pictures are taken. Fixed, so that they do not depend on the threads at hand.
const SUMS: usize = 4;

/// A 1×1 convolution: `x` `[batch, from, h, w]`, `weight` `[to, from, 1, 1]`, `bias` `[to]`, all contiguous.
pub(crate) struct Pointwise;

struct Planes {
    batch: usize,
    from: usize,
    to: usize,
    height: usize,
    width: usize,
}

impl Planes {
    fn of(x: &Shape, weight: &Shape, bias: &Shape) -> Result<Self> {
        let (batch, channels, height, width) = x.dims4()?;
        let (to, from, down, across) = weight.dims4()?;
        if from != channels || (down, across) != (1, 1) || bias.elem_count() != to {
            bail!("a 1×1 convolution of {x:?} with weights {weight:?} and bias {bias:?}")
        }
        Ok(Self { batch, from, to, height, width })
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }
}

impl CustomOp3 for Pointwise {
    fn name(&self) -> &'static str {
        "conv1x1"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let planes = Planes::of(xl.shape(), wl.shape(), bl.shape())?;
        let Planes { batch, from, to, height, width } = planes;
        let (x, weight, bias) = (numbers(x, xl)?, numbers(w, wl)?, numbers(b, bl)?);
        let weight = Matrix::in_rows(weight, to, from, from);
        let result = each_picture(x, weight, Some(bias), batch, planes.pixels());
        Ok((CpuStorage::F32(result), (batch, to, height, width).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let planes = Planes::of(x.shape(), weight.shape(), bias.shape())?;
        let Planes { batch, from, to, .. } = planes;
        let pixels = planes.pixels();
        with_numbers([x, weight, gradient], |[samples, weights, slopes]| {
            let of_x = x.track_op().then(|| {
                let weights = Matrix::in_rows(weights, to, from, from).transposed();
                shaped_as(x, each_picture(slopes, weights, None, batch, pixels))
            });
            let of_weight = weight.track_op().then(|| {
                let share = batch.div_ceil(SUMS).max(1);
                let pictures = samples.par_chunks((share * from * pixels).max(1));
                let sums =
                    pictures.zip(slopes.par_chunks((share * to * pixels).max(1))).flat_map_iter(|(samples, slopes)| {
                        let mut sum = vec![0f32; to * from];
                        for (samples, slopes) in samples.chunks(from * pixels).zip(slopes.chunks(to * pixels)) {
                            let samples = Matrix::in_rows(samples, from, pixels, pixels).transposed();
                            multiply_onto(Matrix::in_rows(slopes, to, pixels, pixels), samples, 1.0, &mut sum, from, 1);
                        }
                        sum
                    });
                shaped_as(weight, sum_of_rows(&sums.collect::<Vec<_>>(), to * from))
            });
            let of_bias = bias.track_op().then(|| {
                let sums: Vec<_> = slopes.chunks(pixels.max(1)).map(|plane| long_sum(plane, |x| x) as f32).collect();
                shaped_as(bias, sum_of_rows(&sums, to))
            });
            Ok((of_x.transpose()?, of_weight.transpose()?, of_bias.transpose()?))
        })
    }
}

/// `weight [to, from]` times each picture `[from, pixels]`, each channel begun with its bias.
fn each_picture(x: &[f32], weight: Matrix, bias: Option<&[f32]>, batch: usize, pixels: usize) -> Vec<f32> {
    let (to, from) = (weight.rows, weight.columns);
    let mut result = vec![0f32; batch * to * pixels];
    if result.is_empty() || from == 0 {
        return result;
    }
    let threads = rayon::current_num_threads().div_ceil(batch);
    result.par_chunks_mut(to * pixels).zip(x.par_chunks(from * pixels)).for_each(|(result, picture)| {
        let picture = Matrix::in_rows(picture, from, pixels, pixels);
        match bias {
            None => multiply(weight, picture, 1.0, result, pixels, threads),
            Some(bias) => {
                result.chunks_exact_mut(pixels).zip(bias).for_each(|(plane, bias)| plane.fill(*bias));
                multiply_onto(weight, picture, 1.0, result, pixels, threads);
            }
        }
    });
    result
}
