//! LLaVA (arXiv 2304.08485, the first version, at the commit that MGIE was made with) as MGIE's authors run it: the
//! picture's features in the prompt, and what is read out of the answer. MGIE's `mllm.pt` lies over a LLaVA folder
//! and brings token embeddings and output rows for `[IMG0]` … `[IMG7]`.

use crate::config::LlavaConfig;
use crate::conversation::LlavaTokenizer;
use crate::error::ExpandError;
use crate::generate::{Generated, Onlooker, Rules, generate};
use crate::linear::Linear;
use crate::llama::Llama;
use crate::visual_tokens::{VISUAL_TOKENS, first_visual_token};
use candle_core::{DType, Device, Tensor};
use mgie_weights::{Checkpoint, Overlay, Watch, Weights, WeightsError};
use std::path::Path;
use std::sync::Arc;

/// A LLaVA with MGIE's tokens.
pub struct Llava {
    config: LlavaConfig,
    llama: Llama,
    mm_projector: Linear,
    tokenizer: Arc<LlavaTokenizer>,
    /// E: [8, hidden]
    img_embeddings: Tensor,
}

/// What an instruction was expanded to.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// Prompt and answer.
    pub sequence: Vec<u32>,
    /// How many of them are the prompt's.
    pub prompt_length: usize,
    /// H: the hidden states that predict `[IMG0]` … `[IMG7]`, [8, hidden].
    pub visual_tokens: Tensor,
}

impl Llava {
    /// Loads a LLaVA folder, with MGIE's `mllm.pt` over it; returns also the bytes that it holds.
    ///
    /// # Errors
    /// A file that is missing, malformed or does not fit the others; cancelled by `watch`.
    pub fn load(
        folder: &Path,
        mllm: Option<&Path>,
        dtype: DType,
        device: &Device,
        watch: &dyn Watch,
    ) -> Result<(Self, u64), WeightsError> {
        let config = LlavaConfig::read(folder)?;
        let tokenizer = LlavaTokenizer::open(folder, config.use_im_start_end)?;
        let overlay = match mllm {
            Some(mllm) => Overlay::new().then(Checkpoint::open(mllm)?),
            None => Overlay::new(),
        };
        let weights = Weights::watched(overlay.then(Checkpoint::open(folder)?), dtype, device, watch);
        check_rows(&weights, &tokenizer, folder, mllm)?;
        weights.check_room(is_used)?;
        let llava = weights.load(|w| Self::new(config, Arc::new(tokenizer), w))?;
        Ok((llava, weights.bytes()))
    }

    /// Builds a LLaVA from its parts: the tensors of `model`, `lm_head` and, where it is there, `emb`. Nothing is copied,
    /// so that gradients flow to the very tensors that `w` hands out, and so that this may be done at every step of a
    /// training; `tokenizer` is read from its files once.
    ///
    /// # Errors
    /// Those of [`Weights::get`] and [`Weights::sizes`]; what is missing or misshapen, `w` collects.
    pub fn new(config: LlavaConfig, tokenizer: Arc<LlavaTokenizer>, w: &Weights) -> candle_core::Result<Self> {
        let projector = w.pp("model.mm_projector");
        let [_, width] = projector.sizes("weight")?;
        let mm_projector = Linear::load(&projector, width, config.llama.hidden, true)?;
        let llama = Llama::load(w, &config.llama)?;
        let img_embeddings = match w.get_if_present((1, VISUAL_TOKENS, config.llama.hidden), "emb")? {
            Some(emb) => emb.squeeze(0)?,
            None => llama.last_embeddings(VISUAL_TOKENS)?,
        };
        Ok(Self { config, llama, mm_projector, tokenizer, img_embeddings })
    }

    /// What `config.json` says.
    pub fn config(&self) -> &LlavaConfig {
        &self.config
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.llama.device()
    }

    /// The tokenizer, with LLaVA's and MGIE's tokens.
    pub fn tokenizer(&self) -> &Arc<LlavaTokenizer> {
        &self.tokenizer
    }

    /// E: the input embeddings of `[IMG0]` … `[IMG7]`, [8, hidden]: `emb` of `mllm.pt`, or where that is missing the last
    /// eight rows of the token embeddings, through which gradients then flow to the table.
    pub fn img_embeddings(&self) -> &Tensor {
        &self.img_embeddings
    }

    /// The ids of the whole prompt for an instruction about a picture of `patches` patches; 0 for none.
    ///
    /// # Errors
    /// More tokens than the model has positions; a vocabulary that cannot express the text.
    pub fn prompt(&self, instruction: &str, patches: usize) -> Result<Vec<u32>, ExpandError> {
        let ids = self.tokenizer.prompt(instruction, patches)?;
        let limit = self.config.llama.max_positions;
        if ids.len() > limit {
            return Err(ExpandError::PromptTooLong { tokens: ids.len(), image: patches, limit });
        }
        Ok(ids)
    }

    /// Expands an instruction about the picture with these CLIP features, [patches, width] in any float dtype.
    ///
    /// # Errors
    /// See [`ExpandError`].
    pub fn expand(
        &self,
        features: &Tensor,
        instruction: &str,
        rules: &Rules,
        onlooker: &mut dyn Onlooker,
    ) -> Result<Expansion, ExpandError> {
        let (patches, _) = features.dims2().unwrap_or_default();
        if patches == 0 {
            return Err(self.unfit_features(features));
        }
        let prompt = self.prompt(instruction, patches)?;
        let embeddings = self.embed(&prompt, features)?;
        let Generated { sequence, prompt_length, hidden } =
            generate(&self.llama, &prompt, &embeddings, rules, onlooker)?;
        let Some(first) = first_visual_token(&sequence, self.tokenizer.first_visual()) else {
            return Err(ExpandError::SequenceTooShort(sequence.len()));
        };
        let visual_tokens = hidden.narrow(0, first, VISUAL_TOKENS)?;
        Ok(Expansion { sequence, prompt_length, visual_tokens })
    }

    /// The language model.
    pub fn llama(&self) -> &Llama {
        &self.llama
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
    /// As [`Llava::embed`].
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
            let start = self.tokenizer.picture_place(sequence.as_ref(), patches)?;
            for place in places.iter_mut().skip(start).take(patches) {
                *place = next;
                next += 1;
            }
        }
        let places = Tensor::new(places, rows.device())?;
        Ok(rows.index_select(&places, 0)?.reshape((batch, n, hidden))?)
    }

    fn unfit_features(&self, features: &Tensor) -> ExpandError {
        ExpandError::Features { expected: self.mm_projector.input(), found: features.dims().to_vec() }
    }
}

/// Whether a tensor of a LLaVA's or MGIE's files is loaded: not the edit head, nor what older files store of the picture's
/// tower and the rotary angles.
fn is_used(name: &str) -> bool {
    let language_model = name.starts_with("model.") || name.starts_with("lm_head.") || name == "emb";
    language_model && !name.starts_with("model.vision_tower.") && !name.ends_with(".inv_freq")
}

/// Token embeddings and output rows must be as many as there are tokens: a base model alone lacks those of `[IMG0..7]`.
fn check_rows(
    weights: &Weights,
    tokenizer: &LlavaTokenizer,
    folder: &Path,
    mllm: Option<&Path>,
) -> Result<(), WeightsError> {
    let tokens = tokenizer.vocabulary_size();
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
        let Some(stored) = weights.stored(name) else { continue };
        let rows = stored.shape().first().copied().unwrap_or_default();
        if rows == tokens {
            continue;
        }
        let problem = format!("{name} has {rows} rows, the tokenizer of {} has {tokens} tokens", folder.display());
        let remedy = match mllm {
            None => {
                "this LLaVA has not learned [IMG0] … [IMG7]: set `weights` to MGIE's mllm.pt, which brings their rows"
                    .to_owned()
            }
            Some(mllm) if stored.file() != mllm => {
                format!("{} does not bring the rows of [IMG0] … [IMG7]: is it MGIE's mllm.pt?", mllm.display())
            }
            Some(_) => "it belongs to another LLaVA: set `model` to the one that it was trained on".to_owned(),
        };
        return Err(WeightsError::malformed(stored.file(), problem).with_remedy(remedy));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_used;

    #[test]
    fn memory_is_asked_for_what_is_loaded_and_for_nothing_else_in_the_files() {
        for name in ["model.embed_tokens.weight", "model.layers.31.mlp.up_proj.weight", "lm_head.weight", "emb"] {
            assert!(is_used(name), "{name}");
        }
        for name in [
            "edit_head.llm2hid.weight",
            "model.layers.0.self_attn.rotary_emb.inv_freq",
            "model.vision_tower.vision_model.post_layernorm.weight",
        ] {
            assert!(!is_used(name), "{name}");
        }
    }
}
