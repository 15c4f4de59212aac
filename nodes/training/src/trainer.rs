//! The loop that every stage is trained by: batches, the parts of a batch side by side, the update, checkpoints, the loss
//! curve, samples, and an end at any step from which it goes on later as if it had not stopped. What happens at a step
//! depends on the step's number and the seed alone.

use crate::checkpoint;
use crate::curve::Curve;
use crate::model_files;
use crate::optimizer::{AdamW, Settings, cosine};
use crate::parameters::Parameters;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use mgie_plugin_api::{Failure, Level, Run, file};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The loss of some of a batch's examples.
pub struct Loss {
    /// A scalar, weighted so that the batch's parts add up to the batch's loss.
    pub total: Tensor,
    /// What is told of it, weighted the same way.
    pub terms: Vec<(&'static str, Tensor)>,
}

/// What is trained, and on what.
pub trait Stage: Sync {
    /// How many examples there are.
    fn examples(&self) -> usize;

    /// The loss of `part` of `batch` (numbers of examples), at `step`. Whatever is drawn depends on the seed, the step and
    /// the place in the batch: `first` is the place of `part`'s first example.
    ///
    /// # Errors
    /// A file of the data set, no memory, a device that fails.
    fn loss(
        &self,
        parameters: &Parameters,
        step: u64,
        batch: &[usize],
        first: usize,
        part: &[usize],
    ) -> Result<Loss, Failure>;

    /// A parameter's share of the learning rate.
    fn rate(&self, _name: &str) -> f64 {
        1.0
    }

    /// A picture that shows what the model does now, as PNG; none for a model that has nothing to show.
    ///
    /// # Errors
    /// As [`Stage::loss`].
    fn sample(&self, _parameters: &Parameters) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }
}

/// How a stage is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The stage's name: it begins the names of its files.
    pub name: &'static str,
    /// Where the checkpoint, the curve and the samples go.
    pub work: PathBuf,
    /// The folder within the models folder that is written to, where the node can be told another one; else empty.
    pub into: String,
    /// Updates altogether.
    pub steps: u64,
    /// Examples an update.
    pub batch: usize,
    /// Examples that are computed at once; parts run side by side, and what is left one after the other (gradient
    /// accumulation).
    pub part: usize,
    /// The peak of the learning rate.
    pub rate: f64,
    /// The share of steps in which it rises.
    pub warmup: f64,
    /// The optimiser's constants.
    pub optimizer: Settings,
    /// Decides first values, the order of examples, and every draw.
    pub seed: u64,
    /// Steps between checkpoints, and between samples.
    pub every: u64,
}

impl Plan {
    /// What a run cannot change when it goes on.
    fn fixed(&self) -> Value {
        let Settings { betas, eps, weight_decay, clip, ema } = self.optimizer;
        json!({
            "stage": self.name, "into": self.into, "batch": self.batch, "part": self.part, "seed": self.seed,
            "betas": [betas.0, betas.1], "eps": eps, "weight_decay": weight_decay, "clip": clip, "ema": ema,
        })
    }

    /// A file in the work folder: the stage's name and `ending`.
    pub fn file(&self, ending: &str) -> PathBuf {
        self.work.join(format!("{}{ending}", self.name))
    }
}

/// Trains to the plan's last step, from its checkpoint where there is one. Returns the parameters' moving averages where
/// they are kept, else the parameters: frozen, ready to be written as a model.
///
/// # Errors
/// Cancelled (the checkpoint is written first); a loss that is no number (the last good checkpoint stays); a checkpoint
/// that does not fit; whatever the stage says.
pub fn train(run: &Run, plan: &Plan, stage: &dyn Stage, parameters: &Parameters) -> Result<Parameters, Failure> {
    model_files::make_folder(&plan.work)?;
    if stage.examples() == 0 {
        return Err(Failure::input("dataset", "examples to train on", "none"));
    }
    let variables = parameters.variables();
    let mut optimizer = AdamW::new(plan.optimizer);
    let checkpoint = plan.file(".safetensors");
    let mut pending = Vec::new();
    if let Some(resumed) = checkpoint::load(&checkpoint, parameters, &mut optimizer)? {
        let fixed = plan.fixed();
        if resumed.settings != fixed {
            return Err(Failure::file(&checkpoint, "its run was begun with other settings")
                .expected(fixed.to_string())
                .found(resumed.settings.to_string())
                .remedy("set them as they were, or train in another `work` folder"));
        }
        run.log(Level::Info, &format!("{}: goes on after step {}", plan.name, resumed.step));
        pending = resumed.pending;
    }
    let mut curve = Curve::resume(plan.file(".csv"), optimizer.step, pending)?;
    let batches = Batches::new(stage.examples(), plan.batch, plan.seed);
    let (begun, first) = (Instant::now(), optimizer.step);
    while optimizer.step < plan.steps {
        let step = optimizer.step;
        if run.cancelled() {
            save(plan, &checkpoint, parameters, &optimizer, &curve)?;
            return Err(Failure::cancelled());
        }
        let batch = batches.at(step);
        let rate = plan.rate * learning_rate(plan, step);
        let (terms, gradients) = gradients(plan, stage, parameters, &variables, step, &batch)?;
        if let Some((term, value)) = terms.iter().find(|(_, value)| !value.is_finite()) {
            curve.write()?;
            return Err(diverged(plan, term, *value, step, &checkpoint));
        }
        let norm = optimizer.update(&variables, &gradients, |name| rate * stage.rate(name)).map_err(failed)?;
        if !norm.is_finite() {
            return Err(diverged(plan, "the gradient's norm", norm, step, &checkpoint));
        }
        curve.push(step + 1, rate, norm, &terms);
        let seconds = begun.elapsed().as_secs_f64() / (step + 1 - first) as f64;
        let left = seconds * (plan.steps - step - 1) as f64;
        run.progress(step + 1, plan.steps, &format!("{} {}, {} left", plan.name, curve.recent(), duration(left)));
        if (step + 1).is_multiple_of(plan.every.max(1)) && step + 1 < plan.steps {
            save(plan, &checkpoint, parameters, &optimizer, &curve)?;
            let left = duration(left);
            let (name, recent, at, of) = (&plan.name, curve.recent(), step + 1, plan.steps);
            run.log(Level::Info, &format!("{name}: step {at} of {of}, {recent}, {left} left"));
            let average = parameters.frozen(&optimizer.averages(&variables).map_err(failed)?).map_err(failed)?;
            sample(plan, stage, &average, step + 1)?;
        }
    }
    let (name, at, of) = (&plan.name, optimizer.step, plan.steps);
    if at > first {
        save(plan, &checkpoint, parameters, &optimizer, &curve)?;
        run.log(Level::Info, &format!("{name}: step {at} of {of}, {}", curve.recent()));
    } else {
        run.log(Level::Info, &format!("{name}: nothing to do, its checkpoint is at step {at} of {of}"));
    }
    let average = parameters.frozen(&optimizer.averages(&variables).map_err(failed)?).map_err(failed)?;
    if optimizer.step > first {
        sample(plan, stage, &average, optimizer.step)?;
    }
    Ok(average)
}

/// The share of the peak learning rate at `step`.
pub fn learning_rate(plan: &Plan, step: u64) -> f64 {
    let warmup = (plan.warmup * plan.steps as f64).ceil() as u64;
    cosine(step, warmup, plan.steps, 0.0)
}

type Terms = Vec<(&'static str, f64)>;

/// The gradient of a batch: its parts side by side, their gradients added in order.
fn gradients(
    plan: &Plan,
    stage: &dyn Stage,
    parameters: &Parameters,
    variables: &[(String, Var)],
    step: u64,
    batch: &[usize],
) -> Result<(Terms, Vec<Option<Tensor>>), Failure> {
    let size = plan.part.clamp(1, batch.len().max(1));
    let one = |(index, part): (usize, &[usize])| -> Result<(Terms, Vec<Option<Tensor>>), Failure> {
        let loss = stage.loss(parameters, step, batch, index * size, part)?;
        let value = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>();
        let terms =
            loss.terms.iter().map(|(name, tensor)| Ok((*name, value(tensor)?))).collect::<candle_core::Result<_>>();
        let store = loss.total.backward().map_err(failed)?;
        let of = |(_, variable): &(String, Var)| GradStore::get(&store, variable.as_tensor()).cloned();
        Ok((terms.map_err(failed)?, variables.iter().map(of).collect()))
    };
    let mut sum: Option<(Terms, Vec<Option<Tensor>>)> = None;
    // As many parts at once as there are threads: gradients of more would only fill memory.
    let parts: Vec<(usize, &[usize])> = batch.chunks(size).enumerate().collect();
    for together in parts.chunks(rayon::current_num_threads().max(1)) {
        let results: Vec<_> = together.par_iter().map(|part| one(*part)).collect();
        for result in results {
            let (terms, gradients) = result?;
            let Some((all_terms, all)) = &mut sum else {
                sum = Some((terms, gradients));
                continue;
            };
            for ((_, total), (_, term)) in all_terms.iter_mut().zip(terms) {
                *total += term;
            }
            for (total, gradient) in all.iter_mut().zip(gradients) {
                *total = match (total.take(), gradient) {
                    (Some(total), Some(gradient)) => Some((total + gradient).map_err(failed)?),
                    (total, gradient) => total.or(gradient),
                };
            }
        }
    }
    Ok(sum.unwrap_or_default())
}

/// Which examples come at which step: each once in every pass, in an order that the seed and the pass decide.
struct Batches {
    examples: usize,
    batch: usize,
    seed: u64,
    pass: std::sync::Mutex<Option<(u64, Vec<usize>)>>,
}

impl Batches {
    fn new(examples: usize, batch: usize, seed: u64) -> Self {
        Self { examples, batch: batch.max(1), seed, pass: std::sync::Mutex::new(None) }
    }

    fn at(&self, step: u64) -> Vec<usize> {
        let first = step * self.batch as u64;
        (first..first + self.batch as u64).map(|place| self.example(place)).collect()
    }

    fn example(&self, place: u64) -> usize {
        let (pass, within) = (place / self.examples as u64, (place % self.examples as u64) as usize);
        let mut kept = self.pass.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.as_ref().is_none_or(|(number, _)| *number != pass) {
            let mut order: Vec<usize> = (0..self.examples).collect();
            order.sort_by_cached_key(|example| crate::initial::at(self.seed, "order", pass, *example as u64));
            *kept = Some((pass, order));
        }
        kept.as_ref().and_then(|(_, order)| order.get(within).copied()).unwrap_or(within)
    }
}

fn save(
    plan: &Plan,
    checkpoint: &Path,
    parameters: &Parameters,
    optimizer: &AdamW,
    curve: &Curve,
) -> Result<(), Failure> {
    if optimizer.step == 0 {
        return Ok(());
    }
    // The curve first: rows beyond the checkpoint are left out when a run goes on, but rows that are missing stay missing.
    curve.write()?;
    checkpoint::save(checkpoint, parameters, optimizer, &plan.fixed(), curve.pending())
}

fn sample(plan: &Plan, stage: &dyn Stage, average: &Parameters, step: u64) -> Result<(), Failure> {
    match stage.sample(average)? {
        Some(png) => file::write_whole(&plan.file(&format!("-{step:07}.png")), &[&png]),
        None => Ok(()),
    }
}

fn diverged(plan: &Plan, term: &str, value: f64, step: u64, checkpoint: &Path) -> Failure {
    let kept =
        if checkpoint.exists() { "the last good checkpoint stays as it is" } else { "there is no checkpoint yet" };
    Failure::failed(format!("{}: {term} became {value} at step {}; {kept}", plan.name, step + 1))
        .remedy("go on from the checkpoint with a lower `learning_rate` or a longer `warmup`")
}

fn failed(error: candle_core::Error) -> Failure {
    Failure::from(mgie_weights::WeightsError::from(error))
}

/// Seconds as a person says them.
fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
