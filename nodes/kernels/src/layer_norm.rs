//! Layer norm and RMS norm over the last dimension on the CPU in f32; backward they compute mean and deviation again.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use pulp::Arch;
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};
use crate::sums::{sum, sum_of_pairs, sum_of_rows};

/// Rows that one task works on.
const RUN: usize = 64;

/// `x` `[…, width]`, `weight` and `bias` `[width]`, all contiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerNorm {
    /// What is added to the variance.
    pub(crate) eps: f64,
}

/// `x` `[…, width]`, `weight` `[width]`, both contiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RmsNorm {
    /// What is added to the mean of the squares.
    pub(crate) eps: f64,
}

fn width(x: &Shape, parameters: &[&Shape]) -> Result<usize> {
    let width = x.dims().last().copied().unwrap_or_default();
    if width == 0 || parameters.iter().any(|parameter| parameter.elem_count() != width) {
        bail!("a norm of {x:?} with parameters {parameters:?}")
    }
    Ok(width)
}

/// Calls `f` with every row of the result and of `x`.
fn each_row(x: &[f32], width: usize, f: impl Fn(&mut [f32], &[f32]) + Sync) -> Vec<f32> {
    let mut result = vec![0f32; x.len()];
    result.par_chunks_mut(RUN * width).zip(x.par_chunks(RUN * width)).for_each(|(to, from)| {
        Arch::new().dispatch(
            #[inline(always)]
            || to.chunks_exact_mut(width).zip(from.chunks_exact(width)).for_each(|(to, from)| f(to, from)),
        );
    });
    result
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
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
        let width = width(xl.shape(), &[wl.shape(), bl.shape()])?;
        let (x, weight, bias) = (numbers(x, xl)?, numbers(w, wl)?, numbers(b, bl)?);
        let result = each_row(
            x,
            width,
            #[inline(always)]
            |to, from| {
                let (mean, factor) = self.statistics(from);
                for ((to, from), (weight, bias)) in to.iter_mut().zip(from).zip(weight.iter().zip(bias)) {
                    *to = (from - mean) * factor * weight + bias;
                }
            },
        );
        Ok((CpuStorage::F32(result), xl.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weight, of_bias) = backward(
            [x, weight, gradient],
            #[inline(always)]
            |from| self.statistics(from),
            true,
        )?;
        let parameter = |x: &Tensor, sums| x.track_op().then(|| shaped_as(x, sums)).transpose();
        let of_x = x.track_op().then(|| shaped_as(x, of_x)).transpose()?;
        Ok((of_x, parameter(weight, of_weight)?, parameter(bias, of_bias)?))
    }
}

impl LayerNorm {
    /// The mean, and what brings the deviation to 1.
    #[inline(always)]
    fn statistics(&self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f32;
        let mean = sum(row, |value| value) / count;
        let variance = sum(row, |value| (value - mean) * (value - mean)) / count;
        (mean, 1.0 / (variance + self.eps as f32).sqrt())
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = width(xl.shape(), &[wl.shape()])?;
        let (x, weight) = (numbers(x, xl)?, numbers(w, wl)?);
        let result = each_row(
            x,
            width,
            #[inline(always)]
            |to, from| {
                let (_, factor) = self.statistics(from);
                for ((to, from), weight) in to.iter_mut().zip(from).zip(weight) {
                    *to = from * factor * weight;
                }
            },
        );
        Ok((CpuStorage::F32(result), xl.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weight, _) = backward(
            [x, weight, gradient],
            #[inline(always)]
            |from| self.statistics(from),
            false,
        )?;
        let of_x = x.track_op().then(|| shaped_as(x, of_x)).transpose()?;
        Ok((of_x, weight.track_op().then(|| shaped_as(weight, of_weight)).transpose()?))
    }
}

impl RmsNorm {
    /// No mean is taken away: 0, and what brings the root of the mean square to 1.
    #[inline(always)]
    fn statistics(&self, row: &[f32]) -> (f32, f32) {
        let square = sum(row, |value| value * value) / row.len() as f32;
        (0.0, 1.0 / (square + self.eps as f32).sqrt())
    }
}

/// The gradients of `x`, of the weight and of the bias. `statistics` gives what is taken from each number of a row and
/// what it is then multiplied by; `centred` says whether the first is the row's mean.
fn backward(
    inputs: [&Tensor; 3],
    statistics: impl Fn(&[f32]) -> (f32, f32) + Sync,
    centred: bool,
) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
    with_numbers(inputs, |[x, weight, gradient]| {
        let width = weight.len();
        let mut of_x = vec![0f32; x.len()];
        let runs = x.len().div_ceil(RUN * width);
        // Of every run of rows: summed from the first to the last at the end.
        let [mut of_weight, mut of_bias] = [(); 2].map(|()| vec![0f32; runs * width]);
        let rows =
            of_x.par_chunks_mut(RUN * width).zip(x.par_chunks(RUN * width).zip(gradient.par_chunks(RUN * width)));
        let sums = of_weight.par_chunks_mut(width).zip(of_bias.par_chunks_mut(width));
        rows.zip(sums).for_each(|((to, (from, gradient)), (of_weight, of_bias))| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    let rows = from.chunks_exact(width).zip(gradient.chunks_exact(width));
                    for (to, (from, gradient)) in to.chunks_exact_mut(width).zip(rows) {
                        let (mean, factor) = statistics(from);
                        for i in 0..width {
                            of_weight[i] += gradient[i] * (from[i] - mean) * factor;
                            of_bias[i] += gradient[i];
                            to[i] = gradient[i] * weight[i];
                        }
                        let count = width as f32;
                        let alone = if centred { sum(to, |value| value) / count } else { 0.0 };
                        let with_normal = sum_of_pairs(to, from, |to, from| to * (from - mean)) * factor / count;
                        for (to, from) in to.iter_mut().zip(from) {
                            *to = factor * (*to - alone - (from - mean) * factor * with_normal);
                        }
                    }
                },
            );
        });
        Ok((of_x, sum_of_rows(&of_weight, width), sum_of_rows(&of_bias, width)))
    })
}
