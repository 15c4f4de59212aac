//! What the files are that a node depends on. An input file is known by its contents, which are read once for each
//! path, size and time of change; a folder of weights, gigabytes of it, is known by its listing.

use super::cancel::CancelToken;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// A file that changed this recently may change again within the same tick of its clock.
const SETTLED: Duration = Duration::from_secs(2);
/// The most entries of a folder of weights, and how deep it may be.
const MAX_ENTRIES: usize = 100_000;
const MAX_DEPTH: usize = 16;

/// Size and time of change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The stamp of a file that this is known of.
    pub fn of(metadata: &fs::Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }

    /// The stamp of the file as it is now.
    pub fn now(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    /// The stamp as bytes that are another stamp's only where the two are equal; times before 1970 count as none.
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0xff; 24];
        let since = self.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&self.bytes.to_le_bytes());
        if let Some(since) = since {
            tail.copy_from_slice(&since.as_nanos().to_le_bytes());
        }
        bytes
    }

    fn settled(&self) -> bool {
        self.modified.is_some_and(|modified| modified.elapsed().is_ok_and(|age| age > SETTLED))
    }
}

/// Hashes of contents, kept by path, size and time of change.
#[derive(Debug, Default)]
pub(super) struct FileHashes {
    known: Mutex<HashMap<PathBuf, (Stamp, blake3::Hash)>>,
}

impl FileHashes {
    /// The hash of a file's contents, and its stamp when they were read.
    ///
    /// # Errors
    /// Why it cannot be read, in words that follow the path.
    pub fn contents(&self, path: &Path, cancel: &CancelToken) -> Result<(blake3::Hash, Stamp), String> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
        if metadata.is_dir() {
            return Err("a folder".to_owned());
        }
        if !metadata.is_file() {
            return Err("something that is neither a file nor a folder".to_owned());
        }
        let stamp = Stamp::of(&metadata);
        if let Some((_, hash)) = self.lock().get(path).filter(|(known, _)| *known == stamp) {
            return Ok((*hash, stamp));
        }
        let mut file = File::open(path).map_err(|error| unreadable(&error))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            if cancel.is_cancelled() {
                return Err("the request to stop".to_owned());
            }
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(&error)),
            };
        }
        let hash = hasher.finalize();
        if stamp.settled() {
            self.lock().insert(path.to_owned(), (stamp, hash));
        }
        Ok((hash, stamp))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (Stamp, blake3::Hash)>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A file or folder of weights: the hash of its listing (names, sizes, times of change) and the bytes in it.
///
/// # Errors
/// Why it cannot be listed, in words that follow the path.
pub(crate) fn listing(path: &Path) -> Result<(blake3::Hash, u64), String> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0u64;
    let mut entries = 0usize;
    let mut waiting = vec![(path.to_owned(), 0usize)];
    while let Some((path, depth)) = waiting.pop() {
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(format!("a folder of more than {MAX_ENTRIES} files"));
        }
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // A link in the folder that leads nowhere is no reason to refuse what is there.
            Err(_) if depth > 0 => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
        if metadata.is_dir() {
            if depth == MAX_DEPTH {
                return Err(format!("folders in folders, more than {MAX_DEPTH} deep"));
            }
            let folder = fs::read_dir(&path).map_err(|error| unreadable(&error))?;
            let mut inside: Vec<PathBuf> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
            inside.sort();
            waiting.extend(inside.into_iter().rev().map(|path| (path, depth + 1)));
        } else {
            let stamp = Stamp::of(&metadata);
            let modified = stamp.modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
            hasher.update(&stamp.bytes.to_le_bytes());
            hasher.update(&modified.unwrap_or_default().as_nanos().to_le_bytes());
            bytes = bytes.saturating_add(stamp.bytes);
        }
    }
    Ok((hasher.finalize(), bytes))
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "a file that may not be read".to_owned(),
        _ => format!("a file that cannot be read ({error})"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn age(path: &Path, seconds: u64) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_file_is_known_by_its_contents_and_read_again_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "one").unwrap();
        fs::write(&b, "one").unwrap();
        let (hashes, go) = (FileHashes::default(), CancelToken::new());
        let hash = |path: &Path| hashes.contents(path, &go).unwrap().0;
        let first = hash(&a);
        assert_eq!(first, hash(&b));
        // Changed within the same tick and with the same size: what is young is not remembered.
        fs::write(&a, "two").unwrap();
        assert_ne!(first, hash(&a));
        age(&b, 60);
        assert_eq!(first, hash(&b));
        assert_eq!(hashes.lock().len(), 1);
        fs::write(&b, "two").unwrap();
        assert_eq!(hash(&a), hash(&b));
    }

    #[test]
    fn what_is_no_readable_file_is_said_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let (hashes, go) = (FileHashes::default(), CancelToken::new());
        assert_eq!(hashes.contents(folder.path(), &go).unwrap_err(), "a folder");
        assert_eq!(hashes.contents(&folder.path().join("x"), &go).unwrap_err(), "no such file");
        assert_eq!(listing(&folder.path().join("x")).unwrap_err(), "no such file");
        let null = Path::new("/dev/null");
        assert!(!null.exists() || hashes.contents(null, &go).is_err());
    }

    #[test]
    fn a_folder_of_weights_is_known_by_names_sizes_and_times() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("unet");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("a.bin"), "12345").unwrap();
        fs::write(folder.path().join("b.bin"), "123").unwrap();
        let (first, bytes) = listing(folder.path()).unwrap();
        assert_eq!(bytes, 8);
        assert_eq!(listing(folder.path()).unwrap().0, first);
        age(&inner.join("a.bin"), 60);
        let second = listing(folder.path()).unwrap().0;
        assert_ne!(second, first);
        fs::rename(inner.join("a.bin"), inner.join("c.bin")).unwrap();
        assert_ne!(listing(folder.path()).unwrap().0, second);
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_contains_itself_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert!(listing(folder.path()).unwrap_err().contains("deep"));
    }
}
