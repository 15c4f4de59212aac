//! Looking at what flows on the wires: the [`Viewer`] for pictures, the [`Inspector`] for every value.
//!
//! What only concerns the screen (exposure, channels, zoom) is computed here; what is computed of a tensor is a node of the
//! plugin `inspect`, run by [`Tools`] on a thread of its own.
//!
//! Reading order: [`identity`] (when two values are the same one), [`light`] (samples to what the screen shows),
//! [`comparison`], [`histogram`], [`view`] (pan and zoom), then what draws: `tiles`, [`viewer`], [`tools`],
//! [`inspector`] and what it consists of.

mod charts;
pub mod comparison;
mod heat;
pub mod histogram;
pub mod identity;
pub mod inspector;
pub mod light;
mod tensors;
mod textures;
mod tiles;
mod tokens;
pub mod tools;
pub mod view;
pub mod viewer;

pub use inspector::Inspector;
pub use tools::{Answer, Question, Tools};
pub use viewer::Viewer;
