//! Models that stay in memory between runs, by the files they came from, their dtype and their device. One static
//! [`Loaded`] a model type; the host may ask a plugin to let go of all that nobody uses.

use candle_core::{DType, Device};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::error::WeightsError;

/// What a loaded model was made from. Two keys are equal where loading again would give the same model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    paths: Vec<PathBuf>,
    dtype: DType,
    device: String,
    /// Every file with its size and time of change.
    stamps: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

impl Key {
    /// The key of files and folders (each folder's own files count, not those of its subfolders).
    ///
    /// # Errors
    /// [`WeightsError::Unreadable`] for a path that is not there.
    pub fn of(paths: &[&Path], dtype: DType, device: &Device) -> Result<Self, WeightsError> {
        let mut stamps = Vec::new();
        for path in paths {
            let unreadable = |e: std::io::Error| WeightsError::unreadable(path, &e);
            let about = std::fs::metadata(path).map_err(unreadable)?;
            if !about.is_dir() {
                stamps.push((path.to_path_buf(), about.len(), about.modified().ok()));
                continue;
            }
            for entry in std::fs::read_dir(path).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                // Follows links, as opening does; one that leads nowhere is not a file of the model.
                if let Ok(about) = std::fs::metadata(&path)
                    && about.is_file()
                {
                    stamps.push((path, about.len(), about.modified().ok()));
                }
            }
        }
        stamps.sort();
        Ok(Self {
            paths: paths.iter().map(|path| path.to_path_buf()).collect(),
            dtype,
            device: crate::device::name(device),
            stamps,
        })
    }

    /// Whether both name the same files, be it that they have changed in between.
    fn same_place(&self, other: &Self) -> bool {
        self.paths == other.paths && self.dtype == other.dtype && self.device == other.device
    }
}

/// The loaded models of one type.
pub struct Loaded<M: 'static> {
    entries: Mutex<Entries<M>>,
}

struct Entries<M> {
    listed: bool,
    slots: Vec<(Key, Arc<Slot<M>>)>,
}

/// One model; its lock is held while it loads, so that others who want it wait.
struct Slot<M> {
    model: Mutex<Option<(Arc<M>, u64)>>,
}

/// What the list of all caches needs of each.
trait Cache: Sync {
    fn release(&self) -> u64;
    fn held(&self) -> u64;
}

/// Every cache that has been used.
static CACHES: Mutex<Vec<&'static dyn Cache>> = Mutex::new(Vec::new());

/// Locks; a panic of a loader leaves no half-made model behind, so a poisoned lock is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: Send + Sync> Loaded<M> {
    /// An empty cache, for a `static`.
    pub const fn new() -> Self {
        Self { entries: Mutex::new(Entries { listed: false, slots: Vec::new() }) }
    }

    /// The model of `key`, loaded by `load` (which returns it with the bytes it holds, [`crate::Weights::bytes`]) if it
    /// is not there. Who asks for a model that another is loading waits for that one. A model whose files have changed
    /// is let go.
    ///
    /// # Errors
    /// Those of `load`; then nothing is kept.
    pub fn get_or_load<E>(&'static self, key: Key, load: impl FnOnce() -> Result<(M, u64), E>) -> Result<Arc<M>, E> {
        let slot = self.slot(key);
        let mut model = lock(&slot.model);
        if let Some((model, _)) = model.as_ref() {
            return Ok(Arc::clone(model));
        }
        let (loaded, bytes) = load()?;
        let loaded = Arc::new(loaded);
        *model = Some((Arc::clone(&loaded), bytes));
        Ok(loaded)
    }

    fn slot(&'static self, key: Key) -> Arc<Slot<M>> {
        let mut entries = lock(&self.entries);
        if !entries.listed {
            entries.listed = true;
            lock(&CACHES).push(self);
        }
        if let Some((_, slot)) = entries.slots.iter().find(|(known, _)| *known == key) {
            return Arc::clone(slot);
        }
        entries.slots.retain(|(known, _)| !known.same_place(&key));
        let slot = Arc::new(Slot { model: Mutex::new(None) });
        entries.slots.push((key, Arc::clone(&slot)));
        slot
    }

    /// Lets go of every model that nobody uses at the moment; the bytes freed.
    pub fn release_unused(&self) -> u64 {
        let mut freed = 0;
        lock(&self.entries).slots.retain(|(_, slot)| {
            // A slot that is locked is loading, so in use.
            let Ok(model) = slot.model.try_lock() else {
                return true;
            };
            match model.as_ref() {
                Some((model, _)) if Arc::strong_count(model) > 1 => true,
                Some((_, bytes)) => {
                    freed += bytes;
                    false
                }
                None => Arc::strong_count(slot) > 1,
            }
        });
        freed
    }

    /// Bytes that the loaded models hold, in use or not.
    pub fn held(&self) -> u64 {
        let entries = lock(&self.entries);
        let bytes = |slot: &Slot<M>| {
            let model = slot.model.try_lock().ok()?;
            model.as_ref().map(|(_, bytes)| *bytes)
        };
        entries.slots.iter().filter_map(|(_, slot)| bytes(slot)).sum()
    }
}

impl<M: Send + Sync> Default for Loaded<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Send + Sync> Cache for Loaded<M> {
    fn release(&self) -> u64 {
        self.release_unused()
    }

    fn held(&self) -> u64 {
        Self::held(self)
    }
}

/// Lets go of every model of this plugin that nobody uses at the moment; the bytes freed.
pub fn release_all() -> u64 {
    lock(&CACHES).iter().map(|cache| cache.release()).sum()
}

/// Bytes that all loaded models of this plugin hold.
pub fn held() -> u64 {
    lock(&CACHES).iter().map(|cache| cache.held()).sum()
}

/// What a plugin answers when the host asks for its memory: `Plugin::new(…).memory(mgie_weights::loaded::memory)`.
pub fn memory(release: bool) -> mgie_plugin_api::Memory {
    let freed = if release { release_all() } else { 0 };
    mgie_plugin_api::Memory { held: held(), freed }
}
