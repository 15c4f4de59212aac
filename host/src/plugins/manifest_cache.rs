//! Manifests of libraries seen before, by path, size and time of change, so that listing nodes opens no library. The
//! file is a convenience: one that is missing, damaged or of another program is ignored and written anew, and what it
//! says is checked like what a library says.

use mgie_plugin_api::Manifest;
use mgie_plugin_api::abi::API_VERSION;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The most bytes of the file that are read.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Serialize, Deserialize, PartialEq)]
struct CacheFile {
    host: String,
    door: [u32; 2],
    libraries: BTreeMap<String, Entry>,
}

#[derive(Clone, Serialize, Deserialize, PartialEq)]
struct Entry {
    stamp: Stamp,
    manifest: Manifest,
}

/// Size and time of change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified_seconds: u64,
    modified_nanoseconds: u32,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified_seconds: modified.as_secs(),
            modified_nanoseconds: modified.subsec_nanos(),
        })
    }
}

pub(super) struct ManifestCache {
    file: PathBuf,
    kept: CacheFile,
    changed: bool,
}

impl ManifestCache {
    /// Reads the file, where there is one of this host's.
    pub fn read(file: &Path) -> Self {
        let empty =
            CacheFile { host: env!("CARGO_PKG_VERSION").to_owned(), door: API_VERSION, libraries: BTreeMap::new() };
        let kept = mgie_plugin_api::file::read_whole(file, MAX_BYTES)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<CacheFile>(&bytes).ok())
            .filter(|kept| kept.host == empty.host && kept.door == empty.door);
        Self { file: file.to_owned(), changed: kept.is_none(), kept: kept.unwrap_or(empty) }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The manifest of a library that has not changed since.
    pub fn manifest(&self, library: &Path) -> Option<Manifest> {
        let entry = self.kept.libraries.get(library.to_str()?)?;
        (Stamp::of(library)? == entry.stamp).then(|| entry.manifest.clone())
    }

    /// Keeps the manifest of a library.
    pub fn learn(&mut self, library: &Path, manifest: &Manifest) {
        // A library whose path is no text is asked again each time.
        if let (Some(path), Some(stamp)) = (library.to_str(), Stamp::of(library)) {
            self.kept.libraries.insert(path.to_owned(), Entry { stamp, manifest: manifest.clone() });
            self.changed = true;
        }
    }

    /// Writes the file where something changed; libraries that are gone are left out. That it cannot be written is
    /// no reason to stop.
    pub fn write(&mut self, found: &[PathBuf]) {
        let before = self.kept.libraries.len();
        self.kept
            .libraries
            .retain(|path, _| found.iter().any(|found| found == Path::new(path)) || Path::new(path).exists());
        if !self.changed && self.kept.libraries.len() == before {
            return;
        }
        if let Some(folder) = self.file.parent()
            && let Err(error) = fs::create_dir_all(folder)
        {
            tracing::debug!(%error, "no folder for the plugins' manifests");
            return;
        }
        let Ok(text) = serde_json::to_vec(&self.kept) else { return };
        if let Err(error) = mgie_plugin_api::file::write_whole(&self.file, &[&text]) {
            tracing::debug!(%error, "the plugins' manifests cannot be kept");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{NodeDefinition, NodeDescription, Outputs, Plugin};

    fn manifest() -> Manifest {
        let description = NodeDescription::new("test.one", "One", "Test", "Gives nothing.");
        Plugin::new("test", "1.2.3").node(NodeDefinition::new(description, |_| Ok(Outputs::new()))).manifest()
    }

    #[test]
    fn a_manifest_is_kept_until_its_library_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, library) = (folder.path().join("deep/plugins.json"), folder.path().join("libx_plugin.so"));
        fs::write(&library, "one").unwrap();
        let mut cache = ManifestCache::read(&file);
        assert_eq!(cache.manifest(&library), None);
        cache.learn(&library, &manifest());
        cache.write(std::slice::from_ref(&library));
        assert_eq!(ManifestCache::read(&file).manifest(&library), Some(manifest()));
        fs::write(&library, "other").unwrap();
        assert_eq!(ManifestCache::read(&file).manifest(&library), None);
        fs::remove_file(&library).unwrap();
        ManifestCache::read(&file).write(&[]);
        assert!(ManifestCache::read(&file).kept.libraries.is_empty(), "what is gone is forgotten");
    }

    #[test]
    fn a_damaged_file_is_ignored_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (file, library) = (folder.path().join("plugins.json"), folder.path().join("libx_plugin.so"));
        fs::write(&library, "one").unwrap();
        for damaged in ["", "{", "[]", "\u{0}", r#"{"host":"0.0.0","door":[0,0],"libraries":{}}"#] {
            fs::write(&file, damaged).unwrap();
            let mut cache = ManifestCache::read(&file);
            assert_eq!(cache.manifest(&library), None);
            cache.learn(&library, &manifest());
            cache.write(std::slice::from_ref(&library));
            assert_eq!(ManifestCache::read(&file).manifest(&library), Some(manifest()), "{damaged:?}");
        }
    }
}
