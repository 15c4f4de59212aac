//! The small files beside weights (configurations, tokenizers, indices of shards), read whole and never beyond a limit,
//! so that a file that is none of them cannot take all memory.

use crate::error::WeightsError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that a `config.json` and its kin may have; they have a few thousand.
pub const CONFIG_LIMIT: u64 = 4 << 20;

/// A plain file of at most `most` bytes.
///
/// # Errors
/// [`WeightsError`] naming the file where it cannot be read, is no plain file (a folder, a pipe, a device), or is larger.
pub fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, WeightsError> {
    let unreadable = |e: std::io::Error| WeightsError::unreadable(path, &e);
    // Looked at before it is opened: opening a pipe that nobody writes to waits for ever.
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(WeightsError::malformed(path, "is not a file"));
    }
    let mut bytes = Vec::new();
    if about.len() <= most {
        // One byte past the limit, to notice a file that grows meanwhile.
        let file = File::open(path).map_err(unreadable)?;
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let size = about.len().max(bytes.len() as u64);
    if size > most {
        let problem = format!("is {size} bytes long; such a file has at most {most}");
        return Err(WeightsError::malformed(path, problem).with_remedy("copy or download it again"));
    }
    Ok(bytes)
}

/// As [`bytes`], of a file in UTF-8.
///
/// # Errors
/// As [`bytes`], and where it is not UTF-8.
pub fn text(path: &Path, most: u64) -> Result<String, WeightsError> {
    String::from_utf8(bytes(path, most)?).map_err(|_| WeightsError::malformed(path, "is not UTF-8 text"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_a_folder_and_a_device_are_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(text(&path, 2).unwrap(), "{}");
        let error = text(&path, 1).unwrap_err().to_string();
        assert!(error.contains("config.json: is 2 bytes long"), "{error}");
        // Sparse: far larger than memory, and takes no room on the disk.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(text(&path, CONFIG_LIMIT).unwrap_err().to_string().contains("bytes long"));
        assert!(text(folder.path(), CONFIG_LIMIT).unwrap_err().to_string().contains("is not a file"));
        #[cfg(unix)]
        assert!(text(Path::new("/dev/zero"), CONFIG_LIMIT).unwrap_err().to_string().contains("is not a file"));
    }
}
