//! Text to token ids and back, as the tokenizers that the models were trained with do it: SentencePiece behind the
//! slow `LlamaTokenizer` of 2023, CLIP's byte-level BPE, and any `tokenizer.json`.

use crate::error::WeightsError;

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
