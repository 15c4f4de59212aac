//! LLaVA (arXiv 2304.08485, the first version, at the commit that MGIE was made with) as MGIE's authors run it: the
//! prompt, the picture's features in it, and what is read out of the answer. MGIE's `mllm.pt` lies over a LLaVA folder
//! and brings token embeddings and output rows for `[IMG0]` … `[IMG7]`.

use crate::config::LlavaConfig;
use crate::error::ExpandError;
use crate::generate::{Generated, Onlooker, Rules, generate};
use crate::llama::{Linear, Llama};
use crate::visual_tokens::{VISUAL_TOKENS, first_visual_token};
use candle_core::{DType, Device, Tensor};
use mgie_weights::tokenizer::LlamaTokenizer;
use mgie_weights::{Checkpoint, Overlay, TextTokenizer, Watch, Weights, WeightsError};
use std::path::Path;

/// The system prompt of LLaVA's template `vicuna_v1_1`.
const SYSTEM: &str = "A chat between a curious user and an artificial intelligence assistant. The assistant gives \
                      helpful, detailed, and polite answers to the user's questions.";
const IMAGE_PATCH: &str = "<im_patch>";
const IMAGE_START: &str = "<im_start>";
const IMAGE_END: &str = "<im_end>";

/// The ids of the tokens that LLaVA and MGIE added to LLaMA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AddedTokens {
    patch: u32,
    /// `<im_start>` and `<im_end>`, where the model was trained with them.
    ends: Option<(u32, u32)>,
    /// `[IMG0]`
    first_visual: u32,
}

/// A LLaVA with MGIE's tokens.
pub struct Llava {
    config: LlavaConfig,
    llama: Llama,
    mm_projector: Linear,
    tokenizer: LlamaTokenizer,
    added: AddedTokens,
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
        let mut tokenizer = LlamaTokenizer::open(folder)?;
        let added = add_tokens(&mut tokenizer, config.use_im_start_end, folder)?;
        let overlay = match mllm {
            Some(mllm) => Overlay::new().then(Checkpoint::open(mllm)?),
            None => Overlay::new(),
        };
        let weights = Weights::watched(overlay.then(Checkpoint::open(folder)?), dtype, device, watch);
        check_rows(&weights, &tokenizer, folder, mllm)?;
        weights.check_room(is_used)?;
        let (llama, mm_projector, img_embeddings) = weights.load(|w| {
            let projector = w.pp("model.mm_projector");
            let [_, width] = projector.sizes("weight")?;
            let mm_projector = Linear::load(&projector, width, config.llama.hidden, true)?;
            let llama = Llama::load(w, &config.llama)?;
            let img_embeddings = match w.get_if_present((1, VISUAL_TOKENS, config.llama.hidden), "emb")? {
                Some(emb) => emb.squeeze(0)?,
                None => llama.last_embeddings(VISUAL_TOKENS)?,
            };
            Ok((llama, mm_projector, img_embeddings))
        })?;
        Ok((Self { config, llama, mm_projector, tokenizer, added, img_embeddings }, weights.bytes()))
    }

    /// What `config.json` says.
    pub fn config(&self) -> &LlavaConfig {
        &self.config
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.llama.device()
    }

    /// E: the input embeddings of `[IMG0]` … `[IMG7]`, [8, hidden]: `emb` of `mllm.pt`, or where that is missing the last
    /// eight rows of the token embeddings.
    pub fn img_embeddings(&self) -> &Tensor {
        &self.img_embeddings
    }

    /// The ids of the whole prompt for an instruction about a picture of `patches` patches.
    ///
    /// # Errors
    /// More tokens than the model has positions; a vocabulary that cannot express the text.
    pub fn prompt(&self, instruction: &str, patches: usize) -> Result<Vec<u32>, ExpandError> {
        let ids = self.tokenizer.encode(&prompt_text(instruction, patches, self.config.use_im_start_end))?;
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
        let expected = self.mm_projector.input();
        let (patches, width) = features.dims2().unwrap_or_default();
        if patches == 0 || width != expected {
            return Err(ExpandError::Features { expected, found: features.dims().to_vec() });
        }
        let prompt = self.prompt(instruction, patches)?;
        let embeddings = self.embed(&prompt, features)?;
        let Generated { sequence, prompt_length, hidden } =
            generate(&self.llama, &prompt, &embeddings, rules, onlooker)?;
        let Some(first) = first_visual_token(&sequence, self.added.first_visual) else {
            return Err(ExpandError::SequenceTooShort(sequence.len()));
        };
        let visual_tokens = hidden.narrow(0, first, VISUAL_TOKENS)?;
        Ok(Expansion { sequence, prompt_length, visual_tokens })
    }

    /// The text of ids, special tokens included, as the tokenizer writes it.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, false)
    }

    /// Each id's token as the vocabulary spells it; empty for an id that it lacks.
    pub fn pieces(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.tokenizer.id_to_token(*id).unwrap_or_default()).collect()
    }

    /// The language model.
    pub fn llama(&self) -> &Llama {
        &self.llama
    }

    /// The prompt's input embeddings, [len(prompt), hidden]: each token's own, but where the placeholders stand the
    /// picture's projected features.
    ///
    /// # Errors
    /// Tokens in the instruction that mark where a picture stands; a failing device.
    pub fn embed(&self, prompt: &[u32], features: &Tensor) -> Result<Tensor, ExpandError> {
        let patches = features.dim(0)?;
        let start = self.picture_place(prompt, patches)?;
        let embeddings = self.llama.embed(prompt)?;
        let picture = self.mm_projector.forward(&features.to_dtype(embeddings.dtype())?)?;
        let after = start + patches;
        let parts = [embeddings.narrow(0, 0, start)?, picture, embeddings.narrow(0, after, prompt.len() - after)?];
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Where the placeholders begin. LLaVA insists, as we do, that the marks around them are the only ones; without
    /// marks, that the placeholders are.
    fn picture_place(&self, prompt: &[u32], patches: usize) -> Result<usize, ExpandError> {
        let count = |token: u32| prompt.iter().filter(|id| **id == token).count();
        let place = |token: u32| prompt.iter().position(|id| *id == token);
        let AddedTokens { patch, ends, .. } = self.added;
        let (start, stranger) = match ends {
            Some((start, end)) => {
                let stranger = if count(start) != 1 { IMAGE_START } else { IMAGE_END };
                (place(start).filter(|_| count(start) == 1 && count(end) == 1).map(|start| start + 1), stranger)
            }
            None => (place(patch).filter(|_| count(patch) == patches), IMAGE_PATCH),
        };
        start.filter(|start| start + patches <= prompt.len()).ok_or(ExpandError::ImageTokenInInstruction(stranger))
    }
}

/// The prompt as the authors write it: template `vicuna_v1_1` around MGIE's question, the picture after the question.
fn prompt_text(instruction: &str, patches: usize, use_im_start_end: bool) -> String {
    let (start, end) = if use_im_start_end { (IMAGE_START, IMAGE_END) } else { ("", "") };
    let picture = IMAGE_PATCH.repeat(patches);
    format!("{SYSTEM} USER: what will this image be like if '{instruction}'\n{start}{picture}{end} ASSISTANT:")
}

/// Adds what the tokenizer's files lack, in the notebook's order: `[IMG0]` … `[IMG7]`, then the picture's tokens.
fn add_tokens(
    tokenizer: &mut LlamaTokenizer,
    use_im_start_end: bool,
    folder: &Path,
) -> Result<AddedTokens, WeightsError> {
    let visual: Vec<String> = (0..VISUAL_TOKENS).map(|i| format!("[IMG{i}]")).collect();
    tokenizer.add_tokens(&visual.iter().map(String::as_str).collect::<Vec<_>>());
    tokenizer.add_tokens(&[IMAGE_PATCH]);
    if use_im_start_end {
        tokenizer.add_tokens(&[IMAGE_START, IMAGE_END]);
    }
    let id = |token: &str| {
        let lacks = || WeightsError::malformed(folder, format!("its tokenizer does not take the token `{token}`"));
        tokenizer.token_to_id(token).ok_or_else(lacks)
    };
    let ends = if use_im_start_end { Some((id(IMAGE_START)?, id(IMAGE_END)?)) } else { None };
    Ok(AddedTokens { patch: id(IMAGE_PATCH)?, ends, first_visual: id("[IMG0]")? })
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
    tokenizer: &LlamaTokenizer,
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
    use super::{is_used, prompt_text};

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

    #[test]
    fn the_prompt_is_the_authors_with_the_picture_after_the_question() {
        assert_eq!(
            prompt_text("make it  red", 2, true),
            "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, \
             detailed, and polite answers to the user's questions. USER: what will this image be like if 'make it  \
             red'\n<im_start><im_patch><im_patch><im_end> ASSISTANT:"
        );
        assert!(prompt_text("", 1, false).ends_with("like if ''\n<im_patch> ASSISTANT:"));
    }
}
