//! L_edit, which MGIE and InstructPix2Pix share: the squared error of the UNet's prediction at a random timestep, with both
//! guidances' dropouts (MGIE's training code; Brooks et al., arXiv 2211.09800).

use super::{draw, uniform};
use crate::latents::Latents;
use candle_core::{DType, Device, Result, Tensor};
use mgie_diffusion::schedule::{Prediction, Spacing, trailing};
use mgie_diffusion::unet::Unet;

/// The null conditioning stands in below this share of u.
const NULL_TEXT: f64 = 0.10;
/// The image latents are zeros from and below these shares of u.
const NO_IMAGE: [f64; 2] = [0.05, 0.15];

/// The noise that latents are trained under.
#[derive(Debug, Clone)]
pub struct NoiseSchedule {
    /// ᾱ at each training step.
    pub alphas_cumprod: Vec<f32>,
    /// What the UNet predicts.
    pub prediction: Prediction,
    /// What goal latents are multiplied by.
    pub scaling: f64,
    /// How timesteps are drawn.
    pub timesteps: Timesteps,
    /// Which timesteps a sampler visits.
    pub spacing: Spacing,
}

/// Which timesteps the UNet is trained at.
#[derive(Debug, Clone, PartialEq)]
pub enum Timesteps {
    /// All of them, with a density in proportion to their own power of this: 0 for all alike, as DDPM's.
    All(f64),
    /// Those that a sampler visits, all alike.
    Visited(Vec<usize>),
}

impl Timesteps {
    /// Those of a sampler of so many steps, trailing; all of them where `steps` is 0, denser towards much noise with the
    /// power `high_noise`.
    #[must_use]
    pub fn of(steps: usize, high_noise: f64, trained: usize) -> Self {
        if steps == 0 {
            return Self::All(high_noise);
        }
        Self::Visited(trailing(trained, steps).into_iter().map(|timestep| timestep.max(0.0) as usize).collect())
    }

    /// The timestep for a number from 0 to 1.
    fn at(&self, share: f64, trained: usize) -> usize {
        let among = |count: usize, share: f64| ((share * count as f64) as usize).min(count.saturating_sub(1));
        match self {
            Self::All(power) => among(trained, share.powf(1.0 / (1.0 + power))),
            Self::Visited(timesteps) => timesteps.get(among(timesteps.len(), share)).copied().unwrap_or_default(),
        }
    }
}

/// What is drawn for some examples.
#[derive(Debug, Clone)]
pub struct Draws {
    /// Whole training steps.
    pub timesteps: Vec<usize>,
    /// From 0 to 1: which of the conditions are dropped.
    pub u: Vec<f64>,
    /// `[examples, channels, h, w]`, standard normal.
    pub noise: Tensor,
}

impl Draws {
    /// Those of the places `first`… of the batch at `step`, for latents of `shape`.
    ///
    /// # Errors
    /// No memory, a device that fails.
    pub fn at(
        seed: u64,
        step: u64,
        first: usize,
        shape: &[usize],
        schedule: &NoiseSchedule,
        device: &Device,
    ) -> Result<Self> {
        let count = shape.first().copied().unwrap_or_default();
        let places = first..first + count;
        let steps = schedule.alphas_cumprod.len();
        let timestep = |place| schedule.timesteps.at(uniform(seed, "timestep", step, place), steps);
        Ok(Self {
            timesteps: places.clone().map(timestep).collect(),
            u: places.map(|place| uniform(seed, "dropout", step, place)).collect(),
            noise: draw(seed, "noise", step, first, count, shape, device)?,
        })
    }

    /// The conditioning of each example, `[examples, tokens, width]`: the edit's, or the null conditioning where that is
    /// drawn. `null` is `[1, tokens, width]` or one for each.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn context(&self, conditioning: &Tensor, null: &Tensor) -> Result<Tensor> {
        let keep: Vec<f32> = self.u.iter().map(|u| if *u < NULL_TEXT { 0.0 } else { 1.0 }).collect();
        if keep.iter().all(|keep| *keep == 1.0) {
            return Ok(conditioning.clone());
        }
        let keep = Tensor::from_vec(keep, (self.u.len(), 1, 1), conditioning.device())?;
        let drop = keep.affine(-1.0, 1.0)?;
        conditioning.broadcast_mul(&keep)? + null.broadcast_mul(&drop)?
    }

    /// Whether any example takes the null conditioning.
    pub fn drops_text(&self) -> bool {
        self.u.iter().any(|u| *u < NULL_TEXT)
    }
}

/// Goal latents drawn from their distribution, and the sources' modes: `[examples, channels, h, w]` each.
///
/// # Errors
/// No memory, a device that fails.
pub fn latents(
    all: &Latents,
    seed: u64,
    step: u64,
    first: usize,
    examples: &[usize],
    device: &Device,
) -> Result<(Tensor, Tensor)> {
    let [source, mean, log_variance] = all.get(examples, device)?;
    let noise = draw(seed, "goal", step, first, examples.len(), mean.dims(), device)?;
    Ok(((mean + (log_variance * 0.5)?.exp()? * noise)?, source))
}

/// The mean squared error over some examples. `goal` is unscaled, `source` stays so; `context` is in the UNet's dtype.
///
/// # Errors
/// Shapes that do not fit, no memory, a device that fails.
pub fn edit_loss(
    unet: &Unet,
    schedule: &NoiseSchedule,
    goal: &Tensor,
    source: &Tensor,
    context: &Tensor,
    draws: &Draws,
) -> Result<Tensor> {
    let device = goal.device();
    let count = draws.timesteps.len();
    let alphas = |f: fn(f32) -> f32| {
        let alpha = |step: &usize| f(schedule.alphas_cumprod.get(*step).copied().unwrap_or_default());
        Tensor::from_vec(draws.timesteps.iter().map(alpha).collect::<Vec<f32>>(), (count, 1, 1, 1), device)
    };
    let (signal, noise) = (alphas(f32::sqrt)?, alphas(|alpha| (1.0 - alpha).sqrt())?);
    let clean = (goal * schedule.scaling)?;
    let noisy = (clean.broadcast_mul(&signal)? + draws.noise.broadcast_mul(&noise)?)?;
    let target = match schedule.prediction {
        Prediction::Epsilon => draws.noise.clone(),
        Prediction::Velocity => (draws.noise.broadcast_mul(&signal)? - clean.broadcast_mul(&noise)?)?,
    };
    let [from, to] = NO_IMAGE;
    let keep: Vec<f32> = draws.u.iter().map(|u| if (from..to).contains(u) { 0.0 } else { 1.0 }).collect();
    let source = source.broadcast_mul(&Tensor::from_vec(keep, (count, 1, 1, 1), device)?)?;
    let timesteps: Vec<f64> = draws.timesteps.iter().map(|step| *step as f64).collect();
    let input = Tensor::cat(&[noisy, source], 1)?.to_dtype(unet.dtype())?;
    let predicted = unet.forward(&input, &timesteps, &context.to_dtype(unet.dtype())?)?.to_dtype(DType::F32)?;
    (predicted - target)?.sqr()?.mean_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Draws, NoiseSchedule, Timesteps};
    use candle_core::Device;
    use mgie_diffusion::schedule::{Prediction, Spacing};

    /// 4,000 timesteps of 1,000.
    fn drawn(timesteps: Timesteps) -> Vec<usize> {
        let alphas_cumprod = vec![0.5; 1000];
        let (prediction, spacing) = (Prediction::Velocity, Spacing::Trailing);
        let schedule = NoiseSchedule { alphas_cumprod, prediction, scaling: 1.0, timesteps, spacing };
        Draws::at(1, 0, 0, &[4000, 1, 1, 1], &schedule, &Device::Cpu).unwrap().timesteps
    }

    fn share(timesteps: &[usize], holds: impl Fn(usize) -> bool) -> f64 {
        timesteps.iter().filter(|timestep| holds(**timestep)).count() as f64 / timesteps.len() as f64
    }

    #[test]
    fn timesteps_are_uniform_or_grow_denser_with_a_power_of_themselves() {
        for (high_noise, expected) in [(0.0, 0.2), (4.0, 1.0 - 0.8_f64.powi(5))] {
            let drawn = drawn(Timesteps::of(0, high_noise, 1000));
            assert!(drawn.iter().all(|timestep| *timestep < 1000));
            let found = share(&drawn, |timestep| timestep >= 800);
            assert!((found - expected).abs() < 0.03, "{found} of timesteps from 800 on, expected {expected}");
        }
    }

    #[test]
    fn for_a_sampler_of_few_steps_only_what_it_visits_is_drawn() {
        for (steps, visited) in [(1, vec![999]), (2, vec![999, 499]), (4, vec![999, 749, 499, 249])] {
            let drawn = drawn(Timesteps::of(steps, 5.0, 1000));
            assert!(drawn.iter().all(|timestep| visited.contains(timestep)));
            for timestep in &visited {
                let found = share(&drawn, |drawn| drawn == *timestep);
                assert!((found - 1.0 / steps as f64).abs() < 0.03, "{found} of {timestep} with {steps} steps");
            }
        }
    }
}
