//! A file as bytes in memory, mapped and never read twice: the one place of this crate with `unsafe` in it.

use crate::error::WeightsError;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A read-only memory-mapped file and the path it came from.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    /// `None` for an empty file, which cannot be mapped.
    map: Option<memmap2::Mmap>,
}

impl MappedFile {
    /// Maps `path`. A folder, a missing file and one without read permission are [`WeightsError::Unreadable`].
    pub(crate) fn open(path: &Path) -> Result<Self, WeightsError> {
        let unreadable = |error: std::io::Error| WeightsError::unreadable(path, &error);
        // Looked at before it is opened: opening a pipe that nobody writes to waits for ever.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(WeightsError::malformed(path, "is not a file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let map = if about.len() == 0 {
            None
        } else {
            // SAFETY: the map is private to this type, which hands it out only as `&[u8]`. The remaining requirement,
            // that nobody shortens or rewrites the file meanwhile, is the same that every program which maps weights
            // makes of the user; checkpoints are written once and read many times.
            Some(unsafe { memmap2::Mmap::map(&file) }.map_err(unreadable)?)
        };
        Ok(Self { path: path.to_path_buf(), map })
    }

    /// Where the bytes came from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}
