//! Ancestral sampling with Euler steps: each step goes below the next noise level and adds fresh noise back up to it.
//! MGIE's own sampler. Equal to diffusers' `EulerAncestralDiscreteScheduler`: noise is drawn at every step, the last
//! included, where it is then multiplied by 0.

use mgie_weights::WeightsError;

use super::euler::Levels;
use super::{Sampler, Step, zip};
use crate::schedule::{Prediction, Schedule};

/// The sampler `euler_ancestral`.
pub(super) struct EulerAncestral {
    levels: Levels,
}

impl EulerAncestral {
    pub(super) fn new(schedule: &Schedule, prediction: Prediction, steps: usize) -> Result<Self, WeightsError> {
        Ok(Self { levels: Levels::new(schedule, prediction, steps, 0.0)? })
    }
}

impl Sampler for EulerAncestral {
    fn timesteps(&self) -> &[f32] {
        &self.levels.timesteps
    }

    fn initial_sigma(&self) -> f32 {
        self.levels.initial_sigma
    }

    fn model_input(&self, step: usize, latents: &[f32]) -> Vec<f32> {
        self.levels.model_input(step, latents)
    }

    fn step(&mut self, step: usize, latents: &[f32], output: &[f32], noise: &mut dyn FnMut() -> Vec<f32>) -> Step {
        let (from, to) = self.levels.around(step);
        let clean = self.levels.clean(step, latents, output);
        let (from_squared, to_squared) = (from * from, to * to);
        let up = (to_squared * (from_squared - to_squared) / from_squared).sqrt();
        let down = (to_squared - up * up).sqrt();
        let change = down - from;
        let moved = zip(latents, &clean, |latent, clean| latent + (latent - clean) / from * change);
        let latents = zip(&moved, &noise(), |latent, noise| latent + noise * up);
        Step { latents, clean }
    }
}
