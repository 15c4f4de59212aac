//! Files that are written whole or not at all, and the check, before anything runs, that they can be written.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Writes a file by `fill`: into a hidden file beside it, renamed when it is complete. Something at `path` that is no
/// plain file (a pipe, a device) is written to as it is; where `path` is a link, what it leads to is replaced.
///
/// # Errors
/// What the operating system or `fill` says; then nothing is left behind and what was there is untouched.
pub fn write_whole<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fill(&mut File::options().write(true).open(&path)?);
    }
    let mut beside = beside(&path)?;
    fill(beside.as_file_mut())?;
    beside.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether a file could be written, found out by making (and removing) a hidden file beside it.
///
/// # Errors
/// What stands in the way, in words.
pub fn check_writable(path: &Path) -> Result<(), String> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err("this is a folder; name a file in it".to_owned()),
        Ok(there) if there.permissions().readonly() => {
            return Err("the file is read-only; name another file or make it writable".to_owned());
        }
        Ok(there) if !there.is_file() => return Ok(()),
        _ => {}
    }
    let folder = folder_of(&path);
    if !folder.is_dir() {
        return Err(format!("the folder {} is not there; make it first", folder.display()));
    }
    match beside(&path) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the folder {} cannot be written to ({error}); choose another", folder.display())),
    }
}

/// The folder that a file lies in; the current one for a bare name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mgie-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The default is readable by nobody else; a result is an ordinary file, as the user's umask has it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_whose_writing_fails_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "before").unwrap();
        let result = write_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the node failed"))
        });
        assert_eq!(result.unwrap_err().to_string(), "the node failed");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write_whole(&path, |file| file.write_all(b"after")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
    }

    #[test]
    fn what_cannot_be_written_is_said_before_anything_runs() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_writable(folder.path()).unwrap_err().contains("this is a folder"));
        assert!(check_writable(&folder.path().join("none/a.png")).unwrap_err().contains("is not there"));
        check_writable(&folder.path().join("a.png")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the check leaves nothing behind");
    }
}
