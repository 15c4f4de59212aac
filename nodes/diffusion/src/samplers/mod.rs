//! Samplers: from noise to latents, one model call a step. Each is a file, and each equals the diffusers class of its
//! name, option for option, as far as the scheduler's configuration can ask for. They know nothing of models or
//! devices: latents are flat f32 slices, and all arithmetic is in f32, in the order in which diffusers does it.

mod ddim;
mod dpmpp_2m;
mod euler;
mod euler_ancestral;

use mgie_weights::WeightsError;

use crate::schedule::{Prediction, Schedule};

/// The samplers by the names that they have in a graph.
pub const NAMES: [&str; 4] = ["euler_ancestral", "euler", "ddim", "dpmpp_2m"];

/// The result of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The latents at the next noise level.
    pub latents: Vec<f32>,
    /// The model's present idea of the latents without noise: what a preview shows.
    pub clean: Vec<f32>,
}

/// A way from noise to latents in a fixed number of steps. Steps are taken in order, each once.
pub trait Sampler: Send {
    /// The timestep that the model is told at each step; as many as there are steps. They may be fractions.
    fn timesteps(&self) -> &[f32];

    /// The standard deviation of the noise to begin with: 1 where latents are kept at a variance of 1.
    fn initial_sigma(&self) -> f32 {
        1.0
    }

    /// What the model is shown at step `step` in place of `latents`: the latents themselves where they are kept at a
    /// variance of 1.
    fn model_input(&self, _step: usize, latents: &[f32]) -> Vec<f32> {
        latents.to_vec()
    }

    /// Takes step `step` from `latents`, given what the model said (guidance applied; of the same length).
    /// `noise` draws as many standard normal numbers as there are latents; samplers that need none do not call it.
    fn step(&mut self, step: usize, latents: &[f32], output: &[f32], noise: &mut dyn FnMut() -> Vec<f32>) -> Step;
}

/// The sampler of that name, ready for its first of `steps` steps.
///
/// # Errors
/// The name is none of [`NAMES`]; `steps` is 0 or more than the sampler can take; the schedule's configuration asks
/// this sampler for something that is not implemented.
pub fn sampler(
    name: &str,
    schedule: &Schedule,
    prediction: Prediction,
    steps: usize,
) -> Result<Box<dyn Sampler>, WeightsError> {
    if steps == 0 || steps > schedule.training_steps() {
        return Err(WeightsError::Parameter {
            name: "steps".to_owned(),
            expected: format!(
                "from 1 to {} (the timesteps that the model was trained with)",
                schedule.training_steps()
            ),
            found: steps.to_string(),
            remedy: String::new(),
        });
    }
    Ok(match name {
        "euler_ancestral" => Box::new(euler_ancestral::EulerAncestral::new(schedule, prediction, steps)?),
        "euler" => Box::new(euler::Euler::new(schedule, prediction, steps)?),
        "ddim" => Box::new(ddim::Ddim::new(schedule, prediction, steps)?),
        "dpmpp_2m" => Box::new(dpmpp_2m::Dpmpp2m::new(schedule, prediction, steps)?),
        _ => {
            return Err(WeightsError::Parameter {
                name: "sampler".to_owned(),
                expected: NAMES.join(", "),
                found: name.to_owned(),
                remedy: String::new(),
            });
        }
    })
}

/// `f` of each pair of elements.
fn zip(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    left.iter().zip(right).map(|(left, right)| f(*left, *right)).collect()
}
