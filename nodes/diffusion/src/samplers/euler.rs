//! Euler's method on the probability-flow ODE (Karras et al., arXiv 2206.00364, algorithm 2 without churn).
//! Equal to diffusers' `EulerDiscreteScheduler`. Also the noise levels that the ancestral variant shares.

use mgie_weights::WeightsError;
use serde_json::json;

use super::{Sampler, Step, zip};
use crate::schedule::{Prediction, Schedule, Spacing, leading, linspace, trailing};

/// Where the Euler samplers stop: a timestep and a σ for each step, and the σ after the last.
pub(super) struct Levels {
    pub(super) timesteps: Vec<f32>,
    /// One more than there are timesteps.
    pub(super) sigmas: Vec<f32>,
    pub(super) initial_sigma: f32,
    prediction: Prediction,
}

impl Levels {
    /// The visited levels; `last` is the σ after the last step.
    pub(super) fn new(
        schedule: &Schedule,
        prediction: Prediction,
        steps: usize,
        last: f32,
    ) -> Result<Self, WeightsError> {
        let trained = schedule.training_steps();
        let spacing = schedule.spacing(Spacing::Linspace)?;
        let timesteps = match spacing {
            Spacing::Linspace => linspace((trained - 1) as f64, steps),
            Spacing::Leading => leading(trained, steps, steps, schedule.steps_offset()?),
            Spacing::Trailing => trailing(trained, steps),
        };
        let timesteps: Vec<f32> = timesteps.into_iter().map(|timestep| timestep as f32).collect();
        let mut sigmas = schedule.sigmas_at(&timesteps);
        sigmas.push(last);
        let largest = sigmas.iter().copied().fold(0.0, f32::max);
        let initial_sigma = match spacing {
            Spacing::Linspace | Spacing::Trailing => largest,
            Spacing::Leading => (largest * largest + 1.0).sqrt(),
        };
        Ok(Self { timesteps, sigmas, initial_sigma, prediction })
    }

    /// σ at step `step`, and after it.
    pub(super) fn around(&self, step: usize) -> (f32, f32) {
        let at = |index: usize| self.sigmas.get(index).copied().unwrap_or_default();
        (at(step), at(step + 1))
    }

    /// z / √(σ² + 1)
    pub(super) fn model_input(&self, step: usize, latents: &[f32]) -> Vec<f32> {
        let (sigma, _) = self.around(step);
        let scale = (sigma * sigma + 1.0).sqrt();
        latents.iter().map(|latent| latent / scale).collect()
    }

    /// The latents without noise that the model's output implies.
    pub(super) fn clean(&self, step: usize, latents: &[f32], output: &[f32]) -> Vec<f32> {
        let (sigma, _) = self.around(step);
        match self.prediction {
            Prediction::Epsilon => zip(latents, output, |latent, epsilon| latent - sigma * epsilon),
            Prediction::Velocity => {
                let variance = sigma * sigma + 1.0;
                let share = -sigma / variance.sqrt();
                zip(latents, output, |latent, velocity| velocity * share + latent / variance)
            }
        }
    }
}

/// The sampler `euler`.
pub(super) struct Euler {
    levels: Levels,
}

impl Euler {
    pub(super) fn new(schedule: &Schedule, prediction: Prediction, steps: usize) -> Result<Self, WeightsError> {
        let config = schedule.config();
        let others = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];
        config.refuse_other_than(&others, &json!(false))?;
        config.refuse_other_than(&["interpolation_type"], &json!("linear"))?;
        config.refuse_other_than(&["timestep_type"], &json!("discrete"))?;
        Ok(Self { levels: Levels::new(schedule, prediction, steps, schedule.final_sigma()?)? })
    }
}

impl Sampler for Euler {
    fn timesteps(&self) -> &[f32] {
        &self.levels.timesteps
    }

    fn initial_sigma(&self) -> f32 {
        self.levels.initial_sigma
    }

    fn model_input(&self, step: usize, latents: &[f32]) -> Vec<f32> {
        self.levels.model_input(step, latents)
    }

    fn step(&mut self, step: usize, latents: &[f32], output: &[f32], _: &mut dyn FnMut() -> Vec<f32>) -> Step {
        let (sigma, next) = self.levels.around(step);
        let clean = self.levels.clean(step, latents, output);
        let change = next - sigma;
        let latents = zip(latents, &clean, |latent, clean| latent + (latent - clean) / sigma * change);
        Step { latents, clean }
    }
}
