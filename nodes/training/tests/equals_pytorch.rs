//! One end-to-end step of a very small MGIE, and ten steps of AdamW, against PyTorch's own
//! (`tests/reference/golden_training.py`): loss terms, every parameter's gradient, and where the parameters end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Tensor, Var};
use mgie_diffusion::config::Config;
use mgie_diffusion::schedule::{Prediction, Schedule, Spacing};
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_edit_head::EditHead;
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::{AddedTokens, Conversation, LlavaModel};
use mgie_training::optimizer::{AdamW, Settings, cosine};
use mgie_training::parameters::Parameters;
use mgie_training::stages::edit::{Draws, NoiseSchedule, Timesteps};
use mgie_training::stages::language::answer_tokens;
use mgie_training::stages::mgie::{is_trained, losses};
use mgie_weights::{Checkpoint, Weights};
use serde_json::Value;
use std::path::PathBuf;

fn golden_file(ending: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/goldens/training.{ending}"))
}

struct Goldens {
    about: Value,
    weights: Weights<'static>,
}

impl Goldens {
    fn open() -> Self {
        let about = serde_json::from_slice(&std::fs::read(golden_file("json")).unwrap()).unwrap();
        let weights = Weights::new(Checkpoint::open(golden_file("safetensors")).unwrap(), DType::F32, &Device::Cpu);
        Self { about, weights }
    }

    fn tensor(&self, name: &str) -> Tensor {
        let tensor = self.weights.get_any(name).unwrap();
        self.weights.finish().unwrap();
        tensor
    }

    fn integers(&self, name: &str) -> Vec<Vec<i64>> {
        self.weights.in_dtype(DType::I64).get_any(name).unwrap().to_vec2().unwrap()
    }

    fn config(&self, name: &str) -> Config {
        Config::parse("golden.json", &self.about["configs"][name].to_string()).unwrap()
    }

    fn number(&self, pointer: &str) -> f64 {
        self.about.pointer(pointer).and_then(Value::as_f64).unwrap()
    }

    /// Parameters as PyTorch began, under the names that training has.
    fn begin(&self) -> Parameters {
        let parameters = Parameters::new(&Device::Cpu, 0, is_trained);
        for name in self.weights.names() {
            if let Some(own) = name.strip_prefix("init/") {
                parameters.insert(&ours(own), self.tensor(&name)).unwrap();
            }
        }
        parameters
    }
}

/// A parameter's name in training for its name in the goldens.
fn ours(name: &str) -> String {
    let of_language = ["model.", "lm_head."].iter().any(|part| name.starts_with(part));
    if of_language { format!("llava.{name}") } else { name.to_owned() }
}

/// What stays the same over the steps.
struct Model {
    llava: LlavaConfig,
    tokens: AddedTokens,
    unet: UnetConfig,
    schedule: NoiseSchedule,
    conversations: Vec<Conversation>,
    features: Tensor,
    goal: Tensor,
    source: Tensor,
}

impl Model {
    fn read(goldens: &Goldens, prediction: Prediction) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), goldens.about["configs"]["llava"].to_string()).unwrap();
        let token = |name: &str| goldens.number(&format!("/tokens/{name}")) as u32;
        let (ids, mask, labels) =
            (goldens.integers("input/ids"), goldens.integers("input/mask"), goldens.integers("input/labels"));
        let conversations = ids.iter().zip(&mask).zip(&labels).map(|((ids, mask), labels)| Conversation {
            ids: ids.iter().zip(mask).filter(|(_, mask)| **mask == 1).map(|(id, _)| *id as u32).collect(),
            prompt_length: labels.iter().position(|label| *label != -100).unwrap(),
        });
        let schedule = Schedule::new(goldens.config("scheduler")).unwrap();
        Self {
            llava: LlavaConfig::read(folder.path()).unwrap(),
            tokens: AddedTokens {
                patch: token("im_patch"),
                ends: Some((token("im_start"), token("im_end"))),
                visual: std::array::from_fn(|index| token("img0") + index as u32),
            },
            unet: UnetConfig::read(&goldens.config("unet")).unwrap(),
            schedule: NoiseSchedule {
                alphas_cumprod: schedule.alphas_cumprod().to_vec(),
                prediction,
                scaling: 1.0,
                timesteps: Timesteps::All(0.0),
                spacing: Spacing::Linspace,
            },
            conversations: conversations.collect(),
            features: goldens.tensor("input/features"),
            goal: goldens.tensor("input/goal_latents"),
            source: goldens.tensor("input/source_latents"),
        }
    }

    fn draws(goldens: &Goldens, step: usize) -> Draws {
        let u: Vec<f32> = goldens.tensor("input/u").get(step).unwrap().to_vec1().unwrap();
        Draws {
            timesteps: goldens.integers("input/timesteps")[step].iter().map(|step| *step as usize).collect(),
            u: u.into_iter().map(f64::from).collect(),
            noise: goldens.tensor("input/noise").get(step).unwrap(),
        }
    }

    /// Both loss terms, and the gradients of the variables.
    fn step(
        &self,
        parameters: &Parameters,
        variables: &[(String, Var)],
        draws: &Draws,
    ) -> (f64, f64, Vec<Option<Tensor>>) {
        let w = parameters.weights(DType::F32);
        let llava = w.load(|w| LlavaModel::load(&w.pp("llava"), &self.llava, self.tokens)).unwrap();
        let head = w.load(|w| EditHead::load(&w.pp("edit_head"))).unwrap();
        let unet = w.load(|w| Unet::new(&w.pp("unet"), &self.unet)).unwrap();
        let sequences: Vec<&[u32]> = self.conversations.iter().map(|one| one.ids.as_slice()).collect();
        let embeddings = llava.embed_batch(&sequences, &self.features).unwrap();
        let pictures = (&self.goal, &self.source);
        let (instruction, edit) =
            losses(&llava, &head, &unet, &self.schedule, &embeddings, &self.conversations, pictures, draws).unwrap();
        let instruction = (instruction / answer_tokens(&self.conversations) as f64).unwrap();
        let store = (&instruction + (&edit * 0.5).unwrap()).unwrap().backward().unwrap();
        let number = |tensor: Tensor| f64::from(tensor.to_scalar::<f32>().unwrap());
        let gradients = variables.iter().map(|(_, variable)| store.get(variable.as_tensor()).cloned());
        (number(instruction), number(edit), gradients.collect())
    }
}

/// √(Σ(a−b)² / Σb²)
fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let sum = |t: Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    (sum((found - expected).unwrap()) / sum(expected.clone()).max(1e-30)).sqrt()
}

fn assert_near(what: &str, found: f64, expected: f64, most: f64) {
    let off = (found / expected - 1.0).abs();
    assert!(off < most, "{what}: expected {expected}, found {found}, {off:e} off");
}

fn one_step(prediction: Prediction, prefix: &str, about: &str) {
    let goldens = Goldens::open();
    let model = Model::read(&goldens, prediction);
    let parameters = goldens.begin();
    let variables = parameters.variables();
    let (instruction, edit, gradients) = model.step(&parameters, &variables, &Model::draws(&goldens, 0));
    let expected = |term: &str| goldens.number(&format!("/first_step/{about}/{term}"));
    assert_near("L_instruction", instruction, expected("instruction_loss"), 1e-5);
    assert_near("L_edit", edit, expected("edit_loss"), 1e-5);

    let expected: Vec<String> = goldens.weights.names().into_iter().filter(|name| name.starts_with(prefix)).collect();
    let mut worst = (0.0, String::new());
    for name in &expected {
        let own = ours(&name[prefix.len()..]);
        let at = variables.iter().position(|(known, _)| *known == own);
        let at = at.unwrap_or_else(|| panic!("{own} is not trained"));
        let gradient = gradients[at].as_ref().unwrap_or_else(|| panic!("{own} has no gradient"));
        let expected = goldens.tensor(name);
        // Keys' biases have no effect on a softmax: their gradient is rounding in both.
        let size = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let off = relative_rms(gradient, &expected);
        if size > 1e-7 && off > worst.0 {
            worst = (off, own.clone());
        }
        assert!(off < 1e-3 || size < 1e-7, "{own}: the gradient is {off:e} off");
    }
    if prefix == "grad/" {
        assert_eq!(expected.len(), variables.len(), "as many gradients as parameters are trained");
    }
    eprintln!("{about}: {} gradients, the worst {:.1e} off ({})", expected.len(), worst.0, worst.1);
}

#[test]
fn loss_terms_and_every_gradient_of_a_step_are_pytorchs() {
    one_step(Prediction::Epsilon, "grad/", "epsilon");
}

#[test]
fn a_step_with_v_prediction_is_pytorchs() {
    one_step(Prediction::Velocity, "v/grad/", "v_prediction");
}

#[test]
fn ten_steps_of_adamw_follow_pytorchs_trajectory() {
    let goldens = Goldens::open();
    let model = Model::read(&goldens, Prediction::Epsilon);
    let parameters = goldens.begin();
    let begun = parameters.frozen(&std::collections::BTreeMap::new()).unwrap();
    let variables = parameters.variables();
    let mut optimizer = AdamW::new(Settings { ema: 0.0, ..Settings::default() });
    let (steps, warmup) = (goldens.number("/schedule/steps") as u64, goldens.number("/schedule/warm_up_steps") as u64);
    for step in 0..10 {
        let expected = |key: &str| goldens.number(&format!("/steps/{step}/{key}"));
        let (instruction, edit, gradients) = model.step(&parameters, &variables, &Model::draws(&goldens, step));
        assert_near(&format!("L_instruction at step {step}"), instruction, expected("instruction_loss"), 1e-4);
        assert_near(&format!("L_edit at step {step}"), edit, expected("edit_loss"), 1e-4);
        let rate = goldens.number("/optimiser/lr") * cosine(step as u64, warmup, steps, 0.0);
        assert!((rate - expected("lr")).abs() < 1e-12, "step {step}: {rate}");
        let norm = optimizer.update(&variables, &gradients, |_| rate).unwrap();
        assert_near(&format!("the gradient's norm at step {step}"), norm, expected("gradient_norm"), 1e-4);
    }
    let own_error = &goldens.about["f32_from_f64"]["changes_over_ten_steps"];
    let mut worst = (0.0, String::new());
    for (name, variable) in &variables {
        let theirs = name.strip_prefix("llava.").unwrap_or(name);
        let start = mgie_weights::LiveTensors::get(&begun, name, None).unwrap().unwrap();
        let moved = (variable.as_tensor() - &start).unwrap();
        let expected = (goldens.tensor(&format!("final/{theirs}")) - &start).unwrap();
        let off = relative_rms(&moved, &expected);
        // Where PyTorch's f32 itself is further from its f64 (gradients that are only rounding, which AdamW scales up).
        let most = own_error.get(theirs).and_then(Value::as_f64).map_or(1e-3, |own| (3.0 * own).max(1e-3));
        assert!(off < most, "{name}: it moved {off:e} otherwise, at most {most:e} expected");
        if most == 1e-3 && off > worst.0 {
            worst = (off, name.clone());
        }
    }
    eprintln!("ten steps: the worst movement is {:.1e} off ({})", worst.0, worst.1);
}
