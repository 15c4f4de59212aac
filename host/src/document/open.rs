//! Opening a graph from a file: a `.json` graph, or a PNG that carries one.

use super::{Document, DocumentError, DocumentProblem, json, png_text, shape};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes that a graph's text may have: 4 MiB, which is about 20,000 nodes.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// The most bytes of a picture that is searched for a graph: 4 GiB, which is PNG's own limit of one chunk.
const MAX_PNG_BYTES: u64 = 4 << 30;

/// A graph and where it lies.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The graph.
    pub document: Document,
    /// The folder that its relative paths are relative to.
    pub folder: PathBuf,
    /// Whether it lay in a picture, which is not the file to save it in.
    pub in_picture: bool,
    /// The file as it was read, byte for byte; of a picture, the graph's text.
    pub contents: Vec<u8>,
}

impl Document {
    /// Reads a graph from the text of its file.
    ///
    /// # Errors
    /// A [`DocumentError`] without a path: too large, not JSON (with line and column), or JSON of another form.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        parse(text).map_err(DocumentError::from)
    }

    /// Opens a graph file, or a PNG that carries a graph (a text chunk with the keyword `mgie`).
    ///
    /// # Errors
    /// A [`DocumentError`] that names the file.
    pub fn open(path: &Path) -> Result<Opened, DocumentError> {
        let (document, contents, in_picture) = read(path).map_err(|problem| DocumentError::in_file(path, problem))?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let folder = std::path::absolute(&folder).unwrap_or_else(|_| {
            // The empty path has no absolute form; it means the current folder.
            std::env::current_dir().unwrap_or(folder)
        });
        Ok(Opened { document, folder, in_picture, contents })
    }
}

fn parse(text: &str) -> Result<Document, DocumentProblem> {
    limit(text.len() as u64, MAX_FILE_BYTES)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    shape::document(json::parse(text)?)
}

fn read(path: &Path) -> Result<(Document, Vec<u8>, bool), DocumentProblem> {
    let mut file = File::open(path).map_err(DocumentProblem::Read)?;
    let metadata = file.metadata().map_err(DocumentProblem::Read)?;
    if metadata.is_dir() {
        return Err(DocumentProblem::Folder);
    }
    let mut start = Vec::with_capacity(png_text::SIGNATURE.len());
    file.by_ref().take(png_text::SIGNATURE.len() as u64).read_to_end(&mut start).map_err(DocumentProblem::Read)?;
    if start == png_text::SIGNATURE {
        limit(metadata.len(), MAX_PNG_BYTES)?;
        let text = png_text::text(path, png_text::KEYWORD)?.ok_or(DocumentProblem::NoGraphInPng)?;
        return Ok((parse(&text)?, text.into_bytes(), true));
    }
    limit(metadata.len(), MAX_FILE_BYTES)?;
    let mut bytes = start;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(DocumentProblem::Read)?;
    limit(bytes.len() as u64, MAX_FILE_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| DocumentProblem::NotUtf8 {
        line: 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count(),
    })?;
    let document = parse(text)?;
    Ok((document, bytes, false))
}

fn limit(bytes: u64, limit: u64) -> Result<(), DocumentProblem> {
    if bytes > limit { Err(DocumentProblem::TooLarge { bytes, limit }) } else { Ok(()) }
}
