//! One node a stage, in the order in which they are trained.

pub mod clip;
pub mod denoiser;
pub mod llava;
pub mod mgie;
pub mod vae;
