//! LLaMA (arXiv 2302.13971) with the semantics of Hugging Face's `LlamaForCausalLM`: RMS norms, rotary positions on the
//! two halves of a head, SwiGLU, and key/value heads that several query heads may share. Unlike candle-transformers'
//! LLaMA it takes embeddings, and returns the hidden states of all positions: MGIE needs both.
//!
//! One sequence at a time, so tensors have no batch dimension. Names are the checkpoint's keys. Shapes in comments:
//! n = new tokens, past = tokens already in the cache, seen = past + new.

use crate::config::LlamaConfig;
use crate::half_linear;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_nn::rotary_emb::rope;
use mgie_weights::Weights;

/// Most attention scores (heads × queries × keys) that are held at once, in f32: 128 MiB. A longer prompt is attended
/// to in several groups of queries, which changes nothing in the result.
const MOST_SCORES: usize = 1 << 25;

/// A linear map, `weight` [out, in]. On the CPU activations are always f32, and half precision is a way to store weights.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub(crate) fn load(w: &Weights, input: usize, output: usize, bias: bool) -> Result<Self> {
        let weight = w.get((output, input), "weight")?;
        let bias = if bias { Some(w.get(output, "bias")?) } else { None };
        Ok(Self { weight, bias })
    }

    /// The width of what goes in.
    pub(crate) fn input(&self) -> usize {
        self.weight.dims().last().copied().unwrap_or(0)
    }

    /// [n, in] → [n, out], in the dtype of `x`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = if self.weight.dtype() == x.dtype() {
            x.matmul(&self.weight.t()?)?
        } else {
            half_linear::times_transposed(x, &self.weight)?
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.to_dtype(x.dtype())?),
            None => Ok(y),
        }
    }
}

#[derive(Debug, Clone)]
struct RmsNorm {
    weight: Tensor,
    eps: f32,
}

impl RmsNorm {
    fn load(w: &Weights, config: &LlamaConfig) -> Result<Self> {
        Ok(Self { weight: w.get(config.hidden, "weight")?, eps: config.norm_eps })
    }

    /// [n, hidden] → [n, hidden]; the mean of squares is taken in f32.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        rms_norm(x, &self.weight.to_dtype(x.dtype())?, self.eps)
    }
}

/// Keys and values of the tokens seen so far, and the rotary angles, for one generation. Room for `capacity` tokens is
/// taken at once, so that a token costs no copy of the others.
#[derive(Debug)]
pub struct Cache {
    capacity: usize,
    past: usize,
    /// [capacity, head_dim / 2]
    cos: Tensor,
    sin: Tensor,
    /// For each layer keys and values, [kv_heads, capacity, head_dim].
    layers: Vec<(Tensor, Tensor)>,
}

impl Cache {
    /// How many tokens have been seen.
    pub fn past(&self) -> usize {
        self.past
    }
}

/// The part of a forward pass that is the same in every layer: one group of queries, and what it may look at.
struct QueryGroup {
    start: usize,
    count: usize,
    seen: usize,
    /// [count, seen], 0 where a query may look and −∞ where it may not; none for a single query, which sees everything.
    mask: Option<Tensor>,
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
        let rotate = |x: Tensor| rope(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0);
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

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let gated = (self.gate_proj.forward(x)?.silu()? * self.up_proj.forward(x)?)?;
        self.down_proj.forward(&gated)
    }
}

#[derive(Debug, Clone)]
struct Layer {
    input_layernorm: RmsNorm,
    self_attn: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: FeedForward,
}

impl Layer {
    fn load(w: &Weights, config: &LlamaConfig) -> Result<Self> {
        Ok(Self {
            input_layernorm: RmsNorm::load(&w.pp("input_layernorm"), config)?,
            self_attn: Attention::load(&w.pp("self_attn"), config)?,
            post_attention_layernorm: RmsNorm::load(&w.pp("post_attention_layernorm"), config)?,
            mlp: FeedForward::load(&w.pp("mlp"), config)?,
        })
    }

    fn forward(&self, x: &Tensor, cache: &Cache, layer: usize, groups: &[QueryGroup]) -> Result<Tensor> {
        let x = (x + self.self_attn.forward(&self.input_layernorm.forward(x)?, cache, layer, groups)?)?;
        &x + self.mlp.forward(&self.post_attention_layernorm.forward(&x)?)?
    }
}

/// The whole language model.
#[derive(Debug, Clone)]
pub struct Llama {
    config: LlamaConfig,
    /// [tokens, hidden]
    embed_tokens: Tensor,
    layers: Vec<Layer>,
    norm: RmsNorm,
    lm_head: Linear,
    /// The dtype of activations: the weights', except on the CPU, where it is f32.
    dtype: DType,
    /// [`MOST_SCORES`], less in tests.
    pub(crate) most_scores: usize,
}

impl Llama {
    /// Loads `model.embed_tokens`, `model.layers.N`, `model.norm` and `lm_head` (`model.embed_tokens` again where the
    /// config ties them). How many tokens there are, the first and the last say themselves.
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `weights` collects.
    pub fn load(weights: &Weights, config: &LlamaConfig) -> Result<Self> {
        let model = weights.pp("model");
        let rows = |w: &Weights| -> Result<usize> {
            let [rows, _] = w.sizes("weight")?;
            Ok(rows)
        };
        let embeddings = model.pp("embed_tokens");
        let embed_tokens = embeddings.get((rows(&embeddings)?, config.hidden), "weight")?;
        let layers = model.pp("layers");
        let layers: Result<Vec<_>> = (0..config.layers).map(|layer| Layer::load(&layers.pp(layer), config)).collect();
        let norm = RmsNorm::load(&model.pp("norm"), config)?;
        let lm_head = if config.tied {
            Linear { weight: embed_tokens.clone(), bias: None }
        } else {
            let head = weights.pp("lm_head");
            Linear::load(&head, config.hidden, rows(&head)?, false)?
        };
        let dtype = if weights.device().is_cpu() { DType::F32 } else { weights.dtype() };
        Ok(Self {
            config: config.clone(),
            embed_tokens,
            layers: layers?,
            norm,
            lm_head,
            dtype,
            most_scores: MOST_SCORES,
        })
    }

    /// Sizes and constants.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.embed_tokens.device()
    }

    /// How many tokens have an input embedding, and how many the output chooses among.
    pub fn vocabulary(&self) -> (usize, usize) {
        let rows = |tensor: &Tensor| tensor.dims().first().copied().unwrap_or(0);
        (rows(&self.embed_tokens), rows(&self.lm_head.weight))
    }

    /// The input embeddings of tokens, [n, hidden].
    ///
    /// # Errors
    /// An id without an embedding; a failing device.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(ids, self.device())?;
        self.embed_tokens.index_select(&ids, 0)?.to_dtype(self.dtype)
    }

    /// The last `count` rows of the input embeddings, [count, hidden].
    ///
    /// # Errors
    /// Fewer rows than that; a failing device.
    pub fn last_embeddings(&self, count: usize) -> Result<Tensor> {
        let (rows, _) = self.vocabulary();
        let Some(first) = rows.checked_sub(count) else {
            candle_core::bail!("{count} embeddings asked for, there are {rows}")
        };
        self.embed_tokens.narrow(0, first, count)?.to_dtype(self.dtype)
    }

    /// An empty cache with room for `capacity` tokens.
    ///
    /// # Errors
    /// Not enough memory: it takes 2 × layers × kv_heads × capacity × head_dim elements.
    pub fn cache(&self, capacity: usize) -> Result<Cache> {
        let LlamaConfig { kv_heads, head_dim, rope_theta, rope_factor, layers, .. } = self.config;
        // In f32 and in this order, as transformers computes them: at position 2000 the last bit of a frequency matters.
        let frequencies: Vec<f32> =
            (0..head_dim).step_by(2).map(|i| 1.0 / rope_theta.powf(i as f32 / head_dim as f32)).collect();
        let angles = (0..capacity).flat_map(|position| {
            let position = position as f32 / rope_factor;
            frequencies.iter().map(move |frequency| position * frequency)
        });
        let angles = Tensor::from_iter(angles, &Device::Cpu)?.reshape((capacity, head_dim / 2))?;
        let place = |table: Tensor| table.to_dtype(self.dtype)?.to_device(self.device());
        let room = || Tensor::zeros((kv_heads, capacity, head_dim), self.dtype, self.device());
        let layers: Result<Vec<_>> = (0..layers).map(|_| Ok((room()?, room()?))).collect();
        Ok(Cache { capacity, past: 0, cos: place(angles.cos()?)?, sin: place(angles.sin()?)?, layers: layers? })
    }

    /// Feeds the embeddings [n, hidden] of the next tokens; the hidden states after the final norm, [n, hidden].
    ///
    /// `before_layer` is called with each layer's number; an error of it ends the pass at once, and then the cache must
    /// not be used any more.
    ///
    /// # Errors
    /// No room in the cache, not enough memory, a failing device, or what `before_layer` says.
    pub fn forward<E: From<candle_core::Error>>(
        &self,
        embeddings: &Tensor,
        cache: &mut Cache,
        mut before_layer: impl FnMut(usize) -> std::result::Result<(), E>,
    ) -> std::result::Result<Tensor, E> {
        let groups = self.query_groups(embeddings.dim(0)?, cache)?;
        let mut x = embeddings.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            before_layer(i)?;
            x = layer.forward(&x, cache, i, &groups)?;
        }
        cache.past += embeddings.dim(0)?;
        Ok(self.norm.forward(&x)?)
    }

    /// Hidden states [n, hidden] → logits [n, tokens], in f32.
    ///
    /// # Errors
    /// A wrong shape; a failing device.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.lm_head.forward(hidden)?.to_dtype(DType::F32)
    }

    /// Divides `n` new queries so that no group has more than `most_scores` scores.
    fn query_groups(&self, n: usize, cache: &Cache) -> Result<Vec<QueryGroup>> {
        let all = cache.past + n;
        if all > cache.capacity {
            candle_core::bail!("{all} tokens do not fit the cache, which has room for {}", cache.capacity)
        }
        let rows = (self.most_scores / self.config.heads.saturating_mul(all).max(1)).max(1);
        let group = |start: usize| {
            let count = rows.min(n - start);
            let seen = cache.past + start + count;
            let mask = if count == 1 { None } else { Some(causal_mask(count, seen, self.device())?) };
            Ok(QueryGroup { start, count, seen, mask })
        };
        (0..n).step_by(rows).map(group).collect()
    }
}

/// [count, seen]: the last `count` of `seen` tokens each look at themselves and at what stands before.
fn causal_mask(count: usize, seen: usize, device: &Device) -> Result<Tensor> {
    let past = seen - count;
    let row = |query: usize| (0..seen).map(move |key| if key <= past + query { 0f32 } else { f32::NEG_INFINITY });
    Tensor::from_iter((0..count).flat_map(row), device)?.reshape((count, seen))
}
