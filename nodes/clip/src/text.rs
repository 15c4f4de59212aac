//! CLIP's text tower (arXiv 2103.00020; transformers' `CLIPTextModel`), with the pooling that depends on the age of the
//! config. Shapes in comments: b = batch, n = tokens.

use crate::config::TowerConfig;
use crate::layer::{Layer, LayerNorm};
use candle_core::{Device, Result, Tensor};
use mgie_weights::Weights;

/// `eos_token_id` of configs that were written before transformers 4.30; the end is then where the largest id stands.
const OLD_EOS: u32 = 2;

/// The text tower.
#[derive(Debug, Clone)]
pub struct TextTower {
    config: TowerConfig,
    /// [vocabulary, width]
    token_embedding: Tensor,
    /// [positions, width]
    position_embedding: Tensor,
    layers: Vec<Layer>,
    final_layer_norm: LayerNorm,
    device: Device,
}

impl TextTower {
    /// Loads the tower whose tensors lie directly below `w` (in the files: below `text_model`).
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights, config: &TowerConfig) -> Result<Self> {
        let embeddings = w.pp("embeddings");
        let width = config.hidden;
        Ok(Self {
            token_embedding: embeddings.get((config.vocabulary, width), "token_embedding.weight")?,
            position_embedding: embeddings.get((config.positions, width), "position_embedding.weight")?,
            layers: (0..config.layers).map(|number| Layer::load(w, config, number)).collect::<Result<_>>()?,
            final_layer_norm: LayerNorm::load(&w.pp("final_layer_norm"), width)?,
            device: w.device().clone(),
            config: config.clone(),
        })
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
        self.encode_batch(&[ids])?.squeeze(0)
    }

    /// The same for several texts of one number of tokens: [texts, tokens, width].
    ///
    /// # Errors
    /// As [`TextTower::encode`]; texts of different lengths.
    pub fn encode_batch(&self, texts: &[impl AsRef<[u32]>]) -> Result<Tensor> {
        let n = texts.first().map_or(0, |ids| ids.as_ref().len());
        let ids: Vec<u32> = texts.iter().flat_map(|ids| ids.as_ref().iter().copied()).collect();
        if n == 0 || ids.len() != texts.len() * n {
            candle_core::bail!("texts of one length above 0 are encoded together")
        }
        let tokens = self.token_embedding.index_select(&Tensor::from_vec(ids, texts.len() * n, &self.device)?, 0)?;
        let tokens = tokens.reshape((texts.len(), n, self.config.hidden))?; // [b, n, width]
        let mut x = tokens.broadcast_add(&self.position_embedding.narrow(0, 0, n)?)?;
        for layer in &self.layers {
            // Every token sees those before it, padding too: nothing more is masked.
            x = layer.forward(&x, true)?;
        }
        self.final_layer_norm.forward(&x)
    }

    /// Where among the ids the state stands that sums the text up: `pooler_output` of transformers.
    pub fn pooled_at(&self, ids: &[u32]) -> usize {
        let end = if self.config.eos == OLD_EOS { ids.iter().max().copied() } else { Some(self.config.eos) };
        ids.iter().position(|id| Some(*id) == end).unwrap_or(0)
    }
}
