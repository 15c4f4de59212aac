//! Stable Diffusion 1.5's parts of an InstructPix2Pix edit, as models and as nodes: the VAE, the eight-channel UNet,
//! the samplers and the noise. What each computes is fixed by diffusers; numbers are compared with it in the tests.

pub mod attention;
pub mod config;
pub mod layers;
pub mod noise;
pub mod residual;
pub mod samplers;
pub mod schedule;
pub mod transformer;
pub mod unet;
pub mod vae;
