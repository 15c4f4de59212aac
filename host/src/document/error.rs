//! What can be wrong with a graph file before its nodes are looked at: that it cannot be read, that it is not JSON, or
//! that it is JSON of another form.

use std::path::{Path, PathBuf};

/// A graph that cannot be opened or saved: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}{problem}", place(path.as_deref()))]
pub struct DocumentError {
    /// The file; none where the text came from memory.
    pub path: Option<PathBuf>,
    /// What is wrong with it.
    pub problem: DocumentProblem,
}

fn place(path: Option<&Path>) -> String {
    path.map(|path| format!("{}: ", path.display())).unwrap_or_default()
}

impl DocumentError {
    pub(super) fn in_file(path: &Path, problem: impl Into<DocumentProblem>) -> Self {
        Self { path: Some(path.to_owned()), problem: problem.into() }
    }
}

impl From<DocumentProblem> for DocumentError {
    fn from(problem: DocumentProblem) -> Self {
        Self { path: None, problem }
    }
}

/// What is wrong with a graph file.
#[derive(Debug, thiserror::Error)]
pub enum DocumentProblem {
    /// The file cannot be read.
    #[error("the graph cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// The file cannot be written.
    #[error("the graph cannot be written: {0}")]
    Write(#[source] mgie_plugin_api::Failure),
    /// The file is a folder.
    #[error("this is a folder; name the graph file in it")]
    Folder,
    /// The file is larger than any graph.
    #[error("the file has {bytes} bytes, more than the {limit} that a graph may have; is this a graph?")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The text is not UTF-8.
    #[error("line {line}: the text is not UTF-8, nor is this a PNG; only JSON files in UTF-8 and PNGs hold graphs")]
    NotUtf8 {
        /// Line of the first bad byte, from 1.
        line: usize,
    },
    /// The text is not JSON, or says one thing twice.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// JSON of another form; one line for each thing that is wrong.
    #[error("{}", .0.join("\n"))]
    Form(Vec<String>),
    /// A file of a later format.
    #[error("the graph has format version {found}, this program reads up to {known}; use a newer mgie")]
    Newer {
        /// Version in the file.
        found: u64,
        /// The highest that can be read.
        known: u64,
    },
    /// A file of a version that never was.
    #[error("there is no format version {found}; this program reads version {known}")]
    NoSuchVersion {
        /// Version in the file.
        found: u64,
        /// The version that is written today.
        known: u64,
    },
    /// A picture without a graph in it.
    #[error(
        "this picture carries no graph (a PNG text chunk named `mgie`); open one that was saved by mgie, or a .json graph"
    )]
    NoGraphInPng,
    /// A picture that cannot be read.
    #[error("the PNG cannot be read: {0}")]
    Png(#[from] png::DecodingError),
}
