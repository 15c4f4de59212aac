//! The layers that the UNet and the VAE are made of, below the level of blocks: their tensors by name, and the kernels
//! that they go through. Nothing is rearranged when they are made, so that a model can be made anew for every step of
//! training from tensors that live in memory, and gradients reach those.

use candle_core::{DType, Result, Tensor};
use mgie_kernels::Stride;
use mgie_weights::Weights;

/// PyTorch's ε for layer norms.
const LAYER_NORM_EPS: f64 = 1e-5;

/// A linear layer, with or without bias: `[…, from]` to `[…, to]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// With bias.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn new(w: &Weights, from: usize, to: usize) -> Result<Self> {
        Ok(Self { weight: w.get((to, from), "weight")?, bias: Some(w.get(to, "bias")?) })
    }

    /// Without bias.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn without_bias(w: &Weights, from: usize, to: usize) -> Result<Self> {
        Ok(Self { weight: w.get((to, from), "weight")?, bias: None })
    }

    /// With bias, stored as a 1×1 convolution.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn of_conv1x1(w: &Weights, from: usize, to: usize) -> Result<Self> {
        let weight = w.get((to, from, 1, 1), "weight")?.reshape((to, from))?;
        Ok(Self { weight, bias: Some(w.get(to, "bias")?) })
    }

    /// `[…, from]` to `[…, to]`.
    ///
    /// # Errors
    /// Another width, no memory, a device that fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::linear(x, &self.weight, self.bias.as_ref())
    }
}

/// A 1×1 convolution with bias.
#[derive(Debug, Clone)]
pub struct Conv1x1 {
    weight: Tensor,
    bias: Tensor,
}

impl Conv1x1 {
    /// From `from` to `to` channels.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn new(w: &Weights, from: usize, to: usize) -> Result<Self> {
        Ok(Self { weight: w.get((to, from, 1, 1), "weight")?, bias: w.get(to, "bias")? })
    }

    /// `[batch, from, height, width]` to `[batch, to, height, width]`.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::conv1x1(x, &self.weight, &self.bias)
    }
}

/// A 3×3 convolution with bias.
#[derive(Debug, Clone)]
pub struct Conv3x3 {
    weight: Tensor,
    bias: Tensor,
    stride: Stride,
}

impl Conv3x3 {
    /// From `from` to `to` channels.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn new(w: &Weights, from: usize, to: usize, stride: Stride) -> Result<Self> {
        Ok(Self { weight: w.get((to, from, 3, 3), "weight")?, bias: w.get(to, "bias")?, stride })
    }

    /// `[batch, from, height, width]` to `[batch, to, …]`, in the size that the stride gives.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::conv3x3(x, &self.weight, &self.bias, self.stride)
    }
}

/// A layer norm with scale and bias and PyTorch's ε.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// Over rows of `width` numbers.
    ///
    /// # Errors
    /// Those of [`Weights::get`].
    pub fn new(w: &Weights, width: usize) -> Result<Self> {
        Ok(Self { weight: w.get(width, "weight")?, bias: w.get(width, "bias")? })
    }

    /// `[…, width]` to the same.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::layer_norm(x, &self.weight, &self.bias, LAYER_NORM_EPS)
    }
}

/// `torch.nn.GroupNorm`: channels in groups, each group of a picture brought to mean 0 and variance 1, then a scale and
/// a bias a channel. Computed in f32 whatever the dtype.
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
        Ok(Self { weight: w.get(channels, "weight")?, bias: w.get(channels, "bias")?, groups, eps })
    }

    /// `[batch, channels, height, width]` to the same.
    ///
    /// # Errors
    /// Another number of channels, no memory, a device that fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::group_norm(x, &self.weight, &self.bias, self.groups, self.eps, false)
    }

    /// As [`GroupNorm::forward`], followed by SiLU.
    ///
    /// # Errors
    /// As [`GroupNorm::forward`].
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::group_norm(x, &self.weight, &self.bias, self.groups, self.eps, true)
    }
}
