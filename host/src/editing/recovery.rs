//! What is not saved, kept where it outlives the process: each session writes its graph to a file of its own in the
//! user's data folder, and takes it away when it ends well ([`Recovery::clear`]). What is found there and belongs to no living process was
//! left by one that was killed.

use super::on_disk::OnDisk;
use super::session::Session;
use crate::document::{Document, DocumentError};
use mgie_plugin_api::Failure;
use mgie_plugin_api::file::{read_whole, write_soon};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most bytes of a file that is looked at: a graph's, as JSON text within JSON.
const MAX_BYTES: u64 = 4 * crate::document::MAX_FILE_BYTES;

/// Keeps what one session has not saved.
#[derive(Debug)]
pub struct Recovery {
    folder: PathBuf,
    /// Name of its files, without an ending.
    id: String,
    /// Held locked for as long as the session lives: how others know that it does, whatever became of its process.
    lock: Option<File>,
    /// The revision that lies in the file; none where there is no file.
    written: Option<u64>,
}

/// What a file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    pid: u32,
    /// Seconds since 1970.
    time: u64,
    /// The graph's file, where it has one.
    file: Option<PathBuf>,
    /// The folder that its relative paths are relative to.
    folder: PathBuf,
    /// What the file held when it was last read or written, as a hash.
    #[serde(default)]
    on_disk: Option<String>,
    /// The graph's text.
    graph: String,
}

/// A graph that a process left behind.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The graph's file, where it had one.
    pub file: Option<PathBuf>,
    /// When it was kept.
    pub time: SystemTime,
    /// The process that it belonged to.
    pub pid: u32,
    path: PathBuf,
    kept: Kept,
}

impl Recovery {
    /// One that keeps its file in the user's data folder; none where the user has no such folder.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        Some(Self::in_folder(dirs::data_dir()?.join("mgie").join("recovery")))
    }

    /// One that keeps its file in a folder, which is made when there is something to keep.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let id = format!("{}-{since}-{}", std::process::id(), SESSIONS.fetch_add(1, Ordering::Relaxed));
        Self { folder: folder.into(), id, lock: None, written: None }
    }

    /// Keeps the session as it is now: nothing to do where it is kept already, and nothing to keep where it is saved.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep(&mut self, session: &Session) -> Result<(), Failure> {
        if session.is_saved() {
            self.clear();
            return Ok(());
        }
        if self.written == Some(session.revision()) {
            return Ok(());
        }
        self.live()?;
        let kept = Kept {
            pid: std::process::id(),
            time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            file: session.file().map(Path::to_owned),
            folder: session.folder().to_owned(),
            on_disk: session.on_disk().map(OnDisk::to_text),
            graph: session.document().to_text(),
        };
        let path = self.path();
        let text = serde_json::to_vec(&kept).map_err(|error| Failure::file(&path, error.to_string()))?;
        write_soon(&path, &[&text])?;
        self.written = Some(session.revision());
        Ok(())
    }

    /// Takes the file away: everything is saved, or nobody wants it.
    pub fn clear(&mut self) {
        if self.written.take().is_some() {
            // What cannot be removed is offered once more, which does no harm.
            drop(std::fs::remove_file(self.path()));
        }
        if self.lock.take().is_some() {
            drop(std::fs::remove_file(self.lock_path()));
        }
    }

    /// What processes that are gone left behind, the newest first. Files that cannot be read are passed over.
    #[must_use]
    pub fn left_behind(&self) -> Vec<Recovered> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
        let mut found: Vec<Recovered> = files.filter(|path| !self.belongs_to_a_living(path)).filter_map(read).collect();
        found.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.path.cmp(&b.path)));
        found
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.id))
    }

    fn lock_path(&self) -> PathBuf {
        self.path().with_extension("lock")
    }

    /// Makes the folder and the sign that the session lives.
    fn live(&mut self) -> Result<(), Failure> {
        if self.lock.is_some() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| Failure::file(&self.folder, format!("the folder cannot be made ({error})")))?;
        let path = self.lock_path();
        let lock = File::create(&path)
            .map_err(|error| Failure::file(&path, format!("the file cannot be written ({error})")))?;
        // Where the system has no locks, a living session's graph is offered to another one, which loses nothing.
        drop(lock.try_lock());
        self.lock = Some(lock);
        Ok(())
    }

    fn belongs_to_a_living(&self, path: &Path) -> bool {
        let lock = path.with_extension("lock");
        path == self.path()
            || File::open(lock).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

fn read(path: PathBuf) -> Option<Recovered> {
    let kept: Kept = serde_json::from_slice(&read_whole(&path, MAX_BYTES).ok()?).ok()?;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(kept.time))?;
    Some(Recovered { file: kept.file.clone(), time, pid: kept.pid, path, kept })
}

impl Recovered {
    /// The session as it was, not saved.
    ///
    /// # Errors
    /// Where what was kept is no graph.
    pub fn open(&self) -> Result<Session, DocumentError> {
        let document = Document::parse(&self.kept.graph)?;
        let on_disk = self.kept.on_disk.as_deref().and_then(OnDisk::parse);
        Ok(Session::recovered(document, self.kept.folder.clone(), self.kept.file.clone(), on_disk))
    }

    /// Takes it away.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub fn discard(&self) -> Result<(), Failure> {
        drop(std::fs::remove_file(self.path.with_extension("lock")));
        std::fs::remove_file(&self.path)
            .map_err(|error| Failure::file(&self.path, format!("the file cannot be removed ({error})")))
    }
}
