//! Checkpoint and tokenizer files to tensors and token ids, for every model plugin.
//!
//! A model is loaded in four steps, none of which reads a byte twice:
//!
//! 1. [`Checkpoint::open`] maps a file or a Hugging Face folder and reads its headers;
//! 2. [`Overlay`] lays checkpoints one over the other (`mllm.pt` over LLaVA) and renames tensors where that is needed;
//! 3. [`Weights`] hands out candle tensors on a device in a dtype, and collects everything that does not fit;
//! 4. [`loaded::Loaded`] keeps the model for the next run.
//!
//! [`tokenizer`] reads SentencePiece, `tokenizer.json` and CLIP's files; [`device`] reads the parameters `device` and
//! `dtype`; [`pool`] keeps to the host's thread budget.

// Nothing of gemm is called here: a direct dependency with `x86-v4` switches its AVX-512 kernels on for candle too.
use gemm as _;

mod checkpoint;
pub mod device;
mod element;
mod error;
pub mod loaded;
mod mapped;
mod overlay;
pub mod pool;
mod read;
mod room;
pub mod small_file;
pub mod tokenizer;
mod weights;
pub mod wire;

pub use checkpoint::{Checkpoint, StoredTensor};
pub use element::StoredType;
pub use error::{Found, UnfitTensor, WeightsError};
pub use overlay::{Overlay, Rename};
pub use room::available_bytes;
pub use tokenizer::TextTokenizer;
pub use weights::{LiveTensors, Watch, Weights};
