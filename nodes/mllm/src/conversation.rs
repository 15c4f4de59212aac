//! The conversation that LLaVA was trained on as MGIE's authors use it, in text and in token ids: a question about a
//! picture, and the answer with `[IMG0]` … `[IMG7]` at its end.

use crate::error::ExpandError;
use crate::visual_tokens::VISUAL_TOKENS;
use mgie_weights::tokenizer::LlamaTokenizer;
use mgie_weights::{TextTokenizer, WeightsError};
use std::path::{Path, PathBuf};

/// The system prompt of LLaVA's template `vicuna_v1_1`.
const SYSTEM: &str = "A chat between a curious user and an artificial intelligence assistant. The assistant gives \
                      helpful, detailed, and polite answers to the user's questions.";
const IMAGE_PATCH: &str = "<im_patch>";
const IMAGE_START: &str = "<im_start>";
const IMAGE_END: &str = "<im_end>";

/// The ids of the tokens that LLaVA and MGIE added to LLaMA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedTokens {
    /// `<im_patch>`, which holds the place of one patch's features.
    pub patch: u32,
    /// `<im_start>` and `<im_end>`, where the model was trained with them.
    pub ends: Option<(u32, u32)>,
    /// `[IMG0]` … `[IMG7]`.
    pub visual: [u32; VISUAL_TOKENS],
}

impl AddedTokens {
    /// Where the placeholders begin. LLaVA insists, as we do, that the marks around them are the only ones; without
    /// marks, that the placeholders are.
    pub(crate) fn picture_place(&self, prompt: &[u32], patches: usize) -> Result<usize, ExpandError> {
        let count = |token: u32| prompt.iter().filter(|id| **id == token).count();
        let place = |token: u32| prompt.iter().position(|id| *id == token);
        let (start, stranger) = match self.ends {
            Some((start, end)) => {
                let stranger = if count(start) != 1 { IMAGE_START } else { IMAGE_END };
                (place(start).filter(|_| count(start) == 1 && count(end) == 1).map(|start| start + 1), stranger)
            }
            None => (place(self.patch).filter(|_| count(self.patch) == patches), IMAGE_PATCH),
        };
        start.filter(|start| start + patches <= prompt.len()).ok_or(ExpandError::ImageTokenInInstruction(stranger))
    }

    /// Whether a token stands for a picture or a visual token.
    fn contains(&self, id: u32) -> bool {
        let ends = self.ends.is_some_and(|(start, end)| id == start || id == end);
        ends || id == self.patch || self.visual.contains(&id)
    }
}

/// LLaMA's tokenizer with the tokens that LLaVA and MGIE added.
#[derive(Debug)]
pub struct LlavaTokenizer {
    tokenizer: LlamaTokenizer,
    folder: PathBuf,
    tokens: AddedTokens,
    eos: u32,
}

/// What is asked and what is to be answered, as the model is trained on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Prompt and answer; the last is the token that ends an answer.
    pub ids: Vec<u32>,
    /// How many of them are the prompt's: the others are what the model has to learn.
    pub prompt_length: usize,
}

impl LlavaTokenizer {
    /// Reads the tokenizer of a LLaVA folder and adds what its files lack, in the notebook's order: `[IMG0]` … `[IMG7]`,
    /// then the picture's tokens, which with `use_im_start_end` are three kinds instead of one.
    ///
    /// # Errors
    /// A file that is missing or malformed; a tokenizer that does not take these tokens or has none that ends a text.
    pub fn open(folder: &Path, use_im_start_end: bool) -> Result<Self, WeightsError> {
        let mut tokenizer = LlamaTokenizer::open(folder)?;
        let names: [String; VISUAL_TOKENS] = std::array::from_fn(|i| format!("[IMG{i}]"));
        tokenizer.add_tokens(&names.each_ref().map(String::as_str));
        tokenizer.add_tokens(&[IMAGE_PATCH]);
        if use_im_start_end {
            tokenizer.add_tokens(&[IMAGE_START, IMAGE_END]);
        }
        let id = |token: &str| {
            let lacks = || WeightsError::malformed(folder, format!("its tokenizer does not take the token `{token}`"));
            tokenizer.token_to_id(token).ok_or_else(lacks)
        };
        let ends = if use_im_start_end { Some((id(IMAGE_START)?, id(IMAGE_END)?)) } else { None };
        let mut visual = [0; VISUAL_TOKENS];
        for (place, name) in visual.iter_mut().zip(&names) {
            *place = id(name)?;
        }
        let no_end = || WeightsError::malformed(folder, "its tokenizer has no token that ends a text (`eos_token`)");
        let tokens = AddedTokens { patch: id(IMAGE_PATCH)?, ends, visual };
        let eos = tokenizer.eos().ok_or_else(no_end)?;
        Ok(Self { tokenizer, folder: folder.to_path_buf(), tokens, eos })
    }

    /// The ids of the added tokens.
    pub fn tokens(&self) -> AddedTokens {
        self.tokens
    }

    /// The id of `[IMG0]`.
    pub fn first_visual(&self) -> u32 {
        let [first, ..] = self.tokens.visual;
        first
    }

    /// The id that ends an answer, `</s>`.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// How many ids there are: the rows that token embeddings and output need.
    pub fn vocabulary_size(&self) -> usize {
        self.tokenizer.vocabulary_size()
    }

    /// The ids of a prompt: an instruction about a picture of `patches` patches. With 0 patches the same question is
    /// asked without a picture.
    ///
    /// # Errors
    /// A vocabulary that cannot express the text.
    pub fn prompt(&self, instruction: &str, patches: usize) -> Result<Vec<u32>, WeightsError> {
        self.tokenizer.encode(&self.prompt_text(instruction, patches))
    }

    /// The same prompt and the answer to it, an expressive instruction, then `[IMG0]` … `[IMG7]` where `with_visual_tokens`
    /// (an answer of MGIE's; others have none), then the end.
    ///
    /// # Errors
    /// A vocabulary that cannot express the text; an answer with tokens in it that stand for a picture, or that could not
    /// be told from the prompt.
    pub fn conversation(
        &self,
        instruction: &str,
        patches: usize,
        expressive: &str,
        with_visual_tokens: bool,
    ) -> Result<Conversation, ExpandError> {
        self.exchange(self.prompt_text(instruction, patches), expressive, with_visual_tokens)
    }

    /// Any question about a picture of `patches` patches (0: none) and the answer to it, then the end: what LLaVA is
    /// aligned with.
    ///
    /// # Errors
    /// As [`LlavaTokenizer::conversation`].
    pub fn question(&self, question: &str, patches: usize, answer: &str) -> Result<Conversation, ExpandError> {
        self.exchange(question_text(question, patches, self.tokens.ends.is_some()), answer, false)
    }

    fn exchange(
        &self,
        mut text: String,
        expressive: &str,
        with_visual_tokens: bool,
    ) -> Result<Conversation, ExpandError> {
        let prompt = self.tokenizer.encode(&text)?;
        if !expressive.trim().is_empty() {
            text.push(' ');
            text.push_str(expressive.trim());
        }
        let mut ids = self.tokenizer.encode(&text)?;
        let Some(answer) = ids.strip_prefix(prompt.as_slice()) else {
            let problem = format!("its tokenizer joins the beginning of the answer {expressive:?} to the prompt");
            return Err(WeightsError::malformed(&self.folder, problem).into());
        };
        if let Some(id) = answer.iter().find(|id| **id == self.eos || self.tokens.contains(**id)) {
            let token = self.tokenizer.id_to_token(*id).unwrap_or_default();
            return Err(ExpandError::MarkInAnswer { token, answer: expressive.to_owned() });
        }
        // White space beside added tokens never becomes a token, so that they can be appended as ids.
        if with_visual_tokens {
            ids.extend(self.tokens.visual);
        }
        ids.push(self.eos);
        Ok(Conversation { ids, prompt_length: prompt.len() })
    }

    /// The text of ids, special tokens included, as the tokenizer writes it.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, false)
    }

    /// Each id's token as the vocabulary spells it; empty for an id that it lacks.
    pub fn pieces(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.tokenizer.id_to_token(*id).unwrap_or_default()).collect()
    }

    fn prompt_text(&self, instruction: &str, patches: usize) -> String {
        prompt_text(instruction, patches, self.tokens.ends.is_some())
    }
}

/// The prompt as the authors write it: template `vicuna_v1_1` around MGIE's question, the picture after the question.
fn prompt_text(instruction: &str, patches: usize, use_im_start_end: bool) -> String {
    question_text(&format!("what will this image be like if '{instruction}'"), patches, use_im_start_end)
}

/// The template around any question.
fn question_text(question: &str, patches: usize, use_im_start_end: bool) -> String {
    let (start, end) = if use_im_start_end { (IMAGE_START, IMAGE_END) } else { ("", "") };
    let picture = match patches {
        0 => String::new(),
        _ => format!("\n{start}{}{end}", IMAGE_PATCH.repeat(patches)),
    };
    format!("{SYSTEM} USER: {question}{picture} ASSISTANT:")
}

#[cfg(test)]
mod tests {
    use super::prompt_text;

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

    #[test]
    fn a_prompt_without_a_picture_asks_the_same_question() {
        assert!(
            prompt_text("make it red", 0, true)
                .ends_with("USER: what will this image be like if 'make it red' ASSISTANT:")
        );
    }
}
