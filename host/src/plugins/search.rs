//! Where plugins lie, and which of the files there are taken for one.

use std::env;
use std::env::consts::{DLL_EXTENSION, DLL_PREFIX};
use std::path::{Path, PathBuf};

/// The environment variable that names folders (or libraries) to search first, separated as in `PATH`.
pub const VARIABLE: &str = "MGIE_PLUGIN_PATH";

/// Ending of a plugin's name before the extension.
const ENDING: &str = "_plugin";
/// Mark of a CUDA build, which is preferred to the library of the same name without it.
const CUDA: &str = "_cuda";

/// The places to search, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    places: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    /// Whether libraries that are not ours lie there too, so that only `mgie_*_plugin` is looked at; elsewhere every
    /// library is, whatever its name.
    shared: bool,
}

impl SearchPath {
    /// The places that a user expects: those in `MGIE_PLUGIN_PATH`, the folder of this program, `plugins` in it, and
    /// `mgie/plugins` in the user's data folder.
    #[must_use]
    pub fn of_user() -> Self {
        let named = env::var_os(VARIABLE).unwrap_or_default();
        let mut search = env::split_paths(&named).fold(Self::default(), |search, path| search.then(path));
        if let Some(folder) = env::current_exe().ok().as_deref().and_then(Path::parent) {
            search.places.push(Place { path: folder.to_owned(), shared: true });
            search = search.then(folder.join("plugins"));
        }
        if let Some(data) = dirs::data_dir() {
            search = search.then(data.join("mgie").join("plugins"));
        }
        search
    }

    /// Adds a folder of plugins, or one library, behind those that are there.
    #[must_use]
    pub fn then(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if !path.as_os_str().is_empty() {
            self.places.push(Place { path, shared: false });
        }
        self
    }

    /// The places, first to last.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        self.places.iter().map(|place| place.path.clone()).collect()
    }

    /// The libraries there, by their full paths, each once: place by place, by name within one, a CUDA build before
    /// the library of the same name without it.
    #[must_use]
    pub fn libraries(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for place in &self.places {
            // A library that is named itself is taken whatever its name.
            let mut here = if place.path.is_file() { vec![place.path.clone()] } else { in_folder(place) };
            here.sort_by_key(|path| (name(path).replace(CUDA, ""), !name(path).contains(CUDA), path.clone()));
            for path in here {
                let path = path.canonicalize().unwrap_or(path);
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
        found
    }
}

fn in_folder(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(&place.path) else { return Vec::new() };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = name(path);
            let library = path.extension().is_some_and(|extension| extension == DLL_EXTENSION) && path.is_file();
            library && (!place.shared || is_ours(&name))
        })
        .collect()
}

/// Whether a library's name says that it is a plugin of ours: `mgie_*_plugin`.
fn is_ours(name: &str) -> bool {
    name.starts_with("mgie_") && name.ends_with(ENDING)
}

/// Whether a library's name promises a plugin, so that it is worth a warning where it is none.
pub(super) fn promises_a_plugin(path: &Path) -> bool {
    name(path).ends_with(ENDING)
}

/// Name of a library without the system's prefix and extension: `mgie_clip_plugin`.
fn name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem.strip_prefix(DLL_PREFIX).unwrap_or(&stem).to_owned()
}

/// The family of nodes that a library's name promises: `clip` for `libmgie_clip_plugin.so`.
pub(super) fn family_of(path: &Path) -> Option<String> {
    let name = name(path);
    let family = name.strip_suffix(ENDING)?;
    let family = family.strip_prefix("mgie_").unwrap_or(family);
    Some(family.strip_suffix(CUDA).unwrap_or(family).to_owned())
}

/// Whether `cuda` is the CUDA build of the plugin that lies in the same folder as `other`.
pub(super) fn is_cuda_build_of(cuda: &Path, other: &Path) -> bool {
    cuda.parent() == other.parent()
        && name(cuda).ends_with(&format!("{CUDA}{ENDING}"))
        && name(cuda).replace(CUDA, "") == name(other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::fs;

    fn library(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{DLL_PREFIX}{name}.{DLL_EXTENSION}"));
        fs::write(&path, "").unwrap();
        path.canonicalize().unwrap()
    }

    #[test]
    fn libraries_are_found_place_by_place_and_a_cuda_build_comes_first() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let zoo = library(first.path(), "acme_zoo_plugin");
        let cpu = library(second.path(), "mgie_clip_plugin");
        let cuda = library(second.path(), "mgie_clip_cuda_plugin");
        let bare = library(second.path(), "mgie_bare_plugin");
        // Where only plugins are expected, any name will do; beside a program, only ours.
        let other = library(second.path(), "sharpen");
        fs::write(second.path().join("libmgie_text_plugin.d"), "").unwrap();
        let search = SearchPath::default().then(first.path()).then(second.path()).then(first.path()).then("");
        assert_eq!(search.libraries(), [zoo.clone(), bare.clone(), cuda.clone(), cpu.clone(), other]);
        let shared = SearchPath { places: vec![Place { path: second.path().to_owned(), shared: true }] };
        assert_eq!(shared.libraries(), [bare, cuda.clone(), cpu.clone()]);
        assert!(is_cuda_build_of(&cuda, &cpu) && !is_cuda_build_of(&cpu, &cuda));
        assert_eq!(family_of(&cuda).as_deref(), Some("clip"));
        assert_eq!(SearchPath::default().then(&zoo).libraries(), [zoo]);
        assert_eq!(SearchPath::default().then("/nowhere").libraries(), Vec::<PathBuf>::new());
    }

    #[test]
    fn beside_the_program_only_our_own_names_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        library(folder.path(), "acme_zoo_plugin");
        let ours = library(folder.path(), "mgie_clip_plugin");
        let search = SearchPath { places: vec![Place { path: folder.path().to_owned(), shared: true }] };
        assert_eq!(search.libraries(), [ours]);
    }
}
