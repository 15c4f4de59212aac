//! What this crate computes, beside what PyTorch and diffusers compute: every number here was recorded by the reference
//! classes on the miniature model in `tests/miniature` (see `tests/reference`). And what bad input gets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod edit;
mod goldens;
mod gradients;
mod node;
mod noise;
mod refusals;
mod samplers;
mod unet;
mod vae;
