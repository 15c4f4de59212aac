//! SentencePiece's normaliser: spaces become `▁`, one is put before the text, and characters are replaced as the
//! model's own table says (a double-array trie of Darts-clone's layout, longest match first; LLaMA has none).
//!
//! Source: sentencepiece 0.1.99, `src/normalizer.cc`.

/// What stands for a space.
pub(super) const SPACE: char = '\u{2581}';

/// How a model file says that text is normalised; the defaults are protobuf's.
#[derive(Debug)]
pub(super) struct Normalization {
    /// The table of replacements; empty for none.
    pub(super) characters: Vec<u8>,
    pub(super) dummy_prefix: bool,
    pub(super) remove_extra_spaces: bool,
    pub(super) escape_spaces: bool,
    /// The dummy space comes after the text.
    pub(super) space_as_suffix: bool,
}

impl Default for Normalization {
    fn default() -> Self {
        Self {
            characters: Vec::new(),
            dummy_prefix: true,
            remove_extra_spaces: true,
            escape_spaces: true,
            space_as_suffix: false,
        }
    }
}

/// The normaliser of a model.
#[derive(Debug)]
pub(super) struct Normalizer {
    how: Normalization,
    table: Option<Table>,
    /// Symbols that no replacement touches and that are never cut, longest first.
    pub(super) user_defined: Vec<String>,
}

impl Normalizer {
    /// A clause where the table of replacements is malformed.
    pub(super) fn new(how: Normalization, mut user_defined: Vec<String>) -> Result<Self, String> {
        let table = if how.characters.is_empty() { None } else { Some(Table::read(&how.characters)?) };
        user_defined.sort_by_key(|symbol| std::cmp::Reverse(symbol.len()));
        Ok(Self { how, table, user_defined })
    }

    /// Whether the model puts a space before (or after) the text.
    pub(super) fn dummy_prefix(&self) -> bool {
        self.how.dummy_prefix
    }

    /// Whether runs of spaces are one space.
    pub(super) fn removes_extra_spaces(&self) -> bool {
        self.how.remove_extra_spaces
    }

    /// The longest user-defined symbol that `text` starts with.
    pub(super) fn user_defined_prefix(&self, text: &str) -> Option<usize> {
        let found = self.user_defined.iter().find(|symbol| text.starts_with(symbol.as_str()));
        found.map(String::len)
    }

    /// The normal form of a text.
    pub(super) fn normalize(&self, text: &str) -> String {
        let how = &self.how;
        let space = if how.escape_spaces { SPACE } else { ' ' };
        let mut rest = text;
        if how.remove_extra_spaces {
            while let (" ", length) = self.next(rest)
                && length > 0
            {
                rest = rest.get(length..).unwrap_or_default();
            }
        }
        let mut out = String::with_capacity(rest.len() + 3);
        if rest.is_empty() {
            return out;
        }
        if how.dummy_prefix && !how.space_as_suffix {
            out.push(space);
        }
        let mut after_space = how.remove_extra_spaces;
        while !rest.is_empty() {
            let (mut replaced, length) = self.next(rest);
            rest = rest.get(length.max(1)..).unwrap_or_default();
            while let Some(shorter) = replaced.strip_prefix(' ').filter(|_| after_space) {
                replaced = shorter;
            }
            if !replaced.is_empty() {
                out.extend(replaced.chars().map(|c| if c == ' ' { space } else { c }));
                after_space = how.remove_extra_spaces && replaced.ends_with(' ');
            }
        }
        if how.remove_extra_spaces {
            while out.ends_with(space) {
                out.pop();
            }
        }
        if how.dummy_prefix && how.space_as_suffix {
            out.push(space);
        }
        out
    }

    /// What the beginning of `text` becomes, and how many of its bytes that is.
    fn next<'a>(&'a self, text: &'a str) -> (&'a str, usize) {
        if let Some(length) = self.user_defined_prefix(text) {
            return (text.get(..length).unwrap_or_default(), length);
        }
        if let Some((length, replacement)) = self.table.as_ref().and_then(|table| table.longest(text)) {
            return (replacement, length);
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (text.get(..length).unwrap_or_default(), length)
    }
}

/// Replacements by their source text.
#[derive(Debug)]
struct Table {
    trie: Vec<u32>,
    /// Replacements one after the other, each ended by a zero.
    replacements: String,
}

impl Table {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let damaged = || "its table of replacements is damaged".to_string();
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
        let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| damaged())?;
        let (trie, replacements) = rest.split_at_checked(size).ok_or_else(damaged)?;
        let (units, odd) = trie.as_chunks::<4>();
        if !odd.is_empty() || units.is_empty() {
            return Err(damaged());
        }
        Ok(Self {
            trie: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            replacements: String::from_utf8(replacements.to_vec()).map_err(|_| damaged())?,
        })
    }

    /// The longest source that `text` starts with, and its replacement.
    fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let unit = |at: u32| self.trie.get(usize::try_from(at).ok()?).copied();
        let mut at = offset(unit(0)?);
        let mut found = None;
        for (i, byte) in text.bytes().enumerate() {
            at ^= u32::from(byte);
            let Some(here) = unit(at) else { break };
            // The label, with the bit that marks a leaf.
            if here & 0x8000_00ff != u32::from(byte) {
                break;
            }
            at ^= offset(here);
            if here & 0x100 != 0 {
                found = unit(at).map(|leaf| (i + 1, leaf & 0x7fff_ffff));
            }
        }
        let (length, start) = found?;
        let replacement = self.replacements.get(usize::try_from(start).ok()?..)?;
        let end = replacement.find('\0').unwrap_or(replacement.len());
        // A source may end inside a character only in a damaged table.
        text.is_char_boundary(length).then_some((length, replacement.get(..end)?))
    }
}

/// Where a unit's children lie, relative to it.
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & (1 << 9)) >> 6)
}
