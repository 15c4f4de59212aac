//! A library that asks for a door of another major version; nothing else of it may be looked at.

/// The version that it was built for.
// SAFETY: no other symbol of this library has this name.
#[unsafe(no_mangle)]
pub static MGIE_PLUGIN_API_VERSION: [u32; 2] = [2, 0];
