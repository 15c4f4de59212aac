//! CLIP's text tower (arXiv 2103.00020; transformers' `CLIPTextModel`): candle-transformers' own, whose numbers are
//! right, with the pooling that depends on the age of the config.

use crate::config::TowerConfig;
use candle_core::{Device, Result, Tensor};
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig, ClipTextTransformer};
use mgie_weights::Weights;

/// `eos_token_id` of configs that were written before transformers 4.30; the end is then where the largest id stands.
const OLD_EOS: u32 = 2;

/// The text tower.
#[derive(Debug, Clone)]
pub struct TextTower {
    config: TowerConfig,
    model: ClipTextTransformer,
    device: Device,
}

impl TextTower {
    /// Loads the tower whose tensors lie directly below `w` (in the files: below `text_model`).
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights, config: &TowerConfig) -> Result<Self> {
        let sizes = ClipTextConfig {
            vocab_size: config.vocabulary,
            embed_dim: config.hidden,
            activation: Activation::QuickGelu,
            intermediate_size: config.intermediate,
            max_position_embeddings: config.positions,
            pad_with: None,
            num_hidden_layers: config.layers,
            num_attention_heads: config.heads,
            projection_dim: 0,
        };
        let model = ClipTextTransformer::new(w.var_builder(), &sizes)?;
        Ok(Self { config: config.clone(), model, device: w.device().clone() })
    }

    /// Its sizes.
    pub fn config(&self) -> &TowerConfig {
        &self.config
    }

    /// Token ids, at most [`TowerConfig::positions`] of them, each below [`TowerConfig::vocabulary`] → the last hidden
    /// state after the final norm, [tokens, width].
    ///
    /// # Errors
    /// An id without an embedding, too many ids, not enough memory or a failing device.
    pub fn encode(&self, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        // Every token sees those before it, padding too: nothing more is masked.
        self.model.forward_with_mask(&ids, usize::MAX)?.squeeze(0)
    }

    /// Where among the ids the state stands that sums the text up: `pooler_output` of transformers.
    pub fn pooled_at(&self, ids: &[u32]) -> usize {
        let end = if self.config.eos == OLD_EOS { ids.iter().max().copied() } else { Some(self.config.eos) };
        ids.iter().position(|id| Some(*id) == end).unwrap_or(0)
    }
}
