//! The door between the `mgie` host and its plugins: what both sides agree on, and nothing else.
//!
//! A plugin author writes a plain function, a description beside it, and one macro; `nodes/template` is such a plugin
//! in one file, and this crate's README walks through it. Authors write safe Rust only.
//!
//! Reading order: [`plugin`] (what a plugin is), [`run`] (what a node sees of one run), [`value`] and [`tensor`] (what
//! flows on wires), [`description`] (what a node says of itself), [`failure`] (what it says when it cannot),
//! [`extension`] (abilities by id), [`file`] (files read and written whole), [`abi`] and [`dlpack`] (what crosses,
//! frozen), and, for hosts, [`host`].

pub mod abi;
pub mod description;
pub mod dlpack;
pub mod extension;
pub mod failure;
pub mod file;
mod guard;
#[cfg(feature = "host")]
pub mod host;
pub mod plugin;
pub mod run;
pub mod tensor;
pub mod value;

pub use description::{Domain, Manifest, NodeDescription};
pub use extension::{Extensible, Extension, Message, Object};
pub use failure::{Failure, FailureKind};
pub use plugin::{Memory, NodeDefinition, Plugin};
pub use run::{Level, Outputs, Run};
pub use serde_json;
pub use tensor::{DType, Tensor, TensorError};
pub use value::{Body, Image, Value, kind};
