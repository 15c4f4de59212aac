//! The layers that the UNet and the VAE are made of, below the level of blocks: linear, 1×1 convolution, the two norms.
//! Where candle's own layer does what PyTorch's does, it is used.

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, LayerNorm, Linear};
use mgie_weights::Weights;

use crate::kernels::{Norm, group_norm};

/// A 1×1 convolution with bias.
pub fn conv1x1(w: &Weights, from: usize, to: usize) -> Result<Conv2d> {
    let weight = w.get((to, from, 1, 1), "weight")?;
    Ok(Conv2d::new(weight, Some(w.get(to, "bias")?), Conv2dConfig::default()))
}

/// A linear layer with bias.
pub fn linear(w: &Weights, from: usize, to: usize) -> Result<Linear> {
    Ok(Linear::new(w.get((to, from), "weight")?, Some(w.get(to, "bias")?)))
}

/// A linear layer without bias.
pub fn linear_without_bias(w: &Weights, from: usize, to: usize) -> Result<Linear> {
    Ok(Linear::new(w.get((to, from), "weight")?, None))
}

/// A 1×1 convolution with bias, for values that lie in rows of channels: `[…, from]` to `[…, to]`.
pub fn conv1x1_as_linear(w: &Weights, from: usize, to: usize) -> Result<Linear> {
    let weight = w.get((to, from, 1, 1), "weight")?.reshape((to, from))?;
    Ok(Linear::new(weight, Some(w.get(to, "bias")?)))
}

/// A layer norm with scale and bias and PyTorch's ε.
pub fn layer_norm(w: &Weights, width: usize) -> Result<LayerNorm> {
    Ok(LayerNorm::new(w.get(width, "weight")?, w.get(width, "bias")?, 1e-5))
}

/// `torch.nn.GroupNorm`: channels in groups, each group of a picture brought to mean 0 and variance 1, then a scale and
/// a bias a channel. Computed in f32 whatever the dtype, in one go on the CPU.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// `groups` divides `channels`; whoever reads the configuration has checked that.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn new(w: &Weights, groups: usize, channels: usize, eps: f64) -> Result<Self> {
        let w = w.in_dtype(DType::F32);
        let (weight, bias) = (w.get(channels, "weight")?.contiguous()?, w.get(channels, "bias")?.contiguous()?);
        Ok(Self { weight, bias, groups, eps })
    }

    /// `[batch, channels, height, width]` to the same.
    ///
    /// # Errors
    /// Another number of channels, no memory, a device that fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, false)
    }

    /// As [`GroupNorm::forward`], followed by SiLU.
    ///
    /// # Errors
    /// As [`GroupNorm::forward`].
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, true)
    }

    fn apply(&self, x: &Tensor, silu: bool) -> Result<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        if channels != self.weight.elem_count() {
            candle_core::bail!("a norm of {} channels on a picture of {channels}", self.weight.elem_count())
        }
        if x.device().is_cpu() && x.dtype() == DType::F32 {
            let x = x.contiguous()?;
            let [(w, w_layout), (b, b_layout), (s, s_layout)] =
                [&self.weight, &self.bias, &x].map(Tensor::storage_and_layout);
            let (weight, bias) = (numbers(&w, w_layout)?, numbers(&b, b_layout)?);
            let norm = Norm { weight, bias, groups: self.groups, eps: self.eps };
            let result = group_norm(numbers(&s, s_layout)?, norm, height * width, silu);
            return Tensor::from_vec(result, x.shape(), x.device());
        }
        let normal = self.plain(x)?;
        if silu { normal.silu() } else { Ok(normal) }
    }

    /// In candle's operations. Sums go row by row, since one of a million numbers in f32 would cost digits.
    fn plain(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let rows = channels / self.groups * height;
        let count = (rows * width) as f64;
        let grouped = x.to_dtype(DType::F32)?.reshape((batch, self.groups, rows, width))?;
        let mean = |values: &Tensor| values.sum_keepdim(3)?.sum_keepdim(2)? / count;
        let centred = grouped.broadcast_sub(&mean(&grouped)?)?;
        let deviation = (mean(&centred.sqr()?)? + self.eps)?.sqrt()?;
        centred
            .broadcast_div(&deviation)?
            .reshape((batch, channels, height, width))?
            .broadcast_mul(&self.weight.reshape((1, channels, 1, 1))?)?
            .broadcast_add(&self.bias.reshape((1, channels, 1, 1))?)?
            .to_dtype(x.dtype())
    }
}

/// The numbers of a contiguous f32 tensor in main memory, in row-major order.
///
/// # Errors
/// It is not contiguous, not of f32, or not in main memory.
pub(crate) fn numbers<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(numbers)), Some((start, end))) => Ok(&numbers[start..end]),
        _ => candle_core::bail!("expected contiguous f32 numbers on the CPU"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_group_norm_in_one_go_equals_the_plain_one() {
        let numbers = |count: usize, scale: f32| (0..count).map(move |index| (index as f32 * 0.731).sin() * scale);
        let tensor = |count, scale| Tensor::from_iter(numbers(count, scale), &Device::Cpu).unwrap();
        let norm = GroupNorm { weight: tensor(12, 1.5), bias: tensor(12, 0.5), groups: 4, eps: 1e-5 };
        let x = (tensor(2 * 12 * 7 * 40, 3.0) + 50.0).unwrap().reshape((2, 12, 7, 40)).unwrap();
        let far = |a: Tensor, b: Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let plain = norm.plain(&x).unwrap();
        assert!(far(norm.forward(&x).unwrap(), plain.clone()) < 1e-4);
        assert!(far(norm.forward_silu(&x).unwrap(), plain.silu().unwrap()) < 1e-4);
    }
}
