//! The models that metrics look through, each in one file, and how they are loaded.

pub mod lpips;
pub mod vit;
pub mod vit_processor;
