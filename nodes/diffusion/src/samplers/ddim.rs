//! Denoising diffusion implicit models (Song et al., arXiv 2010.02502, formula 12) without added noise (η = 0).
//! Equal to diffusers' `DDIMScheduler`.

use mgie_weights::WeightsError;
use serde_json::json;

use super::{Sampler, Step, zip};
use crate::schedule::{Prediction, Schedule, Spacing, leading, linspace, trailing};

/// The sampler `ddim`.
pub(super) struct Ddim {
    timesteps: Vec<f32>,
    /// ᾱ at each step and after it.
    alphas: Vec<(f32, f32)>,
    prediction: Prediction,
    /// How far from 0 the clean latents may lie.
    clip: Option<f32>,
}

impl Ddim {
    pub(super) fn new(schedule: &Schedule, prediction: Prediction, steps: usize) -> Result<Self, WeightsError> {
        let trained = schedule.training_steps();
        let timesteps = match schedule.spacing(Spacing::Leading)? {
            Spacing::Linspace => linspace((trained - 1) as f64, steps).into_iter().map(f64::round_ties_even).collect(),
            Spacing::Leading => leading(trained, steps, steps, schedule.steps_offset()?),
            Spacing::Trailing => trailing(trained, steps),
        };
        let config = schedule.config();
        config.refuse_other_than(&["thresholding"], &json!(false))?;
        let clip = if config.flag("clip_sample", true)? {
            Some(config.number("clip_sample_range", 1.0)? as f32)
        } else {
            None
        };
        let trained_alphas = schedule.alphas_cumprod();
        let first = trained_alphas.first().copied().unwrap_or(1.0);
        let final_alpha = if config.flag("set_alpha_to_one", true)? { 1.0 } else { first };
        let stride = (trained / steps) as f64;
        let alphas = timesteps
            .iter()
            .map(|timestep| {
                let here = trained_alphas.get(*timestep as usize).copied().ok_or_else(|| WeightsError::Parameter {
                    name: "steps".to_owned(),
                    expected: format!("a number that keeps every timestep below {trained}"),
                    found: format!("{steps}, which with the scheduler's `steps_offset` asks for timestep {timestep}"),
                    remedy: "take fewer steps".to_owned(),
                })?;
                let before = timestep - stride;
                let next = if before >= 0.0 { trained_alphas.get(before as usize) } else { None };
                Ok((here, next.copied().unwrap_or(final_alpha)))
            })
            .collect::<Result<_, WeightsError>>()?;
        let timesteps = timesteps.into_iter().map(|timestep| timestep as f32).collect();
        Ok(Self { timesteps, alphas, prediction, clip })
    }
}

impl Sampler for Ddim {
    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, step: usize, latents: &[f32], output: &[f32], _: &mut dyn FnMut() -> Vec<f32>) -> Step {
        let (here, next) = self.alphas.get(step).copied().unwrap_or((1.0, 1.0));
        let (signal, noise) = (here.sqrt(), (1.0 - here).sqrt());
        let (mut clean, epsilon) = match self.prediction {
            Prediction::Epsilon => {
                (zip(latents, output, |latent, epsilon| (latent - noise * epsilon) / signal), output.to_vec())
            }
            Prediction::Velocity => (
                zip(latents, output, |latent, velocity| signal * latent - noise * velocity),
                zip(latents, output, |latent, velocity| signal * velocity + noise * latent),
            ),
        };
        if let Some(range) = self.clip {
            // Not `clamp`: a negative range in a file must not be able to panic.
            clean.iter_mut().for_each(|value| *value = value.max(-range).min(range));
        }
        let (signal, noise) = (next.sqrt(), (1.0 - next).sqrt());
        let latents = zip(&clean, &epsilon, |clean, epsilon| signal * clean + noise * epsilon);
        Step { latents, clean }
    }
}
