//! DPM-Solver++ of second order, multistep (Lu et al., arXiv 2211.01095, algorithm 2).
//! Equal to diffusers' `DPMSolverMultistepScheduler` with `algorithm_type` dpmsolver++ and `solver_order` 2 (or 1).

use mgie_weights::WeightsError;
use serde_json::json;

use super::{Sampler, Step, zip};
use crate::schedule::{Prediction, Schedule, Spacing, leading, linspace, trailing};

/// Below this many steps the last one is of first order, for stability.
const FEW_STEPS: usize = 15;

#[derive(Clone, Copy)]
enum Solver {
    Midpoint,
    Heun,
}

/// The sampler `dpmpp_2m`.
pub(super) struct Dpmpp2m {
    timesteps: Vec<f32>,
    /// One more than there are timesteps.
    sigmas: Vec<f32>,
    prediction: Prediction,
    solver: Solver,
    second_order: bool,
    /// Whether the last step is of first order.
    euler_at_end: bool,
    /// The clean latents of the step before.
    before: Option<Vec<f32>>,
}

impl Dpmpp2m {
    pub(super) fn new(schedule: &Schedule, prediction: Prediction, steps: usize) -> Result<Self, WeightsError> {
        let config = schedule.config();
        let others = [
            "use_karras_sigmas",
            "use_exponential_sigmas",
            "use_beta_sigmas",
            "use_lu_lambdas",
            "use_flow_sigmas",
            "thresholding",
        ];
        config.refuse_other_than(&others, &json!(false))?;
        config.refuse_other_than(&["lambda_min_clipped"], &json!(null))?;
        config.refuse_other_than(&["algorithm_type"], &json!("dpmsolver++"))?;
        // The names of other solver families stand for the midpoint here, as in diffusers.
        let solvers = [
            ("midpoint", Solver::Midpoint),
            ("heun", Solver::Heun),
            ("logrho", Solver::Midpoint),
            ("bh1", Solver::Midpoint),
            ("bh2", Solver::Midpoint),
        ];
        let solver = config.word("solver_type", Solver::Midpoint, &solvers)?;
        let second_order = config.whole("solver_order", 2, 1..=2)? == 2;

        let trained = schedule.training_steps();
        let timesteps: Vec<f64> = match schedule.spacing(Spacing::Linspace)? {
            Spacing::Linspace => {
                let with_end = linspace((trained - 1) as f64, steps + 1).into_iter();
                with_end.take(steps).map(f64::round_ties_even).collect()
            }
            Spacing::Leading => leading(trained, steps + 1, steps, schedule.steps_offset()?),
            Spacing::Trailing => trailing(trained, steps),
        };
        let timesteps: Vec<f32> = timesteps.into_iter().map(|timestep| timestep as f32).collect();
        let last = schedule.final_sigma()?;
        let mut sigmas = schedule.sigmas_at(&timesteps);
        sigmas.push(last);
        let euler_at_end = config.flag("euler_at_final", false)?
            || (config.flag("lower_order_final", true)? && steps < FEW_STEPS)
            || last == 0.0;
        Ok(Self { timesteps, sigmas, prediction, solver, second_order, euler_at_end, before: None })
    }

    fn level(&self, step: usize) -> Level {
        let sigma = self.sigmas.get(step).copied().unwrap_or_default();
        let signal = 1.0 / (sigma * sigma + 1.0).sqrt();
        let noise = sigma * signal;
        Level { signal, noise, log_ratio: signal.ln() - noise.ln() }
    }
}

/// A noise level of the variance-preserving process.
struct Level {
    /// α
    signal: f32,
    /// σ of the variance-preserving process, that is α times the one of the exploding process
    noise: f32,
    /// λ = ln α − ln σ; infinite where there is no noise
    log_ratio: f32,
}

impl Sampler for Dpmpp2m {
    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, step: usize, latents: &[f32], output: &[f32], _: &mut dyn FnMut() -> Vec<f32>) -> Step {
        let (here, next) = (self.level(step), self.level(step + 1));
        let clean = match self.prediction {
            Prediction::Epsilon => {
                zip(latents, output, |latent, epsilon| (latent - here.noise * epsilon) / here.signal)
            }
            Prediction::Velocity => {
                zip(latents, output, |latent, velocity| here.signal * latent - here.noise * velocity)
            }
        };
        let length = next.log_ratio - here.log_ratio;
        let decay = (-length).exp() - 1.0;
        let (keep, take) = (next.noise / here.noise, next.signal * decay);
        let first_order = zip(latents, &clean, |latent, clean| keep * latent - take * clean);

        let last = step + 1 == self.timesteps.len();
        let before = self.before.take().filter(|_| self.second_order && !(last && self.euler_at_end));
        let latents = match before {
            None => first_order,
            Some(before) => {
                let length_before = here.log_ratio - self.level(step - 1).log_ratio;
                let ratio = 1.0 / (length_before / length);
                let share = match self.solver {
                    Solver::Midpoint => -0.5 * take,
                    Solver::Heun => next.signal * (decay / length + 1.0),
                };
                let slope = zip(&clean, &before, |clean, before| ratio * (clean - before));
                zip(&first_order, &slope, |latent, slope| latent + share * slope)
            }
        };
        self.before = Some(clean.clone());
        Step { latents, clean }
    }
}
