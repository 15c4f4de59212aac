//! Any `tokenizer.json`, by the `tokenizers` crate.

use super::TextTokenizer;
use crate::error::WeightsError;
use std::path::{Path, PathBuf};
use tokenizers::Tokenizer;

/// A fast tokenizer from a `tokenizer.json`.
pub struct JsonTokenizer {
    path: PathBuf,
    tokenizer: Tokenizer,
}

impl JsonTokenizer {
    /// Reads a `tokenizer.json`. What it says of padding and truncation is not applied.
    ///
    /// # Errors
    /// [`WeightsError`] naming the file where it is unreadable or malformed.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let text = super::text_of(path)?;
        let read: Result<Tokenizer, _> = text.parse();
        let mut tokenizer =
            read.map_err(|e| WeightsError::malformed(path, format!("is not a tokenizer that can be used: {e}")))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| WeightsError::malformed(path, format!("is not a tokenizer that can be used: {e}")))?;
        Ok(Self { path: path.to_path_buf(), tokenizer })
    }
}

impl TextTokenizer for JsonTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, WeightsError> {
        let encoding = self
            .tokenizer
            .encode(text, true)
            .map_err(|e| WeightsError::malformed(&self.path, format!("cannot express the text: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        self.tokenizer.decode(ids, skip_special).unwrap_or_default()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    fn vocabulary_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}
