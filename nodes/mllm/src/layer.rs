//! One layer of LLaMA. Its weights serve two passes: one sequence piece by piece with a cache, for generation, and a
//! batch of whole sequences at once, which gradients follow, for training.
//!
//! Names are the checkpoint's keys. Shapes in comments: n = new tokens, past = tokens already in the cache, seen = past +
//! new.

use crate::cache::{Cache, QueryGroup};
use crate::config::LlamaConfig;
use crate::linear::Linear;
use candle_core::{DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use mgie_weights::Weights;

#[derive(Debug, Clone)]
pub(crate) struct RmsNorm {
    weight: Tensor,
    eps: f32,
}

impl RmsNorm {
    pub(crate) fn load(w: &Weights, config: &LlamaConfig) -> Result<Self> {
        Ok(Self { weight: w.get(config.hidden, "weight")?, eps: config.norm_eps })
    }

    /// […, hidden] → […, hidden]; the mean of squares is taken in f32.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.to_dtype(x.dtype())?;
        if x.track_op() || weight.track_op() {
            return mgie_kernels::rms_norm(x, &weight, f64::from(self.eps));
        }
        // One kernel on every device, but gradients stop at it.
        candle_nn::ops::rms_norm(x, &weight, self.eps)
    }
}

#[derive(Debug, Clone)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Attention {
    fn load(w: &Weights, config: &LlamaConfig) -> Result<Self> {
        let LlamaConfig { hidden, heads, kv_heads, head_dim, attention_bias: bias, .. } = *config;
        Ok(Self {
            q_proj: Linear::load(&w.pp("q_proj"), hidden, heads * head_dim, bias)?,
            k_proj: Linear::load(&w.pp("k_proj"), hidden, kv_heads * head_dim, bias)?,
            v_proj: Linear::load(&w.pp("v_proj"), hidden, kv_heads * head_dim, bias)?,
            o_proj: Linear::load(&w.pp("o_proj"), heads * head_dim, hidden, bias)?,
            heads,
            kv_heads,
            head_dim,
        })
    }

    /// [n, heads × head_dim] → [heads, n, head_dim]
    fn split(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        x.reshape((x.dim(0)?, heads, self.head_dim))?.transpose(0, 1)?.contiguous()
    }

    /// [n, hidden] → [n, hidden]; appends the new keys and values to `cache`.
    fn forward(&self, x: &Tensor, cache: &Cache, layer: usize, groups: &[QueryGroup]) -> Result<Tensor> {
        let n = x.dim(0)?;
        let (heads, kv_heads, head_dim) = (self.heads, self.kv_heads, self.head_dim);
        let (cos, sin) = (cache.cos.narrow(0, cache.past, n)?, cache.sin.narrow(0, cache.past, n)?);
        let rotate = |x: Tensor| candle_nn::rotary_emb::rope(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0);
        // Scaled before the product rather than after it: in f16 the product could overflow.
        let q = (rotate(self.split(&self.q_proj.forward(x)?, heads)?)? * (head_dim as f64).powf(-0.5))?;
        let k = rotate(self.split(&self.k_proj.forward(x)?, kv_heads)?)?;
        let v = self.split(&self.v_proj.forward(x)?, kv_heads)?;
        let Some((keys, values)) = cache.layers.get(layer) else {
            candle_core::bail!("the key/value cache has no layer {layer}")
        };
        keys.slice_set(&k, 1, cache.past)?;
        values.slice_set(&v, 1, cache.past)?;

        let mut outputs = Vec::with_capacity(groups.len());
        for QueryGroup { start, count, seen, mask } in groups {
            let (count, seen) = (*count, *seen);
            // The query heads that share a key head lie next to each other, so they can stand below each other as rows.
            let shared = (kv_heads, heads / kv_heads * count, head_dim);
            let q = q.narrow(1, *start, count)?.contiguous()?.reshape(shared)?;
            let scores = q.matmul(&keys.narrow(1, 0, seen)?.transpose(1, 2)?)?; // [kv_heads, shared × count, seen]
            let scores = scores.to_dtype(DType::F32)?.reshape((heads, count, seen))?;
            let scores = match mask {
                Some(mask) => scores.broadcast_add(mask)?,
                None => scores,
            };
            let attention = softmax_last_dim(&scores)?.to_dtype(x.dtype())?;
            let attention = attention.reshape((kv_heads, heads / kv_heads * count, seen))?;
            let output = attention.matmul(&values.narrow(1, 0, seen)?)?.reshape((heads, count, head_dim))?;
            outputs.push(output.transpose(0, 1)?.reshape((count, heads * head_dim))?);
        }
        self.o_proj.forward(&Tensor::cat(&outputs, 0)?)
    }

    /// [batch, n, hidden] → [batch, n, hidden], each token looking at itself and at those before. `cos` and `sin` are
    /// [n, head_dim / 2].
    fn forward_whole(&self, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
        let q = mgie_kernels::rope(&self.q_proj.forward(x)?, cos, sin, self.heads)?;
        let k = mgie_kernels::rope(&self.k_proj.forward(x)?, cos, sin, self.kv_heads)?;
        let (k, v) = (self.for_each_query(k)?, self.for_each_query(self.v_proj.forward(x)?)?);
        self.o_proj.forward(&mgie_kernels::attention(&q, &k, &v, self.heads, true)?)
    }

    /// [batch, n, kv_heads × head_dim] → [batch, n, heads × head_dim]: each head once for every query head that shares it.
    fn for_each_query(&self, x: Tensor) -> Result<Tensor> {
        let shared = self.heads / self.kv_heads;
        if shared == 1 {
            return Ok(x);
        }
        let (batch, n, _) = x.dims3()?;
        let x = x.reshape((batch, n, self.kv_heads, 1, self.head_dim))?;
        let x = x.broadcast_as((batch, n, self.kv_heads, shared, self.head_dim))?.contiguous()?;
        x.reshape((batch, n, self.heads * self.head_dim))
    }
}

#[derive(Debug, Clone)]
struct FeedForward {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl FeedForward {
    fn load(w: &Weights, config: &LlamaConfig) -> Result<Self> {
        let LlamaConfig { hidden, intermediate, mlp_bias: bias, .. } = *config;
        Ok(Self {
            gate_proj: Linear::load(&w.pp("gate_proj"), hidden, intermediate, bias)?,
            up_proj: Linear::load(&w.pp("up_proj"), hidden, intermediate, bias)?,
            down_proj: Linear::load(&w.pp("down_proj"), intermediate, hidden, bias)?,
        })
    }

    /// […, hidden] → […, hidden]
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.down_proj.forward(&mgie_kernels::swiglu(&self.gate_proj.forward(x)?, &self.up_proj.forward(x)?)?)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    input_layernorm: RmsNorm,
    self_attn: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: FeedForward,
}

impl Layer {
    pub(crate) fn load(w: &Weights, config: &LlamaConfig) -> Result<Self> {
        Ok(Self {
            input_layernorm: RmsNorm::load(&w.pp("input_layernorm"), config)?,
            self_attn: Attention::load(&w.pp("self_attn"), config)?,
            post_attention_layernorm: RmsNorm::load(&w.pp("post_attention_layernorm"), config)?,
            mlp: FeedForward::load(&w.pp("mlp"), config)?,
        })
    }

    /// The next tokens of the one sequence in `cache`, [n, hidden] → [n, hidden]. No gradients.
    pub(crate) fn forward(&self, x: &Tensor, cache: &Cache, layer: usize, groups: &[QueryGroup]) -> Result<Tensor> {
        self.around(x, |normed| self.self_attn.forward(normed, cache, layer, groups))
    }

    /// Whole sequences, [batch, n, hidden] → [batch, n, hidden]. Gradients flow to `x` and to every weight.
    pub(crate) fn forward_whole(&self, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
        self.around(x, |normed| self.self_attn.forward_whole(normed, cos, sin))
    }

    fn around(&self, x: &Tensor, attention: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let x = (x + attention(&self.input_layernorm.forward(x)?)?)?;
        &x + self.mlp.forward(&self.post_attention_layernorm.forward(&x)?)?
    }
}
