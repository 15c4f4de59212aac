//! The miniature LLaVA against what transformers' own classes computed from the same files
//! (`tests/reference/golden_mllm.py`): ids and texts exact, numbers within 1e-4 relative RMS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Tensor};
use mgie_mllm::generate::{Generated, Onlooker, Rules, generate};
use mgie_mllm::llava::Llava;
use mgie_mllm::{ExpandError, expressive_instruction};
use mgie_weights::{Watch, Weights};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

struct Alone;

impl Watch for Alone {
    fn cancelled(&self) -> bool {
        false
    }
    fn progress(&self, _done: u64, _total: u64) {}
}

impl Onlooker for Alone {
    fn cancelled(&self) -> bool {
        false
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(dtype: DType) -> Llava {
    let small = root().join("tests/miniature");
    let mllm = small.join("mgie_7b/mllm.pt");
    Llava::load(&small.join("LLaVA-7B-v1"), Some(&mllm), dtype, &Device::Cpu, &Alone).unwrap().0
}

fn llava() -> &'static Llava {
    static LLAVA: OnceLock<Llava> = OnceLock::new();
    LLAVA.get_or_init(|| load(DType::F32))
}

fn goldens() -> Weights<'static> {
    Weights::open(&root().join("tests/goldens/mllm.safetensors"), DType::F32, &Device::Cpu).unwrap()
}

fn ids(name: &str) -> Vec<u32> {
    goldens().in_dtype(DType::U32).get_any(name).unwrap().to_vec1().unwrap()
}

fn facts() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/goldens/mllm.json")).unwrap()).unwrap()
}

fn cases() -> Vec<(String, String, Value)> {
    let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_owned();
    facts()["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| (text(case, "name"), text(case, "instruction"), case.clone()))
        .collect()
}

fn rules(no_repeat_ngram: usize) -> Rules {
    Rules { max_new_tokens: 96, no_repeat_ngram, eos: vec![2] }
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    let found = found.to_dtype(DType::F32).unwrap();
    (sum((found - expected).unwrap()) / sum(expected.clone())).sqrt()
}

fn generated(llava: &Llava, instruction: &str, no_repeat_ngram: usize) -> Generated {
    let features = goldens().get_any("features").unwrap();
    let prompt = llava.prompt(instruction, features.dim(0).unwrap()).unwrap();
    let embeddings = llava.embed(&prompt, &features).unwrap();
    generate(llava.llama(), &prompt, &embeddings, &rules(no_repeat_ngram), &mut Alone).unwrap()
}

#[test]
fn prompts_have_the_ids_of_the_2023_tokenizer() {
    for (name, instruction, _) in cases() {
        assert_eq!(llava().prompt(&instruction, 16).unwrap(), ids(&format!("{name}.prompt_ids")), "{name}");
    }
}

#[test]
fn answers_are_token_for_token_those_of_transformers() {
    for (name, instruction, case) in cases() {
        let Generated { sequence, prompt_length, hidden } = generated(llava(), &instruction, 3);
        assert_eq!(sequence, ids(&format!("{name}.sequence")), "{name}");
        assert_eq!(prompt_length as u64, case["prompt_length"].as_u64().unwrap(), "{name}");
        let error = relative_rms(&hidden, &goldens().get_any(&format!("{name}.hid")).unwrap());
        assert!(error < 1e-5, "{name}: hidden states are {error:e} off");
        let first = hidden.narrow(0, prompt_length - 1, 1).unwrap();
        let logits = llava().llama().logits(&first).unwrap().squeeze(0).unwrap();
        let error = relative_rms(&logits, &goldens().get_any(&format!("{name}.first_logits")).unwrap());
        assert!(error < 1e-5, "{name}: logits are {error:e} off");
    }
}

#[test]
fn answers_without_the_rule_against_repetition_are_those_of_transformers_too() {
    for (name, instruction, _) in cases() {
        let Generated { sequence, .. } = generated(llava(), &instruction, 0);
        assert_eq!(sequence, ids(&format!("{name}.sequence_without_ngram_rule")), "{name}");
    }
}

#[test]
fn visual_tokens_and_texts_are_the_references() {
    let features = goldens().get_any("features").unwrap();
    for (name, instruction, case) in cases() {
        let expansion = llava().expand(Some(&features), &instruction, &rules(3), &mut Alone).unwrap();
        let expected = goldens().get_any(&format!("{name}.visual_tokens")).unwrap();
        let error = relative_rms(&expansion.visual_tokens, &expected);
        assert!(error < 1e-5, "{name}: visual tokens are {error:e} off");
        let raw_text = llava().tokenizer().decode(&expansion.sequence);
        assert_eq!(Some(raw_text.as_str()), case["raw_text"].as_str(), "{name}");
        assert_eq!(Some(expressive_instruction(&raw_text).as_str()), case["text"].as_str(), "{name}");
    }
    let error = relative_rms(llava().img_embeddings(), &goldens().get_any("img_embeddings").unwrap());
    assert_eq!(error, 0.0, "E is `emb` of mllm.pt");
}

#[test]
fn texts_are_cleaned_as_the_notebook_cleans_them() {
    for case in facts()["cleaned"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(Some(expressive_instruction(text).as_str()), case["cleaned"].as_str(), "of {text:?}");
    }
}

#[test]
fn half_precision_on_the_cpu_stays_near_the_f32_reference() {
    for (dtype, most) in [(DType::F16, 1e-3), (DType::BF16, 2e-2)] {
        let llava = load(dtype);
        let features = goldens().get_any("features").unwrap();
        let prompt = llava.prompt("make the sky stormy", 16).unwrap();
        let embeddings = llava.embed(&prompt, &features).unwrap();
        let mut cache = llava.llama().cache(prompt.len()).unwrap();
        let hidden = llava.llama().forward(&embeddings, &mut cache, |_| Ok::<_, ExpandError>(())).unwrap();
        let expected = goldens().get_any("plain.hid").unwrap().narrow(0, 0, prompt.len()).unwrap();
        let error = relative_rms(&hidden, &expected);
        assert!(error < most, "{dtype:?}: hidden states are {error:e} off");
    }
}

#[test]
fn an_instruction_that_does_not_fit_is_refused_with_the_numbers() {
    let features = goldens().get_any("features").unwrap();
    let instruction = "paint it ".repeat(1200);
    let error = llava().expand(Some(&features), &instruction, &rules(3), &mut Alone).unwrap_err();
    let ExpandError::PromptTooLong { tokens, limit, .. } = error else { panic!("{error}") };
    assert!(tokens > limit && limit == 2048, "{tokens} tokens, limit {limit}");
}

#[test]
fn an_instruction_with_the_pictures_own_tokens_is_refused_by_their_name() {
    let features = goldens().get_any("features").unwrap();
    for token in ["<im_start>", "<im_end>"] {
        let error = llava().expand(Some(&features), &format!("a {token} b"), &rules(3), &mut Alone).unwrap_err();
        assert!(error.to_string().contains(token), "{error}");
    }
}

#[test]
fn features_of_another_width_are_refused() {
    let features = Tensor::zeros((16, 41), DType::F32, &Device::Cpu).unwrap();
    let error = llava().expand(Some(&features), "x", &rules(3), &mut Alone).unwrap_err();
    assert!(matches!(error, ExpandError::Features { expected: 40, .. }), "{error}");
}

#[test]
fn a_base_without_visual_tokens_says_that_mllm_pt_is_missing() {
    let folder = root().join("tests/miniature/LLaVA-7B-v1");
    let error = Llava::load(&folder, None, DType::F32, &Device::Cpu, &Alone).err().unwrap().to_string();
    assert!(error.contains("603 rows") && error.contains("611 tokens") && error.contains("mllm.pt"), "{error}");
}

#[test]
fn a_cancelled_generation_ends_before_the_next_layer() {
    struct Impatient(usize);
    impl Onlooker for Impatient {
        fn cancelled(&self) -> bool {
            self.0 >= 2
        }
        fn wrote(&mut self, _sequence: &[u32], _prompt_length: usize) {
            self.0 += 1;
        }
    }
    let features = goldens().get_any("features").unwrap();
    let mut onlooker = Impatient(0);
    let error = llava().expand(Some(&features), "x", &rules(3), &mut onlooker).unwrap_err();
    assert!(matches!(error, ExpandError::Cancelled) && onlooker.0 == 2, "{error} after {} tokens", onlooker.0);
}
