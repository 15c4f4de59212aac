//! L_instruction: the language model's next-token cross-entropy over the answer's tokens (transformers' semantics: shifted
//! labels, prompts and padding ignored). LLaVA's alignment is this alone; for LGIE the model sees no picture.

use crate::dataset::Dataset;
use crate::parameters::Parameters;
use crate::stages::{pixel_values, uniform};
use crate::trainer::{Loss, Stage};
use candle_core::{DType, Result, Tensor};
use mgie_clip::{Processor, TowerConfig, VisionTower};
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::llama::Llama;
use mgie_mllm::{Conversation, LlavaModel, LlavaTokenizer};
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of features that are kept in memory, at most.
const KEPT: usize = 1 << 30;

/// The picture's tower as the language model is given it.
pub struct Eyes {
    /// Sizes.
    pub config: TowerConfig,
    /// From pictures to what the tower takes.
    pub processor: Processor,
    /// Whose output is taken: so many layers.
    pub layer: usize,
    /// Whether gradients reach it.
    pub learns: bool,
    /// Features of sources that were seen before, by example; none of a tower that learns.
    pub seen: Mutex<HashMap<usize, Arc<[f32]>>>,
}

impl Eyes {
    /// Features `[examples, patches, width]` of the sources. On the CPU those of a frozen tower are kept as long as they are
    /// few enough: the tower costs as much as a small language model.
    ///
    /// # Errors
    /// A picture that cannot be read, no memory.
    pub fn features(
        &self,
        parameters: &Parameters,
        dataset: &Dataset,
        examples: &[usize],
        side: usize,
        dtype: DType,
    ) -> std::result::Result<Tensor, Failure> {
        let source = |example: &usize| Ok(dataset.pair(*example, side)?.source);
        let device = parameters.device();
        if self.learns || !device.is_cpu() {
            let pictures = examples.iter().map(source).collect::<std::result::Result<Vec<_>, Failure>>()?;
            return self.of(parameters, &pictures, dtype);
        }
        let mut all = Vec::new();
        for example in examples {
            let known = self.lock().get(example).cloned();
            let one = match known {
                Some(one) => one,
                None => {
                    // Alone, so that its numbers do not depend on which others were seen before.
                    let features = self.of(parameters, &[source(example)?], dtype)?;
                    let numbers = features.to_dtype(DType::F32).and_then(|x| x.flatten_all()?.to_vec1::<f32>());
                    let one: Arc<[f32]> = numbers.map_err(WeightsError::from)?.into();
                    let mut seen = self.lock();
                    if (seen.len() + 1) * size_of_val::<[f32]>(&one) <= KEPT {
                        seen.insert(*example, Arc::clone(&one));
                    }
                    one
                }
            };
            all.extend_from_slice(&one);
        }
        let width = all.len() / (examples.len() * self.patches()).max(1);
        let features = Tensor::from_vec(all, (examples.len(), self.patches(), width), device);
        Ok(features.and_then(|x| x.to_dtype(dtype)).map_err(WeightsError::from)?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Arc<[f32]>>> {
        // A panic while it was locked leaves the map as good as it was.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Features `[pictures, patches, width]` of pictures.
    ///
    /// # Errors
    /// No memory, a device that fails.
    pub fn of(
        &self,
        parameters: &Parameters,
        pictures: &[mgie_image::picture::Picture],
        dtype: DType,
    ) -> std::result::Result<Tensor, Failure> {
        let pixels = pixel_values(&self.processor, pictures, parameters.device())?;
        let features = || -> Result<Tensor> {
            let tower = VisionTower::load(&parameters.weights(dtype).pp("clip.vision_model"), &self.config)?;
            let states: Tensor = tower.hidden_state::<candle_core::Error>(&pixels, self.layer, |_| Ok(()))?;
            // Without the class token.
            let states = states.narrow(1, 1, states.dim(1)? - 1)?.to_dtype(dtype)?;
            Ok(if self.learns { states } else { states.detach() })
        };
        Ok(features().map_err(WeightsError::from)?)
    }

    /// Patches of a picture.
    pub fn patches(&self) -> usize {
        self.config.grid() * self.config.grid()
    }
}

/// The sum of the cross-entropy over the answers' tokens. `hidden` is `[conversations, n, width]` after the final norm.
///
/// # Errors
/// Shapes that do not fit, no memory, a device that fails.
pub fn answer_loss(llama: &Llama, hidden: &Tensor, conversations: &[Conversation]) -> Result<Tensor> {
    let (_, n, _) = hidden.dims3()?;
    let device = hidden.device();
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for (index, Conversation { ids, prompt_length }) in conversations.iter().enumerate() {
        // The state before a token predicts it.
        for (place, id) in ids.iter().enumerate().skip((*prompt_length).max(1)) {
            rows.push((index * n + place - 1) as u32);
            targets.push(*id);
        }
    }
    let states = hidden.flatten_to(1)?.index_select(&Tensor::new(rows, device)?, 0)?;
    let logits = llama.logits(&states)?;
    let targets = Tensor::new(targets, device)?.unsqueeze(1)?;
    candle_nn::ops::log_softmax(&logits, 1)?.gather(&targets, 1)?.sum_all()?.neg()
}

/// Tokens that answers are made of, ends included.
pub fn answer_tokens(conversations: &[Conversation]) -> usize {
    conversations.iter().map(|one| one.ids.len() - one.prompt_length).sum()
}

/// LLaVA's alignment, or with `eyes` none the training of LGIE's language model.
pub struct LanguageStage {
    /// Sizes.
    pub config: LlavaConfig,
    /// The tokenizer of the folder.
    pub tokenizer: Arc<LlavaTokenizer>,
    /// What it sees with, if it sees.
    pub eyes: Option<Eyes>,
    /// Texts and pictures.
    pub dataset: Dataset,
    /// Side of the pictures in pixels.
    pub side: usize,
    /// The share of examples that are a question about the picture instead of an instruction.
    pub questions: f64,
    /// Decides the draws.
    pub seed: u64,
    /// What is computed in.
    pub dtype: DType,
}

impl LanguageStage {
    /// What is asked and answered in the places `first`… of the batch at `step`.
    fn conversations(
        &self,
        step: u64,
        first: usize,
        examples: &[usize],
    ) -> std::result::Result<Vec<Conversation>, Failure> {
        let patches = self.eyes.as_ref().map_or(0, Eyes::patches);
        let one = |(index, example): (usize, &usize)| {
            let place = first + index;
            let entry =
                self.dataset.entries().get(*example).ok_or_else(|| Failure::fault("an example beyond the set"))?;
            let questions = entry.notes.as_ref().map_or(&[][..], |notes| &notes.questions);
            let asks = self.eyes.is_some() && uniform(self.seed, "asks", step, place) < self.questions;
            if asks && !questions.is_empty() {
                let (question, answer) = by_length(questions, uniform(self.seed, "question", step, place));
                return Ok(self.tokenizer.question(question, patches, answer)?);
            }
            let expressive = expressive(entry)?;
            Ok(self.tokenizer.conversation(&entry.instruction, patches, expressive, false)?)
        };
        examples.iter().enumerate().map(one).collect()
    }
}

/// One of `questions`, each as likely as its answer is long: a description of the whole picture teaches in one pass what a
/// dozen answers of one word do. `at` is from 0 to 1; there is at least one question.
fn by_length(questions: &[(String, String)], at: f64) -> &(String, String) {
    let whole: usize = questions.iter().map(|(_, answer)| answer.len()).sum();
    let mut left = at * whole as f64;
    let found = questions.iter().find(|(_, answer)| {
        left -= answer.len() as f64;
        left < 0.0
    });
    found.unwrap_or(&questions[questions.len() - 1])
}

/// The expressive text of an entry.
///
/// # Errors
/// It has none.
pub fn expressive(entry: &crate::dataset::Entry) -> std::result::Result<&str, Failure> {
    entry.expressive.as_deref().ok_or_else(|| {
        Failure::file(&entry.source, format!("{}: no expressive instruction for this edit", entry.name))
            .remedy("put it into ipr2pr_expressive.json at the data set's root, or leave the edit out")
    })
}

impl Stage for LanguageStage {
    fn examples(&self) -> usize {
        self.dataset.len()
    }

    fn loss(
        &self,
        parameters: &Parameters,
        step: u64,
        batch: &[usize],
        first: usize,
        part: &[usize],
    ) -> std::result::Result<Loss, Failure> {
        let conversations = self.conversations(step, first, part)?;
        let whole = if batch.len() == part.len() {
            answer_tokens(&conversations)
        } else {
            answer_tokens(&self.conversations(step, 0, batch)?)
        };
        let sequences: Vec<&[u32]> = conversations.iter().map(|one| one.ids.as_slice()).collect();
        let features = match &self.eyes {
            Some(eyes) => Some(eyes.features(parameters, &self.dataset, part, self.side, self.dtype)?),
            None => None,
        };
        let w = parameters.weights(self.dtype).pp("llava");
        let llava = LlavaModel::load(&w, &self.config, self.tokenizer.tokens()).map_err(WeightsError::from)?;
        let embeddings = match &features {
            Some(features) => llava.embed_batch(&sequences, features)?,
            None => llava.llama().embed_batch(&sequences).map_err(WeightsError::from)?,
        };
        let loss = || -> Result<Tensor> {
            let hidden = llava.llama().hidden_states(&embeddings)?;
            answer_loss(llava.llama(), &hidden, &conversations)? * (1.0 / whole as f64)
        };
        let total = loss().map_err(WeightsError::from)?;
        Ok(Loss { terms: vec![("instruction", total.clone())], total })
    }
}

/// Rows that embeddings and output have before MGIE's eight are added.
pub fn base_rows(tokenizer: &LlavaTokenizer) -> usize {
    tokenizer.vocabulary_size() - mgie_mllm::VISUAL_TOKENS
}

/// Gives the two token tables their first values; the model says itself how large the others are.
///
/// # Errors
/// No memory.
pub fn begin(parameters: &Parameters, config: &LlavaConfig, rows: usize, seen: usize) -> Result<()> {
    let hidden = config.llama.hidden;
    parameters.ensure("llava.model.embed_tokens.weight", (rows, hidden))?;
    parameters.ensure("llava.lm_head.weight", (rows, hidden))?;
    parameters.ensure("llava.model.mm_projector.weight", (hidden, seen))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::by_length;

    #[test]
    fn a_question_is_asked_as_often_as_its_answer_is_long() {
        let all: Vec<(String, String)> =
            [("a", "red"), ("b", "a small red square"), ("c", "two")].map(|(q, a)| (q.to_owned(), a.to_owned())).into();
        let mut asked = [0; 3];
        for at in 0..2400 {
            let (question, _) = by_length(&all, f64::from(at) / 2400.0);
            asked[all.iter().position(|(known, _)| known == question).unwrap()] += 1;
        }
        assert_eq!(asked, [300, 1800, 300]);
        assert_eq!(by_length(&all, 1.0).0, "c");
    }
}
