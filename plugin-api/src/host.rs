//! The host's side of the door (feature `host`): opening a library, making nodes, running them. Whatever a plugin does
//! wrong comes back as an [`OpenError`] or a [`Failure`] in one line.

use crate::abi::{API_VERSION, AbiNodeBox, PluginRootRef, ROOT_SYMBOL, VERSION_SYMBOL};
use crate::description::Manifest;
use crate::extension::{Extensible, Extension, Message, Object, id};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::plugin::{Memory, Plugin, create_node, manifest_json};
use crate::run::Level;
use crate::value::Value;
use abi_stable::library::{AbiHeaderRef, LibraryError};
use abi_stable::std_types::{RResult, RStr};
use libloading::Library;
use serde_json::json;
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a library is not loaded; each reads as one line that names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The system's loader refused it.
    #[error("{path}: the system cannot load it: {reason}")]
    System {
        /// The library.
        path: String,
        /// What the loader said.
        reason: String,
    },
    /// It exports no plugin.
    #[error("{path}: not an mgie plugin (it does not export MGIE_PLUGIN_API_VERSION); see plugin-api's export_plugin!")]
    NotAPlugin {
        /// The library.
        path: String,
    },
    /// It was built for a door that this host does not have.
    #[error(
        "{path}: built for plugin-api {}.{}, this host speaks {}.{}; {}",
        found[0], found[1], API_VERSION[0], API_VERSION[1],
        if found[0] > API_VERSION[0] || (found[0] == API_VERSION[0] && found[1] > API_VERSION[1]) { "update mgie" } else { "build the plugin against today's plugin-api" }
    )]
    Version {
        /// The library.
        path: String,
        /// Major and minor version that it asks for.
        found: [u32; 2],
    },
    /// Its tables are laid out otherwise than this host's, though the version says they are the same.
    #[error(
        "{path}: its tables are laid out otherwise than this host's ({reason}); build it again with the host's toolchain and plugin-api"
    )]
    Layout {
        /// The library.
        path: String,
        /// What differs, in a line.
        reason: String,
    },
    /// Its manifest cannot be read.
    #[error("{path}: its manifest cannot be read: {reason}")]
    Manifest {
        /// The library.
        path: String,
        /// Why.
        reason: String,
    },
}

/// What the host gives to one node for one run. Every method may be called from any thread.
pub trait NodeHost: Send + Sync + 'static {
    /// The node is at `done` of `total` (0 where it is not known) in `label`.
    fn progress(&self, done: u64, total: u64, label: &str);
    /// Whether anybody looks at previews.
    fn wants_preview(&self) -> bool {
        false
    }
    /// Something to look at while the node still works.
    fn preview(&self, _value: Value) {}
    /// Whether the run was cancelled.
    fn cancelled(&self) -> bool;
    /// A line for the log.
    fn log(&self, level: Level, message: &str);
    /// How many threads this run of the node may keep busy.
    fn threads(&self) -> usize;
    /// The node ran on this device.
    fn ran_on(&self, _device: &str) {}
    /// The graph being run, as JSON text, for files that carry it.
    fn graph_json(&self) -> Option<String> {
        None
    }
}

struct HostObject(Arc<dyn NodeHost>);

impl Extensible for HostObject {
    fn extension(&self, wanted: &str) -> Option<Extension> {
        let host = Arc::clone(&self.0);
        let nothing = || Ok(Message::json(json!({})));
        let text = |message: &Message, key: &str| {
            message.json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        };
        let number =
            |message: &Message, key: &str| message.json.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        Some(match wanted {
            id::PROGRESS => Extension::new(move |m| {
                host.progress(number(&m, "done"), number(&m, "total"), &text(&m, "label"));
                nothing()
            }),
            id::PREVIEW if host.wants_preview() => Extension::new(move |m| {
                m.values.into_iter().for_each(|(_, value)| host.preview(value));
                nothing()
            }),
            id::CANCELLED => Extension::new(move |_| Ok(Message::json(json!({ "cancelled": host.cancelled() })))),
            id::LOG => Extension::new(move |m| {
                let level = match text(&m, "level").as_str() {
                    "error" => Level::Error,
                    "warn" => Level::Warn,
                    "info" => Level::Info,
                    _ => Level::Debug,
                };
                host.log(level, &text(&m, "message"));
                nothing()
            }),
            id::THREADS => Extension::new(move |_| Ok(Message::json(json!({ "threads": host.threads() })))),
            id::DEVICE => Extension::new(move |m| {
                host.ran_on(&text(&m, "device"));
                nothing()
            }),
            id::GRAPH => Extension::new(move |_| Ok(Message::json(json!({ "graph": host.graph_json() })))),
            _ => return None,
        })
    }
}

/// The object that plugins see of a [`NodeHost`]; tests of nodes make a [`crate::Run`] with it.
pub fn host_object(host: Arc<dyn NodeHost>) -> Object {
    Object::new(HostObject(host))
}

enum Backend {
    Library(PluginRootRef),
    InProcess(Box<Plugin>),
}

/// A plugin that is open: a shared library, or one of this process (for tests). Libraries are never unloaded.
pub struct OpenPlugin {
    path: PathBuf,
    backend: Backend,
}

impl OpenPlugin {
    /// Opens a shared library and checks its version and the layout of its tables.
    ///
    /// # Errors
    /// An [`OpenError`] that names the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        // SAFETY: opening a library runs its initialisers; a plugin is code that the user chose to run. The door's own
        // symbols are plain data, so no code of the plugin runs before the checks below are through.
        let library = unsafe { Library::new(path) }.map_err(|error| OpenError::System {
            path: shown.clone(),
            reason: one_line(&std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)),
        })?;
        // Never closed: values, functions and thread-locals of the plugin may outlive every handle to it.
        let library = ManuallyDrop::new(library);
        // SAFETY: the door's rule is that this symbol is a `[u32; 2]`, whatever the version.
        let found = match unsafe { library.get::<*const [u32; 2]>(VERSION_SYMBOL) } {
            // SAFETY: as above; the library is never unloaded.
            Ok(version) => unsafe { **version },
            Err(_) => return Err(OpenError::NotAPlugin { path: shown }),
        };
        if found[0] != API_VERSION[0] || found[1] > API_VERSION[1] {
            return Err(OpenError::Version { path: shown, found });
        }
        // SAFETY: with an equal major version, this symbol is a `RootHeader`; `AbiHeaderRef` is a reference to its start,
        // which `upgrade` checks (magic string, abi_stable's own version) before anything else is read.
        let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL) }
            .map_err(|_| OpenError::NotAPlugin { path: shown.clone() })?;
        let root = header.upgrade().and_then(|header| header.check_layout::<PluginRootRef>()).map_err(|error| {
            let reason = match error {
                LibraryError::AbiInstability(_) => "another layout".to_owned(),
                other => one_line(&other.to_string()),
            };
            OpenError::Layout { path: shown, reason }
        })?;
        Ok(Self { path: path.to_owned(), backend: Backend::Library(root) })
    }

    /// A plugin that lives in this process, behind the same door as a library's.
    pub fn in_process(plugin: Plugin) -> Self {
        Self {
            path: PathBuf::from(format!("<{}>", plugin.manifest().name)),
            backend: Backend::InProcess(Box::new(plugin)),
        }
    }

    /// Where it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    ///
    /// # Errors
    /// [`OpenError::Manifest`] where it cannot be read.
    pub fn manifest(&self) -> Result<Manifest, OpenError> {
        let json = match &self.backend {
            Backend::Library(root) => root.manifest()(),
            Backend::InProcess(plugin) => manifest_json(|| plugin.as_ref().clone()),
        };
        serde_json::from_str(&json).map_err(|error| OpenError::Manifest {
            path: self.path.display().to_string(),
            reason: if json.is_empty() { "making it failed".into() } else { one_line(&error.to_string()) },
        })
    }

    /// Makes a node for one run.
    ///
    /// # Errors
    /// A [`Failure`] where the plugin has no such node or panicked.
    pub fn create(&self, node_type: &str, host: Arc<dyn NodeHost>) -> Result<Node, Failure> {
        let host = host_object(host).export();
        let made = match &self.backend {
            Backend::Library(root) => root.create()(RStr::from(node_type), host),
            Backend::InProcess(plugin) => create_node(|| plugin.as_ref().clone(), node_type, host),
        };
        match made {
            RResult::ROk(node) => Ok(Node(node)),
            RResult::RErr(error) => Err(Failure::from_json(&error)),
        }
    }
}

impl fmt::Debug for OpenPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenPlugin({})", self.path.display())
    }
}

/// A node made for one run.
pub struct Node(AbiNodeBox);

impl Node {
    /// Runs it: `parameters` is an object by parameter id with every default filled in. The outputs are as the plugin
    /// returned them; the host checks them against the description.
    ///
    /// # Errors
    /// The node's own [`Failure`], or a [`crate::FailureKind::Fault`] where it panicked or broke the door's rules.
    pub fn run(
        &self,
        parameters: serde_json::Value,
        inputs: Vec<(String, Value)>,
    ) -> Result<Vec<(String, Value)>, Failure> {
        match self.0.run(Message { json: parameters, values: inputs }.export()) {
            RResult::ROk(answer) => guarded(|| Message::import(answer)).map(|message| message.values),
            RResult::RErr(error) => Err(Failure::from_json(&error)),
        }
    }

    /// The loaded weights that its plugin keeps, where it says so; with `release` it first lets go of those that
    /// nobody uses.
    pub fn memory(&self, release: bool) -> Option<Memory> {
        let extension = Option::from(self.0.extension(RStr::from(id::MEMORY))).map(Extension::import)?;
        let answer = extension.call(Message::json(json!({ "release": release }))).ok()?.json;
        let bytes = |key: &str| answer.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        Some(Memory { held: bytes("held_bytes"), freed: bytes("freed_bytes") })
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node")
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
