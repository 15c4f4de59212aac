//! How CLIP's tokenizer tidies text before it cuts it: control characters dropped, CJK characters set apart, composed
//! (NFC), lower case, one space between words. This is the `BasicTokenizer` of transformers' `tokenization_clip.py`
//! (without accent stripping, as since 4.29), which a plain install of diffusers uses; where the package `ftfy` is
//! installed too, that one repairs text instead, which differs for curly quotes, ligatures and CJK.

use super::added_tokens::is_python_space;
use tokenizers::NormalizedString;
use tokenizers::utils::SysRegex;

/// Characters of Unicode's category C: control, format, private and unassigned ones.
const DROPPED: &str = r"[\p{C}\x{FFFD}]";

/// Tidies text.
#[derive(Debug)]
pub(super) struct Tidy {
    dropped: SysRegex,
}

impl Tidy {
    /// An error where the pattern engine has no table of categories.
    pub(super) fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self { dropped: SysRegex::new(DROPPED)? })
    }

    /// The words of `text` with one space between them.
    pub(super) fn text(&self, text: &str) -> String {
        // Three control characters count as white space; the others separate nothing.
        let spaced = text.replace(['\t', '\n', '\r'], " ");
        let mut kept = String::with_capacity(spaced.len());
        let mut at = 0;
        for (start, end) in self.dropped.find_iter(&spaced) {
            kept.push_str(spaced.get(at..start).unwrap_or_default());
            at = end;
        }
        kept.push_str(spaced.get(at..).unwrap_or_default());
        let mut apart = String::with_capacity(kept.len());
        for letter in kept.chars() {
            if is_cjk(letter) {
                apart.extend([' ', letter, ' ']);
            } else {
                apart.push(letter);
            }
        }
        let mut composed = NormalizedString::from(apart);
        composed.nfc();
        let words = composed.get().split(is_python_space).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
    }
}

/// Whether a character is of Unicode's CJK blocks of ideographs.
fn is_cjk(letter: char) -> bool {
    matches!(
        letter,
        '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2ceaf}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}
