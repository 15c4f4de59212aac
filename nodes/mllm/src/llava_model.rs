//! The tensors of a LLaVA with MGIE's tokens: language model, projector, the embeddings that the edit head adds. It knows
//! token ids but no text, and is built from [`Weights`] in no time, so that a training builds it anew at every step.

use crate::config::LlavaConfig;
use crate::conversation::AddedTokens;
use crate::error::ExpandError;
use crate::linear::Linear;
use crate::llama::Llama;
use crate::visual_tokens::{VISUAL_TOKENS, first_visual_token};
use candle_core::{Device, Tensor};
use mgie_weights::Weights;

/// A LLaVA without its tokenizer.
#[derive(Debug, Clone)]
pub struct LlavaModel {
    llama: Llama,
    mm_projector: Linear,
    tokens: AddedTokens,
    /// E: [8, hidden]
    img_embeddings: Tensor,
}

impl LlavaModel {
    /// Loads `model`, `lm_head` and, where it is there, `emb`. Nothing is copied: gradients flow to the very tensors that
    /// `w` hands out.
    ///
    /// # Errors
    /// Those of [`Weights::get`] and [`Weights::sizes`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights, config: &LlavaConfig, tokens: AddedTokens) -> candle_core::Result<Self> {
        let hidden = config.llama.hidden;
        let projector = w.pp("model.mm_projector");
        let [_, width] = projector.sizes("weight")?;
        let mm_projector = Linear::load(&projector, width, hidden, true)?;
        let llama = Llama::load(w, &config.llama)?;
        let img_embeddings = match w.get_if_present((1, VISUAL_TOKENS, hidden), "emb")? {
            Some(emb) => emb.squeeze(0)?,
            None => llama.last_embeddings(VISUAL_TOKENS)?,
        };
        Ok(Self { llama, mm_projector, tokens, img_embeddings })
    }

    /// The language model.
    pub fn llama(&self) -> &Llama {
        &self.llama
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.llama.device()
    }

    /// E: the input embeddings of `[IMG0]` … `[IMG7]`, [8, hidden]: `emb` of `mllm.pt`, or where that is missing the last
    /// eight rows of the token embeddings, to which gradients then flow.
    pub fn img_embeddings(&self) -> &Tensor {
        &self.img_embeddings
    }

    /// The prompt's input embeddings, [len(prompt), hidden]: each token's own, but where the placeholders stand the
    /// picture's projected features.
    ///
    /// # Errors
    /// Tokens in the instruction that mark where a picture stands; features of another width; a failing device.
    pub fn embed(&self, prompt: &[u32], features: &Tensor) -> Result<Tensor, ExpandError> {
        if features.rank() != 2 {
            return Err(self.unfit_features(features));
        }
        Ok(self.embed_batch(&[prompt], &features.unsqueeze(0)?)?.squeeze(0)?)
    }

    /// The same for several sequences, each with a picture's features, [batch, patches, width]: [batch, n, hidden], where n
    /// is the longest one's length and shorter ones are padded on the right as in [`Llama::embed_batch`]. Gradients flow
    /// to the projector, the features and the token embeddings.
    ///
    /// # Errors
    /// As [`LlavaModel::embed`].
    pub fn embed_batch(&self, sequences: &[impl AsRef<[u32]>], features: &Tensor) -> Result<Tensor, ExpandError> {
        let (batch, patches, width) = features.dims3().unwrap_or_default();
        if batch != sequences.len() || patches == 0 || width != self.mm_projector.input() {
            return Err(self.unfit_features(features));
        }
        let embeddings = self.llama.embed_batch(sequences)?;
        let (_, n, hidden) = embeddings.dims3()?;
        let pictures = self.mm_projector.forward(&features.to_dtype(embeddings.dtype())?)?;
        // The rows of all tokens, and below them those of all pictures: each place takes one of the two.
        let rows = Tensor::cat(&[embeddings.flatten_to(1)?, pictures.flatten_to(1)?], 0)?;
        let mut places: Vec<u32> = (0..(batch * n) as u32).collect();
        let mut next = places.len() as u32;
        for (sequence, places) in sequences.iter().zip(places.chunks_mut(n.max(1))) {
            let start = self.tokens.picture_place(sequence.as_ref(), patches)?;
            for place in places.iter_mut().skip(start).take(patches) {
                *place = next;
                next += 1;
            }
        }
        let places = Tensor::new(places, rows.device())?;
        Ok(rows.index_select(&places, 0)?.reshape((batch, n, hidden))?)
    }

    /// H of several sequences: out of their hidden states after the final norm, [batch, n, hidden], those that predict
    /// `[IMG0]` … `[IMG7]`, [batch, 8, hidden]. `sequences` are the ids without padding. Gradients flow to `hidden`.
    ///
    /// # Errors
    /// A sequence too short to hold eight; a failing device.
    pub fn visual_tokens(&self, hidden: &Tensor, sequences: &[impl AsRef<[u32]>]) -> Result<Tensor, ExpandError> {
        let (batch, n, width) = hidden.dims3()?;
        let mut places = Vec::with_capacity(batch * VISUAL_TOKENS);
        for (i, sequence) in sequences.iter().enumerate() {
            let sequence = sequence.as_ref();
            let first = first_visual_token(sequence, self.tokens.visual[0]);
            let first = i * n + first.ok_or(ExpandError::SequenceTooShort(sequence.len()))?;
            places.extend((first as u32..).take(VISUAL_TOKENS));
        }
        let places = Tensor::new(places, hidden.device())?;
        Ok(hidden.flatten_to(1)?.index_select(&places, 0)?.reshape((batch, VISUAL_TOKENS, width))?)
    }

    /// Says which shape was expected.
    pub(crate) fn unfit_features(&self, features: &Tensor) -> ExpandError {
        ExpandError::Features { expected: self.mm_projector.input(), found: features.dims().to_vec() }
    }
}
