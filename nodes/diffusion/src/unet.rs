//! The UNet of Stable Diffusion 1.5 and its descendants; InstructPix2Pix' takes eight channels, four noisy and four of
//! the picture to edit. Layer names are diffusers' keys.
//! Source: Rombach et al., arXiv 2112.10752; diffusers 0.35 `UNet2DConditionModel`.

use candle_core::{DType, Result, Tensor};
use mgie_kernels::Stride;
use mgie_weights::{Weights, WeightsError};
use serde_json::{Value, json};

use crate::config::Config;
use crate::layers::{Conv3x3, GroupNorm, Linear};
use crate::residual::{Norms, ResidualBlock, Upsample};
use crate::transformer::{SpatialTransformer, Widths};

/// Wider layers than any model has; keeps products of widths far from overflow.
const WIDEST: usize = 1 << 16;

/// What a UNet's `config.json` says. Keys that would change the arithmetic in ways not implemented here are refused.
#[derive(Debug, Clone, PartialEq)]
pub struct UnetConfig {
    /// Channels of the input: latents and image latents together, 8 for InstructPix2Pix.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Width of the conditioning.
    pub cross_attention_dim: usize,
    /// The levels, from the largest picture to the smallest.
    pub levels: Vec<Level>,
    norms: Norms,
    middle_layers: usize,
    linear_projection: bool,
    center_input_sample: bool,
    cosine_first: bool,
    freq_shift: f64,
    pad_downsampling_evenly: bool,
}

/// One level of the UNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Channels; a multiple of the groups and of the heads.
    pub channels: usize,
    /// Heads of its attentions.
    pub heads: usize,
    /// Residual blocks on the way down; there is one more on the way up.
    pub blocks: usize,
    /// Transformer layers after each residual block on the way down, and up; 0 where the level does not attend.
    pub layers: [usize; 2],
}

impl UnetConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// One that names the file, the key, its value, and what is supported.
    pub fn read(config: &Config) -> std::result::Result<Self, WeightsError> {
        refuse_variants(config)?;
        let channels = config
            .wholes("block_out_channels", 1..=WIDEST)?
            .filter(|list| !list.is_empty())
            .ok_or_else(|| config.unsupported("block_out_channels", "a list with the channels of each level"))?;
        let count = channels.len();
        let groups = config.whole("norm_num_groups", 32, 1..=WIDEST)?;
        if channels.iter().any(|channels| channels % groups != 0) {
            return Err(config.unsupported("norm_num_groups", "divisors of every one of `block_out_channels`"));
        }
        // diffusers named the number of heads after their width, and kept the name.
        let heads = config.whole_per_block("attention_head_dim", 8, count, 1..=WIDEST)?;
        if channels.iter().zip(&heads).any(|(channels, heads)| channels % heads != 0) {
            let supported = "a number of heads that divides `block_out_channels`, for all levels or for each";
            return Err(config.unsupported("attention_head_dim", supported));
        }
        let blocks = config.whole_per_block("layers_per_block", 2, count, 1..=64)?;
        let layers = config.whole_per_block("transformer_layers_per_block", 1, count, 1..=64)?;
        let attends = |key: &str, default: bool, attending: &str, plain: &str| {
            let named = config.words(key, &[(attending, true), (plain, false)])?;
            let named = named.unwrap_or_else(|| (0..count).map(|index| (index + 1 < count) == default).collect());
            if named.len() == count {
                Ok(named)
            } else {
                Err(config.unsupported(key, format!("{count} names, as many as `block_out_channels` has")))
            }
        };
        let down = attends("down_block_types", true, "CrossAttnDownBlock2D", "DownBlock2D")?;
        let mut up = attends("up_block_types", true, "CrossAttnUpBlock2D", "UpBlock2D")?;
        if config.get("up_block_types").is_some() {
            up.reverse();
        }
        let levels = (0..count)
            .map(|index| Level {
                channels: channels[index],
                heads: heads[index],
                blocks: blocks[index],
                layers: [&down, &up].map(|attends| if attends[index] { layers[index] } else { 0 }),
            })
            .collect();
        Ok(Self {
            in_channels: config.whole("in_channels", 4, 1..=WIDEST)?,
            out_channels: config.whole("out_channels", 4, 1..=WIDEST)?,
            cross_attention_dim: config.whole("cross_attention_dim", 1280, 1..=WIDEST)?,
            levels,
            norms: Norms { groups, eps: config.number("norm_eps", 1e-5)? },
            middle_layers: layers.last().copied().unwrap_or(1),
            linear_projection: config.flag("use_linear_projection", false)?,
            center_input_sample: config.flag("center_input_sample", false)?,
            cosine_first: config.flag("flip_sin_to_cos", true)?,
            freq_shift: config.number("freq_shift", 0.0)?,
            pad_downsampling_evenly: config.whole("downsample_padding", 1, 0..=1)? == 1,
        })
    }

    fn widths(&self, level: &Level, layers: usize) -> Widths {
        Widths {
            channels: level.channels,
            heads: level.heads,
            context: self.cross_attention_dim,
            groups: self.norms.groups,
            layers,
            linear_projection: self.linear_projection,
        }
    }
}

/// Refuses what `UNet2DConditionModel` can be configured to and Stable Diffusion 1.5's is not.
fn refuse_variants(config: &Config) -> std::result::Result<(), WeightsError> {
    let absent = [
        "addition_embed_type",
        "class_embed_type",
        "class_embeddings_concat",
        "cross_attention_norm",
        "dual_cross_attention",
        "encoder_hid_dim",
        "encoder_hid_dim_type",
        "mid_block_only_cross_attention",
        "num_attention_heads",
        "num_class_embeds",
        "only_cross_attention",
        "resnet_skip_time_act",
        "reverse_transformer_layers_per_block",
        "time_cond_proj_dim",
        "time_embedding_act_fn",
        "time_embedding_dim",
        "timestep_post_act",
    ];
    config.refuse_other_than(&absent, &Value::Null)?;
    config.word("act_fn", (), &[("silu", ()), ("swish", ())])?;
    config.refuse_other_than(&["resnet_time_scale_shift", "attention_type"], &json!("default"))?;
    config.refuse_other_than(&["time_embedding_type"], &json!("positional"))?;
    config.refuse_other_than(&["mid_block_type"], &json!("UNetMidBlock2DCrossAttn"))?;
    config.refuse_other_than(&["conv_in_kernel", "conv_out_kernel"], &json!(3))?;
    for (key, usual) in [("mid_block_scale_factor", 1.0), ("resnet_out_scale_factor", 1.0), ("dropout", 0.0)] {
        if config.number(key, usual)? != usual {
            return Err(config.unsupported(key, usual));
        }
    }
    Ok(())
}

/// The UNet, loaded.
#[derive(Debug, Clone)]
pub struct Unet {
    config: UnetConfig,
    dtype: DType,
    conv_in: Conv3x3,
    time_embedding: [Linear; 2],
    down_blocks: Vec<DownBlock>,
    mid_block: MiddleBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv3x3,
}

impl Unet {
    /// Loads the tensors below `w`.
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what does not fit is collected there.
    pub fn new(w: &Weights, config: &UnetConfig) -> Result<Self> {
        let (Some(first), Some(last)) = (config.levels.first(), config.levels.last()) else {
            candle_core::bail!("a UNet without levels");
        };
        let time_width = 4 * first.channels;
        let time = w.pp("time_embedding");

        let mut channels = first.channels;
        // The channels of every feature map that the way up gets from the way down.
        let mut skips = vec![channels];
        let mut down_blocks = Vec::new();
        for (index, level) in config.levels.iter().enumerate() {
            let w = w.pp("down_blocks").pp(index);
            let bottom = index + 1 == config.levels.len();
            down_blocks.push(DownBlock::new(&w, config, level, channels, time_width, bottom)?);
            channels = level.channels;
            skips.extend(std::iter::repeat_n(channels, level.blocks + usize::from(!bottom)));
        }
        let mid_block = MiddleBlock::new(&w.pp("mid_block"), config, last, time_width)?;
        let mut up_blocks = Vec::new();
        for (index, level) in config.levels.iter().rev().enumerate() {
            let w = w.pp("up_blocks").pp(index);
            let top = index + 1 == config.levels.len();
            up_blocks.push(UpBlock::new(&w, config, level, channels, &mut skips, time_width, top)?);
            channels = level.channels;
        }
        Ok(Self {
            config: config.clone(),
            dtype: w.dtype(),
            conv_in: Conv3x3::new(&w.pp("conv_in"), config.in_channels, first.channels, Stride::One)?,
            time_embedding: [
                Linear::new(&time.pp("linear_1"), first.channels, time_width)?,
                Linear::new(&time.pp("linear_2"), time_width, time_width)?,
            ],
            down_blocks,
            mid_block,
            up_blocks,
            conv_norm_out: GroupNorm::new(&w.pp("conv_norm_out"), config.norms.groups, channels, config.norms.eps)?,
            conv_out: Conv3x3::new(&w.pp("conv_out"), channels, config.out_channels, Stride::One)?,
        })
    }

    /// The configuration that it was made from.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// The dtype that it computes in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Predicts the noise.
    ///
    /// `x` is `[batch, in_channels, h, w]` of any height and width from 1, `timesteps` count training steps (fractions
    /// allowed; one for all pictures or one for each), `context` is `[batch, tokens, cross_attention_dim]`; both in the
    /// model's dtype. The result is `[batch, out_channels, h, w]`.
    ///
    /// # Errors
    /// Shapes or a number of timesteps that do not fit, no memory, a device that fails.
    pub fn forward(&self, x: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<Tensor> {
        let time = self.time(timesteps, x)?;
        let x = if self.config.center_input_sample { x.affine(2.0, -1.0)? } else { x.clone() };
        let mut x = self.conv_in.forward(&x)?;
        let mut skips = vec![x.clone()];
        for block in &self.down_blocks {
            x = block.forward(x, &time, context, &mut skips)?;
        }
        x = self.mid_block.forward(&x, &time, context)?;
        for block in &self.up_blocks {
            x = block.forward(x, &time, context, &mut skips)?;
        }
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)
    }

    /// The time embeddings `[timesteps, 4·channels]`, SiLU applied as every block would.
    fn time(&self, timesteps: &[f64], x: &Tensor) -> Result<Tensor> {
        let (count, batch) = (timesteps.len(), x.dim(0)?);
        if count != 1 && count != batch {
            candle_core::bail!("{count} timesteps for {batch} pictures; expected one, or one for each")
        }
        let UnetConfig { levels, cosine_first, freq_shift, .. } = &self.config;
        let width = levels.first().map_or(0, |level| level.channels);
        let waves = |timestep: &f64| sinusoids(*timestep as f32, width, *cosine_first, *freq_shift as f32);
        let waves: Vec<f32> = timesteps.iter().flat_map(waves).collect();
        let waves = Tensor::from_vec(waves, (count, width), x.device())?.to_dtype(self.dtype)?;
        let [linear_1, linear_2] = &self.time_embedding;
        linear_2.forward(&linear_1.forward(&waves)?.silu()?)?.silu()
    }
}

/// A timestep as `width` sines and cosines of falling frequency, in f32: a half-precision cosine of 981 is noise.
/// An odd width ends in a zero. Source: diffusers `get_timestep_embedding`.
fn sinusoids(timestep: f32, width: usize, cosine_first: bool, shift: f32) -> Vec<f32> {
    const LONGEST_PERIOD: f32 = 10_000.0;
    let half = width / 2;
    let angle = |index: usize| timestep * (-LONGEST_PERIOD.ln() * index as f32 / (half as f32 - shift)).exp();
    let sines = (0..half).map(|index| angle(index).sin());
    let cosines = (0..half).map(|index| angle(index).cos());
    let mut waves: Vec<f32> =
        if cosine_first { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
    waves.resize(width, 0.0);
    waves
}

/// A residual block and, where the level attends, the transformer after it.
#[derive(Debug, Clone)]
struct Stage {
    resnet: ResidualBlock,
    attention: Option<SpatialTransformer>,
}

impl Stage {
    /// Stage `index` of the block below `w`.
    fn new(w: &Weights, index: usize, from: usize, time_width: usize, norms: Norms, widths: Widths) -> Result<Self> {
        let resnet = w.pp("resnets").pp(index);
        let attention = w.pp("attentions").pp(index);
        Ok(Self {
            resnet: ResidualBlock::new(&resnet, norms, from, widths.channels, Some(time_width))?,
            attention: (widths.layers > 0).then(|| SpatialTransformer::new(&attention, widths)).transpose()?,
        })
    }

    fn forward(&self, x: &Tensor, time: &Tensor, context: &Tensor) -> Result<Tensor> {
        let x = self.resnet.forward(x, Some(time))?;
        match &self.attention {
            Some(attention) => attention.forward(&x, context),
            None => Ok(x),
        }
    }
}

#[derive(Debug, Clone)]
struct DownBlock {
    stages: Vec<Stage>,
    downsampler: Option<Conv3x3>,
}

impl DownBlock {
    fn new(
        w: &Weights,
        config: &UnetConfig,
        level: &Level,
        from: usize,
        time_width: usize,
        bottom: bool,
    ) -> Result<Self> {
        let [layers, _] = level.layers;
        let widths = config.widths(level, layers);
        let stages = (0..level.blocks)
            .map(|index| {
                let from = if index == 0 { from } else { level.channels };
                Stage::new(w, index, from, time_width, config.norms, widths)
            })
            .collect::<Result<_>>()?;
        let conv = w.pp("downsamplers.0.conv");
        let stride = if config.pad_downsampling_evenly { Stride::Two } else { Stride::TwoPaddedBehind };
        let channels = level.channels;
        let downsampler = (!bottom).then(|| Conv3x3::new(&conv, channels, channels, stride)).transpose()?;
        Ok(Self { stages, downsampler })
    }

    fn forward(&self, mut x: Tensor, time: &Tensor, context: &Tensor, skips: &mut Vec<Tensor>) -> Result<Tensor> {
        for stage in &self.stages {
            x = stage.forward(&x, time, context)?;
            skips.push(x.clone());
        }
        let Some(downsampler) = &self.downsampler else { return Ok(x) };
        x = downsampler.forward(&x)?;
        skips.push(x.clone());
        Ok(x)
    }
}

#[derive(Debug, Clone)]
struct MiddleBlock {
    before: Stage,
    after: ResidualBlock,
}

impl MiddleBlock {
    fn new(w: &Weights, config: &UnetConfig, level: &Level, time_width: usize) -> Result<Self> {
        let (channels, norms) = (level.channels, config.norms);
        let widths = config.widths(level, config.middle_layers);
        Ok(Self {
            before: Stage::new(w, 0, channels, time_width, norms, widths)?,
            after: ResidualBlock::new(&w.pp("resnets.1"), norms, channels, channels, Some(time_width))?,
        })
    }

    fn forward(&self, x: &Tensor, time: &Tensor, context: &Tensor) -> Result<Tensor> {
        self.after.forward(&self.before.forward(x, time, context)?, Some(time))
    }
}

#[derive(Debug, Clone)]
struct UpBlock {
    stages: Vec<Stage>,
    upsampler: Option<Upsample>,
}

impl UpBlock {
    /// Takes from `skips` the channels of the feature maps that its stages will be given beside their input.
    fn new(
        w: &Weights,
        config: &UnetConfig,
        level: &Level,
        from: usize,
        skips: &mut Vec<usize>,
        time_width: usize,
        top: bool,
    ) -> Result<Self> {
        let [_, layers] = level.layers;
        let widths = config.widths(level, layers);
        let stages = (0..=level.blocks)
            .map(|index| {
                let from = if index == 0 { from } else { level.channels } + skips.pop().unwrap_or_default();
                Stage::new(w, index, from, time_width, config.norms, widths)
            })
            .collect::<Result<_>>()?;
        let upsampler = (!top).then(|| Upsample::new(&w.pp("upsamplers.0"), level.channels)).transpose()?;
        Ok(Self { stages, upsampler })
    }

    fn forward(&self, mut x: Tensor, time: &Tensor, context: &Tensor, skips: &mut Vec<Tensor>) -> Result<Tensor> {
        for stage in &self.stages {
            let Some(skip) = skips.pop() else { candle_core::bail!("a UNet with more blocks up than down") };
            x = stage.forward(&Tensor::cat(&[x, skip], 1)?, time, context)?;
        }
        // Sizes were rounded up on the way down, so twice the size is not always the size that comes next.
        match (&self.upsampler, skips.last()) {
            (Some(upsampler), Some(next)) => upsampler.forward(&x, next.dim(2)?, next.dim(3)?),
            _ => Ok(x),
        }
    }
}
