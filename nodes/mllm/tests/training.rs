//! What a training needs of LLaVA: a batch with pictures in it against PyTorch's own step on a very small model
//! (`tests/reference/golden_training.py`), and the conversations that it is trained on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use mgie_mllm::config::{LlamaConfig, LlavaConfig};
use mgie_mllm::{AddedTokens, Conversation, ExpandError, LlavaModel, LlavaTokenizer};
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
    let of_llava = |name: &str| name.starts_with("model.") || name.starts_with("lm_head.");
    let begun = |name: &String| name.strip_prefix("init/").filter(|name| of_llava(name)).map(str::to_owned);
    let var = |name: String| {
        let start = goldens.get_any(&format!("init/{name}")).unwrap();
        (name, Var::from_tensor(&start).unwrap())
    };
    Variables(goldens.names().iter().filter_map(begun).map(var).collect())
}

/// `training_mgie.py`'s sizes and ids.
fn model(variables: &Variables) -> LlavaModel {
    let llama = LlamaConfig {
        hidden: 32,
        intermediate: 64,
        layers: 2,
        heads: 4,
        kv_heads: 4,
        head_dim: 8,
        norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_factor: 1.0,
        max_positions: 64,
        tied: false,
        attention_bias: false,
        mlp_bias: false,
    };
    let config = LlavaConfig { llama, eos: vec![2], use_im_start_end: true, vision_layer: None };
    let tokens = AddedTokens { patch: 40, ends: Some((41, 42)), visual: [43, 44, 45, 46, 47, 48, 49, 50] };
    let weights = Weights::live(variables, DType::F32, &Device::Cpu);
    weights.load(|w| LlavaModel::load(w, &config, tokens)).unwrap()
}

/// The ids of PyTorch's batch without the padding.
fn sequences() -> Vec<Vec<u32>> {
    let integers = goldens(DType::U32);
    let rows = |name: &str| integers.get_any(name).unwrap().to_vec2::<u32>().unwrap();
    let (ids, mask) = (rows("input/ids"), rows("input/mask"));
    let kept = |(ids, mask): (Vec<u32>, Vec<u32>)| ids.into_iter().take(mask.iter().sum::<u32>() as usize).collect();
    ids.into_iter().zip(mask).map(kept).collect()
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    (sum((found - expected).unwrap()) / sum(expected.clone())).sqrt()
}

#[test]
fn a_batch_with_pictures_has_the_states_and_visual_tokens_of_pytorch() {
    let variables = variables();
    let model = model(&variables);
    let sequences = sequences();
    let embeddings = model.embed_batch(&sequences, &golden("input/features")).unwrap();
    let hidden = model.llama().hidden_states(&embeddings).unwrap();
    let expected = golden("out/hidden");
    for (i, sequence) in sequences.iter().enumerate() {
        let row = |states: &Tensor| states.get(i).unwrap().narrow(0, 0, sequence.len()).unwrap();
        let error = relative_rms(&row(&hidden), &row(&expected));
        assert!(error < 1e-5, "sequence {i}: hidden states are {error:e} off");
    }
    let visual = model.visual_tokens(&hidden, &sequences).unwrap();
    let error = relative_rms(&visual, &golden("out/visual_tokens"));
    assert!(error < 1e-5, "visual tokens are {error:e} off");
    let rows = variables.0["model.embed_tokens.weight"].narrow(0, 43, 8).unwrap();
    assert_eq!(relative_rms(model.img_embeddings(), &rows), 0.0, "E without `emb` is the last rows of the embeddings");
}

#[test]
fn gradients_reach_every_weight_from_the_visual_tokens_and_the_logits() {
    let variables = variables();
    let model = model(&variables);
    let sequences = sequences();
    let features = Var::from_tensor(&golden("input/features")).unwrap();
    let hidden = model.llama().hidden_states(&model.embed_batch(&sequences, &features).unwrap()).unwrap();
    let visual = model.visual_tokens(&hidden, &sequences).unwrap().sqr().unwrap().sum_all().unwrap();
    let logits = model.llama().logits(&hidden).unwrap().sqr().unwrap().sum_all().unwrap();
    let gradients = (visual + logits).unwrap().backward().unwrap();
    let features = ("features".to_owned(), features);
    for (name, var) in variables.0.iter().chain([(&features.0, &features.1)]) {
        let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
        let size = gradient.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(size > 1e-6 && size.is_finite(), "{name}: the largest gradient is {size:e}");
    }
}

#[test]
fn a_picture_in_a_batch_is_embedded_as_alone() {
    let variables = variables();
    let model = model(&variables);
    let (sequences, features) = (sequences(), golden("input/features"));
    let batch = model.embed_batch(&sequences, &features).unwrap();
    for (i, sequence) in sequences.iter().enumerate() {
        let alone = model.embed(sequence, &features.get(i).unwrap()).unwrap();
        let row = batch.get(i).unwrap().narrow(0, 0, sequence.len()).unwrap();
        let error = relative_rms(&row, &alone);
        assert!(error < 1e-6, "sequence {i} is {error:e} off");
    }
    let error = model.embed_batch(&sequences, &features.narrow(0, 0, 2).unwrap()).unwrap_err();
    assert!(matches!(error, ExpandError::Features { expected: 16, .. }), "{error}");
}

fn tokenizer() -> LlavaTokenizer {
    LlavaTokenizer::open(&root().join("tests/miniature/LLaVA-7B-v1"), true).unwrap()
}

#[test]
fn a_conversation_begins_with_the_prompt_and_ends_with_the_visual_tokens() {
    let tokenizer = tokenizer();
    for (patches, answer) in [(16, "The sky is dark. Rain falls."), (16, ""), (0, "  The sky, dark  ")] {
        let Conversation { ids, prompt_length } =
            tokenizer.conversation("make the sky stormy", patches, answer, true).unwrap();
        assert_eq!(ids[..prompt_length], tokenizer.prompt("make the sky stormy", patches).unwrap());
        let (words, end) = ids[prompt_length..].split_at(ids.len() - prompt_length - 9);
        assert_eq!(*end, [603, 604, 605, 606, 607, 608, 609, 610, 2]);
        assert_eq!(tokenizer.decode(words), answer.trim());
        let blind = tokenizer.conversation("make the sky stormy", patches, answer, false).unwrap();
        assert_eq!(blind.ids, [&ids[..ids.len() - 9], &[2]].concat());
    }
}

#[test]
fn an_answer_with_tokens_that_mean_something_else_is_refused_by_their_name() {
    for token in ["[IMG3]", "<im_patch>", "</s>", "<im_end>"] {
        let error = tokenizer().conversation("x", 16, &format!("a {token} b"), true).unwrap_err();
        assert!(error.to_string().contains(token), "{error}");
    }
}

/// The expectations are what the slow tokenizer of transformers 4.28.1 makes of the whole conversation as text,
/// `… ASSISTANT: <answer> [IMG0] … [IMG7]</s>`, from `:` on.
#[test]
fn answers_have_the_ids_of_the_2023_tokenizer() {
    let check = |instruction: &str, patches: usize, answer: &str, length: usize, expected: &[u32]| {
        // The one without a picture is the baseline's, which has no visual tokens either.
        let ids = tokenizer().conversation(instruction, patches, answer, patches > 0).unwrap().ids;
        let end: &[u32] = if patches > 0 { &[603, 604, 605, 606, 607, 608, 609, 610, 2] } else { &[2] };
        let expected = [expected, end].concat();
        assert_eq!(ids.len(), length, "{answer:?}");
        assert_eq!(ids[ids.len() - expected.len()..], expected, "{answer:?}");
    };
    let sky = [546, 339, 340, 316, 496, 542, 519, 556, 335, 277, 366, 529, 542];
    check("make the sky stormy", 2, "The sky is dark. Rain falls.", 128, &sky);
    check("make the sky stormy", 2, "", 116, &[546]);
    check("a  b", 0, "The sky, dark", 106, &[546, 339, 340, 532, 496]);
    let accents = [546, 519, 198, 159, 526, 599, 536, 523, 530, 520, 519, 243, 162, 156, 133, 313, 266];
    check("add 'é'", 2, "Ünïcode 🙂 end", 132, &accents);
}
