//! The whole of CLIP, as training and metrics use it: a contrastive step of a very small one against PyTorch's
//! (`tests/reference/golden_training.py`), and the miniature's embeddings against candle-transformers' own CLIP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{D, DType, Device, Result, Shape, Tensor, Var};
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig};
use candle_transformers::models::clip::vision_model::ClipVisionConfig;
use candle_transformers::models::clip::{self as candle_clip, ClipConfig};
use mgie_clip::{ClipModel, Tower, TowerConfig};
use mgie_weights::tokenizer::ClipTokenizer;
use mgie_weights::{LiveTensors, Weights};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

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

fn goldens(dtype: DType) -> Weights<'static> {
    Weights::open(&root().join("tests/goldens/training.safetensors"), dtype, &Device::Cpu).unwrap()
}

fn golden(name: &str) -> Tensor {
    goldens(DType::F32).get_any(name).unwrap()
}

/// The weights that PyTorch began with.
fn variables() -> Variables {
    let goldens = goldens(DType::F32);
    let begun = |name: &String| name.strip_prefix("clip/init/").map(str::to_owned);
    let var = |name: String| {
        let start = goldens.get_any(&format!("clip/init/{name}")).unwrap();
        (name, Var::from_tensor(&start).unwrap())
    };
    Variables(goldens.names().iter().filter_map(begun).map(var).collect())
}

/// PyTorch's own config of the very small CLIP.
fn towers() -> (TowerConfig, TowerConfig) {
    let facts = std::fs::read_to_string(root().join("tests/goldens/training.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), facts["configs"]["clip"].to_string()).unwrap();
    let read = |tower| TowerConfig::read(folder.path(), tower).unwrap();
    (read(Tower::Vision), read(Tower::Text))
}

fn sum(x: &Tensor) -> f64 {
    f64::from(x.sum_all().unwrap().to_scalar::<f32>().unwrap())
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    (sum(&(found - expected).unwrap().sqr().unwrap()) / sum(&expected.sqr().unwrap())).sqrt()
}

/// Each row divided by its length.
fn unit(x: &Tensor) -> Tensor {
    x.broadcast_div(&x.sqr().unwrap().sum_keepdim(D::Minus1).unwrap().sqrt().unwrap()).unwrap()
}

/// The mean cross-entropy of rows whose right answer stands on the diagonal.
fn diagonal_loss(logits: &Tensor) -> Tensor {
    let right = Tensor::arange(0u32, logits.dim(0).unwrap() as u32, &Device::Cpu).unwrap();
    candle_nn::loss::cross_entropy(&logits.contiguous().unwrap(), &right).unwrap()
}

#[test]
fn a_contrastive_step_has_the_logits_loss_and_gradients_of_pytorch() {
    let (vision, text) = towers();
    let variables = variables();
    let weights = Weights::live(&variables, DType::F32, &Device::Cpu);
    let model = weights.load(|w| ClipModel::load(w, &vision, &text, 12)).unwrap();
    let ids: Vec<Vec<u32>> = goldens(DType::U32).get_any("clip/input/ids").unwrap().to_vec2().unwrap();
    let pictures = unit(&model.image_embedding(&golden("clip/input/pixels")).unwrap());
    let texts = unit(&model.text_embedding(&ids).unwrap());
    let cosines = pictures.matmul(&texts.t().unwrap()).unwrap();
    let logits = cosines.broadcast_mul(&model.logit_scale().exp().unwrap()).unwrap();
    let error = relative_rms(&logits, &golden("clip/out/logits_per_image"));
    assert!(error < 1e-5, "logits are {error:e} off");
    let loss = ((diagonal_loss(&logits) + diagonal_loss(&logits.t().unwrap())).unwrap() / 2.0).unwrap();
    let (found, expected) = (sum(&loss), sum(&golden("clip/out/loss")));
    assert!((found / expected - 1.0).abs() < 1e-5, "the loss is {found}, expected {expected}");

    let gradients = loss.backward().unwrap();
    for (name, var) in &variables.0 {
        let expected = golden(&format!("clip/grad/{name}"));
        let found = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
        let off = sum(&(found - &expected).unwrap().sqr().unwrap()).sqrt();
        let size = sum(&expected.sqr().unwrap()).sqrt();
        // A bias of keys moves all scores of a query alike, so that its gradient is nothing but rounding.
        assert!(off < 1e-4 * size + 1e-6, "{name}: a gradient of {size:e} is {off:e} off");
    }
}

#[test]
fn embeddings_of_batches_are_those_of_candle_transformers() {
    let folder = root().join("tests/miniature/clip-vit-large-patch14");
    let read = |tower| TowerConfig::read(&folder, tower).unwrap();
    let (vision, text) = (read(Tower::Vision), read(Tower::Text));
    let weights = Weights::open(&folder, DType::F32, &Device::Cpu).unwrap();
    let [projection, _] = weights.sizes("visual_projection.weight").unwrap();
    let model = weights.load(|w| ClipModel::load(w, &vision, &text, projection)).unwrap();
    let config = ClipConfig {
        text_config: ClipTextConfig {
            vocab_size: text.vocabulary,
            embed_dim: text.hidden,
            activation: Activation::QuickGelu,
            intermediate_size: text.intermediate,
            max_position_embeddings: text.positions,
            pad_with: None,
            num_hidden_layers: text.layers,
            num_attention_heads: text.heads,
            projection_dim: projection,
        },
        vision_config: ClipVisionConfig {
            embed_dim: vision.hidden,
            activation: Activation::QuickGelu,
            intermediate_size: vision.intermediate,
            num_hidden_layers: vision.layers,
            num_attention_heads: vision.heads,
            projection_dim: projection,
            num_channels: 3,
            image_size: vision.image_size,
            patch_size: vision.patch_size,
        },
        logit_scale_init_value: 2.6592,
        image_size: vision.image_size,
    };
    let reference = candle_clip::ClipModel::new(weights.var_builder(), &config).unwrap();

    let pixels = Weights::open(&root().join("tests/goldens/clip.safetensors"), DType::F32, &Device::Cpu).unwrap();
    let pixels = ["landscape", "tall", "small"].map(|name| pixels.get_any(&format!("{name}.pixel_values")).unwrap());
    let pixels = Tensor::stack(&pixels, 0).unwrap();
    let error = relative_rms(&model.image_embedding(&pixels).unwrap(), &reference.get_image_features(&pixels).unwrap());
    assert!(error < 1e-5, "pictures are {error:e} off");

    let tokenizer = ClipTokenizer::open(&folder).unwrap();
    let texts = ["a red circle", "", "snow falls on the small house"];
    let ids = texts.map(|text| tokenizer.encode_padded(text).unwrap().0);
    let found = model.text_embedding(&ids).unwrap();
    for (i, ids) in ids.iter().enumerate() {
        let alone = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let expected = reference.get_text_features(&alone).unwrap().squeeze(0).unwrap();
        let error = relative_rms(&found.get(i).unwrap(), &expected);
        assert!(error < 1e-5, "{:?}: {error:e} off", texts[i]);
    }
}
