//! The residual block that both models are built from, and the ways to halve and double a picture between blocks.
//! Source: diffusers `ResnetBlock2D`, `Downsample2D`, `Upsample2D`.

use candle_core::{Result, Tensor};
use mgie_kernels::Stride;
use mgie_weights::Weights;

use crate::layers::{Conv1x1, Conv3x3, GroupNorm, Linear};

/// What all residual blocks of a model have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norms {
    /// Groups of the group norms; divides every block's channels.
    pub groups: usize,
    /// ε of the group norms.
    pub eps: f64,
}

/// Norm, SiLU, convolution, twice, beside a shortcut. In the UNet the time is added in between.
#[derive(Debug, Clone)]
pub struct ResidualBlock {
    norm1: GroupNorm,
    conv1: Conv3x3,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv3x3,
    conv_shortcut: Option<Conv1x1>,
}

impl ResidualBlock {
    /// From `from` to `to` channels; `time_width` is the time embedding's, where there is one.
    pub fn new(w: &Weights, norms: Norms, from: usize, to: usize, time_width: Option<usize>) -> Result<Self> {
        let Norms { groups, eps } = norms;
        Ok(Self {
            norm1: GroupNorm::new(&w.pp("norm1"), groups, from, eps)?,
            conv1: Conv3x3::new(&w.pp("conv1"), from, to, Stride::One)?,
            time_emb_proj: time_width.map(|width| Linear::new(&w.pp("time_emb_proj"), width, to)).transpose()?,
            norm2: GroupNorm::new(&w.pp("norm2"), groups, to, eps)?,
            conv2: Conv3x3::new(&w.pp("conv2"), to, to, Stride::One)?,
            conv_shortcut: (from != to).then(|| Conv1x1::new(&w.pp("conv_shortcut"), from, to)).transpose()?,
        })
    }

    /// `x` `[batch, from, h, w]` to `[batch, to, h, w]`; `time` is `[1 or batch, time_width]` with SiLU already applied.
    pub fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let mut h = self.conv1.forward(&self.norm1.forward_silu(x)?)?;
        if let (Some(project), Some(time)) = (&self.time_emb_proj, time) {
            h = h.broadcast_add(&project.forward(time)?.unsqueeze(2)?.unsqueeze(3)?)?;
        }
        let h = self.conv2.forward(&self.norm2.forward_silu(&h)?)?;
        match &self.conv_shortcut {
            Some(shortcut) => shortcut.forward(x)? + h,
            None => x + h,
        }
    }
}

/// Enlarges by repeating pixels, then smooths with a convolution.
#[derive(Debug, Clone)]
pub struct Upsample {
    conv: Conv3x3,
}

impl Upsample {
    /// Keeps `channels`.
    pub fn new(w: &Weights, channels: usize) -> Result<Self> {
        Ok(Self { conv: Conv3x3::new(&w.pp("conv"), channels, channels, Stride::One)? })
    }

    /// `[batch, channels, _, _]` to `[batch, channels, height, width]`.
    pub fn forward(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        self.conv.forward(&mgie_kernels::upsample(x, height, width)?)
    }
}
