//! The memory budget of loaded weights. Weights live in the plugins; the host knows how much each plugin says it holds,
//! how large the files are that a node is about to load, and asks plugins to let go of what nobody uses before the two
//! would pass the budget: the MLLM before the UNet comes in, where both do not fit.

use crate::plugins::Library;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The weights that a node will use.
#[derive(Clone, Debug)]
pub(super) struct WeightsUse {
    /// What they are: the files' listings, and every parameter that may say how they are loaded.
    pub key: blake3::Hash,
    /// Bytes of the files.
    pub file_bytes: u64,
}

#[derive(Default)]
struct Held {
    /// What each plugin said last that it holds.
    bytes: HashMap<PathBuf, u64>,
    /// The weights that each plugin has probably in memory.
    loaded: HashMap<PathBuf, HashSet<blake3::Hash>>,
    /// The same of plugins that are about to be asked to let go, so that nobody counts on what may be gone.
    doubtful: HashMap<PathBuf, HashSet<blake3::Hash>>,
    /// What loading some weights made a plugin hold more; it may be twice the file (f16 to f32) or a part of it.
    measured: HashMap<blake3::Hash, u64>,
}

/// Who holds which weights, and how much they may be.
pub(super) struct WeightsLedger {
    limit: Option<u64>,
    held: Mutex<Held>,
}

impl WeightsLedger {
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that a node of that plugin will load: none where it did before and was not asked to let go since.
    pub fn to_load(&self, library: &Path, weights: &WeightsUse) -> u64 {
        let held = self.lock();
        if held.loaded.get(library).is_some_and(|loaded| loaded.contains(&weights.key)) {
            return 0;
        }
        held.measured.get(&weights.key).copied().unwrap_or(weights.file_bytes)
    }

    /// Whether so many bytes more are within the budget.
    pub fn fits(&self, more: u64) -> bool {
        let Some(limit) = self.limit else { return true };
        let held = self.lock().bytes.values().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        held.saturating_add(more) <= limit
    }

    /// Counts on nothing to be loaded any more, because [`WeightsLedger::release`] is about to be called.
    pub fn announce_release(&self) {
        let mut held = self.lock();
        let loaded = std::mem::take(&mut held.loaded);
        for (library, keys) in loaded {
            held.doubtful.entry(library).or_default().extend(keys);
        }
    }

    /// Asks plugins to let go of weights that nobody uses. Waits for a plugin that is just loading some.
    pub fn release<'l>(&self, libraries: impl IntoIterator<Item = &'l Arc<Library>>) {
        for library in libraries {
            let memory = library.memory(true);
            let mut held = self.lock();
            let before = held.doubtful.remove(library.path()).unwrap_or_default();
            let Some(memory) = memory else { continue };
            tracing::debug!(
                plugin = library.name(),
                freed = memory.freed,
                held = memory.held,
                "asked to let go of weights"
            );
            held.bytes.insert(library.path().to_owned(), memory.held);
            if memory.freed == 0 && memory.held > 0 {
                held.loaded.entry(library.path().to_owned()).or_default().extend(before);
            }
        }
    }

    /// Notes what a plugin holds after one of its nodes ran (or failed) with some weights.
    pub fn after(&self, library: &Library, weights: &WeightsUse, succeeded: bool) {
        let Some(memory) = library.memory(false) else { return };
        let mut held = self.lock();
        let before = held.bytes.insert(library.path().to_owned(), memory.held).unwrap_or(0);
        if succeeded && held.loaded.entry(library.path().to_owned()).or_default().insert(weights.key) {
            let grown = memory.held.saturating_sub(before);
            if grown > 0 {
                held.measured.insert(weights.key, grown);
            }
        }
    }
}
