//! Texts in a picture: a PNG's chunks `tEXt`, `zTXt` and `iTXt`. The one with the keyword `mgie` is a graph.

use super::open::MAX_FILE_BYTES;
use super::{DocumentError, DocumentProblem};
use png::text_metadata::{ITXtChunk, ZTXtChunk};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Keyword of the text chunk that carries a graph.
pub const KEYWORD: &str = "mgie";

/// The first bytes of every PNG.
pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The text that a PNG carries under a keyword, where it carries one.
///
/// # Errors
/// A [`DocumentError`] that names the file where it cannot be read, or is no PNG.
pub fn png_text(path: &Path, keyword: &str) -> Result<Option<String>, DocumentError> {
    text(path, keyword).map_err(|problem| DocumentError::in_file(path, problem))
}

/// Pixels are not decoded unless the chunk stands behind them.
pub(super) fn text(path: &Path, keyword: &str) -> Result<Option<String>, DocumentProblem> {
    let file = BufReader::new(File::open(path).map_err(DocumentProblem::Read)?);
    let mut reader = png::Decoder::new(file).read_info()?;
    if let Some(text) = chunk(reader.info(), keyword)? {
        return Ok(Some(text));
    }
    // A picture cut short behind its header has no text behind its pixels; that it carries none is what matters here.
    if reader.finish().is_err() {
        return Ok(None);
    }
    chunk(reader.info(), keyword)
}

fn chunk(info: &png::Info<'_>, keyword: &str) -> Result<Option<String>, DocumentProblem> {
    let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
    if let Some(found) = info.utf8_text.iter().find(|chunk| chunk.keyword == keyword) {
        let mut found: ITXtChunk = found.clone();
        found.decompress_text_with_limit(limit)?;
        return Ok(Some(found.get_text()?));
    }
    if let Some(found) = info.compressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword) {
        let mut found: ZTXtChunk = found.clone();
        found.decompress_text_with_limit(limit)?;
        return Ok(Some(found.get_text()?));
    }
    Ok(info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword).map(|chunk| chunk.text.clone()))
}
