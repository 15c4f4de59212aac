//! The host of mgie: graph document, plugin loader, engine.

pub mod document;
pub mod files;
pub mod spelling;
