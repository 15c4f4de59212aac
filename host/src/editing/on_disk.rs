//! What a graph's file held when it was last read or written here, to tell whether another program has changed it since. The
//! contents are compared, not times: a file that was touched, or written as it was, is no reason to ask.

use crate::document::MAX_FILE_BYTES;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The contents of a file, by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OnDisk(blake3::Hash);

impl OnDisk {
    pub fn of(contents: &[u8]) -> Self {
        Self(blake3::hash(contents))
    }

    /// As [`OnDisk::to_text`] wrote it.
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(Self)
    }

    pub fn to_text(self) -> String {
        self.0.to_hex().to_string()
    }

    /// Whether the file holds something else now. One that is gone holds nothing that could be lost, nor does what is no
    /// plain file; one that cannot be read, or is larger than any graph, is another one.
    pub fn differs(known: Option<Self>, file: &Path) -> bool {
        match fs::metadata(file) {
            Ok(there) if !there.is_file() => false,
            Ok(there) if there.len() > MAX_FILE_BYTES => true,
            Ok(_) => fs::read(file).map_or(true, |contents| known != Some(Self::of(&contents))),
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }
}
