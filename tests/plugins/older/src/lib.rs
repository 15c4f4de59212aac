//! A plugin built against plugin-api 1.0: `older.pass` hands its tensor on and says which door it was made for.

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use abi_stable::type_level::downcasting::TD_Opaque;
use mgie_plugin_api::abi::{
    API_VERSION, AbiCallBox, AbiMessage, AbiNamedValue, AbiNode, AbiNode_TO, AbiNodeBox, AbiObjectArc, AbiValue,
    PluginRoot, PluginRootRef, RootHeader, RootResult, erase_root, root_header,
};

const MANIFEST: &str = r#"{"name":"older","version":"0.1.0","nodes":[{"id":"older.pass","version":1,"label":"Pass",
"category":"Test","summary":"Hands a tensor on.",
"inputs":[{"id":"value","label":"Value","accepts":["tensor"]}],
"outputs":[{"id":"value","label":"Value","kind":"tensor"},{"id":"text","label":"Text","kind":"text"}],
"parameters":[]}]}"#;

struct Pass;

impl AbiNode for Pass {
    fn run(&self, message: AbiMessage) -> RResult<AbiMessage, RString> {
        let mut values: RVec<AbiNamedValue> = message.values;
        values.push(AbiNamedValue {
            name: "text".into(),
            value: AbiValue {
                kind: "text".into(),
                header: format!(r#"{{"text":"plugin-api {}.{}"}}"#, API_VERSION[0], API_VERSION[1]).into(),
                tensor: ROption::RNone,
                object: ROption::RNone,
            },
        });
        RResult::ROk(AbiMessage { json: "{}".into(), values })
    }

    fn extension(&self, _id: RStr<'_>) -> ROption<AbiCallBox> {
        ROption::RNone
    }
}

extern "C" fn manifest() -> RString {
    MANIFEST.into()
}

extern "C" fn create(_wanted: RStr<'_>, _host: AbiObjectArc) -> RResult<AbiNodeBox, RString> {
    RResult::ROk(AbiNode_TO::from_value(Pass, TD_Opaque))
}

fn root() -> PluginRootRef {
    PluginRoot { manifest, create }.leak_into_prefix()
}

extern "C" fn load() -> RootResult {
    erase_root(root)
}

/// The door that this was built for.
// SAFETY: no other symbol of this library has this name.
#[unsafe(no_mangle)]
pub static MGIE_PLUGIN_API_VERSION: [u32; 2] = API_VERSION;

/// The root.
// SAFETY: no other symbol of this library has this name, and `load` returns an erased `PluginRootRef`.
#[unsafe(no_mangle)]
pub static MGIE_PLUGIN_ROOT: RootHeader = unsafe { root_header(load) };
