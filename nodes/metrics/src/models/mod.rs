//! The models that metrics look through, each in one file.

pub mod lpips;
pub mod vit;
