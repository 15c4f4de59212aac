//! A plugin as its author writes it: descriptions and plain functions; and the functions that [`crate::export_plugin!`]
//! puts behind the door.

use crate::abi::{AbiCallBox, AbiMessage, AbiNode, AbiNode_TO, AbiNodeBox, AbiObjectArc, PluginRoot, PluginRootRef};
use crate::description::{Manifest, NodeDescription};
use crate::extension::{Extension, Message, Object, id};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::run::{Outputs, Run};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{ROption, RResult, RStr, RString};
use abi_stable::type_level::downcasting::TD_Opaque;
use serde_json::json;
use std::fmt;
use std::sync::Arc;

type RunFunction = dyn Fn(&Run) -> Result<Outputs, Failure> + Send + Sync;
type MemoryFunction = dyn Fn(bool) -> Memory + Send + Sync;

/// The loaded weights that a plugin keeps between runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes still held.
    pub held: u64,
    /// Bytes let go of just now.
    pub freed: u64,
}

/// A node type: what it says of itself, and the function that runs it.
#[derive(Clone)]
pub struct NodeDefinition {
    description: NodeDescription,
    run: Arc<RunFunction>,
}

impl NodeDefinition {
    /// A node type. `run` is deterministic given inputs, parameters and seed, changes no input, and may be called from
    /// several threads at once unless the description says otherwise.
    pub fn new(
        description: NodeDescription,
        run: impl Fn(&Run) -> Result<Outputs, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { description, run: Arc::new(run) }
    }

    /// What it says of itself.
    pub fn description(&self) -> &NodeDescription {
        &self.description
    }

    /// Runs it in place, without a door: for tests beside the node.
    ///
    /// # Errors
    /// Whatever the node reports.
    pub fn run(&self, run: &Run) -> Result<Outputs, Failure> {
        (self.run)(run)
    }
}

/// A plugin: a name, a version, and nodes.
#[derive(Clone)]
pub struct Plugin {
    name: String,
    version: String,
    nodes: Vec<NodeDefinition>,
    memory: Option<Arc<MemoryFunction>>,
}

impl Plugin {
    /// A plugin without nodes yet.
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into(), nodes: Vec::new(), memory: None }
    }

    /// Adds a node type.
    #[must_use]
    pub fn node(mut self, definition: NodeDefinition) -> Self {
        self.nodes.push(definition);
        self
    }

    /// Lets the host ask what weights the plugin keeps, and to let go (`true`) of those that nobody uses.
    #[must_use]
    pub fn memory(mut self, memory: impl Fn(bool) -> Memory + Send + Sync + 'static) -> Self {
        self.memory = Some(Arc::new(memory));
        self
    }

    /// What it holds.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            name: self.name.clone(),
            version: self.version.clone(),
            nodes: self.nodes.iter().map(|node| node.description.clone()).collect(),
        }
    }

    /// The node type of that id, where the plugin has it.
    pub fn definition(&self, id: &str) -> Option<&NodeDefinition> {
        self.nodes.iter().find(|node| node.description.id == id)
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} {})", self.name, self.version)
    }
}

struct NodeInstance {
    definition: NodeDefinition,
    memory: Option<Arc<MemoryFunction>>,
    host: Object,
}

impl AbiNode for NodeInstance {
    fn run(&self, message: AbiMessage) -> RResult<AbiMessage, RString> {
        guarded(|| {
            let message = Message::import(message)?;
            let run = Run::new(message.json, message.values, &self.host);
            let outputs = self.definition.run(&run)?;
            Ok(Message { json: json!({}), values: outputs.0 })
        })
        .map_or_else(|failure| RResult::RErr(failure.to_json().into()), |answer| RResult::ROk(answer.export()))
    }

    fn extension(&self, wanted: RStr<'_>) -> ROption<AbiCallBox> {
        let memory = self.memory.clone().filter(|_| wanted.as_str() == id::MEMORY);
        memory
            .map(|memory| {
                Extension::new(move |message| {
                    let release = message.json.get("release").and_then(serde_json::Value::as_bool);
                    let Memory { held, freed } = memory(release.unwrap_or(false));
                    Ok(Message::json(json!({ "held_bytes": held, "freed_bytes": freed })))
                })
                .export()
            })
            .into()
    }
}

/// The manifest of a plugin as JSON; an empty one where making it panicked.
pub(crate) fn manifest_json(plugin: impl FnOnce() -> Plugin) -> RString {
    guarded(|| Ok(serde_json::to_string(&plugin().manifest()).unwrap_or_default())).unwrap_or_default().into()
}

/// Makes a node of type `wanted` for one run.
pub(crate) fn create_node(
    plugin: impl FnOnce() -> Plugin,
    wanted: &str,
    host: AbiObjectArc,
) -> RResult<AbiNodeBox, RString> {
    guarded(|| {
        let plugin = plugin();
        let definition = plugin
            .definition(wanted)
            .cloned()
            .ok_or_else(|| Failure::failed(format!("plugin `{}` has no node `{wanted}`", plugin.name)))?;
        let instance = NodeInstance { definition, memory: plugin.memory.clone(), host: Object::import(host) };
        Ok(AbiNode_TO::from_value(instance, TD_Opaque))
    })
    .map_or_else(|failure| RResult::RErr(failure.to_json().into()), RResult::ROk)
}

/// Behind [`crate::export_plugin!`]: a plugin whose root the host can reach.
#[doc(hidden)]
pub trait Exported {
    /// The plugin, made anew or kept.
    fn plugin() -> Plugin;

    /// The manifest function of the root.
    extern "C" fn manifest() -> RString {
        manifest_json(Self::plugin)
    }

    /// The create function of the root.
    extern "C" fn create(wanted: RStr<'_>, host: AbiObjectArc) -> RResult<AbiNodeBox, RString> {
        create_node(Self::plugin, wanted.as_str(), host)
    }

    /// The root.
    fn root() -> PluginRootRef {
        PluginRoot { manifest: Self::manifest, create: Self::create }.leak_into_prefix()
    }
}

/// Exports a plugin from a shared library: `export_plugin!(plugin);` with `fn plugin() -> Plugin`, once a library.
///
/// The crate is a `cdylib`. What is exported is found by [`crate::abi::VERSION_SYMBOL`] and
/// [`crate::abi::ROOT_SYMBOL`]; no code runs while the library is opened.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:path) => {
        const _: () = {
            struct ThisPlugin;

            impl $crate::plugin::Exported for ThisPlugin {
                fn plugin() -> $crate::Plugin {
                    $plugin()
                }
            }

            extern "C" fn load() -> $crate::abi::RootResult {
                $crate::abi::erase_root(<ThisPlugin as $crate::plugin::Exported>::root)
            }

            // SAFETY: no other symbol of this library has this name, which belongs to the door.
            #[unsafe(no_mangle)]
            pub static MGIE_PLUGIN_API_VERSION: [u32; 2] = $crate::abi::API_VERSION;

            // SAFETY: as above; and `load` returns the erased form of the root module that the header speaks of.
            #[unsafe(no_mangle)]
            pub static MGIE_PLUGIN_ROOT: $crate::abi::RootHeader = unsafe { $crate::abi::root_header(load) };
        };
    };
}
