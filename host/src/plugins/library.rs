//! One plugin: known by its manifest, opened when the first of its nodes runs, never unloaded.

use mgie_plugin_api::host::{Node, NodeHost, OpenPlugin};
use mgie_plugin_api::plugin::Memory;
use mgie_plugin_api::{Failure, Level, Manifest};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A plugin that is here. It may not have been opened yet.
pub struct Library {
    name: String,
    version: String,
    path: PathBuf,
    manifest: Manifest,
    opened: OnceLock<Result<OpenPlugin, Failure>>,
    /// The file that the manifest may have come from.
    cache: Option<PathBuf>,
}

impl Library {
    pub(super) fn new(path: &Path, manifest: &Manifest, opened: Option<OpenPlugin>, cache: Option<PathBuf>) -> Self {
        let slot = OnceLock::new();
        if let Some(opened) = opened {
            // The slot was made a line above and is empty.
            drop(slot.set(Ok(opened)));
        }
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            path: path.to_owned(),
            manifest: manifest.clone(),
            opened: slot,
            cache,
        }
    }

    /// The plugin's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plugin's own version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it lies; a name in angle brackets for one of this process.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has been opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opened.get().is_some_and(Result::is_ok)
    }

    /// Makes a node for one run; opens the library where it is the first.
    ///
    /// # Errors
    /// A [`Failure`] where the library cannot be opened, is not what it was listed as, or has no such node.
    pub fn create(&self, node_type: &str, host: Arc<dyn NodeHost>) -> Result<Node, Failure> {
        self.opened.get_or_init(|| self.open()).as_ref().map_err(Clone::clone)?.create(node_type, host)
    }

    fn open(&self) -> Result<OpenPlugin, Failure> {
        let opened = OpenPlugin::open(&self.path).map_err(|error| Failure::failed(error.to_string()))?;
        let manifest = opened.manifest().map_err(|error| Failure::failed(error.to_string()))?;
        if manifest == self.manifest {
            return Ok(opened);
        }
        if let Some(cache) = &self.cache
            && let Err(error) = std::fs::remove_file(cache)
        {
            tracing::debug!(%error, "the plugins' manifests cannot be forgotten");
        }
        Err(Failure::file(&self.path, "the plugin holds other nodes than it was listed with; it changed meanwhile")
            .remedy("run again"))
    }

    /// The loaded weights that the plugin keeps, where it is open and says so; with `release` it first lets go of
    /// those that nobody uses.
    pub(crate) fn memory(&self, release: bool) -> Option<Memory> {
        let opened = self.opened.get()?.as_ref().ok()?;
        let first = self.manifest.nodes.first()?;
        opened.create(&first.id, Arc::new(Nobody)).ok()?.memory(release)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Library({} {})", self.name, self.version)
    }
}

/// The host of a node that is made to be asked and never runs.
struct Nobody;

impl NodeHost for Nobody {
    fn progress(&self, _done: u64, _total: u64, _label: &str) {}

    fn cancelled(&self) -> bool {
        true
    }

    fn log(&self, _level: Level, _message: &str) {}

    fn threads(&self) -> usize {
        1
    }
}
