//! The noise schedule that a scheduler's configuration describes: how much of a latent is signal at each training
//! step, and which of those steps are visited when sampling.
//! Source: diffusers 0.35 `schedulers/`, Stable Diffusion's `scheduler_config.json`.

use mgie_weights::WeightsError;
use serde_json::Value;

use crate::config::Config;

/// What a scheduler folder that is left empty means: the configuration that InstructPix2Pix was released with.
const STABLE_DIFFUSION: &str = r#"{
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon", "clip_sample": false, "set_alpha_to_one": false, "steps_offset": 1
}"#;

/// More training steps than any model has, and few enough to allocate at once.
const MOST_TRAINING_STEPS: usize = 100_000;

/// What the model's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise ε in the latents.
    Epsilon,
    /// v = √ᾱ ε − √(1−ᾱ) x₀ (Salimans and Ho, arXiv 2202.00512).
    Velocity,
}

impl Prediction {
    /// The name in configuration files and in a denoiser's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::Velocity => "v_prediction",
        }
    }

    /// The prediction of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Epsilon, Self::Velocity].into_iter().find(|prediction| prediction.name() == name)
    }
}

/// How the visited timesteps spread over the trained ones (Lin et al., arXiv 2305.08891, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly, both ends included.
    Linspace,
    /// Multiples of a whole stride from the clean end, plus an offset.
    Leading,
    /// Multiples of a stride from the noisy end.
    Trailing,
}

/// A scheduler's configuration and the ᾱ that follows from it.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: Config,
    alphas_cumprod: Vec<f32>,
}

impl Schedule {
    /// The schedule that a `scheduler_config.json` describes. Absent keys have the defaults of diffusers' classes.
    ///
    /// # Errors
    /// A key has a value that changes the arithmetic in a way that is not implemented here.
    pub fn new(config: Config) -> Result<Self, WeightsError> {
        config.refuse_other_than(&["rescale_betas_zero_snr"], &Value::Null)?;
        let betas = betas(&config)?;
        let mut product = 1f64;
        let alphas_cumprod = betas
            .iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                product as f32
            })
            .collect::<Vec<_>>();
        if alphas_cumprod.iter().any(|alpha| !(*alpha > 0.0 && *alpha < 1.0)) {
            let problem = "its betas leave the share of signal outside (0, 1)";
            return Err(WeightsError::malformed(config.path(), problem)
                .with_remedy("check beta_start, beta_end, beta_schedule and trained_betas"));
        }
        Ok(Self { config, alphas_cumprod })
    }

    /// The schedule of Stable Diffusion 1.5 and InstructPix2Pix: 1000 steps, scaled linear β from 0.00085 to 0.012.
    ///
    /// # Errors
    /// None in practice.
    pub fn stable_diffusion() -> Result<Self, WeightsError> {
        Self::new(Config::parse("(the built-in scheduler configuration)", STABLE_DIFFUSION)?)
    }

    /// The configuration that it was made from, for what only some samplers read.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many timesteps the model was trained with.
    pub fn training_steps(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// ᾱ at each training step, in (0, 1), falling.
    pub fn alphas_cumprod(&self) -> &[f32] {
        &self.alphas_cumprod
    }

    /// What the model predicts, where the configuration says so.
    ///
    /// # Errors
    /// The configuration names something else than ε or v.
    pub fn prediction(&self) -> Result<Option<Prediction>, WeightsError> {
        if self.config.get("prediction_type").is_none() {
            return Ok(None);
        }
        let choices = [Prediction::Epsilon, Prediction::Velocity].map(|prediction| (prediction.name(), prediction));
        self.config.word("prediction_type", Prediction::Epsilon, &choices).map(Some)
    }

    /// The configured spacing, or `default`.
    ///
    /// # Errors
    /// The configuration names none of the three.
    pub fn spacing(&self, default: Spacing) -> Result<Spacing, WeightsError> {
        let choices = [("linspace", Spacing::Linspace), ("leading", Spacing::Leading), ("trailing", Spacing::Trailing)];
        self.config.word("timestep_spacing", default, &choices)
    }

    /// The configured offset of leading timesteps.
    ///
    /// # Errors
    /// The value is not a whole number.
    pub fn steps_offset(&self) -> Result<f64, WeightsError> {
        Ok(self.config.whole("steps_offset", 0, 0..=MOST_TRAINING_STEPS)? as f64)
    }

    /// σ = √((1−ᾱ)/ᾱ) at each training step.
    pub fn sigmas(&self) -> Vec<f32> {
        self.alphas_cumprod.iter().map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect()
    }

    /// σ at `timesteps`, interpolated linearly between training steps.
    pub fn sigmas_at(&self, timesteps: &[f32]) -> Vec<f32> {
        let trained = self.sigmas();
        timesteps.iter().map(|timestep| interpolate(&trained, f64::from(*timestep))).collect()
    }

    /// σ after the last step: 0, or by `final_sigmas_type` the smallest trained σ.
    ///
    /// # Errors
    /// `final_sigmas_type` is neither `zero` nor `sigma_min`.
    pub fn final_sigma(&self) -> Result<f32, WeightsError> {
        let smallest = self.sigmas().first().copied().unwrap_or_default();
        self.config.word("final_sigmas_type", 0.0, &[("zero", 0.0), ("sigma_min", smallest)])
    }
}

/// Timesteps for `steps` steps that are `linspace` apart over 0..=`top`, falling, not rounded.
pub fn linspace(top: f64, steps: usize) -> Vec<f64> {
    let stride = if steps > 1 { top / (steps - 1) as f64 } else { 0.0 };
    (0..steps).rev().map(|index| if index > 0 && index + 1 == steps { top } else { index as f64 * stride }).collect()
}

/// Multiples of the whole number of times that `parts` goes into `trained`: `steps` of them, falling, plus `offset`.
pub fn leading(trained: usize, parts: usize, steps: usize, offset: f64) -> Vec<f64> {
    let stride = trained / parts.max(1);
    (parts - steps.min(parts)..parts).rev().map(|index| (index * stride) as f64 + offset).collect()
}

/// Timesteps for `steps` steps counted down from `trained`, rounded half to even, minus one.
///
/// For some step counts numpy's `arange`, which diffusers uses, yields one value too many for reasons of rounding, and
/// diffusers then samples one step more than was asked for, at a timestep of −1. That step is not taken here.
pub fn trailing(trained: usize, steps: usize) -> Vec<f64> {
    let top = trained as f64;
    // numpy counts in multiples of the difference of the first two values.
    let stride = (top - top / steps as f64) - top;
    (0..steps).map(|index| (top + index as f64 * stride).round_ties_even() - 1.0).collect()
}

/// `values` at a fractional index, linearly, with the ends held: numpy's `interp` in f64.
fn interpolate(values: &[f32], index: f64) -> f32 {
    let last = values.len().saturating_sub(1);
    let at = |index: usize| values.get(index).copied().map_or(0.0, f64::from);
    if index <= 0.0 {
        return at(0) as f32;
    }
    if index >= last as f64 {
        return at(last) as f32;
    }
    let below = index.floor() as usize;
    let slope = at(below + 1) - at(below);
    (slope * (index - below as f64) + at(below)) as f32
}

fn betas(config: &Config) -> Result<Vec<f32>, WeightsError> {
    if let Some(Value::Array(values)) = config.get("trained_betas") {
        let betas: Option<Vec<f32>> = values.iter().map(|value| Some(value.as_f64()? as f32)).collect();
        return betas
            .filter(|betas| !betas.is_empty() && betas.len() <= MOST_TRAINING_STEPS)
            .ok_or_else(|| config.unsupported("trained_betas", "a list of numbers"));
    }
    #[derive(Clone, Copy)]
    enum Shape {
        Linear,
        ScaledLinear,
        SquaredCosine,
    }
    let steps = config.whole("num_train_timesteps", 1000, 1..=MOST_TRAINING_STEPS)?;
    let (start, end) = (config.number("beta_start", 0.0001)?, config.number("beta_end", 0.02)?);
    let choices = [
        ("linear", Shape::Linear),
        ("scaled_linear", Shape::ScaledLinear),
        ("squaredcos_cap_v2", Shape::SquaredCosine),
    ];
    Ok(match config.word("beta_schedule", Shape::Linear, &choices)? {
        Shape::Linear => linspace_f32(start as f32, end as f32, steps),
        Shape::ScaledLinear => {
            let roots = linspace_f32(start.sqrt() as f32, end.sqrt() as f32, steps);
            roots.into_iter().map(|root| root * root).collect()
        }
        Shape::SquaredCosine => {
            let share = |time: f64| ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
            let step = |index: usize| share((index + 1) as f64 / steps as f64) / share(index as f64 / steps as f64);
            (0..steps).map(|index| (1.0 - step(index)).min(0.999) as f32).collect()
        }
    })
}

/// `torch.linspace` in f32: each half is counted from its own end.
fn linspace_f32(start: f32, end: f32, steps: usize) -> Vec<f32> {
    let stride = if steps > 1 { (end - start) / (steps - 1) as f32 } else { 0.0 };
    (0..steps)
        .map(|index| {
            if index < steps / 2 || steps == 1 {
                start + stride * index as f32
            } else {
                end - stride * (steps - index - 1) as f32
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn leading_timesteps_are_whole_strides_plus_the_offset() {
        assert_eq!(leading(1000, 4, 4, 1.0), [751.0, 501.0, 251.0, 1.0]);
        assert_eq!(leading(1000, 5, 4, 0.0), [800.0, 600.0, 400.0, 200.0]);
    }

    #[test]
    fn trailing_timesteps_are_as_many_as_were_asked_for_where_numpy_makes_one_more() {
        let timesteps = trailing(1000, 61);
        assert_eq!(timesteps.len(), 61);
        assert_eq!(timesteps.first(), Some(&999.0));
        assert!(timesteps.iter().all(|timestep| *timestep >= 0.0));
    }

    #[test]
    fn betas_that_leave_no_signal_are_refused() {
        let config = Config::parse("scheduler_config.json", r#"{"beta_start": 1.5, "beta_end": 2.0}"#).unwrap();
        let error = Schedule::new(config).unwrap_err().to_string();
        assert!(error.contains("betas"), "{error}");
    }
}
