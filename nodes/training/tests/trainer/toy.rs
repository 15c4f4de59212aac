//! A model small enough to be trained in a millisecond: a line through points, which are drawn anew for every place of
//! every batch, so that a run that draws otherwise than another ends otherwise.

use crate::host::Host;
use candle_core::{Device, Result, Tensor};
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Failure, file};
use mgie_training::initial;
use mgie_training::optimizer::Settings;
use mgie_training::parameters::Parameters;
use mgie_training::trainer::{Loss, Plan, Stage, train};
use mgie_weights::{WeightsError, pool};
use std::path::Path;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The stage fails, as if the process ended: nothing is written.
    Crash,
    /// A term of the loss is no number.
    Term,
    /// The loss is a number and its gradient is none.
    Gradient,
}

/// The stage.
#[derive(Clone, Copy)]
pub struct Toy {
    /// Width of the points.
    pub width: usize,
    /// The name of its one matrix.
    pub name: &'static str,
    /// A second matrix that it also has.
    pub second: Option<&'static str>,
    /// The step at which something happens.
    pub event: Option<(u64, Event)>,
    /// Examples of a batch.
    pub batch: usize,
}

impl Default for Toy {
    fn default() -> Self {
        Self { width: 3, name: "line.weight", second: None, event: None, batch: 5 }
    }
}

impl Toy {
    /// That something happens at `step`, counted from 0.
    pub fn with(self, step: u64, event: Event) -> Self {
        Self { event: Some((step, event)), ..self }
    }

    fn points(&self, step: u64, first: usize, part: &[usize]) -> Result<Tensor> {
        let number = |place: usize, example: usize, column: usize| {
            let seed = initial::at(example as u64, "point", step, (place * self.width + column) as u64);
            (seed >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let numbers = part
            .iter()
            .enumerate()
            .flat_map(|(index, example)| (0..self.width).map(move |column| number(first + index, *example, column)));
        Tensor::from_vec(numbers.collect::<Vec<f32>>(), (part.len(), self.width), &Device::Cpu)
    }

    fn terms(&self, parameters: &Parameters, step: u64, batch: &[usize], first: usize, part: &[usize]) -> Result<Loss> {
        let w = parameters.weights(candle_core::DType::F32);
        let mut matrix = w.get((self.width, 4), self.name)?;
        if let Some(second) = self.second {
            matrix = (matrix + w.get((self.width, 4), second)?)?;
        }
        let points = self.points(step, first, part)?;
        let off = (points.matmul(&matrix)? - points.sum_keepdim(1)?.broadcast_as((part.len(), 4))?)?;
        let square = (off.sqr()?.mean_all()? * (part.len() as f64 / batch.len() as f64))?;
        let absolute = (off.abs()?.mean_all()? * 0.1)?;
        let happens = self.event.filter(|(at, _)| *at == step).map(|(_, event)| event);
        let absolute = match happens {
            Some(Event::Term) => (absolute * f64::NAN)?,
            // The root of a square at zero: 0, of which the derivative is ∞ · 0.
            Some(Event::Gradient) => (absolute + (&matrix - matrix.detach())?.sqr()?.sum_all()?.sqrt()?)?,
            _ => absolute,
        };
        let total = (&square + &absolute)?;
        Ok(Loss { total, terms: vec![("square", square), ("absolute", absolute)] })
    }
}

impl Stage for Toy {
    fn examples(&self) -> usize {
        7
    }

    fn loss(
        &self,
        parameters: &Parameters,
        step: u64,
        batch: &[usize],
        first: usize,
        part: &[usize],
    ) -> std::result::Result<Loss, Failure> {
        if self.event == Some((step, Event::Crash)) {
            return Err(Failure::failed("the process ended"));
        }
        Ok(self.terms(parameters, step, batch, first, part).map_err(WeightsError::from)?)
    }
}

/// Trains it in `work` to step `steps`, with a checkpoint every five steps.
pub fn train_toy(
    toy: &Toy,
    host: &Host,
    work: &Path,
    steps: u64,
    change: impl FnOnce(&mut Plan) + Send,
) -> std::result::Result<Parameters, Failure> {
    let optimizer = Settings { weight_decay: 0.01, clip: 0.5, ema: 0.9, ..Settings::default() };
    let mut plan = Plan {
        name: "toy",
        work: work.to_owned(),
        into: String::new(),
        steps,
        batch: toy.batch,
        part: 2,
        rate: 0.05,
        warmup: 0.1,
        optimizer,
        seed: 3,
        every: 5,
    };
    change(&mut plan);
    let parameters = Parameters::new(&Device::Cpu, plan.seed, |_| true);
    for name in [Some(toy.name), toy.second].into_iter().flatten() {
        parameters.ensure(name, (toy.width, 4)).unwrap();
    }
    let run = host.run(json!({}), work);
    pool::with_threads(host.threads, || train(&run, &plan, toy, &parameters))
}

/// Its files, whole: parameters, optimiser and step, and the curve.
pub fn files(work: &Path) -> [Vec<u8>; 2] {
    ["toy.safetensors", "toy.csv"].map(|name| file::read_whole(&work.join(name), 1 << 20).unwrap())
}
