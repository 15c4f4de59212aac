//! One node a stage, the one that makes the folder that they train, and the one that edits a data set with what was trained.

pub mod blueprint;
pub mod clip;
pub mod denoiser;
pub mod edit_set;
pub mod llava;
pub mod mgie;
pub mod vae;
