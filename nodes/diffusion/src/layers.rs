//! The layers that the UNet and the VAE are made of, below the level of blocks: convolution, linear, the two norms.
//! Where candle's own layer does what PyTorch's does, it is used.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, LayerNorm, Linear, Module};
use mgie_weights::Weights;

/// A 3×3 convolution with bias that keeps the size (`stride` 1) or halves it, rounding up (`stride` 2, padded evenly).
pub fn conv3x3(w: &Weights, from: usize, to: usize, stride: usize) -> Result<Conv2d> {
    conv(w, from, to, 3, Conv2dConfig { padding: 1, stride, ..Conv2dConfig::default() })
}

/// A 3×3 convolution of stride 2 with bias, padded to the right and below only.
pub fn conv3x3_padded_behind(w: &Weights, channels: usize) -> Result<PaddedBehind> {
    let config = Conv2dConfig { padding: 0, stride: 2, ..Conv2dConfig::default() };
    conv(w, channels, channels, 3, config).map(PaddedBehind)
}

/// A 1×1 convolution with bias.
pub fn conv1x1(w: &Weights, from: usize, to: usize) -> Result<Conv2d> {
    conv(w, from, to, 1, Conv2dConfig::default())
}

fn conv(w: &Weights, from: usize, to: usize, kernel: usize, config: Conv2dConfig) -> Result<Conv2d> {
    let weight = w.get((to, from, kernel, kernel), "weight")?;
    Ok(Conv2d::new(weight, Some(w.get(to, "bias")?), config))
}

/// See [`conv3x3_padded_behind`].
#[derive(Debug, Clone)]
pub struct PaddedBehind(Conv2d);

impl Module for PaddedBehind {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(&x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?)
    }
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
/// a bias a channel. Computed in f32 whatever the dtype. candle's own sums up to a million numbers in one go, which
/// costs digits; here a row of the picture is summed first, and then the rows.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// `groups` divides `channels`; whoever reads the configuration has checked that.
    pub fn new(w: &Weights, groups: usize, channels: usize, eps: f64) -> Result<Self> {
        let w = w.in_dtype(DType::F32);
        let (weight, bias) = (w.get(channels, "weight")?, w.get(channels, "bias")?);
        Ok(Self { weight: weight.reshape((1, channels, 1, 1))?, bias: bias.reshape((1, channels, 1, 1))?, groups, eps })
    }
}

impl Module for GroupNorm {
    /// `[batch, channels, height, width]` to the same.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
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
            .broadcast_mul(&self.weight)?
            .broadcast_add(&self.bias)?
            .to_dtype(x.dtype())
    }
}
