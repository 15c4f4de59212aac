//! LLaVA (arXiv 2304.08485, the first version, at the commit that MGIE was made with) as MGIE's authors run it: the
//! picture's features in the prompt, and what is read out of the answer. MGIE's `mllm.pt` lies over a LLaVA folder
//! and brings token embeddings and output rows for `[IMG0]` … `[IMG7]`.

use crate::config::LlavaConfig;
use crate::conversation::LlavaTokenizer;
use crate::error::ExpandError;
use crate::generate::{Generated, Onlooker, Rules, generate};
use crate::llava_model::LlavaModel;
use candle_core::{DType, Device, Tensor};
use mgie_weights::{Checkpoint, Overlay, Watch, Weights, WeightsError};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A LLaVA with MGIE's tokens.
pub struct Llava {
    config: LlavaConfig,
    model: LlavaModel,
    tokenizer: Arc<LlavaTokenizer>,
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

    /// Puts a LLaVA together, its tokenizer read once and its tensors from anywhere.
    ///
    /// # Errors
    /// As [`LlavaModel::load`].
    pub fn new(config: LlavaConfig, tokenizer: Arc<LlavaTokenizer>, w: &Weights) -> candle_core::Result<Self> {
        let model = LlavaModel::load(w, &config, tokenizer.tokens())?;
        Ok(Self { config, model, tokenizer })
    }

    /// What `config.json` says.
    pub fn config(&self) -> &LlavaConfig {
        &self.config
    }

    /// The tokenizer, with LLaVA's and MGIE's tokens.
    pub fn tokenizer(&self) -> &Arc<LlavaTokenizer> {
        &self.tokenizer
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

    /// Expands an instruction about the picture with these CLIP features, [patches, width] in any float dtype; without
    /// features, about a picture that the model does not see.
    ///
    /// # Errors
    /// See [`ExpandError`].
    pub fn expand(
        &self,
        features: Option<&Tensor>,
        instruction: &str,
        rules: &Rules,
        onlooker: &mut dyn Onlooker,
    ) -> Result<Expansion, ExpandError> {
        let patches = match features {
            Some(features) => match features.dims2() {
                Ok((patches, _)) if patches > 0 => patches,
                _ => return Err(self.model.unfit_features(features)),
            },
            None => 0,
        };
        let prompt = self.prompt(instruction, patches)?;
        let embeddings = match features {
            Some(features) => self.model.embed(&prompt, features)?,
            None => self.model.llama().embed(&prompt)?,
        };
        let Generated { sequence, prompt_length, hidden } =
            generate(self.model.llama(), &prompt, &embeddings, rules, onlooker)?;
        let visual_tokens = self.model.visual_tokens(&hidden.unsqueeze(0)?, &[&sequence])?.squeeze(0)?;
        Ok(Expansion { sequence, prompt_length, visual_tokens })
    }
}

/// A LLaVA does all that its tensors can do.
impl Deref for Llava {
    type Target = LlavaModel;

    fn deref(&self) -> &LlavaModel {
        &self.model
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
