//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) as `torch.optim.AdamW` computes it, with the gradient's norm clipped as
//! `torch.nn.utils.clip_grad_norm_` does, and a moving average of the parameters. Its state lies in main memory, whatever
//! device the parameters are on.

use candle_core::{DType, Device, Result, Tensor, Var};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Constants of the update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Decay of the two moments.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decay of the parameters, decoupled from the gradient.
    pub weight_decay: f64,
    /// Gradients of a larger norm, over all parameters, are scaled down to it; 0 for none.
    pub clip: f64,
    /// Decay of the moving average; 0 for none.
    pub ema: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, clip: 1.0, ema: 0.0 }
    }
}

/// What is kept for one parameter.
#[derive(Debug, Clone)]
pub struct State {
    /// First moment.
    pub m: Vec<f32>,
    /// Second moment.
    pub v: Vec<f32>,
    /// Moving average of the parameter; empty where none is kept.
    pub ema: Vec<f32>,
}

/// The optimiser.
#[derive(Debug)]
pub struct AdamW {
    settings: Settings,
    /// Updates so far.
    pub step: u64,
    /// By the parameter's name.
    pub states: BTreeMap<String, State>,
}

impl AdamW {
    /// At its first step.
    pub fn new(settings: Settings) -> Self {
        Self { settings, step: 0, states: BTreeMap::new() }
    }

    /// One update. `gradients` go with `variables`; one without a gradient is left as it is. `rate` gives each parameter's
    /// learning rate. Returns the norm of all gradients together, before clipping.
    ///
    /// # Errors
    /// A gradient of another shape, a device that fails.
    pub fn update(
        &mut self,
        variables: &[(String, Var)],
        gradients: &[Option<Tensor>],
        rate: impl Fn(&str) -> f64 + Sync,
    ) -> Result<f64> {
        let gradients: Vec<Option<Vec<f32>>> =
            gradients.iter().map(|gradient| gradient.as_ref().map(numbers).transpose()).collect::<Result<_>>()?;
        let squares = |values: &Vec<f32>| values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>();
        // Collected in the order of the parameters, so that the sum does not depend on the threads.
        let sums: Vec<f64> = gradients.par_iter().map(|gradient| gradient.as_ref().map_or(0.0, squares)).collect();
        let norm = sums.iter().sum::<f64>().sqrt();
        let scale = match self.settings.clip {
            clip if clip > 0.0 => (clip / (norm + 1e-6)).min(1.0) as f32,
            _ => 1.0,
        };
        self.step += 1;
        let step = self.step;
        let settings = self.settings;
        let states = variables.iter().map(|(name, _)| self.states.remove(name)).collect::<Vec<_>>();
        let work = variables.par_iter().zip(gradients).zip(states);
        let updated: Vec<(String, State)> = work
            .map(|(((name, variable), gradient), state)| {
                let mut values = numbers(variable.as_tensor())?;
                let mut state = state.unwrap_or_else(|| State {
                    m: vec![0.0; values.len()],
                    v: vec![0.0; values.len()],
                    ema: if settings.ema > 0.0 { values.clone() } else { Vec::new() },
                });
                if let Some(gradient) = gradient {
                    if gradient.len() != values.len() {
                        candle_core::bail!("{name}: a gradient of {} numbers for {}", gradient.len(), values.len())
                    }
                    advance(&mut values, &gradient, &mut state, settings, step, rate(name), scale);
                    let tensor = Tensor::from_slice(&values, variable.shape(), variable.device())?;
                    variable.set(&tensor)?;
                }
                // Early on the average follows faster, or it would keep the first values for long.
                let decay = settings.ema.min((1.0 + step as f64) / (10.0 + step as f64)) as f32;
                for (mean, value) in state.ema.iter_mut().zip(&values) {
                    *mean = *mean * decay + value * (1.0 - decay);
                }
                Ok((name.clone(), state))
            })
            .collect::<Result<_>>()?;
        self.states.extend(updated);
        Ok(norm)
    }

    /// The moving averages by name, in the shapes of `variables`; the parameters themselves where none is kept.
    ///
    /// # Errors
    /// No memory.
    pub fn averages(&self, variables: &[(String, Var)]) -> Result<BTreeMap<String, Tensor>> {
        let average = |(name, variable): &(String, Var)| {
            let tensor = match self.states.get(name).filter(|state| !state.ema.is_empty()) {
                Some(state) => Tensor::from_slice(&state.ema, variable.shape(), variable.device())?,
                None => variable.as_tensor().copy()?.detach(),
            };
            Ok((name.clone(), tensor))
        };
        variables.iter().map(average).collect()
    }
}

/// Moves one parameter.
fn advance(
    values: &mut [f32],
    gradient: &[f32],
    state: &mut State,
    settings: Settings,
    step: u64,
    rate: f64,
    scale: f32,
) {
    let (beta1, beta2) = settings.betas;
    let power = step.min(i32::MAX as u64) as i32;
    let step_size = (rate / (1.0 - beta1.powi(power))) as f32;
    let root = (1.0 - beta2.powi(power)).sqrt() as f32;
    let keep = (1.0 - rate * settings.weight_decay) as f32;
    // What is left of 1 is taken in f64: from 0.999 in f32 it would be off by a part in 20 000.
    let (new1, new2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
    let (beta2, eps) = (beta2 as f32, settings.eps as f32);
    let moments = state.m.iter_mut().zip(state.v.iter_mut());
    for ((value, gradient), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
        let gradient = gradient * scale;
        *m += (gradient - *m) * new1;
        *v = *v * beta2 + gradient * gradient * new2;
        *value = *value * keep - step_size * *m / (v.sqrt() / root + eps);
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

/// The learning rate's share of its peak at `step` (from 0) of `steps`: rising evenly over the first `warmup` steps, then
/// along half a cosine to `floor`. With a floor of 0 it is `get_cosine_schedule_with_warmup` of transformers.
pub fn cosine(step: u64, warmup: u64, steps: u64, floor: f64) -> f64 {
    if step < warmup {
        return step as f64 / warmup.max(1) as f64;
    }
    let done = (step - warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
    floor + (1.0 - floor) * cosine
}
