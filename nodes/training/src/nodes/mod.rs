//! One node a stage, and the node that edits a data set with what was trained.

pub mod clip;
pub mod denoiser;
pub mod edit_set;
pub mod llava;
pub mod mgie;
pub mod vae;
