//! The transformer that both towers of CLIP are made of: norms before attention and before the feed-forward, QuickGELU
//! between its two layers. Names are the checkpoint's keys. Source: transformers' `CLIPEncoderLayer`.
//!
//! Shapes in comments: b = batch, n = tokens or patches.

use crate::config::TowerConfig;
use candle_core::{Result, Tensor};
use mgie_weights::Weights;

const NORM_EPS: f64 = 1e-5;

/// A linear map with bias, `weight` [out, in].
#[derive(Debug, Clone)]
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn load(w: &Weights, input: usize, output: usize) -> Result<Self> {
        Ok(Self { weight: w.get((output, input), "weight")?, bias: w.get(output, "bias")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::linear(x, &self.weight, Some(&self.bias))
    }
}

/// A layer norm over the width.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    pub(crate) fn load(w: &Weights, width: usize) -> Result<Self> {
        Ok(Self { weight: w.get(width, "weight")?, bias: w.get(width, "bias")? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mgie_kernels::layer_norm(x, &self.weight, &self.bias, NORM_EPS)
    }
}

#[derive(Debug, Clone)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl Attention {
    fn load(w: &Weights, config: &TowerConfig) -> Result<Self> {
        let project = |name| Linear::load(&w.pp(name), config.hidden, config.hidden);
        Ok(Self {
            q_proj: project("q_proj")?,
            k_proj: project("k_proj")?,
            v_proj: project("v_proj")?,
            out_proj: project("out_proj")?,
            heads: config.heads,
        })
    }

    /// [b, n, width] → [b, n, width]
    fn forward(&self, x: &Tensor, causal: bool) -> Result<Tensor> {
        let (q, k, v) = (self.q_proj.forward(x)?, self.k_proj.forward(x)?, self.v_proj.forward(x)?);
        self.out_proj.forward(&mgie_kernels::attention(&q, &k, &v, self.heads, causal)?)
    }
}

/// One layer of a tower.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Layer {
    /// Layer `number` of the tower whose tensors lie directly below `w`.
    pub(crate) fn load(w: &Weights, config: &TowerConfig, number: usize) -> Result<Self> {
        let w = w.pp("encoder.layers").pp(number);
        Ok(Self {
            layer_norm1: LayerNorm::load(&w.pp("layer_norm1"), config.hidden)?,
            self_attn: Attention::load(&w.pp("self_attn"), config)?,
            layer_norm2: LayerNorm::load(&w.pp("layer_norm2"), config.hidden)?,
            fc1: Linear::load(&w.pp("mlp.fc1"), config.hidden, config.intermediate)?,
            fc2: Linear::load(&w.pp("mlp.fc2"), config.intermediate, config.hidden)?,
        })
    }

    /// [b, n, width] → [b, n, width]; `causal`: each token sees those before it.
    pub(crate) fn forward(&self, x: &Tensor, causal: bool) -> Result<Tensor> {
        let x = (self.self_attn.forward(&self.layer_norm1.forward(x)?, causal)? + x)?;
        let inner = self.fc1.forward(&self.layer_norm2.forward(&x)?)?;
        self.fc2.forward(&quick_gelu(&inner)?)? + x
    }
}

/// OpenAI's quick approximation of GELU, x · σ(1.702 x): the SiLU of 1.702 x over 1.702. The gated kernel computes that in
/// one pass forward and one backward, six times as fast as a sigmoid out of candle's operations.
fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    let scale = 1.702;
    let over = Tensor::full(1.0 / scale as f32, x.shape(), x.device())?.to_dtype(x.dtype())?;
    mgie_kernels::swiglu(&(x * scale)?, &over)
}
