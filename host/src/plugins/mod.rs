//! The plugins that are here: found in folders, known by their manifests, opened when the first of their nodes runs,
//! never unloaded. What one plugin does wrong is a line of warning and leaves the others alone.

mod library;
mod manifest_cache;
mod search;
mod soundness;

pub use library::Library;
pub use search::SearchPath;

use manifest_cache::ManifestCache;
use mgie_plugin_api::host::{OpenError, OpenPlugin};
use mgie_plugin_api::{Manifest, NodeDescription, Plugin};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A node type and the plugin that offers it.
#[derive(Debug)]
pub struct NodeType {
    /// What the node type says of itself.
    pub description: NodeDescription,
    /// The plugin that runs it.
    pub library: Arc<Library>,
}

/// A library that is no plugin for this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The library.
    pub path: PathBuf,
    /// Why, in one line.
    pub reason: String,
}

/// Every node type that is here. The first plugin that offers an id, in search order, has it.
#[derive(Debug, Default)]
pub struct Catalogue {
    types: HashMap<String, Arc<NodeType>>,
    order: Vec<String>,
    libraries: Vec<Arc<Library>>,
    refused: Vec<Refused>,
    warnings: Vec<String>,
    searched: Vec<PathBuf>,
}

impl Catalogue {
    /// Looks for plugins. With `cache` (a file, which may be missing) a library whose manifest is known by path, size
    /// and time of change is not opened; a file that cannot be read is ignored and written anew.
    #[must_use]
    pub fn discover(search: &SearchPath, cache: Option<&Path>) -> Self {
        let mut catalogue = Self { searched: search.folders(), ..Self::default() };
        let mut cache = cache.map(ManifestCache::read);
        let found = search.libraries();
        for path in &found {
            let known = cache.as_ref().and_then(|cache| cache.manifest(path));
            let described = known.map_or_else(
                || {
                    let opened = OpenPlugin::open(path)?;
                    let manifest = opened.manifest()?;
                    Ok((manifest, Some(opened)))
                },
                |manifest| Ok::<_, OpenError>((manifest, None)),
            );
            match described {
                // A folder of plugins may hold what they need, too.
                Err(OpenError::NotAPlugin { .. }) if !search::promises_a_plugin(path) => {}
                Err(error) => catalogue.refuse(path, &error.to_string()),
                Ok((manifest, opened)) => {
                    if let (Some(cache), Some(_)) = (cache.as_mut(), &opened) {
                        cache.learn(path, &manifest);
                    }
                    let cache_file = cache.as_ref().map(|cache| cache.file().to_owned());
                    catalogue.add(manifest, path, opened, cache_file);
                }
            }
        }
        if let Some(cache) = &mut cache {
            cache.write(&found);
        }
        catalogue.explain_preferred();
        catalogue
    }

    /// A catalogue of plugins that live in this process, behind the same door as a library's.
    #[must_use]
    pub fn of(plugins: impl IntoIterator<Item = Plugin>) -> Self {
        let mut catalogue = Self::default();
        for plugin in plugins {
            let opened = OpenPlugin::in_process(plugin);
            let path = opened.path().to_owned();
            match opened.manifest() {
                Ok(manifest) => catalogue.add(manifest, &path, Some(opened), None),
                Err(error) => catalogue.refuse(&path, &error.to_string()),
            }
        }
        catalogue
    }

    fn refuse(&mut self, path: &Path, reason: &str) {
        let shown = format!("{}: ", path.display());
        let reason = reason.strip_prefix(&shown).unwrap_or(reason).to_owned();
        self.refused.push(Refused { path: path.to_owned(), reason });
    }

    fn add(&mut self, manifest: Manifest, path: &Path, opened: Option<OpenPlugin>, cache: Option<PathBuf>) {
        if let Err(reason) = soundness::check(&manifest) {
            self.refuse(path, &format!("its manifest is not sound: {reason}"));
            return;
        }
        let library = Arc::new(Library::new(path, &manifest, opened, cache));
        let mut shadowed: Vec<(PathBuf, Vec<String>)> = Vec::new();
        for description in manifest.nodes {
            let id = description.id.clone();
            if let Some(first) = self.types.get(&id) {
                let path = first.library.path().to_owned();
                match shadowed.iter_mut().find(|(other, _)| *other == path) {
                    Some((_, ids)) => ids.push(id),
                    None => shadowed.push((path, vec![id])),
                }
            } else {
                self.order.push(id.clone());
                self.types.insert(id, Arc::new(NodeType { description, library: Arc::clone(&library) }));
            }
        }
        for (first, ids) in shadowed {
            // The CPU build beside a CUDA build offers the same nodes by intention.
            if search::is_cuda_build_of(&first, path) {
                continue;
            }
            let ids: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
            self.warnings.push(format!(
                "two plugins offer {}: {} is used, {} comes later in the search and is not",
                ids.join(", "),
                first.display(),
                path.display()
            ));
        }
        self.libraries.push(library);
    }

    /// Refused libraries become warnings, except a CUDA build whose CPU build took its place.
    fn explain_preferred(&mut self) {
        for refused in &self.refused {
            if self.libraries.iter().any(|library| search::is_cuda_build_of(&refused.path, library.path())) {
                tracing::info!(path = %refused.path.display(), reason = refused.reason, "the CUDA build of a plugin does not load here, its CPU build is used");
            } else {
                self.warnings.push(format!("the plugin {} was refused: {}", refused.path.display(), refused.reason));
            }
        }
    }

    /// The node type of that id.
    #[must_use]
    pub fn node_type(&self, id: &str) -> Option<Arc<NodeType>> {
        self.types.get(id).cloned()
    }

    /// Every node type, in the order in which they were found.
    pub fn node_types(&self) -> impl Iterator<Item = &Arc<NodeType>> {
        self.order.iter().filter_map(|id| self.types.get(id))
    }

    /// Every plugin, in search order.
    #[must_use]
    pub fn libraries(&self) -> &[Arc<Library>] {
        &self.libraries
    }

    /// The libraries that are no plugins for this host.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// What is unusual about the plugins here, a line each: refused ones, and two that offer one node.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The folders that were searched.
    #[must_use]
    pub fn searched(&self) -> &[PathBuf] {
        &self.searched
    }

    /// The refused library that would probably have offered a node type: `libmgie_clip_plugin.so` for `clip.*`.
    #[must_use]
    pub fn refused_for(&self, node_type: &str) -> Option<&Refused> {
        let family = node_type.split('.').next().unwrap_or_default();
        self.refused.iter().find(|refused| search::family_of(&refused.path).is_some_and(|name| name == family))
    }
}

/// The file in the user's cache folder that manifests are kept in, where there is such a folder.
#[must_use]
pub fn default_cache_file() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("mgie").join("plugins.json"))
}
