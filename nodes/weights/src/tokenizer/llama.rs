//! The slow `LlamaTokenizer` of transformers 4.28, the one that LLaVA and MGIE were trained with. Added tokens split
//! the text and strip the white space beside them, and every segment between them is a SentencePiece text of its own
//! with its own leading space; later releases and the fast tokenizer give other ids.
//!
//! Sources: transformers 4.28.1, `models/llama/tokenization_llama.py`, `tokenization_utils.py` and
//! `tokenization_utils_base.py`.

use super::TextTokenizer;
use super::added_tokens::{AddedTokens, Part, Strip};
use super::sentencepiece::SentencePiece;
use crate::error::WeightsError;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// The attributes that may name special tokens, in the order in which transformers lists them.
const ATTRIBUTES: [&str; 8] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
    "additional_special_tokens",
];

/// A special token and what it does to the white space beside it.
#[derive(Debug, Clone)]
struct Special {
    text: String,
    strip: Strip,
}

/// LLaMA's tokenizer from a Hugging Face folder.
#[derive(Debug)]
pub struct LlamaTokenizer {
    model: SentencePiece,
    /// By attribute; `additional_special_tokens` may have several.
    special: HashMap<&'static str, Vec<Special>>,
    /// Tokens above the model's vocabulary.
    added: HashMap<String, u32>,
    added_by_id: HashMap<u32, String>,
    unsplit: AddedTokens,
    add_bos: bool,
    add_eos: bool,
    clean_up_spaces: bool,
}

impl LlamaTokenizer {
    /// Reads `tokenizer.model` of a folder, and `tokenizer_config.json`, `special_tokens_map.json` and
    /// `added_tokens.json` where they are there.
    ///
    /// # Errors
    /// [`WeightsError`] naming the file that is missing or malformed, such as added tokens whose ids do not follow on
    /// the vocabulary.
    pub fn open(folder: &Path) -> Result<Self, WeightsError> {
        let model = SentencePiece::open(&folder.join("tokenizer.model"))?;
        let config_path = folder.join("tokenizer_config.json");
        let config = super::json_object(&config_path)?.unwrap_or_default();
        let mut special = HashMap::new();
        for (attribute, text) in [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")] {
            special.insert(attribute, vec![Special { text: text.into(), strip: kept() }]);
        }
        // A constructor turns these four into tokens that keep the white space beside them; from the map of special
        // tokens, which is read later, plain strings stay plain.
        let constructed = ["bos_token", "eos_token", "unk_token", "pad_token"];
        for attribute in ATTRIBUTES {
            if let Some(tokens) = specials(&config, attribute, &config_path)? {
                let keep = |token: Special| match token.strip {
                    Strip::Both if constructed.contains(&attribute) => Special { strip: kept(), ..token },
                    _ => token,
                };
                special.insert(attribute, tokens.into_iter().map(keep).collect());
            }
        }
        let map_path = folder.join("special_tokens_map.json");
        let map = super::json_object(&map_path)?.unwrap_or_default();
        for attribute in ATTRIBUTES {
            if let Some(tokens) = specials(&map, attribute, &map_path)? {
                special.insert(attribute, tokens);
            }
        }
        let flag = |name: &str, otherwise: bool| config.get(name).and_then(Value::as_bool).unwrap_or(otherwise);
        let mut tokenizer = Self {
            model,
            special,
            added: HashMap::new(),
            added_by_id: HashMap::new(),
            unsplit: AddedTokens::default(),
            add_bos: flag("add_bos_token", true),
            add_eos: flag("add_eos_token", false),
            clean_up_spaces: flag("clean_up_tokenization_spaces", false),
        };
        tokenizer.read_added_tokens(&folder.join("added_tokens.json"))?;
        for token in tokenizer.all_special().map(|token| token.text.clone()).collect::<Vec<_>>() {
            tokenizer.add(&token);
            tokenizer.unsplit.insert(&token);
        }
        Ok(tokenizer)
    }

    /// Adds tokens that text is split at, as `tokenizer.add_tokens(tokens, special_tokens=True)` does: those that the
    /// vocabulary lacks get the ids that follow it, the others keep theirs.
    pub fn add_tokens(&mut self, tokens: &[&str]) {
        for token in tokens {
            self.add(token);
            self.unsplit.insert(token);
        }
    }

    /// The id of the token that begins a text (`<s>`).
    pub fn bos(&self) -> Option<u32> {
        self.id_of_special("bos_token")
    }

    /// The id of the token that ends an answer (`</s>`).
    pub fn eos(&self) -> Option<u32> {
        self.id_of_special("eos_token")
    }

    /// The tokens of a text as the vocabulary spells them, without `<s>`.
    pub fn tokenize(&self, text: &str) -> Vec<String> {
        self.segments(text, |id| self.id_to_token(id).unwrap_or_default(), str::to_string)
    }

    fn segments<T>(&self, text: &str, of_id: impl Fn(u32) -> T, of_added: impl Fn(&str) -> T) -> Vec<T> {
        // A token that is given both as a plain string and with a description follows the description.
        let described = |token: &str| self.all_special().filter(|s| s.text == token && s.strip != Strip::Both).last();
        let strip = |token: &str| described(token).map_or(Strip::Both, |special| special.strip);
        let mut out = Vec::new();
        for part in self.unsplit.split(text, strip) {
            match part {
                Part::Token(token) => out.push(of_added(&token)),
                Part::Text(text) => out.extend(self.model.encode(&text).into_iter().map(&of_id)),
            }
        }
        out
    }

    fn read_added_tokens(&mut self, path: &Path) -> Result<(), WeightsError> {
        let Some(file) = super::json_object(path)? else {
            return Ok(());
        };
        let mut tokens = Vec::new();
        for (token, id) in file {
            let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else {
                return Err(WeightsError::malformed(path, format!("gives token `{token}` the id {id}")));
            };
            tokens.push((id, token));
        }
        tokens.sort();
        for (id, token) in tokens {
            if self.model.piece(id) != Some(&token) {
                let next = self.vocabulary_size();
                if usize::try_from(id) != Ok(next) {
                    let problem = format!(
                        "gives token `{token}` the id {id}; after the vocabulary and the tokens before it comes {next}"
                    );
                    return Err(WeightsError::malformed(path, problem)
                        .with_remedy("it belongs to another tokenizer.model: copy both from the same place"));
                }
                if self.add(&token) {
                    self.unsplit.insert(&token);
                }
            }
        }
        Ok(())
    }

    /// Gives a token the next id, unless the vocabulary has it.
    fn add(&mut self, token: &str) -> bool {
        let is_unknown_token = self.special("unk_token").any(|unknown| unknown.text == token);
        if is_unknown_token || self.id_with_added(token) != self.id_of_unknown() {
            return false;
        }
        let Ok(id) = u32::try_from(self.vocabulary_size()) else {
            return false;
        };
        self.added.insert(token.to_string(), id);
        self.added_by_id.insert(id, token.to_string());
        true
    }

    fn special(&self, attribute: &str) -> impl Iterator<Item = &Special> {
        self.special.get(attribute).into_iter().flatten()
    }

    fn all_special(&self) -> impl Iterator<Item = &Special> {
        ATTRIBUTES.into_iter().flat_map(|attribute| self.special(attribute))
    }

    fn is_special(&self, token: &str) -> bool {
        self.all_special().any(|special| special.text == token)
    }

    fn id_of_special(&self, attribute: &str) -> Option<u32> {
        self.special(attribute).next().map(|special| self.id_with_added(&special.text))
    }

    fn id_of_unknown(&self) -> u32 {
        self.id_of_special("unk_token").unwrap_or(self.model.unknown())
    }

    fn id_with_added(&self, token: &str) -> u32 {
        self.added.get(token).copied().unwrap_or_else(|| self.model.id_of(token))
    }

    /// A run of tokens of the model's own vocabulary as text (`LlamaTokenizer.convert_tokens_to_string`).
    fn join(&self, tokens: &[String]) -> String {
        let mut text = String::new();
        let mut run: Vec<&str> = Vec::new();
        let mut after_special = false;
        for (i, token) in tokens.iter().enumerate() {
            if self.is_special(token) {
                if !after_special && i != 0 {
                    text.push(' ');
                }
                text.push_str(&self.model.join(&run));
                text.push_str(token);
                run.clear();
                after_special = true;
            } else {
                run.push(token);
                after_special = false;
            }
        }
        text.push_str(&self.model.join(&run));
        text
    }
}

impl TextTokenizer for LlamaTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, WeightsError> {
        let mut ids = Vec::new();
        if self.add_bos {
            ids.extend(self.bos());
        }
        ids.extend(self.segments(text, |id| id, |token| self.id_with_added(token)));
        if self.add_eos {
            ids.extend(self.eos());
        }
        Ok(ids)
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let special: Vec<u32> = self.all_special().map(|token| self.id_with_added(&token.text)).collect();
        let mut parts: Vec<String> = Vec::new();
        let mut run: Vec<String> = Vec::new();
        for id in ids {
            if skip_special && special.contains(id) {
                continue;
            }
            if let Some(token) = self.added_by_id.get(id) {
                if !run.is_empty() {
                    parts.push(self.join(&run));
                    run.clear();
                }
                parts.push(token.clone());
            } else if let Some(piece) = self.model.piece(*id) {
                run.push(piece.to_string());
            }
        }
        if !run.is_empty() {
            parts.push(self.join(&run));
        }
        let text = parts.join(" ");
        if self.clean_up_spaces { super::clean_up_spaces(&text) } else { text }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        let id = self.id_with_added(token);
        let exact = self.added.contains_key(token) || self.model.piece(id) == Some(token);
        exact.then_some(id)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        let added = self.added_by_id.get(&id).cloned();
        added.or_else(|| self.model.piece(id).map(str::to_string))
    }

    fn vocabulary_size(&self) -> usize {
        self.model.len() + self.added.len()
    }
}

/// The white space beside the token stays.
fn kept() -> Strip {
    Strip::Only { left: false, right: false }
}

/// The special tokens of one attribute, where the file gives any.
fn specials(file: &Map<String, Value>, attribute: &str, path: &Path) -> Result<Option<Vec<Special>>, WeightsError> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(Special { text: text.clone(), strip: Strip::Both }),
        Value::Object(token) => {
            let flag = |name: &str| token.get(name).and_then(Value::as_bool).unwrap_or(false);
            Some(Special {
                text: token.get("content")?.as_str()?.to_string(),
                strip: Strip::Only { left: flag("lstrip"), right: flag("rstrip") },
            })
        }
        _ => None,
    };
    let tokens = match file.get(attribute) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(tokens)) => tokens.iter().map(one).collect(),
        Some(token) => one(token).map(|token| vec![token]),
    };
    match tokens {
        Some(tokens) => Ok(Some(tokens)),
        None => Err(WeightsError::malformed(path, format!("has a `{attribute}` that is no token"))),
    }
}
