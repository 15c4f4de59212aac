//! Stable Diffusion 1.5's parts of an InstructPix2Pix edit, as models and as nodes: the VAE, the eight-channel UNet,
//! the samplers and the noise. What each computes is fixed by diffusers; numbers are compared with it in the tests.
//!
//! Reading order: [`unet`] and [`vae`] (with [`transformer`], [`residual`] and [`layers`] below them),
//! [`schedule`], [`samplers`], [`guidance`] and [`noise`] (what happens between calls of the UNet), [`denoiser`] (how the
//! two sides meet over the door), and one module a node in [`nodes`].

pub mod config;
pub mod denoiser;
pub mod guidance;
pub mod layers;
pub mod nodes;
pub mod noise;
pub mod preview;
pub mod residual;
pub mod room;
pub mod samplers;
pub mod schedule;
pub mod transformer;
pub mod unet;
pub mod vae;

use mgie_plugin_api::{Memory, Plugin};
use mgie_weights::loaded;

/// The diffusion plugin.
pub fn plugin() -> Plugin {
    Plugin::new("diffusion", env!("CARGO_PKG_VERSION"))
        .node(nodes::vae_encode::definition())
        .node(nodes::load_unet::definition())
        .node(nodes::denoise::definition())
        .node(nodes::vae_decode::definition())
        .memory(|release| {
            let freed = if release { loaded::release_all() } else { 0 };
            Memory { held: loaded::held(), freed }
        })
}
