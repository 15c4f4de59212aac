//! LLaMA (arXiv 2302.13971) with the semantics of Hugging Face's `LlamaForCausalLM`: RMS norms, rotary positions on the
//! two halves of a head, SwiGLU, and key/value heads that several query heads may share. Unlike candle-transformers'
//! LLaMA it takes embeddings, and returns the hidden states of all positions: MGIE needs both.
//!
//! Names are the checkpoint's keys. Shapes in comments: n = new tokens.

use crate::cache::Cache;
use crate::config::LlamaConfig;
use crate::layer::{Layer, RmsNorm};
use crate::linear::Linear;
use candle_core::{DType, Device, Result, Tensor};
use mgie_weights::Weights;

/// Most attention scores (heads × queries × keys) that are held at once, in f32: 128 MiB. A longer prompt is attended
/// to in several groups of queries, which changes nothing in the result.
const MOST_SCORES: usize = 1 << 25;

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

    /// The input embeddings of several sequences, [batch, n, hidden], where n is the longest one's length. Shorter ones
    /// are padded on the right, with what does not matter to them: no token looks behind itself. Gradients flow to the
    /// table.
    ///
    /// # Errors
    /// As [`Llama::embed`].
    pub fn embed_batch(&self, sequences: &[impl AsRef<[u32]>]) -> Result<Tensor> {
        let n = sequences.iter().map(|ids| ids.as_ref().len()).max().unwrap_or(0);
        let padded = |ids: &[u32]| ids.iter().copied().chain(std::iter::repeat(0)).take(n).collect::<Vec<_>>();
        let ids: Vec<u32> = sequences.iter().flat_map(|ids| padded(ids.as_ref())).collect();
        self.embed(&ids)?.reshape((sequences.len(), n, self.config.hidden))
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
        let LlamaConfig { kv_heads, head_dim, layers, .. } = self.config;
        let (cos, sin) = self.rotary_angles(capacity)?;
        let room = || Tensor::zeros((kv_heads, capacity, head_dim), self.dtype, self.device());
        let layers: Result<Vec<_>> = (0..layers).map(|_| Ok((room()?, room()?))).collect();
        Ok(Cache { capacity, past: 0, cos, sin, layers: layers? })
    }

    /// Cosine and sine of the rotary angles of the first `count` positions, [count, head_dim / 2] each.
    fn rotary_angles(&self, count: usize) -> Result<(Tensor, Tensor)> {
        let LlamaConfig { head_dim, rope_theta, rope_factor, .. } = self.config;
        // In f32 and in this order, as transformers computes them: at position 2000 the last bit of a frequency matters.
        let frequencies: Vec<f32> =
            (0..head_dim).step_by(2).map(|i| 1.0 / rope_theta.powf(i as f32 / head_dim as f32)).collect();
        let angles = (0..count).flat_map(|position| {
            let position = position as f32 / rope_factor;
            frequencies.iter().map(move |frequency| position * frequency)
        });
        let angles = Tensor::from_iter(angles, &Device::Cpu)?.reshape((count, head_dim / 2))?;
        let place = |table: Tensor| table.to_dtype(self.dtype)?.to_device(self.device());
        Ok((place(angles.cos()?)?, place(angles.sin()?)?))
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
        let groups = cache.query_groups(embeddings.dim(0)?, self.config.heads, self.most_scores)?;
        let mut x = embeddings.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            before_layer(i)?;
            x = layer.forward(&x, cache, i, &groups)?;
        }
        cache.past += embeddings.dim(0)?;
        Ok(self.norm.forward(&x)?)
    }

    /// Whole sequences at once, each from its beginning: embeddings [batch, n, hidden] → hidden states after the final
    /// norm, [batch, n, hidden], as [`Llama::forward`] gives them for each sequence alone. Sequences of several lengths
    /// are padded on the right; the states there mean nothing. Gradients flow to the embeddings and to every weight that
    /// has the dtype of activations.
    ///
    /// # Errors
    /// More tokens than positions, not enough memory, a failing device.
    pub fn hidden_states(&self, embeddings: &Tensor) -> Result<Tensor> {
        let (_, n, _) = embeddings.dims3()?;
        let limit = self.config.max_positions;
        if n > limit {
            candle_core::bail!("a sequence of {n} tokens; `max_position_embeddings` of this model is {limit}")
        }
        let (cos, sin) = self.rotary_angles(n)?;
        let mut x = embeddings.clone();
        for layer in &self.layers {
            x = layer.forward_whole(&x, &cos, &sin)?;
        }
        self.norm.forward(&x)
    }

    /// Hidden states […, hidden] → logits […, tokens], in f32. Gradients flow as in [`Llama::hidden_states`].
    ///
    /// # Errors
    /// A wrong shape; a failing device.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.lm_head.forward(hidden)?.to_dtype(DType::F32)
    }
}
