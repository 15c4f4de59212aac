//! Linear maps on the CPU in f32: the product and the bias in one pass, and backward the gradients of the weight and of
//! the bias without the strided sums that candle takes for them.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};
use crate::matrix::{Matrix, multiply, multiply_onto};
use crate::sums::sum_of_rows;

/// Rows that one task multiplies.
const RUN: usize = 512;

/// Rows of the weight whose gradient one task computes.
const OUTPUTS: usize = 128;

/// Fewer rows than these go through one product with all threads, since cutting them leaves the threads nothing.
const FEW: usize = 64;

/// `x` `[…, in]`, `weight` `[out, in]`, and `bias` `[out]` or none, all contiguous.
pub(crate) struct Linear;

/// Rows, width in and width out.
fn sizes(x: &Shape, weight: &Shape, bias: Option<&Shape>) -> Result<(usize, usize, usize)> {
    let (out, width) = weight.dims2()?;
    if x.dims().last() != Some(&width) || bias.is_some_and(|bias| bias.elem_count() != out) {
        bail!("a linear map of {x:?} with weights {weight:?} and bias {bias:?}")
    }
    Ok((x.elem_count() / width.max(1), width, out))
}

fn result_shape(x: &Shape, out: usize) -> Shape {
    let mut dims = x.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = out;
    }
    dims.into()
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width, out) = sizes(xl.shape(), wl.shape(), None)?;
        let result = forward(numbers(x, xl)?, numbers(w, wl)?, None, rows, width, out);
        Ok((CpuStorage::F32(result), result_shape(xl.shape(), out)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weight, _) = backward(x, weight, None, gradient)?;
        Ok((of_x, of_weight))
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let (rows, width, out) = sizes(xl.shape(), wl.shape(), Some(bl.shape()))?;
        let result = forward(numbers(x, xl)?, numbers(w, wl)?, Some(numbers(b, bl)?), rows, width, out);
        Ok((CpuStorage::F32(result), result_shape(xl.shape(), out)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        backward(x, weight, Some(bias), gradient)
    }
}

/// `left [rows, k] · right [k, columns]`, each row begun with `start`.
fn product(left: &[f32], right: Matrix, start: Option<&[f32]>, rows: usize) -> Vec<f32> {
    let (k, columns) = (right.rows, right.columns);
    let mut result = vec![0f32; rows * columns];
    if result.is_empty() {
        return result;
    }
    let run = |result: &mut [f32], left: &[f32], threads| {
        let rows = result.len() / columns;
        let left = Matrix::in_rows(left, rows, k, k);
        match start {
            None => multiply(left, right, 1.0, result, columns, threads),
            Some(start) => {
                result.chunks_exact_mut(columns).for_each(|row| row.copy_from_slice(start));
                multiply_onto(left, right, 1.0, result, columns, threads);
            }
        }
    };
    if rows < FEW || k == 0 {
        run(&mut result, left, rayon::current_num_threads());
    } else {
        result
            .par_chunks_mut(RUN * columns)
            .zip(left.par_chunks(RUN * k))
            .for_each(|(result, left)| run(result, left, 1));
    }
    result
}

fn forward(x: &[f32], weight: &[f32], bias: Option<&[f32]>, rows: usize, width: usize, out: usize) -> Vec<f32> {
    product(x, Matrix::in_rows(weight, out, width, width).transposed(), bias, rows)
}

/// Of the input, the weight and the bias.
type Gradients = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

fn backward(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, gradient: &Tensor) -> Result<Gradients> {
    let (rows, width, out) = sizes(x.shape(), weight.shape(), bias.map(Tensor::shape))?;
    with_numbers([x, weight, gradient], |[samples, weights, slopes]| {
        let of_x = x.track_op().then(|| {
            let weights = Matrix::in_rows(weights, out, width, width);
            shaped_as(x, product(slopes, weights, None, rows))
        });
        let of_weight = weight.track_op().then(|| {
            let mut of_weight = vec![0f32; out * width];
            if !of_weight.is_empty() {
                of_weight.par_chunks_mut(OUTPUTS * width).enumerate().for_each(|(part, of_weight)| {
                    let (first, outputs) = (part * OUTPUTS, of_weight.len() / width);
                    let slopes = slopes.get(first..).unwrap_or_default();
                    let slopes = Matrix::in_rows(slopes, rows, outputs, out).transposed();
                    multiply(slopes, Matrix::in_rows(samples, rows, width, width), 1.0, of_weight, width, 1);
                });
            }
            shaped_as(weight, of_weight)
        });
        let of_bias = bias.filter(|bias| bias.track_op()).map(|bias| {
            // Summed in runs, so that the sum of many rows keeps its digits.
            let runs: Vec<_> =
                slopes.par_chunks((RUN * out).max(1)).flat_map_iter(|run| sum_of_rows(run, out)).collect();
            shaped_as(bias, sum_of_rows(&runs, out))
        });
        Ok((of_x.transpose()?, of_weight.transpose()?, of_bias.transpose()?))
    })
}
