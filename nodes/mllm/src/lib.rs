//! LLaVA's instruction expansion as a node: what a language model that sees the picture makes of an instruction.
//!
//! Reading order: [`LlavaTokenizer`] (what is asked), [`llava`] (prompt, picture, visual tokens), [`generate`] (the
//! answer), [`llama`] and its layers (the language model), and around them the files' config, the rule against
//! repetition, the text that people read, and the node itself. Models are built from [`mgie_weights::Weights`] in no time
//! and are differentiable: the trainer uses this very code.

pub mod cache;
pub mod config;
mod conversation;
mod error;
mod expand;
mod expressive;
pub mod generate;
#[cfg(test)]
mod gradient_tests;
mod half_linear;
mod layer;
mod linear;
pub mod llama;
#[cfg(test)]
mod llama_tests;
pub mod llava;
mod llava_model;
mod ngram;
mod visual_tokens;

pub use conversation::{AddedTokens, Conversation, LlavaTokenizer};
pub use error::ExpandError;
pub use expressive::expressive_instruction;
pub use llava_model::LlavaModel;
pub use ngram::NoRepeatNgram;
pub use visual_tokens::{VISUAL_TOKENS, first_visual_token};

use mgie_plugin_api::Plugin;
use mgie_weights::loaded;

/// What this library holds.
pub fn plugin() -> Plugin {
    Plugin::new("mllm", env!("CARGO_PKG_VERSION")).node(expand::definition()).memory(loaded::memory)
}
