//! The host of mgie: the graph document, the plugins that are here, and the engine that runs the one with the other.
//! The host contains no model and no tensor arithmetic; it knows node descriptions, values and wires.
//!
//! Reading order: [`document`] (the graph file), [`plugins`] (which node types there are), [`validate`] (whether a
//! graph fits them), [`engine`] (running it), [`models`] (where the weights lie).

pub mod document;
pub mod engine;
pub mod models;
pub mod plugins;
pub mod spelling;
pub mod validate;
