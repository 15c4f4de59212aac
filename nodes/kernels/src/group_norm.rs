//! Group norm on the CPU in f32, with the SiLU that follows it, in one go; backward it computes mean and deviation again.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use pulp::Arch;
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};
use crate::exponential::exp;
use crate::sums::{long_sum, sum_of_rows};

/// `x` `[batch, channels, height, width]`, `weight` and `bias` `[channels]`, all contiguous. Each group of channels of a
/// picture is brought to mean 0 and variance 1, and each channel scaled and shifted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupNorm {
    /// In how many groups the channels lie.
    pub(crate) groups: usize,
    /// What is added to the variance.
    pub(crate) eps: f64,
    /// Whether SiLU follows.
    pub(crate) silu: bool,
}

impl GroupNorm {
    /// Channels of a group, and numbers of a plane.
    fn sizes(&self, x: &Shape, weight: &Shape, bias: &Shape) -> Result<(usize, usize)> {
        let (_, channels, height, width) = x.dims4()?;
        let fits = self.groups > 0 && channels % self.groups == 0;
        if !fits || weight.elem_count() != channels || bias.elem_count() != channels {
            bail!("a norm of {} channels in {} groups on {channels}", weight.elem_count(), self.groups)
        }
        Ok((channels / self.groups, height * width))
    }
}

impl CustomOp3 for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
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
        let (channels, pixels) = self.sizes(x_layout.shape(), weight_layout.shape(), bias_layout.shape())?;
        let (x, weight, bias) = (numbers(x, x_layout)?, numbers(weight, weight_layout)?, numbers(bias, bias_layout)?);
        let mut result = vec![0f32; x.len()];
        let length = (channels * pixels).max(1);
        result.par_chunks_mut(length).zip(x.par_chunks(length)).enumerate().for_each(|(index, (to, from))| {
            let first = index % self.groups * channels;
            let group = first..first + channels;
            let (weight, bias) = (&weight[group.clone()], &bias[group]);
            Arch::new().dispatch(
                #[inline(always)]
                || self.normalise(from, to, weight, bias),
            );
        });
        Ok((CpuStorage::F32(result), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (channels, pixels) = self.sizes(x.shape(), weight.shape(), bias.shape())?;
        with_numbers([x, weight, bias, gradient], |[samples, weights, biases, gradient]| {
            let mut of_x = vec![0f32; samples.len()];
            // Of each channel of each picture; summed over the pictures at the end, in their order.
            let planes = samples.len() / pixels.max(1);
            let (mut of_weight, mut of_bias) = (vec![0f32; planes], vec![0f32; planes]);
            let length = (channels * pixels).max(1);
            let groups = of_x.par_chunks_mut(length).zip(samples.par_chunks(length).zip(gradient.par_chunks(length)));
            let parameters = of_weight.par_chunks_mut(channels.max(1)).zip(of_bias.par_chunks_mut(channels.max(1)));
            groups.zip(parameters).enumerate().for_each(|(index, ((to, (from, gradient)), (of_weight, of_bias)))| {
                let first = index % self.groups * channels;
                let group = first..first + channels;
                let (weight, bias) = (&weights[group.clone()], &biases[group]);
                Arch::new().dispatch(
                    #[inline(always)]
                    || self.denormalise(from, gradient, to, [weight, bias], [of_weight, of_bias]),
                );
            });
            let all = weights.len();
            let parameter =
                |x: &Tensor, sums: Vec<f32>| x.track_op().then(|| shaped_as(x, sum_of_rows(&sums, all))).transpose();
            let of_x = x.track_op().then(|| shaped_as(x, of_x)).transpose()?;
            Ok((of_x, parameter(weight, of_weight)?, parameter(bias, of_bias)?))
        })
    }
}

impl GroupNorm {
    /// The mean of a group and what brings its deviation to 1.
    #[inline(always)]
    fn statistics(&self, from: &[f32]) -> (f32, f32) {
        let count = from.len() as f64;
        let mean = (long_sum(from, |value| value) / count) as f32;
        let variance = long_sum(from, |value| (value - mean) * (value - mean)) / count;
        (mean, (1.0 / (variance + self.eps).sqrt()) as f32)
    }

    /// One group of a picture; `weight` and `bias` are its channels'.
    #[inline(always)]
    fn normalise(&self, from: &[f32], to: &mut [f32], weight: &[f32], bias: &[f32]) {
        let (mean, deviation) = self.statistics(from);
        let pixels = (from.len() / weight.len().max(1)).max(1);
        let planes = to.chunks_exact_mut(pixels).zip(from.chunks_exact(pixels));
        for ((to, from), (weight, bias)) in planes.zip(weight.iter().zip(bias)) {
            let scale = deviation * weight;
            for (to, from) in to.iter_mut().zip(from) {
                let value = (from - mean) * scale + bias;
                *to = if self.silu { value / (1.0 + exp(-value)) } else { value };
            }
        }
    }

    /// The gradients of one group of a picture: `to` of its samples, and of its channels' weights and biases.
    #[inline(always)]
    fn denormalise(
        &self,
        from: &[f32],
        gradient: &[f32],
        to: &mut [f32],
        [weight, bias]: [&[f32]; 2],
        [of_weight, of_bias]: [&mut [f32]; 2],
    ) {
        let (mean, deviation) = self.statistics(from);
        let pixels = (from.len() / weight.len().max(1)).max(1);
        let (mut with_normal, mut alone) = (0f64, 0f64);
        for (channel, to) in to.chunks_exact_mut(pixels).enumerate() {
            let plane = channel * pixels..(channel + 1) * pixels;
            let (from, gradient) = (&from[plane.clone()], &gradient[plane]);
            let (weight, bias) = (weight[channel], bias[channel]);
            for ((to, from), gradient) in to.iter_mut().zip(from).zip(gradient) {
                let value = (from - mean) * deviation * weight + bias;
                let sigmoid = 1.0 / (1.0 + exp(-value));
                let slope = if self.silu { sigmoid * (1.0 + value * (1.0 - sigmoid)) } else { 1.0 };
                *to = gradient * slope;
            }
            let sum = long_sum(to, |gradient| gradient);
            let product = long_products(to, from, mean) * f64::from(deviation);
            of_weight[channel] = product as f32;
            of_bias[channel] = sum as f32;
            with_normal += product * f64::from(weight);
            alone += sum * f64::from(weight);
        }
        let count = from.len() as f64;
        let (with_normal, alone) = ((with_normal / count) as f32, (alone / count) as f32);
        for ((to, from), weight) in to.chunks_exact_mut(pixels).zip(from.chunks_exact(pixels)).zip(weight) {
            for (to, from) in to.iter_mut().zip(from) {
                let normal = (from - mean) * deviation;
                *to = deviation * (*to * weight - alone - normal * with_normal);
            }
        }
    }
}

/// Σ gradient · (value − mean).
#[inline(always)]
fn long_products(gradients: &[f32], values: &[f32], mean: f32) -> f64 {
    crate::sums::long_sum_of_pairs(gradients, values, |gradient, value| gradient * (value - mean))
}
