//! What a training needs of the edit head: a batch at once, against PyTorch's own step on a very small model
//! (`tests/reference/golden_training.py`), and gradients that are the slopes that they stand for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use mgie_edit_head::EditHead;
use mgie_weights::{LiveTensors, Weights};
use std::collections::HashMap;
use std::path::Path;

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
    /// The weights that PyTorch began with.
    fn initial() -> Self {
        let goldens = goldens();
        let begun = |name: &String| name.strip_prefix("init/edit_head.").map(str::to_owned);
        let var = |name: String| {
            let start = goldens.get_any(&format!("init/edit_head.{name}")).unwrap();
            (name, Var::from_tensor(&start).unwrap())
        };
        Self(goldens.names().iter().filter_map(begun).map(var).collect())
    }

    fn conditioning(&self, visual_tokens: &Tensor, img_embeddings: &Tensor) -> Tensor {
        let weights = Weights::live(self, DType::F32, &Device::Cpu);
        let head = weights.load(EditHead::load).unwrap();
        head.forward(visual_tokens, img_embeddings).unwrap()
    }
}

fn goldens() -> Weights<'static> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/training.safetensors");
    Weights::open(&file, DType::F32, &Device::Cpu).unwrap()
}

fn golden(name: &str) -> Tensor {
    goldens().get_any(name).unwrap()
}

/// E: [IMG0] stands in row 43 of 51.
fn img_embeddings() -> Tensor {
    golden("init/model.embed_tokens.weight").narrow(0, 43, 8).unwrap()
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    (sum((found - expected).unwrap()) / sum(expected.clone())).sqrt()
}

#[test]
fn a_batch_has_the_conditioning_of_pytorch_and_of_each_alone() {
    let variables = Variables::initial();
    let visual = golden("out/visual_tokens");
    let found = variables.conditioning(&visual, &img_embeddings());
    let error = relative_rms(&found, &golden("out/conditioning"));
    assert!(error < 1e-5, "conditioning is {error:e} off");
    let null = variables.conditioning(&visual.zeros_like().unwrap(), &img_embeddings());
    let error = relative_rms(&null, &golden("out/null_conditioning"));
    assert!(error < 1e-5, "null conditioning is {error:e} off");
    for i in 0..3 {
        let alone = variables.conditioning(&visual.get(i).unwrap(), &img_embeddings());
        let error = relative_rms(&found.get(i).unwrap(), &alone);
        assert!(error < 1e-6, "{i}: {error:e} off");
    }
}

#[test]
fn gradients_reach_every_weight_and_both_inputs_and_are_the_slopes_of_the_loss() {
    let mut variables = Variables::initial();
    variables.0.insert("H".to_owned(), Var::from_tensor(&golden("out/visual_tokens")).unwrap());
    variables.0.insert("E".to_owned(), Var::from_tensor(&img_embeddings()).unwrap());
    let other = golden("out/null_conditioning");
    let loss = || {
        let conditioning = variables.conditioning(&variables.0["H"], &variables.0["E"]);
        (conditioning.sqr().unwrap() * &other).unwrap().sum_all().unwrap()
    };
    let gradients = loss().backward().unwrap();
    for (name, var) in &variables.0 {
        let start = var.as_tensor().copy().unwrap();
        let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
        // Along the gradient itself, where the slope is largest, by a step that moves the loss by little.
        let size = f64::from(gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt());
        assert!(size > 1e-6, "{name}: the gradient is {size:e}");
        let step = 0.1 * size.recip().min(0.1);
        let at = |by: f64| {
            var.set(&(&start + (gradient * by).unwrap()).unwrap()).unwrap();
            f64::from(loss().to_scalar::<f32>().unwrap())
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        var.set(&start).unwrap();
        let expected = size * size;
        assert!((slope / expected - 1.0).abs() < 3e-2, "{name}: the slope is {slope:e}, expected {expected:e}");
    }
}
