//! One node a stage, and the nodes that use what was trained.

pub mod vae;
