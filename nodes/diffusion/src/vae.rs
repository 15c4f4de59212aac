//! Stable Diffusion's autoencoder: pictures to latents an eighth as wide and high, and back. The encoder gives the
//! mode of its distribution, not a sample. Layer names are diffusers' keys; files of 2023, whose attention goes by
//! older names, load too.
//! Source: Rombach et al., arXiv 2112.10752; diffusers 0.35 `AutoencoderKL`.

use candle_core::{Result, Tensor};
use mgie_kernels::{Stride, attention};
use mgie_weights::{Checkpoint, Overlay, Rename, Weights, WeightsError};
use serde_json::{Value, json};

use crate::config::Config;
use crate::layers::{Conv1x1, Conv3x3, GroupNorm, Linear};
use crate::residual::{Norms, ResidualBlock, Upsample};
use crate::room::Need;

/// Wider layers than any model has; keeps products of widths far from overflow.
const WIDEST: usize = 1 << 16;

/// Feature maps of the largest size that are alive at the same time: a residual block's input, what its norm works on,
/// and what a convolution works on beside its output. Measured: 4.3 to 5.3.
const MAPS_ALIVE: usize = 6;

/// Asked between the layers of a long computation; an error ends it.
pub type Between<'a> = &'a dyn Fn() -> Result<()>;

/// What a VAE's `config.json` says. Keys that would change the arithmetic in ways not implemented here are refused.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeConfig {
    /// Channels of the latents, 4.
    pub latent_channels: usize,
    /// What latents are multiplied by before noise is added to them, 0.18215.
    pub scaling_factor: f64,
    /// Channels of the levels, from the largest picture to the smallest.
    pub block_out_channels: Vec<usize>,
    blocks: usize,
    groups: usize,
    quant_conv: bool,
    post_quant_conv: bool,
    middle_attention: bool,
}

impl VaeConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// One that names the file, the key, its value, and what is supported.
    pub fn read(config: &Config) -> std::result::Result<Self, WeightsError> {
        config.refuse_other_than(&["shift_factor", "latents_mean", "latents_std"], &Value::Null)?;
        config.refuse_other_than(&["in_channels", "out_channels"], &json!(3))?;
        config.word("act_fn", (), &[("silu", ()), ("swish", ())])?;
        config.words("down_block_types", &[("DownEncoderBlock2D", ())])?;
        config.words("up_block_types", &[("UpDecoderBlock2D", ())])?;
        let block_out_channels = config
            .wholes("block_out_channels", 1..=WIDEST)?
            .filter(|list| (1..=8).contains(&list.len()))
            .ok_or_else(|| config.unsupported("block_out_channels", "a list with the channels of 1 to 8 levels"))?;
        let groups = config.whole("norm_num_groups", 32, 1..=WIDEST)?;
        if block_out_channels.iter().any(|channels| channels % groups != 0) {
            return Err(config.unsupported("norm_num_groups", "divisors of every one of `block_out_channels`"));
        }
        let scaling_factor = config.number("scaling_factor", 0.18215)?;
        if !(scaling_factor.is_finite() && scaling_factor != 0.0) {
            return Err(config.unsupported("scaling_factor", "numbers other than 0"));
        }
        Ok(Self {
            latent_channels: config.whole("latent_channels", 4, 1..=WIDEST)?,
            scaling_factor,
            block_out_channels,
            blocks: config.whole("layers_per_block", 1, 1..=64)?,
            groups,
            quant_conv: config.flag("use_quant_conv", true)?,
            post_quant_conv: config.flag("use_post_quant_conv", true)?,
            middle_attention: config.flag("mid_block_add_attention", true)?,
        })
    }

    /// How many pixels wide and high a latent is: 8 for four levels.
    pub fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    /// What encoding a picture of that many pixels needs: its widest feature maps are the top level's.
    pub fn need_to_encode(&self, pixels: usize) -> Need {
        self.need(pixels.saturating_mul(self.block_out_channels.first().copied().unwrap_or(1)))
    }

    /// What decoding a picture of that many pixels needs: the second level hands its feature maps to the first at the
    /// first's size.
    pub fn need_to_decode(&self, pixels: usize) -> Need {
        self.need(pixels.saturating_mul(self.block_out_channels.iter().take(2).copied().max().unwrap_or(1)))
    }

    fn need(&self, largest_tensor: usize) -> Need {
        Need { largest_tensor, bytes: largest_tensor.saturating_mul(MAPS_ALIVE * size_of::<f32>()) }
    }

    /// How often [`Encoder::mode`] asks its `between`.
    pub fn layers_to_encode(&self) -> usize {
        let levels = self.block_out_channels.len();
        self.blocks * levels + levels - 1 + self.middle_layers()
    }

    /// How often [`Decoder::decode`] asks its `between`.
    pub fn layers_to_decode(&self) -> usize {
        let levels = self.block_out_channels.len();
        (self.blocks + 1) * levels + levels - 1 + self.middle_layers() + 1
    }

    fn middle_layers(&self) -> usize {
        2 + usize::from(self.middle_attention)
    }

    fn norms(&self) -> Norms {
        Norms { groups: self.groups, eps: 1e-6 }
    }

    /// The channels of the top and the bottom level.
    fn ends(&self) -> Result<(usize, usize)> {
        match (self.block_out_channels.first(), self.block_out_channels.last()) {
            (Some(top), Some(bottom)) => Ok((*top, *bottom)),
            _ => candle_core::bail!("a VAE without levels"),
        }
    }
}

/// The checkpoint's tensors under today's names.
pub fn with_current_names(checkpoint: Checkpoint) -> Overlay {
    let renames = [
        Rename::part("query", "to_q"),
        Rename::part("key", "to_k"),
        Rename::part("value", "to_v"),
        Rename::part("proj_attn", "to_out.0"),
    ];
    Overlay::new().then_renamed(checkpoint, &renames)
}

/// The half that turns pictures into latents.
#[derive(Debug, Clone)]
pub struct Encoder {
    config: VaeConfig,
    conv_in: Conv3x3,
    down_blocks: Vec<(Vec<ResidualBlock>, Option<Conv3x3>)>,
    mid_block: MiddleBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv3x3,
    quant_conv: Option<Conv1x1>,
}

impl Encoder {
    /// Loads the tensors `encoder.…` and `quant_conv.…` below `w`, whose names are today's ([`with_current_names`]).
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what does not fit is collected there.
    pub fn new(w: &Weights, config: &VaeConfig) -> Result<Self> {
        let (top, bottom) = config.ends()?;
        let norms = config.norms();
        let moments = 2 * config.latent_channels;
        let quant_conv = config.quant_conv.then(|| Conv1x1::new(&w.pp("quant_conv"), moments, moments)).transpose()?;
        let w = w.pp("encoder");
        let mut from = top;
        let mut down_blocks = Vec::new();
        for (index, &channels) in config.block_out_channels.iter().enumerate() {
            let w = w.pp("down_blocks").pp(index);
            let resnets = residual_blocks(&w, norms, from, channels, config.blocks)?;
            let last = index + 1 == config.block_out_channels.len();
            let shrink = w.pp("downsamplers.0.conv");
            let downsampler =
                (!last).then(|| Conv3x3::new(&shrink, channels, channels, Stride::TwoPaddedBehind)).transpose()?;
            down_blocks.push((resnets, downsampler));
            from = channels;
        }
        Ok(Self {
            config: config.clone(),
            conv_in: Conv3x3::new(&w.pp("conv_in"), 3, top, Stride::One)?,
            down_blocks,
            mid_block: MiddleBlock::new(&w.pp("mid_block"), config, bottom)?,
            conv_norm_out: GroupNorm::new(&w.pp("conv_norm_out"), norms.groups, bottom, norms.eps)?,
            conv_out: Conv3x3::new(&w.pp("conv_out"), bottom, moments, Stride::One)?,
            quant_conv,
        })
    }

    /// The configuration that it was made from.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Mean and log variance of the latents' distribution, each `[batch, latent_channels, h/factor, w/factor]`; the mean is
    /// not multiplied by the scaling factor, the log variance is held within [−30, 20].
    ///
    /// # Errors
    /// As [`Encoder::mode`].
    pub fn moments(&self, picture: &Tensor, between: Between) -> Result<(Tensor, Tensor)> {
        let (moments, channels) = (self.both(picture, between)?, self.config.latent_channels);
        Ok((moments.narrow(1, 0, channels)?, moments.narrow(1, channels, channels)?.clamp(-30f32, 20f32)?))
    }

    /// The mode of the latents' distribution, which is its mean; not multiplied by the scaling factor.
    ///
    /// `picture` is `[batch, 3, h, w]` in [−1, 1], h and w multiples of the factor; the result is
    /// `[batch, latent_channels, h/factor, w/factor]`.
    ///
    /// # Errors
    /// Whatever `between` says; no memory; a device that fails.
    pub fn mode(&self, picture: &Tensor, between: Between) -> Result<Tensor> {
        self.both(picture, between)?.narrow(1, 0, self.config.latent_channels)
    }

    /// Means in one half of the channels, log variances in the other.
    fn both(&self, picture: &Tensor, between: Between) -> Result<Tensor> {
        let mut x = self.conv_in.forward(picture)?;
        for (resnets, downsampler) in &self.down_blocks {
            for resnet in resnets {
                between()?;
                x = resnet.forward(&x, None)?;
            }
            if let Some(downsampler) = downsampler {
                between()?;
                x = downsampler.forward(&x)?;
            }
        }
        x = self.mid_block.forward(&x, between)?;
        x = self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)?;
        match &self.quant_conv {
            Some(quant_conv) => quant_conv.forward(&x),
            None => Ok(x),
        }
    }
}

/// The half that turns latents into pictures.
#[derive(Debug, Clone)]
pub struct Decoder {
    config: VaeConfig,
    post_quant_conv: Option<Conv1x1>,
    conv_in: Conv3x3,
    mid_block: MiddleBlock,
    up_blocks: Vec<(Vec<ResidualBlock>, Option<Upsample>)>,
    conv_norm_out: GroupNorm,
    conv_out: Conv3x3,
}

impl Decoder {
    /// Loads the tensors `decoder.…` and `post_quant_conv.…` below `w`, whose names are today's
    /// ([`with_current_names`]).
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what does not fit is collected there.
    pub fn new(w: &Weights, config: &VaeConfig) -> Result<Self> {
        let (top, bottom) = config.ends()?;
        let norms = config.norms();
        let latents = config.latent_channels;
        let post_quant_conv =
            config.post_quant_conv.then(|| Conv1x1::new(&w.pp("post_quant_conv"), latents, latents)).transpose()?;
        let w = w.pp("decoder");
        let mut from = bottom;
        let mut up_blocks = Vec::new();
        for (index, &channels) in config.block_out_channels.iter().rev().enumerate() {
            let w = w.pp("up_blocks").pp(index);
            let resnets = residual_blocks(&w, norms, from, channels, config.blocks + 1)?;
            let last = index + 1 == config.block_out_channels.len();
            let upsampler = (!last).then(|| Upsample::new(&w.pp("upsamplers.0"), channels)).transpose()?;
            up_blocks.push((resnets, upsampler));
            from = channels;
        }
        Ok(Self {
            config: config.clone(),
            post_quant_conv,
            conv_in: Conv3x3::new(&w.pp("conv_in"), latents, bottom, Stride::One)?,
            mid_block: MiddleBlock::new(&w.pp("mid_block"), config, bottom)?,
            up_blocks,
            conv_norm_out: GroupNorm::new(&w.pp("conv_norm_out"), norms.groups, top, norms.eps)?,
            conv_out: Conv3x3::new(&w.pp("conv_out"), top, 3, Stride::One)?,
        })
    }

    /// The configuration that it was made from.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// The picture of unscaled latents `[batch, latent_channels, h, w]`: `[batch, 3, factor·h, factor·w]`, about
    /// −1 to 1 and not clamped.
    ///
    /// # Errors
    /// Whatever `between` says; no memory; a device that fails.
    pub fn decode(&self, latents: &Tensor, between: Between) -> Result<Tensor> {
        let mut x = match &self.post_quant_conv {
            Some(post_quant_conv) => post_quant_conv.forward(latents)?,
            None => latents.clone(),
        };
        x = self.conv_in.forward(&x)?;
        x = self.mid_block.forward(&x, between)?;
        for (resnets, upsampler) in &self.up_blocks {
            for resnet in resnets {
                between()?;
                x = resnet.forward(&x, None)?;
            }
            if let Some(upsampler) = upsampler {
                between()?;
                x = upsampler.forward(&x, 2 * x.dim(2)?, 2 * x.dim(3)?)?;
            }
        }
        between()?;
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)
    }
}

fn residual_blocks(w: &Weights, norms: Norms, from: usize, to: usize, count: usize) -> Result<Vec<ResidualBlock>> {
    let from = |index| if index == 0 { from } else { to };
    (0..count).map(|index| ResidualBlock::new(&w.pp("resnets").pp(index), norms, from(index), to, None)).collect()
}

#[derive(Debug, Clone)]
struct MiddleBlock {
    before: ResidualBlock,
    attention: Option<PixelAttention>,
    after: ResidualBlock,
}

impl MiddleBlock {
    fn new(w: &Weights, config: &VaeConfig, channels: usize) -> Result<Self> {
        let (norms, resnets) = (config.norms(), w.pp("resnets"));
        let attention = w.pp("attentions.0");
        Ok(Self {
            before: ResidualBlock::new(&resnets.pp(0), norms, channels, channels, None)?,
            attention: config.middle_attention.then(|| PixelAttention::new(&attention, norms, channels)).transpose()?,
            after: ResidualBlock::new(&resnets.pp(1), norms, channels, channels, None)?,
        })
    }

    fn forward(&self, x: &Tensor, between: Between) -> Result<Tensor> {
        between()?;
        let mut x = self.before.forward(x, None)?;
        if let Some(attention) = &self.attention {
            between()?;
            x = attention.forward(&x)?;
        }
        between()?;
        self.after.forward(&x, None)
    }
}

/// Every pixel attends to every other, with one head as wide as the picture is deep, beside a shortcut.
#[derive(Debug, Clone)]
struct PixelAttention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl PixelAttention {
    fn new(w: &Weights, norms: Norms, channels: usize) -> Result<Self> {
        let project = |name| Linear::new(&w.pp(name), channels, channels);
        Ok(Self {
            group_norm: GroupNorm::new(&w.pp("group_norm"), norms.groups, channels, norms.eps)?,
            to_q: project("to_q")?,
            to_k: project("to_k")?,
            to_v: project("to_v")?,
            to_out: project("to_out.0")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        // Pixels as rows: [batch, h·w, channels]
        let pixels = self.group_norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let (q, k, v) = (self.to_q.forward(&pixels)?, self.to_k.forward(&pixels)?, self.to_v.forward(&pixels)?);
        let pixels = self.to_out.forward(&attention(&q, &k, &v, 1, false)?)?;
        pixels.transpose(1, 2)?.reshape((batch, channels, height, width))? + x
    }
}
