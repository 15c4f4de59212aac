//! MGIE's edit head, the paper's 𝒯 (arXiv 2309.17102, §3.2): from the eight visual tokens of the language model to what
//! the UNet attends to. It is `EditMapper` of the authors' code, around a `torch.nn.Transformer` with `batch_first` and
//! `norm_first`. The file has no config beside it, so every size is read from the tensors; only the number of heads
//! cannot be seen in them.
//!
//! Names are the checkpoint's keys. Shapes in comments: b = sequences,
//! s = source tokens (8), t = query tokens (77), d = width inside (512), hidden = the language model's width (4096).

use candle_core::{DType, Device, Error, Result, Tensor};
use mgie_weights::Weights;

/// `nhead` of the authors' `nn.Transformer`.
const HEADS: usize = 4;
/// `layer_norm_eps` of `nn.Transformer`.
const NORM_EPS: f64 = 1e-5;
/// More layers than any edit head has; a file that names more is damaged.
const MOST_LAYERS: usize = 256;

/// A tensor in the dtype of activations: on the CPU that is f32, where half precision only rounds the weights.
fn get(w: &Weights, shape: &[usize], name: &str) -> Result<Tensor> {
    let tensor = w.get(shape, name)?;
    if w.device().is_cpu() { tensor.to_dtype(DType::F32) } else { Ok(tensor) }
}

#[derive(Debug, Clone)]
struct Linear {
    /// [out, in]
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn load(w: &Weights, input: usize, output: usize) -> Result<Self> {
        Ok(Self { weight: get(w, &[output, input], "weight")?, bias: get(w, &[output], "bias")? })
    }

    /// [b, n, in] → [b, n, out]
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::linear(x, &self.weight, Some(&self.bias))
    }
}

#[derive(Debug, Clone)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::layer_norm(x, &self.weight, &self.bias, NORM_EPS)
    }
}

fn layer_norm(w: &Weights, d: usize) -> Result<LayerNorm> {
    Ok(LayerNorm { weight: get(w, &[d], "weight")?, bias: get(w, &[d], "bias")? })
}

/// `torch.nn.MultiheadAttention`: the projections of queries, keys and values are packed into one matrix.
#[derive(Debug, Clone)]
struct MultiheadAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    out_proj: Linear,
}

impl MultiheadAttention {
    fn load(w: &Weights, d: usize) -> Result<Self> {
        let weight = get(w, &[3 * d, d], "in_proj_weight")?;
        let bias = get(w, &[3 * d], "in_proj_bias")?;
        let part = |i: usize| -> Result<Linear> {
            Ok(Linear { weight: weight.narrow(0, i * d, d)?, bias: bias.narrow(0, i * d, d)? })
        };
        Ok(Self { q: part(0)?, k: part(1)?, v: part(2)?, out_proj: Linear::load(&w.pp("out_proj"), d, d)? })
    }

    /// Queries [b, t, d] look at `source` [b, s, d] → [b, t, d]; nothing is masked.
    fn forward(&self, x: &Tensor, source: &Tensor) -> Result<Tensor> {
        let (q, k, v) = (self.q.forward(x)?, self.k.forward(source)?, self.v.forward(source)?);
        self.out_proj.forward(&mgie_kernels::attention(&q, &k, &v, HEADS, false)?)
    }
}

#[derive(Debug, Clone)]
struct FeedForward {
    linear1: Linear,
    linear2: Linear,
}

impl FeedForward {
    /// `w` is the layer's own prefix; the width inside is `linear1`'s.
    fn load(w: &Weights, d: usize) -> Result<Self> {
        let [width, _] = w.sizes("linear1.weight")?;
        Ok(Self {
            linear1: Linear::load(&w.pp("linear1"), d, width)?,
            linear2: Linear::load(&w.pp("linear2"), width, d)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.linear2.forward(&self.linear1.forward(x)?.relu()?)
    }
}

#[derive(Debug, Clone)]
struct EncoderLayer {
    norm1: LayerNorm,
    self_attn: MultiheadAttention,
    norm2: LayerNorm,
    feed_forward: FeedForward,
}

impl EncoderLayer {
    fn load(w: &Weights, d: usize) -> Result<Self> {
        Ok(Self {
            norm1: layer_norm(&w.pp("norm1"), d)?,
            self_attn: MultiheadAttention::load(&w.pp("self_attn"), d)?,
            norm2: layer_norm(&w.pp("norm2"), d)?,
            feed_forward: FeedForward::load(w, d)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normed = self.norm1.forward(x)?;
        let x = (x + self.self_attn.forward(&normed, &normed)?)?;
        &x + self.feed_forward.forward(&self.norm2.forward(&x)?)?
    }
}

#[derive(Debug, Clone)]
struct DecoderLayer {
    norm1: LayerNorm,
    self_attn: MultiheadAttention,
    norm2: LayerNorm,
    multihead_attn: MultiheadAttention,
    norm3: LayerNorm,
    feed_forward: FeedForward,
}

impl DecoderLayer {
    fn load(w: &Weights, d: usize) -> Result<Self> {
        Ok(Self {
            norm1: layer_norm(&w.pp("norm1"), d)?,
            self_attn: MultiheadAttention::load(&w.pp("self_attn"), d)?,
            norm2: layer_norm(&w.pp("norm2"), d)?,
            multihead_attn: MultiheadAttention::load(&w.pp("multihead_attn"), d)?,
            norm3: layer_norm(&w.pp("norm3"), d)?,
            feed_forward: FeedForward::load(w, d)?,
        })
    }

    /// `memory` [s, d] is the encoder's output.
    fn forward(&self, x: &Tensor, memory: &Tensor) -> Result<Tensor> {
        let normed = self.norm1.forward(x)?;
        let x = (x + self.self_attn.forward(&normed, &normed)?)?;
        let x = (&x + self.multihead_attn.forward(&self.norm2.forward(&x)?, memory)?)?;
        &x + self.feed_forward.forward(&self.norm3.forward(&x)?)?
    }
}

/// The whole edit head.
#[derive(Debug, Clone)]
pub struct EditHead {
    llm2hid: Linear,
    /// [t, d]
    query: Tensor,
    encoder: Vec<EncoderLayer>,
    encoder_norm: LayerNorm,
    decoder: Vec<DecoderLayer>,
    decoder_norm: LayerNorm,
    hid2feat: Linear,
    hidden: usize,
}

impl EditHead {
    /// Loads the head whose tensors lie directly below `w` (in `mllm.pt`: below `edit_head`).
    ///
    /// # Errors
    /// Those of [`Weights::get`] and [`Weights::sizes`]; a width that four heads cannot share; no layers.
    pub fn load(w: &Weights) -> Result<Self> {
        let [d, hidden] = w.sizes("llm2hid.weight")?;
        let [_, queries, _] = w.sizes("query")?;
        let [features, _] = w.sizes("hid2feat.weight")?;
        if d == 0 || d % HEADS != 0 {
            let name = w.prefix();
            return Err(Error::Msg(format!("{name}: a width of {d} cannot be shared by {HEADS} attention heads")));
        }
        let mapper = w.pp("mapper");
        let (encoder, decoder) = (mapper.pp("encoder"), mapper.pp("decoder"));
        Ok(Self {
            llm2hid: Linear::load(&w.pp("llm2hid"), hidden, d)?,
            query: get(w, &[1, queries, d], "query")?.squeeze(0)?,
            encoder: layers(&encoder)?.iter().map(|w| EncoderLayer::load(w, d)).collect::<Result<_>>()?,
            encoder_norm: layer_norm(&encoder.pp("norm"), d)?,
            decoder: layers(&decoder)?.iter().map(|w| DecoderLayer::load(w, d)).collect::<Result<_>>()?,
            decoder_norm: layer_norm(&decoder.pp("norm"), d)?,
            hid2feat: Linear::load(&w.pp("hid2feat"), d, features)?,
            hidden,
        })
    }

    /// The width of the language model that it was trained with.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.query.device()
    }

    /// Visual tokens H and [IMG] embeddings E, both [s, hidden] in any float dtype on the head's device → conditioning
    /// [t, features] (77 × 768). With H = 0 it is the null conditioning. Of H [b, s, hidden] it is [b, t, features]; E may
    /// then still be one for all.
    ///
    /// # Errors
    /// Wrong shapes; not enough memory or a failing device.
    pub fn forward(&self, visual_tokens: &Tensor, img_embeddings: &Tensor) -> Result<Tensor> {
        let dtype = self.query.dtype();
        let single = visual_tokens.rank() == 2;
        let visual_tokens = if single { visual_tokens.unsqueeze(0)? } else { visual_tokens.clone() };
        let tokens = visual_tokens.to_dtype(dtype)?.broadcast_add(&img_embeddings.to_dtype(dtype)?)?;
        let mut memory = self.llm2hid.forward(&tokens)?; // [b, s, d]
        for layer in &self.encoder {
            memory = layer.forward(&memory)?;
        }
        let memory = self.encoder_norm.forward(&memory)?;
        let (queries, d) = self.query.dims2()?;
        let mut x = self.query.broadcast_as((tokens.dim(0)?, queries, d))?.contiguous()?; // [b, t, d]
        for layer in &self.decoder {
            x = layer.forward(&x, &memory)?;
        }
        let features = self.hid2feat.forward(&self.decoder_norm.forward(&x)?)?;
        if single { features.squeeze(0) } else { Ok(features) }
    }
}

/// The layers below `layers`: one more than the highest number that any tensor's name has.
fn layers<'a>(w: &Weights<'a>) -> Result<Vec<Weights<'a>>> {
    let layers = w.pp("layers");
    let number = |name: &String| name.split('.').next()?.parse::<usize>().ok();
    let highest = layers.names().iter().filter_map(number).max();
    match highest {
        Some(highest) if highest < MOST_LAYERS => Ok((0..=highest).map(|layer| layers.pp(layer)).collect()),
        Some(highest) => {
            Err(Error::Msg(format!("{}.{highest}: an edit head has at most {MOST_LAYERS} layers", layers.prefix())))
        }
        None => Err(Error::Msg(format!("no tensor below {}", layers.prefix()))),
    }
}
