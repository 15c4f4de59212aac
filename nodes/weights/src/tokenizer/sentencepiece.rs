//! SentencePiece's BPE models (`tokenizer.model`), as the C++ library segments and joins text: Kudo and Richardson,
//! arXiv 1808.06226; results equal those of sentencepiece 0.1.99.

mod bpe;
mod join;
mod model_file;
mod normalize;

use crate::error::WeightsError;
use normalize::Normalizer;
use std::collections::HashMap;
use std::path::Path;

/// What a piece of the vocabulary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte(u8),
}

#[derive(Debug)]
struct Piece {
    text: String,
    score: f32,
    kind: PieceKind,
}

/// A loaded SentencePiece model.
#[derive(Debug)]
pub(super) struct SentencePiece {
    pieces: Vec<Piece>,
    /// Pieces that text is segmented into: normal, user-defined and unused ones.
    segments: HashMap<String, u32>,
    /// Unknown, control and byte pieces, which no text merges to.
    reserved: HashMap<String, u32>,
    unknown: u32,
    /// The id of each byte; `None` where the model has no byte fallback.
    bytes: Option<Box<[u32; 256]>>,
    normalizer: Normalizer,
    /// What an unknown piece reads as.
    unknown_surface: String,
}

impl SentencePiece {
    /// Reads a `tokenizer.model`.
    ///
    /// # Errors
    /// [`WeightsError`] naming the file where it is unreadable, malformed or not a BPE model.
    pub(super) fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = model_file::read(path)?;
        let malformed = |problem: String| WeightsError::malformed(path, problem);
        let mut segments = HashMap::new();
        let mut reserved = HashMap::new();
        let mut unknown = None;
        let mut bytes: Vec<Option<u32>> = vec![None; 256];
        for (id, piece) in file.pieces.iter().enumerate() {
            let id = u32::try_from(id).map_err(|_| malformed("has too many pieces".into()))?;
            let table = match piece.kind {
                PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused => &mut segments,
                PieceKind::Unknown | PieceKind::Control | PieceKind::Byte(_) => &mut reserved,
            };
            if piece.text.is_empty() || table.insert(piece.text.clone(), id).is_some() {
                return Err(malformed(format!("has piece {id}, `{}`, twice or empty", piece.text)));
            }
            match piece.kind {
                PieceKind::Unknown if unknown.replace(id).is_some() => {
                    return Err(malformed("has two unknown pieces".into()));
                }
                PieceKind::Byte(byte) => {
                    if let Some(slot) = bytes.get_mut(usize::from(byte)) {
                        *slot = Some(id);
                    }
                }
                _ => {}
            }
        }
        let Some(unknown) = unknown else {
            return Err(malformed("has no unknown piece".into()));
        };
        let bytes = if file.byte_fallback {
            let all: Option<Vec<u32>> = bytes.into_iter().collect();
            let all = all.and_then(|all| <Box<[u32; 256]>>::try_from(all.into_boxed_slice()).ok());
            Some(all.ok_or_else(|| malformed("falls back to bytes and lacks some of their 256 pieces".into()))?)
        } else {
            None
        };
        let user_defined = file.pieces.iter().filter(|piece| piece.kind == PieceKind::UserDefined);
        let user_defined = user_defined.map(|piece| piece.text.clone()).collect();
        let normalizer = Normalizer::new(file.normalization, user_defined).map_err(malformed)?;
        Ok(Self {
            pieces: file.pieces,
            segments,
            reserved,
            unknown,
            bytes,
            normalizer,
            unknown_surface: file.unknown_surface,
        })
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The id of exactly this piece, the unknown piece's for any other text.
    pub(super) fn id_of(&self, piece: &str) -> u32 {
        let known = self.reserved.get(piece).or_else(|| self.segments.get(piece));
        known.copied().unwrap_or(self.unknown)
    }

    /// The id of the unknown piece.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The text of a piece.
    pub(super) fn piece(&self, id: u32) -> Option<&str> {
        self.get(id).map(|piece| piece.text.as_str())
    }

    fn get(&self, id: u32) -> Option<&Piece> {
        self.pieces.get(usize::try_from(id).ok()?)
    }

    /// Segments text into ids, unknown characters as bytes where the model has them.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let normalized = self.normalizer.normalize(text);
        let mut ids = Vec::new();
        let mut after_unknown = false;
        for (piece, id) in self.segment(&normalized) {
            let is_unknown = id == self.unknown;
            match &self.bytes {
                Some(bytes) if is_unknown => {
                    let id_of = |byte: u8| bytes.get(usize::from(byte)).copied().unwrap_or(self.unknown);
                    ids.extend(piece.bytes().map(id_of));
                }
                // Unknown characters in a row are one unknown piece.
                _ if is_unknown && after_unknown => {}
                _ => ids.push(id),
            }
            after_unknown = is_unknown;
        }
        ids
    }
}
