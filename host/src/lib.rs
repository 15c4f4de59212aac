//! The host of mgie: the graph document, the plugins that are here, and the engine that runs the one with the other.
//! The host contains no model and no tensor arithmetic; it knows node descriptions, values and wires.
//!
//! Reading order: [`document`] (the graph file), [`plugins`] (which node types there are), [`validate`] (whether a
//! graph fits them), [`engine`] (running it), [`models`] (where the weights lie), [`overwriting`] (what a run would lose); then [`editing`], [`running`] and
//! [`sweeping`], which the `studio` is built on.

pub mod document;
pub mod editing;
pub mod engine;
pub mod models;
pub mod overwriting;
pub mod parameter_text;
pub mod plugins;
pub mod running;
pub mod spelling;
#[cfg(feature = "studio")]
pub mod studio;
pub mod sweeping;
pub mod validate;
