//! Whether a file could be written, asked before anything runs, so that nobody waits an hour for a result that has no
//! place.

use std::fs;
use std::path::{Path, PathBuf};

/// Whether a file could be written, found out by making (and removing) a hidden file beside it.
///
/// # Errors
/// What stands in the way and what to do, in words that follow the path.
pub fn check_writable(path: &Path) -> Result<(), String> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err("this is a folder; name a file in it".to_owned()),
        Ok(there) if there.permissions().readonly() => {
            return Err("the file is read-only; name another file, or make this one writable".to_owned());
        }
        // A pipe or a device is written to as it is.
        Ok(there) if !there.is_file() => return Ok(()),
        _ => {}
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        return Err(format!("the folder {} is not there; make it first, or name a file elsewhere", folder.display()));
    }
    match tempfile::Builder::new().prefix(".mgie-").suffix(".part").tempfile_in(&folder) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(format!("the folder {} cannot be written to ({error}); name a file elsewhere", folder.display()))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_said_and_the_check_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_writable(folder.path()).unwrap_err().contains("this is a folder"));
        assert!(check_writable(&folder.path().join("none/a.png")).unwrap_err().contains("is not there; make it"));
        check_writable(&folder.path().join("a.png")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let there = folder.path().join("b.png");
        fs::write(&there, "before").unwrap();
        check_writable(&there).unwrap();
        assert_eq!(fs::read_to_string(&there).unwrap(), "before");
        let mut permissions = fs::metadata(&there).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&there, permissions).unwrap();
        assert!(check_writable(&there).unwrap_err().contains("read-only"));
    }
}
