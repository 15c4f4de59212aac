//! What crosses the door, frozen: the only module that speaks `abi_stable`, and the only types whose layout two builds
//! must agree on. Nothing here ever gains, loses or reorders a field: a plugin of today must load on a host of next
//! year. A new ability is a new extension id (see [`crate::extension`]), answered by a function of one message.
//!
//! Everything else in this crate is safe Rust around these types.

#![allow(unused_qualifications, non_local_definitions, reason = "what sabi_trait expands to")]

use crate::dlpack::AbiTensor;
use abi_stable::StableAbi;
use abi_stable::library::{LibHeader, RootModule};
use abi_stable::package_version_strings;
use abi_stable::sabi_trait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RArc, RBox, ROption, RResult, RStr, RString, RVec};

/// Version of the door: a plugin loads where `major` is equal and its `minor` is not above the host's.
pub const API_VERSION: [u32; 2] = [1, 2];

/// Name of the exported `[u32; 2]` that says which door a library was built for; it is read before anything else.
pub const VERSION_SYMBOL: &[u8] = b"MGIE_PLUGIN_API_VERSION\0";

/// Name of the exported [`LibHeader`], which leads to the [`PluginRoot`].
pub const ROOT_SYMBOL: &[u8] = b"MGIE_PLUGIN_ROOT\0";

/// A question or an answer: JSON, and the values that it speaks of.
#[repr(C)]
#[derive(StableAbi)]
pub struct AbiMessage {
    /// Any JSON document, UTF-8.
    pub json: RString,
    /// Values by name; names may repeat only where the receiver says so.
    pub values: RVec<AbiNamedValue>,
}

/// One named value of a message.
#[repr(C)]
#[derive(StableAbi)]
pub struct AbiNamedValue {
    /// Socket or argument name.
    pub name: RString,
    /// What it holds.
    pub value: AbiValue,
}

/// A value: a kind, a JSON header and at most one body.
#[repr(C)]
#[derive(StableAbi)]
pub struct AbiValue {
    /// Kind, such as `image` or `mgie.visual_tokens`.
    pub kind: RString,
    /// JSON header.
    pub header: RString,
    /// The tensor, where the body is one.
    pub tensor: ROption<AbiTensor>,
    /// The object, where the body is one. [shared: the receiver holds a reference count]
    pub object: ROption<AbiObjectArc>,
}

/// A function of one message. [any thread; may be called by several at once]
#[sabi_trait]
pub trait AbiCall: Send + Sync + 'static {
    /// Answers a message; the error is a [`crate::Failure`] as JSON.
    fn call(&self, message: AbiMessage) -> RResult<AbiMessage, RString>;
}

/// A [`AbiCall`] that its receiver owns.
pub type AbiCallBox = AbiCall_TO<RBox<()>>;

/// Something that answers by extension id: a value's object, or the host. [any thread]
#[sabi_trait]
pub trait AbiObject: Send + Sync + Clone + 'static {
    /// The ability of that id, where there is one.
    #[sabi(last_prefix_field)]
    fn extension(&self, id: RStr<'_>) -> ROption<AbiCallBox>;
}

/// A shared [`AbiObject`].
pub type AbiObjectArc = AbiObject_TO<RArc<()>>;

/// A node, made for one run. [`run` is called once, from any thread; `extension` from any thread]
#[sabi_trait]
pub trait AbiNode: Send + Sync + 'static {
    /// Runs the node: the message holds the parameters as JSON and the inputs as values, the answer the outputs.
    fn run(&self, message: AbiMessage) -> RResult<AbiMessage, RString>;

    /// The ability of that id, where there is one.
    #[sabi(last_prefix_field)]
    fn extension(&self, id: RStr<'_>) -> ROption<AbiCallBox>;
}

/// A node that the host owns.
pub type AbiNodeBox = AbiNode_TO<RBox<()>>;

/// The root of a plugin.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRootRef)))]
#[sabi(missing_field(panic))]
pub struct PluginRoot {
    /// The manifest as JSON. Never loads a model, opens a device or reads a checkpoint. [any thread, any time]
    pub manifest: extern "C" fn() -> RString,
    /// Makes a node of that type for one run; the host object lives as long as the node. [any thread]
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(RStr<'_>, AbiObjectArc) -> RResult<AbiNodeBox, RString>,
}

impl RootModule for PluginRootRef {
    abi_stable::declare_root_module_statics! {PluginRootRef}
    const BASE_NAME: &'static str = "mgie_plugin";
    const NAME: &'static str = "mgie_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// The static behind [`ROOT_SYMBOL`].
pub type RootHeader = LibHeader;

/// What the constructor behind a [`RootHeader`] returns.
pub type RootResult = abi_stable::library::RootModuleResult;

/// Behind [`crate::export_plugin!`]: runs the root's constructor, with its panics caught.
#[doc(hidden)]
pub fn erase_root(root: fn() -> PluginRootRef) -> RootResult {
    abi_stable::library::__call_root_module_loader(root)
}

/// Behind [`crate::export_plugin!`]: the header of a library whose root `load` makes.
///
/// # Safety
/// `load` returns the erased form of a [`PluginRootRef`].
#[doc(hidden)]
pub const unsafe fn root_header(load: extern "C" fn() -> RootResult) -> RootHeader {
    // SAFETY: by this function's own contract.
    unsafe { LibHeader::from_constructor::<PluginRootRef>(load, abi_stable::library::CheckTypeLayout::Yes) }
}
