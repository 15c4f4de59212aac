//! Files as nodes read and write them: read within a limit, written whole or not at all, and each thing that can go
//! wrong told in one line with its remedy. A convenience for plugins; nothing of it crosses the door.

use crate::failure::Failure;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Opens a plain file for reading and tells its length in bytes. Folders, pipes and devices are refused, so that a node
/// never waits for bytes that may not come.
///
/// # Errors
/// A failure that names the file where it is missing, is none, or may not be read.
pub fn open(path: &Path) -> Result<(File, u64), Failure> {
    // Looked at before it is opened: opening a pipe that nobody writes to waits for ever.
    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if found.is_dir() {
        return Err(Failure::file(path, "this is a folder").remedy("name a file in it"));
    }
    if !found.is_file() {
        return Err(Failure::file(path, "this is neither a file nor a folder").remedy("name a plain file"));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok((file, found.len()))
}

/// Reads a plain file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], and a failure that names size and limit where the file is larger; nothing has been read by then.
pub fn read_whole(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let (file, length) = open(path)?;
    let mut bytes = Vec::new();
    if length <= limit {
        // One byte past the limit, to notice a file that grows meanwhile.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    }
    let length = length.max(bytes.len() as u64);
    if length > limit {
        return Err(Failure::file(path, format!("the file has {length} bytes, the limit is {limit}"))
            .remedy("name a smaller file"));
    }
    Ok(bytes)
}

/// Writes `parts`, one after the other, as the file `path`: into a hidden file beside it, renamed when it is complete.
/// What it holds is on the disk before it takes its name, so that a loss of power leaves the old file or the new one,
/// never an empty one. A file that is there keeps its permissions. Something at `path` that is no plain file (a pipe, a
/// device) is written to as it is; where `path` is a link, what it leads to is replaced.
///
/// # Errors
/// A failure that names the file or its folder; then nothing is left behind and what was there is untouched.
pub fn write_whole(path: &Path, parts: &[&[u8]]) -> Result<(), Failure> {
    write(path, parts, true)
}

/// As [`write_whole`], but it does not wait for the disk: for what has to outlive the process and not a loss of power, and is
/// written where nobody can wait.
///
/// # Errors
/// As [`write_whole`].
pub fn write_soon(path: &Path, parts: &[&[u8]]) -> Result<(), Failure> {
    write(path, parts, false)
}

fn write(path: &Path, parts: &[&[u8]], waits: bool) -> Result<(), Failure> {
    let unwritten = |error: io::Error| {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or name a file on another disk",
            _ => "name a file in a folder that can be written to",
        };
        Failure::file(path, format!("the file cannot be written ({error})")).remedy(remedy)
    };
    let fill = |file: &mut File| parts.iter().try_for_each(|part| file.write_all(part));
    match Target::of(path)? {
        Target::Device(device) => {
            let mut device = File::options().write(true).open(device).map_err(unwritten)?;
            fill(&mut device).map_err(unwritten)
        }
        Target::File { file, permissions } => {
            let mut beside = beside(path, &file)?;
            if let Some(permissions) = permissions {
                // A file that only its owner may read stays one.
                beside.as_file().set_permissions(permissions).map_err(unwritten)?;
            }
            fill(beside.as_file_mut()).map_err(unwritten)?;
            if waits {
                beside.as_file().sync_all().map_err(unwritten)?;
            }
            beside.persist(&file).map_err(|error| unwritten(error.error))?;
            if waits {
                sync_folder(&file);
            }
            Ok(())
        }
    }
}

/// Has the folder of a file that took its name just now written to the disk. Some file systems know no such thing; the
/// file is whole with its old name or its new one all the same.
fn sync_folder(file: &Path) {
    #[cfg(unix)]
    drop(File::open(folder_of(file)).and_then(|folder| folder.sync_all()));
    #[cfg(not(unix))]
    let _ = file;
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether [`write_whole`] could write the file `path`, found out by making (and removing) a hidden file beside it: asked
/// before anything runs, so that nobody waits an hour for a result that has no place.
///
/// # Errors
/// As [`write_whole`].
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    match Target::of(path)? {
        Target::Device(_) => Ok(()),
        Target::File { file, .. } => beside(path, &file).map(drop),
    }
}

/// What a path that is to be written leads to.
enum Target {
    /// A pipe or a device, written to as it is.
    Device(PathBuf),
    /// A plain file, or none yet; the permissions of the one that is there.
    File { file: PathBuf, permissions: Option<fs::Permissions> },
}

impl Target {
    fn of(path: &Path) -> Result<Self, Failure> {
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&file) {
            Ok(there) if there.is_dir() => Err(Failure::file(path, "this is a folder").remedy("name a file in it")),
            Ok(there) if !there.is_file() => Ok(Self::Device(file)),
            Ok(there) if there.permissions().readonly() => {
                Err(Failure::file(path, "the file is read-only").remedy("name another file, or make this one writable"))
            }
            there => Ok(Self::File { file, permissions: there.ok().map(|there| there.permissions()) }),
        }
    }
}

/// A hidden file in the folder of `file`, removed unless it is renamed; `path` is what a failure names.
fn beside(path: &Path, file: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let folder = folder_of(file);
    if !folder.is_dir() {
        return Err(Failure::file(path, format!("the folder {} is not there", folder.display()))
            .remedy("make it first, or name a file elsewhere"));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mgie-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The default is readable by nobody else; a result is an ordinary file, as the user's umask has it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(&folder).map_err(|error| {
        // The kind alone: the whole error tells the hidden file's name, which says nothing to anybody.
        let reason = error.kind();
        Failure::file(path, format!("the folder {} cannot be written to ({reason})", folder.display()))
            .remedy("name a file elsewhere")
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::file(path, "there is no such file").remedy("check the path"),
        ErrorKind::PermissionDenied => Failure::file(path, "the file may not be read").remedy("check its permissions"),
        _ => Failure::file(path, format!("the file cannot be read ({error})")).remedy("check the path"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn told<T: std::fmt::Debug>(result: Result<T, Failure>, path: &Path) -> String {
        let told = result.unwrap_err().to_string();
        assert!(told.starts_with(&path.display().to_string()), "names the file: {told}");
        told
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_whole(&path, &[b"be", b"fore"]).unwrap();
        write_whole(&path, &[b"after"]).unwrap();
        assert_eq!(read_whole(&path, 5).unwrap(), b"after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_only_its_owner_may_read_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write_whole(&path, &[b"after"]).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, fs::read(&path).unwrap().as_slice()), (0o600, &b"after"[..]), "{mode:o}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        assert!(told(read_whole(&path, 9), &path).contains("no such file; check the path"));
        assert!(told(read_whole(folder.path(), 9), folder.path()).contains("a folder; name a file in it"));
        fs::write(&path, "12345").unwrap();
        assert!(told(read_whole(&path, 4), &path).contains("5 bytes, the limit is 4"));
        let null = Path::new("/dev/null");
        assert!(!null.exists() || told(read_whole(null, 9), null).contains("neither a file nor a folder"));
    }

    #[test]
    fn what_cannot_be_written_is_told_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // What writing would say is said when it is asked before.
        let refused = |path: &Path| {
            let said = told(write_whole(path, &[b"x"]), path);
            assert_eq!(told(check_writable(path), path), said);
            said
        };
        assert!(refused(folder.path()).contains("this is a folder"));
        let path = folder.path().join("none/a.txt");
        assert!(refused(&path).contains("none is not there; make it first"));
        let path = folder.path().join("a.txt");
        check_writable(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the check leaves nothing");
        fs::write(&path, "before").unwrap();
        check_writable(&path).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        assert!(refused(&path).contains("read-only"));
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        if cfg!(target_os = "linux") {
            let path = Path::new("/proc/a.txt");
            assert!(refused(path).contains("folder /proc cannot be written to"));
        }
    }
}
