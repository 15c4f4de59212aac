//! Text to token ids and back, as the tokenizers that the models were trained with do it: SentencePiece behind the
//! slow `LlamaTokenizer` of 2023, CLIP's byte-level BPE, and any `tokenizer.json`.

mod added_tokens;
mod clip;
mod clip_text;
mod json_file;
mod llama;
mod sentencepiece;

pub use clip::ClipTokenizer;
pub use json_file::JsonTokenizer;
pub use llama::LlamaTokenizer;

use crate::error::WeightsError;
use crate::small_file;
use serde_json::{Map, Value};
use std::path::Path;

/// A tokenizer's JSON file larger than this is none: the largest vocabularies take 20 MB.
const JSON_LIMIT: u64 = 256 << 20;

/// What every tokenizer here can do. Ids are the rows of the model's embedding table.
pub trait TextTokenizer: Send + Sync {
    /// The ids of `text` with the special tokens that the tokenizer adds by itself (LLaMA: `<s>` first; CLIP:
    /// `<|startoftext|>` … `<|endoftext|>`), neither padded nor cut.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] naming the tokenizer's file, where its vocabulary cannot express the text.
    fn encode(&self, text: &str) -> Result<Vec<u32>, WeightsError>;

    /// The text of `ids`; with `skip_special`, special tokens are left out. Unknown ids are left out.
    fn decode(&self, ids: &[u32], skip_special: bool) -> String;

    /// The id of exactly this token, added tokens included.
    fn token_to_id(&self, token: &str) -> Option<u32>;

    /// The token of this id, as the vocabulary spells it.
    fn id_to_token(&self, id: u32) -> Option<String>;

    /// How many ids there are: the vocabulary and the added tokens.
    fn vocabulary_size(&self) -> usize;
}

/// Opens whatever tokenizer a Hugging Face folder holds: `tokenizer.model` as [`LlamaTokenizer`], else `vocab.json`
/// and `merges.txt` as [`ClipTokenizer`], else `tokenizer.json`. The slow tokenizers come first because they are the
/// reference that the fast ones approximate.
///
/// # Errors
/// [`WeightsError`] naming the folder where it holds none of them, or the file that is malformed.
pub fn open(folder: &Path) -> Result<Box<dyn TextTokenizer>, WeightsError> {
    std::fs::read_dir(folder).map_err(|e| WeightsError::unreadable(folder, &e))?;
    let holds = |name: &str| folder.join(name).is_file();
    if holds("tokenizer.model") {
        return Ok(Box::new(LlamaTokenizer::open(folder)?));
    }
    if holds("vocab.json") && holds("merges.txt") {
        return Ok(Box::new(ClipTokenizer::open(folder)?));
    }
    if holds("tokenizer.json") {
        return Ok(Box::new(JsonTokenizer::open(&folder.join("tokenizer.json"))?));
    }
    Err(WeightsError::malformed(folder, "holds no tokenizer")
        .with_remedy("expected tokenizer.model, or vocab.json and merges.txt, or tokenizer.json there"))
}

/// Reads a tokenizer's text file whole.
fn text_of(path: &Path) -> Result<String, WeightsError> {
    small_file::text(path, JSON_LIMIT)
}

/// Reads a JSON object, or `None` where the file is not there.
fn json_object(path: &Path) -> Result<Option<Map<String, Value>>, WeightsError> {
    if !path.exists() {
        return Ok(None);
    }
    match serde_json::from_str(&text_of(path)?) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(WeightsError::malformed(path, "is not a JSON object")),
        Err(error) => Err(WeightsError::malformed(path, format!("is not JSON: {error}"))),
    }
}

/// Joins punctuation to the word before it (`PreTrainedTokenizerBase.clean_up_tokenization`).
fn clean_up_spaces(text: &str) -> String {
    let pairs = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}
