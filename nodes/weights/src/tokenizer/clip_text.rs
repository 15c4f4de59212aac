//! How CLIP's tokenizer tidies text before it cuts it: the repairs of `ftfy.fix_text` 6.3 that apply to text which is
//! whole, then single spaces, then lower case. Left out are ftfy's guesses at text that was decoded in the wrong
//! encoding ("mojibake") and HTML's named entities but for XML's five.

use super::added_tokens::is_python_space;
use std::borrow::Cow;
use tokenizers::NormalizedString;

/// Rounds of repairs; text that still changes then is left as it is.
const ROUNDS: usize = 16;

/// What Windows-1252 puts where Latin-1 has control characters, from U+0080 on; `\0` where it has nothing either.
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// Repairs, collapses white space and lower-cases.
pub(super) fn tidy(text: &str) -> String {
    let fixed = fix(text);
    let words = fixed.split(is_python_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// `ftfy.fix_text`: line by line, until nothing changes any more.
fn fix(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut entities = true;
    for line in text.split_inclusive('\n') {
        // Text with a tag in it is HTML, from there on, and keeps its entities.
        entities &= !line.contains('<');
        let mut line = Cow::Borrowed(line);
        for _ in 0..ROUNDS {
            let fixed = fix_once(&line, entities);
            if fixed == line {
                break;
            }
            line = Cow::Owned(fixed);
        }
        out.push_str(&line);
    }
    out
}

fn fix_once(line: &str, entities: bool) -> String {
    let line = if entities { unescape(line) } else { line.to_string() };
    let mut fixed = String::with_capacity(line.len());
    for letter in line.chars() {
        match ligature(from_c1(letter)) {
            Ok(letters) => fixed.push_str(letters),
            Err(letter) => match standard_width(letter) {
                Some(letters) => fixed.push_str(&letters),
                None => fixed.push(straight_quote(letter)),
            },
        }
    }
    let fixed = fixed.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    let mut fixed = without_terminal_escapes(&fixed);
    fixed.retain(|letter| !is_control(letter));
    let mut normal = NormalizedString::from(fixed);
    normal.nfc();
    normal.get().to_string()
}

fn from_c1(letter: char) -> char {
    let at = u32::from(letter).checked_sub(0x80).and_then(|at| WINDOWS_1252.get(usize::try_from(at).ok()?));
    at.copied().filter(|found| *found != '\0').unwrap_or(letter)
}

/// The letters of a ligature, or the letter itself.
fn ligature(letter: char) -> Result<&'static str, char> {
    Ok(match letter {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "'n",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => return Err(letter),
    })
}

/// The ordinary form of a full-width or half-width character.
fn standard_width(letter: char) -> Option<String> {
    match letter {
        '\u{3000}' => Some(" ".into()),
        '\u{ff01}'..='\u{ffef}' => {
            let mut normal = NormalizedString::from(letter.to_string());
            normal.nfkc();
            Some(normal.get().to_string())
        }
        _ => None,
    }
}

fn straight_quote(letter: char) -> char {
    match letter {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        _ => letter,
    }
}

fn is_control(letter: char) -> bool {
    matches!(
        letter,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

/// Drops `ESC [ 1 ; 31 m` and its like.
fn without_terminal_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let after = escape.trim_start_matches("\u{1b}").trim_start_matches('[');
        let digits = |letter: char| letter.is_ascii_digit() || letter == ';';
        let command = escape.get(2..).unwrap_or(after).trim_start_matches(digits);
        match command.chars().next().filter(char::is_ascii_alphabetic) {
            Some(_) => rest = command.get(1..).unwrap_or_default(),
            None => {
                out.push('\u{1b}');
                rest = escape.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// Numbered entities and XML's five.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        out.push_str(before);
        let name = entity.get(1..).and_then(|name| name.split_once(';')).map(|(name, _)| name);
        match name.and_then(|name| Some((name, named(name)?))) {
            Some((name, letter)) => {
                out.push(letter);
                rest = entity.get(name.len() + 2..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = entity.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn named(name: &str) -> Option<char> {
    let number = match name {
        "amp" | "AMP" => return Some('&'),
        "lt" | "LT" => return Some('<'),
        "gt" | "GT" => return Some('>'),
        "quot" | "QUOT" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#').filter(|digits| digits.len() <= 24)?,
    };
    let digits = |text: &str, radix: u32| {
        let plain = !text.is_empty() && text.chars().all(|letter| letter.is_digit(radix));
        plain.then(|| u32::from_str_radix(text, radix).unwrap_or(u32::MAX))
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => digits(hexadecimal, 16)?,
        None => digits(number, 10)?,
    };
    let letter = char::from_u32(number).filter(|letter| *letter != '\0');
    Some(letter.map_or('\u{fffd}', from_c1))
}
