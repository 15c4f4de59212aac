//! The protobuf file behind a SentencePiece model (`sentencepiece_model.proto`), read field by field: only those that
//! segmentation and joining need, every length checked against what is left of the file.

use super::normalize::Normalization;
use super::{Piece, PieceKind};
use crate::error::WeightsError;
use crate::small_file;
use std::path::Path;

/// Larger than any vocabulary: 250,000 pieces take 5 MB.
const SIZE_LIMIT: u64 = 256 << 20;

/// What a model file says.
pub(super) struct ModelFile {
    pub(super) pieces: Vec<Piece>,
    pub(super) normalization: Normalization,
    pub(super) byte_fallback: bool,
    pub(super) unknown_surface: String,
}

/// Reads a model file; a clause for what is wrong with it.
pub(super) fn read(path: &Path) -> Result<ModelFile, WeightsError> {
    parse(&small_file::bytes(path, SIZE_LIMIT)?).map_err(|problem| {
        WeightsError::malformed(path, format!("is not a SentencePiece model that can be used: {problem}"))
            .with_remedy("copy or download the tokenizer's files again")
    })
}

/// A clause.
type Parsed<T> = Result<T, String>;

fn parse(bytes: &[u8]) -> Parsed<ModelFile> {
    let mut file = ModelFile {
        pieces: Vec::new(),
        normalization: Normalization::default(),
        byte_fallback: false,
        unknown_surface: " \u{2047} ".into(),
    };
    let mut model_type = 1;
    for field in Fields(bytes) {
        match field? {
            (1, Field::Bytes(bytes)) => file.pieces.push(piece(bytes)?),
            (2, Field::Bytes(trainer)) => {
                for field in Fields(trainer) {
                    match field? {
                        (3, Field::Number(number)) => model_type = number,
                        (24, Field::Number(number)) => file.normalization.space_as_suffix = number != 0,
                        (35, Field::Number(number)) => file.byte_fallback = number != 0,
                        (44, Field::Bytes(bytes)) => file.unknown_surface = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (3, Field::Bytes(normalizer)) => normalization(normalizer, &mut file.normalization)?,
            (5, Field::Bytes(denormalizer)) => {
                let mut undone = Normalization::default();
                normalization(denormalizer, &mut undone)?;
                if !undone.characters.is_empty() {
                    return Err("it changes characters back when joining, which is not supported".into());
                }
            }
            _ => {}
        }
    }
    let kind = match model_type {
        2 => None,
        1 => Some("unigram"),
        3 => Some("word"),
        4 => Some("character"),
        _ => Some("unknown"),
    };
    match kind {
        None => Ok(file),
        Some(kind) => Err(format!("it is of type {kind}, and only BPE models are supported")),
    }
}

fn piece(bytes: &[u8]) -> Parsed<Piece> {
    let (mut name, mut score, mut kind) = (String::new(), 0_f32, 1);
    for field in Fields(bytes) {
        match field? {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (2, Field::Fixed32(bits)) => score = f32::from_bits(bits),
            (3, Field::Number(number)) => kind = number,
            _ => {}
        }
    }
    if score.is_nan() {
        return Err(format!("piece `{name}` has no number for a score"));
    }
    let kind = match kind {
        1 => PieceKind::Normal,
        2 => PieceKind::Unknown,
        3 => PieceKind::Control,
        4 => PieceKind::UserDefined,
        5 => PieceKind::Unused,
        6 => match byte_of(&name) {
            Some(byte) => PieceKind::Byte(byte),
            None => return Err(format!("piece `{name}` stands for no byte")),
        },
        other => return Err(format!("piece `{name}` is of the unknown kind {other}")),
    };
    Ok(Piece { text: name, score, kind })
}

/// The byte of `<0xE2>`.
fn byte_of(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    plain.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn normalization(bytes: &[u8], to: &mut Normalization) -> Parsed<()> {
    for field in Fields(bytes) {
        match field? {
            (2, Field::Bytes(bytes)) => to.characters = bytes.to_vec(),
            (3, Field::Number(number)) => to.dummy_prefix = number != 0,
            (4, Field::Number(number)) => to.remove_extra_spaces = number != 0,
            (5, Field::Number(number)) => to.escape_spaces = number != 0,
            _ => {}
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Parsed<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "it holds a string that is not UTF-8".into())
}

/// One field's content, by protobuf's wire type.
enum Field<'a> {
    Number(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Parsed<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it is damaged or cut short".into()))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.number()?;
        let field = match key & 7 {
            0 => Field::Number(self.number()?),
            1 => {
                self.take(8)?;
                Field::Fixed64
            }
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, field))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of 7 bits a byte, lowest first; at most ten bytes.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// `Message { 1: Piece { 1: name, 3: kind } }` and the trainer's model type.
    fn model(pieces: &[(&str, u8)], model_type: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind) in pieces {
            let length = u8::try_from(name.len()).unwrap();
            bytes.extend([0x0a, length + 4, 0x0a, length]);
            bytes.extend(name.as_bytes());
            bytes.extend([0x18, *kind]);
        }
        bytes.extend([0x12, 2, 0x18, model_type]);
        bytes
    }

    #[test]
    fn a_small_model_is_read() {
        let file = parse(&model(&[("<unk>", 2), ("a", 1), ("<0x0A>", 6)], 2)).unwrap();
        assert_eq!(file.pieces.len(), 3);
        assert_eq!(file.pieces[2].kind, PieceKind::Byte(10));
    }

    #[test]
    fn a_unigram_model_is_refused_by_its_type() {
        let error = parse(&model(&[("<unk>", 2)], 1)).err().unwrap();
        assert!(error.contains("type unigram"), "{error}");
    }

    #[test]
    fn every_cut_of_a_model_is_an_error_or_a_shorter_model() {
        let whole = model(&[("<unk>", 2), ("ab", 1), ("<0x0A>", 6)], 2);
        for length in 0..whole.len() {
            if let Ok(file) = parse(&whole[..length]) {
                assert!(file.pieces.len() <= 3);
            }
        }
    }

    #[test]
    fn a_length_beyond_the_file_and_an_endless_number_are_errors() {
        assert!(parse(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]).is_err());
        assert!(parse(&[0xff; 40]).is_err());
        assert!(parse(&model(&[("<0xZZ>", 6)], 2)).is_err());
    }
}
