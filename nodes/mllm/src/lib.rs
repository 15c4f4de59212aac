//! LLaVA's instruction expansion as a node: what a language model that sees the picture makes of an instruction.
//!
//! Reading order: [`llava`] (prompt, picture, visual tokens), [`generate`] (the answer), [`llama`] (the language model),
//! and around them the files' config, the rule against repetition, the text that people read, and the node itself.

pub mod config;
mod error;
mod expand;
mod expressive;
pub mod generate;
mod half_linear;
pub mod llama;
#[cfg(test)]
mod llama_tests;
pub mod llava;
mod ngram;
mod visual_tokens;

pub use error::ExpandError;
pub use expressive::expressive_instruction;
pub use ngram::NoRepeatNgram;
pub use visual_tokens::{VISUAL_TOKENS, first_visual_token};

use mgie_plugin_api::Plugin;
use mgie_weights::loaded;

/// What this library holds.
pub fn plugin() -> Plugin {
    Plugin::new("mllm", env!("CARGO_PKG_VERSION")).node(expand::definition()).memory(loaded::memory)
}
