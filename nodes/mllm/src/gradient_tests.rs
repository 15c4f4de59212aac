//! LLaMA on whole sequences, as training uses it: the states are those of generation, and gradients reach every weight
//! and are the slopes that they stand for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::config::LlamaConfig;
use crate::llama::Llama;
use crate::llama_tests::{CONFIG, IDS, assert_near, hidden, llama, noise, tensors};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use mgie_weights::{LiveTensors, Weights};
use std::collections::HashMap;

struct Variables(HashMap<String, Var>);

impl LiveTensors for Variables {
    fn get(&self, name: &str, _: Option<&Shape>) -> Result<Option<Tensor>> {
        Ok(self.0.get(name).map(|var| var.as_tensor().clone()))
    }
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.get(name).map(|var| var.dims().to_vec())
    }
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Variables {
    fn new(tensors: &HashMap<String, Tensor>) -> Self {
        // A norm's weights lie about 1.
        let raised = |name: &str, tensor: &Tensor| if name.contains("norm") { tensor + 1.0 } else { tensor + 0.0 };
        let var = |(name, tensor): (&String, &Tensor)| {
            (name.clone(), Var::from_tensor(&raised(name, tensor).unwrap()).unwrap())
        };
        Self(tensors.iter().map(var).collect())
    }

    /// A number that depends on every logit of two sequences of different lengths.
    fn loss(&self, config: &LlamaConfig) -> Tensor {
        let weights = Weights::live(self, DType::F32, &Device::Cpu);
        let llama = weights.load(|w| Llama::load(w, config)).unwrap();
        let embeddings = llama.embed_batch(&[&IDS[..], &IDS[3..8]]).unwrap();
        let logits = llama.logits(&llama.hidden_states(&embeddings).unwrap()).unwrap();
        let mut shape = logits.dims().to_vec();
        let long = (logits.narrow(0, 0, 1).unwrap() * noise(&[1, shape[1], shape[2]], 91)).unwrap();
        shape[1] = 5;
        let short = logits.narrow(0, 1, 1).unwrap().narrow(1, 0, 5).unwrap();
        let short = (short * noise(&[1, 5, shape[2]], 92)).unwrap();
        (long.sum_all().unwrap() + short.sum_all().unwrap()).unwrap()
    }

    fn gradients(&self, config: &LlamaConfig) -> GradStore {
        self.loss(config).backward().unwrap()
    }
}

#[test]
fn whole_sequences_of_several_lengths_give_the_states_of_generation() {
    let llama = llama(&CONFIG, &tensors());
    let sequences = [&IDS[..], &IDS[2..9], &IDS[..1]];
    let embeddings = llama.embed_batch(&sequences).unwrap();
    assert_eq!(embeddings.dims(), [3, 11, CONFIG.hidden]);
    let states = llama.hidden_states(&embeddings).unwrap();
    for (i, ids) in sequences.iter().enumerate() {
        let found = states.get(i).unwrap().narrow(0, 0, ids.len()).unwrap();
        assert_near(&found, &hidden(&llama, ids));
    }
    let logits = llama.logits(&states).unwrap();
    assert_eq!(logits.dims(), [3, 11, 50]);
    assert_near(&logits.get(1).unwrap(), &llama.logits(&states.get(1).unwrap()).unwrap());
}

#[test]
fn gradients_reach_every_weight() {
    for config in [CONFIG, LlamaConfig { tied: true, ..CONFIG }] {
        let mut tensors = tensors();
        if config.tied {
            tensors.remove("lm_head.weight");
        }
        let variables = Variables::new(&tensors);
        let gradients = variables.gradients(&config);
        for (name, var) in &variables.0 {
            let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
            let size = gradient.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(size > 1e-6 && size.is_finite(), "{name}: the largest gradient is {size:e}");
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let variables = Variables::new(&tensors());
    let gradients = variables.gradients(&CONFIG);
    for (name, var) in &variables.0 {
        let start = var.as_tensor().copy().unwrap();
        let gradient = gradients.get(var).unwrap();
        // Along the gradient itself, where the slope is largest, by a step that moves the loss by little.
        let size = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        let step = 2e-2 / f64::from(size);
        let at = |by: f64| {
            var.set(&(&start + (gradient * by).unwrap()).unwrap()).unwrap();
            f64::from(variables.loss(&CONFIG).to_scalar::<f32>().unwrap())
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        var.set(&start).unwrap();
        let expected = f64::from(size).powi(2);
        assert!((slope / expected - 1.0).abs() < 2e-2, "{name}: the slope is {slope:e}, expected {expected:e}");
    }
}

#[test]
fn more_tokens_than_the_model_has_positions_are_an_error() {
    let llama = llama(&CONFIG, &tensors());
    let embeddings = llama.embed_batch(&[vec![1; 65]]).unwrap();
    let error = llama.hidden_states(&embeddings).unwrap_err().to_string();
    assert!(error.contains("65 tokens") && error.contains("64"), "{error}");
}
