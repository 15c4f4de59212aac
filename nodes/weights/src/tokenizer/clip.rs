//! CLIP's tokenizer: tidied lower-case text, cut into words by a pattern, each word's bytes merged by rank with `</w>`
//! marking its end. Follows the slow `CLIPTokenizer` of transformers (`models/clip/tokenization_clip.py`).

use super::TextTokenizer;
use super::added_tokens::{AddedTokens, Part, Strip};
use super::clip_text::Tidy;
use crate::error::WeightsError;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tokenizers::utils::SysRegex;

/// Words, contractions, single digits, runs of anything else.
const WORDS: &str = r"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+";

/// Merges that are read, whatever the file holds more: the vocabulary less bytes and special tokens.
const MERGES: usize = 49_152 - 256 - 2;

/// What marks the last piece of a word.
const END: &str = "</w>";

/// CLIP's tokenizer from a folder with `vocab.json` and `merges.txt`.
pub struct ClipTokenizer {
    path: PathBuf,
    ids: HashMap<String, u32>,
    tokens: HashMap<u32, String>,
    tidy: Tidy,
    words: SysRegex,
    /// The number of each symbol that words are made of; the 256 bytes, then these with an end, then merged ones.
    symbols: HashMap<String, u32>,
    names: Vec<String>,
    /// Two symbols to their rank and the symbol they form.
    merges: HashMap<(u32, u32), (usize, u32)>,
    special: AddedTokens,
    bos: u32,
    eos: u32,
    unknown: u32,
    pad: u32,
    length: usize,
}

impl ClipTokenizer {
    /// Reads `vocab.json` and `merges.txt` of a folder, and the special tokens and the length from
    /// `special_tokens_map.json` and `tokenizer_config.json` where they are there.
    ///
    /// # Errors
    /// [`WeightsError`] naming the file that is missing or malformed.
    pub fn open(folder: &Path) -> Result<Self, WeightsError> {
        let vocabulary = folder.join("vocab.json");
        let ids: HashMap<String, u32> = serde_json::from_str(&super::text_of(&vocabulary)?)
            .map_err(|e| WeightsError::malformed(&vocabulary, format!("is not a vocabulary: {e}")))?;
        let mut special = AddedTokens::default();
        let mut named = |attribute: &str, otherwise: &str| {
            let name = special_token(folder, attribute)?.unwrap_or_else(|| otherwise.to_string());
            special.insert(&name);
            match ids.get(&name) {
                Some(id) => Ok(*id),
                None => Err(WeightsError::malformed(&vocabulary, format!("lacks the special token `{name}`"))),
            }
        };
        let (bos, eos) = (named("bos_token", "<|startoftext|>")?, named("eos_token", "<|endoftext|>")?);
        let (unknown, pad) = (named("unk_token", "<|endoftext|>")?, named("pad_token", "<|endoftext|>")?);
        let config = super::json_object(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let length = config.get("model_max_length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let unusable = |e| WeightsError::malformed(folder, format!("cannot be used: a word pattern fails: {e}"));
        let (words, tidy) = (SysRegex::new(WORDS).map_err(unusable)?, Tidy::new().map_err(unusable)?);
        let mut tokenizer = Self {
            path: folder.to_path_buf(),
            tokens: ids.iter().map(|(token, id)| (*id, token.clone())).collect(),
            ids,
            tidy,
            words,
            symbols: HashMap::new(),
            names: Vec::new(),
            merges: HashMap::new(),
            special,
            bos,
            eos,
            unknown,
            pad,
            // Files without a length are CLIP's all the same.
            length: length.filter(|length| (2..=4096).contains(length)).unwrap_or(77),
        };
        for end in ["", END] {
            for byte in 0..=255 {
                tokenizer.symbol(&format!("{}{end}", letter_of(byte)));
            }
        }
        let text = super::text_of(&folder.join("merges.txt"))?;
        for (rank, line) in text.trim().split('\n').skip(1).take(MERGES).enumerate() {
            let mut parts = line.split_whitespace();
            if let (Some(left), Some(right), None) = (parts.next(), parts.next(), parts.next()) {
                let pair = (tokenizer.symbol(left), tokenizer.symbol(right));
                let merged = tokenizer.symbol(&format!("{left}{right}"));
                tokenizer.merges.insert(pair, (rank, merged));
            }
        }
        Ok(tokenizer)
    }

    /// The token that begins a text.
    pub fn bos(&self) -> u32 {
        self.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// How many tokens a text is padded or cut to: 77.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Exactly [`ClipTokenizer::length`] ids: a longer text is cut before its end token, a shorter one padded after
    /// it. Also how many of them are not padding.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_padded(&self, text: &str) -> Result<(Vec<u32>, usize), WeightsError> {
        let mut ids = self.encode(text)?;
        if ids.len() > self.length {
            ids.truncate(self.length - 1);
            ids.push(self.eos);
        }
        let used = ids.len();
        ids.resize(self.length, self.pad);
        Ok((ids, used))
    }

    /// The number of a symbol, a new one where it has none.
    fn symbol(&mut self, name: &str) -> u32 {
        if let Some(symbol) = self.symbols.get(name) {
            return *symbol;
        }
        let symbol = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.symbols.insert(name.to_string(), symbol);
        self.names.push(name.to_string());
        symbol
    }

    /// The ids of a text between special tokens.
    fn plain(&self, text: &str, ids: &mut Vec<u32>) {
        let text = self.tidy.text(text);
        for (start, end) in self.words.find_iter(&text) {
            let word = text.get(start..end).unwrap_or_default();
            if word == "<|startoftext|>" || word == "<|endoftext|>" {
                ids.push(self.id_or_unknown(word));
                continue;
            }
            for symbol in self.merge(word) {
                let name = usize::try_from(symbol).ok().and_then(|symbol| self.names.get(symbol));
                ids.push(name.map_or(self.unknown, |name| self.id_or_unknown(name)));
            }
        }
    }

    fn id_or_unknown(&self, token: &str) -> u32 {
        self.ids.get(token).copied().unwrap_or(self.unknown)
    }

    /// The symbols of a word: of all neighbours the pair of the lowest rank is joined wherever it stands, until none
    /// has a rank.
    fn merge(&self, word: &str) -> Vec<u32> {
        let last = word.len().saturating_sub(1);
        // The first 256 symbols are the bytes, the next the bytes at a word's end.
        let symbol = |(i, byte): (usize, u8)| u32::from(byte) + if i == last { 256 } else { 0 };
        let mut symbols: Vec<u32> = word.bytes().enumerate().map(symbol).collect();
        loop {
            let pairs = symbols.iter().zip(symbols.iter().skip(1)).map(|(a, b)| (*a, *b));
            let ranked = pairs.filter_map(|pair| self.merges.get(&pair).map(|(rank, to)| (*rank, pair, *to)));
            let Some((_, pair, merged)) = ranked.min() else {
                return symbols;
            };
            let mut joined = Vec::with_capacity(symbols.len());
            let mut rest = symbols.as_slice();
            while let Some((first, after)) = rest.split_first() {
                match after.split_first() {
                    Some((second, after)) if (*first, *second) == pair => {
                        joined.push(merged);
                        rest = after;
                    }
                    _ => {
                        joined.push(*first);
                        rest = after;
                    }
                }
            }
            symbols = joined;
        }
    }
}

impl TextTokenizer for ClipTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, WeightsError> {
        let mut ids = vec![self.bos];
        for part in self.special.split(text, |_| Strip::Only { left: false, right: false }) {
            match part {
                Part::Token(token) => ids.push(self.id_or_unknown(&token)),
                Part::Text(text) => self.plain(&text, &mut ids),
            }
        }
        ids.push(self.eos);
        Ok(ids)
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let special = [self.bos, self.eos, self.unknown, self.pad];
        let mut bytes = Vec::new();
        for id in ids {
            if skip_special && special.contains(id) {
                continue;
            }
            for letter in self.tokens.get(id).into_iter().flat_map(|token| token.chars()) {
                bytes.extend(byte_of(letter));
            }
        }
        String::from_utf8_lossy(&bytes).replace(END, " ").trim().to_string()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.tokens.get(&id).cloned()
    }

    fn vocabulary_size(&self) -> usize {
        self.ids.len()
    }
}

impl std::fmt::Debug for ClipTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClipTokenizer({}, {} tokens)", self.path.display(), self.ids.len())
    }
}

/// The name of a special token, from the map of special tokens, else from the configuration.
fn special_token(folder: &Path, attribute: &str) -> Result<Option<String>, WeightsError> {
    for file in ["special_tokens_map.json", "tokenizer_config.json"] {
        let object = super::json_object(&folder.join(file))?.unwrap_or_default();
        let name = match object.get(attribute) {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(Value::Object(token)) => token.get("content").and_then(Value::as_str),
            _ => None,
        };
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return Ok(Some(name.to_string()));
        }
    }
    Ok(None)
}

/// The letter that a byte is written as in `vocab.json`: itself where it is printable, else one from U+0100 on.
fn letter_of(byte: u8) -> char {
    if is_printable(byte) {
        return char::from(byte);
    }
    let hidden = (0..byte).filter(|byte| !is_printable(*byte)).count();
    u32::try_from(hidden).ok().and_then(|n| char::from_u32(0x100 + n)).unwrap_or('\u{100}')
}

fn byte_of(letter: char) -> Option<u8> {
    (0..=255).find(|byte| letter_of(*byte) == letter)
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}
