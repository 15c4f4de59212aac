//! Joining pieces to text: `▁` becomes a space, the first of them is dropped with the dummy prefix, bytes become the
//! characters they spell. Source: sentencepiece 0.1.99, `src/sentencepiece_processor.cc`, `Decode`.

use super::normalize::SPACE;
use super::{PieceKind, SentencePiece};

impl SentencePiece {
    /// The text of pieces given as text, as `SentencePieceProcessor.decode` joins them: a piece that is not in the
    /// vocabulary stands for itself.
    pub(in crate::tokenizer) fn join(&self, pieces: &[&str]) -> String {
        let mut text = String::new();
        let mut bytes = Vec::new();
        let mut at_start = true;
        let mut dropped_space = false;
        for piece in pieces {
            let id = self.id_of(piece);
            let kind = self.get(id).map_or(PieceKind::Unknown, |piece| piece.kind);
            if let PieceKind::Byte(byte) = kind {
                bytes.push(byte);
                continue;
            }
            append_bytes(&mut text, &mut bytes);
            if dropped_space || !text.is_empty() {
                at_start = false;
            }
            dropped_space = match kind {
                PieceKind::Control => false,
                PieceKind::Unknown => {
                    let is_unknown_piece = self.piece(id) == Some(piece);
                    text.push_str(if is_unknown_piece { &self.unknown_surface } else { piece });
                    false
                }
                _ => self.append(&mut text, piece, at_start),
            };
        }
        append_bytes(&mut text, &mut bytes);
        text
    }

    /// Appends an ordinary piece; whether it was the start of the text and lost its space.
    fn append(&self, text: &mut String, piece: &str, at_start: bool) -> bool {
        let removes = self.normalizer.removes_extra_spaces();
        let droppable = at_start && (self.normalizer.dummy_prefix() || removes);
        let stripped = piece.strip_prefix(SPACE).filter(|_| droppable);
        text.extend(stripped.unwrap_or(piece).chars().map(|c| if c == SPACE { ' ' } else { c }));
        stripped.is_some() && !removes
    }
}

/// Appends what the bytes spell, U+FFFD for each byte that spells nothing, and empties them.
fn append_bytes(text: &mut String, bytes: &mut Vec<u8>) {
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let longest = rest.len().min(4);
        let character = (1..=longest).find_map(|length| std::str::from_utf8(rest.get(..length)?).ok());
        let length = character.map_or(1, str::len);
        text.push_str(character.unwrap_or("\u{fffd}"));
        rest = rest.get(length..).unwrap_or_default();
    }
    bytes.clear();
}
