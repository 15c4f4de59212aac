//! The transformer inside the UNet's cross-attention blocks: pixels attend to each other, then to the conditioning.
//! Source: diffusers `Transformer2DModel`, `BasicTransformerBlock`, `GEGLU`.

use candle_core::{Result, Tensor};
use mgie_kernels::{attention, geglu};
use mgie_weights::Weights;

use crate::layers::{GroupNorm, LayerNorm, Linear};

/// The feed-forward layer is this many times as wide as its input.
const FEED_FORWARD_FACTOR: usize = 4;

/// The ε of the group norm before the transformer, which is not the model's.
const NORM_EPS: f64 = 1e-6;

/// The widths of one transformer.
#[derive(Debug, Clone, Copy)]
pub struct Widths {
    /// Channels; `heads` divides them.
    pub channels: usize,
    /// Heads of both attentions.
    pub heads: usize,
    /// Width of the conditioning.
    pub context: usize,
    /// Groups of the group norm; divides `channels`.
    pub groups: usize,
    /// How many blocks.
    pub layers: usize,
    /// Whether the projections in and out are stored as linear layers rather than as 1×1 convolutions.
    pub linear_projection: bool,
}

/// A stack of transformer blocks over the pixels of a feature map, beside a shortcut.
#[derive(Debug, Clone)]
pub struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Linear,
    transformer_blocks: Vec<TransformerBlock>,
    proj_out: Linear,
}

impl SpatialTransformer {
    /// Loads the stack below `w`.
    pub fn new(w: &Weights, widths: Widths) -> Result<Self> {
        let Widths { channels, groups, layers, .. } = widths;
        let project = if widths.linear_projection { Linear::new } else { Linear::of_conv1x1 };
        let blocks = w.pp("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::new(&w.pp("norm"), groups, channels, NORM_EPS)?,
            proj_in: project(&w.pp("proj_in"), channels, channels)?,
            transformer_blocks: (0..layers)
                .map(|index| TransformerBlock::new(&blocks.pp(index), widths))
                .collect::<Result<_>>()?,
            proj_out: project(&w.pp("proj_out"), channels, channels)?,
        })
    }

    /// `x` `[batch, channels, h, w]` to the same; `context` is `[batch, tokens, context]`.
    pub fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        // Pixels as rows: [batch, h·w, channels]
        let pixels = self.norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let mut pixels = self.proj_in.forward(&pixels)?;
        for block in &self.transformer_blocks {
            pixels = block.forward(&pixels, context)?;
        }
        let pixels = self.proj_out.forward(&pixels)?;
        pixels.transpose(1, 2)?.reshape((batch, channels, height, width))? + x
    }
}

#[derive(Debug, Clone)]
struct TransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl TransformerBlock {
    fn new(w: &Weights, widths: Widths) -> Result<Self> {
        let Widths { channels, heads, context, .. } = widths;
        Ok(Self {
            norm1: LayerNorm::new(&w.pp("norm1"), channels)?,
            attn1: Attention::new(&w.pp("attn1"), channels, channels, heads)?,
            norm2: LayerNorm::new(&w.pp("norm2"), channels)?,
            attn2: Attention::new(&w.pp("attn2"), channels, context, heads)?,
            norm3: LayerNorm::new(&w.pp("norm3"), channels)?,
            ff: FeedForward::new(&w.pp("ff").pp("net"), channels)?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let normed = self.norm1.forward(x)?;
        let x = (self.attn1.forward(&normed, &normed)? + x)?;
        let x = (self.attn2.forward(&self.norm2.forward(&x)?, context)? + x)?;
        self.ff.forward(&self.norm3.forward(&x)?)? + x
    }
}

#[derive(Debug, Clone)]
struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
}

impl Attention {
    fn new(w: &Weights, channels: usize, context: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            to_q: Linear::without_bias(&w.pp("to_q"), channels, channels)?,
            to_k: Linear::without_bias(&w.pp("to_k"), context, channels)?,
            to_v: Linear::without_bias(&w.pp("to_v"), context, channels)?,
            to_out: Linear::new(&w.pp("to_out.0"), channels, channels)?,
            heads,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (keys, values) = (self.to_k.forward(context)?, self.to_v.forward(context)?);
        self.to_out.forward(&attention(&self.to_q.forward(x)?, &keys, &values, self.heads, false)?)
    }
}

/// GEGLU: half of the inner layer gates the other half, with the exact GELU.
#[derive(Debug, Clone)]
struct FeedForward {
    inner: Linear,
    outer: Linear,
}

impl FeedForward {
    fn new(w: &Weights, channels: usize) -> Result<Self> {
        let inner = channels * FEED_FORWARD_FACTOR;
        Ok(Self {
            inner: Linear::new(&w.pp("0.proj"), channels, 2 * inner)?,
            outer: Linear::new(&w.pp(2), inner, channels)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.outer.forward(&geglu(&self.inner.forward(x)?)?)
    }
}
