//! MGIE end to end (arXiv 2309.17102, §3.3): L = L_instruction + 0.5 · L_edit. The language model learns to answer with the
//! expressive instruction and the eight visual tokens, the edit head turns their states into what the UNet attends to, and
//! the error of the edit reaches back to the visual tokens' embeddings.

use super::edit::{Draws, NoiseSchedule, edit_loss, latents};
use super::language::{Eyes, answer_loss, answer_tokens, expressive};
use super::{sample_sheet, sampled};
use crate::dataset::Dataset;
use crate::latents::Latents;
use crate::parameters::Parameters;
use crate::sampling::Studio;
use crate::trainer::{Loss, Stage};
use candle_core::{DType, Tensor};
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_edit_head::EditHead;
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::{Conversation, ExpandError, LlavaModel, LlavaTokenizer};
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;
use std::sync::Arc;

/// The edit's share of the loss.
const EDIT_SHARE: f64 = 0.5;

/// Everything that is trained or stands frozen in between.
pub struct MgieStage {
    /// The language model's sizes.
    pub config: LlavaConfig,
    /// Its tokenizer.
    pub tokenizer: Arc<LlavaTokenizer>,
    /// What it sees with.
    pub eyes: Eyes,
    /// The UNet's sizes.
    pub unet: UnetConfig,
    /// The noise.
    pub schedule: NoiseSchedule,
    /// Texts and pictures.
    pub dataset: Dataset,
    /// Side of the pictures in pixels.
    pub side: usize,
    /// Pictures as latents.
    pub latents: Latents,
    /// What samples are made with.
    pub studio: Studio,
    /// L_instruction's share of the loss: 1, or 0 for the paper's ablation.
    pub instruction: f64,
    /// The UNet's share of the learning rate.
    pub unet_rate: f64,
    /// Decides the draws.
    pub seed: u64,
    /// What is computed in.
    pub dtype: DType,
}

/// What is trained: token embeddings, output rows, edit head and UNet.
pub fn is_trained(name: &str) -> bool {
    let tables = ["llava.model.embed_tokens.weight", "llava.lm_head.weight"];
    tables.contains(&name) || name.starts_with("edit_head.") || name.starts_with("unet.")
}

/// The loss terms of some examples, as sums and means that the caller weighs: the cross-entropy summed over the answers'
/// tokens, and the mean squared error. `embeddings` is `[examples, n, width]`.
///
/// # Errors
/// Shapes that do not fit, no memory, a device that fails.
#[allow(clippy::too_many_arguments, reason = "the parts of one equation")]
pub fn losses(
    llava: &LlavaModel,
    head: &EditHead,
    unet: &Unet,
    schedule: &NoiseSchedule,
    embeddings: &Tensor,
    conversations: &[Conversation],
    (goal, source): (&Tensor, &Tensor),
    draws: &Draws,
) -> Result<(Tensor, Tensor), ExpandError> {
    let llama = llava.llama();
    let hidden = llama.hidden_states(embeddings)?;
    let instruction = answer_loss(llama, &hidden, conversations)?;
    let sequences: Vec<&[u32]> = conversations.iter().map(|one| one.ids.as_slice()).collect();
    let visual = llava.visual_tokens(&hidden, &sequences)?;
    let img = llava.img_embeddings();
    let conditioning = head.forward(&visual, img)?;
    let context = if draws.drops_text() {
        draws.context(&conditioning, &head.forward(&img.zeros_like()?.unsqueeze(0)?, img)?)?
    } else {
        conditioning
    };
    Ok((instruction, edit_loss(unet, schedule, goal, source, &context, draws)?))
}

impl MgieStage {
    fn conversations(&self, examples: &[usize]) -> Result<Vec<Conversation>, Failure> {
        let one = |example: &usize| {
            let entry =
                self.dataset.entries().get(*example).ok_or_else(|| Failure::fault("an example beyond the set"))?;
            Ok(self.tokenizer.conversation(&entry.instruction, self.eyes.patches(), expressive(entry)?, true)?)
        };
        examples.iter().map(one).collect()
    }
}

impl Stage for MgieStage {
    fn examples(&self) -> usize {
        self.dataset.len()
    }

    fn rate(&self, name: &str) -> f64 {
        if name.starts_with("unet.") { self.unet_rate } else { 1.0 }
    }

    fn loss(
        &self,
        parameters: &Parameters,
        step: u64,
        batch: &[usize],
        first: usize,
        part: &[usize],
    ) -> Result<Loss, Failure> {
        let conversations = self.conversations(part)?;
        let whole = if batch.len() == part.len() {
            answer_tokens(&conversations)
        } else {
            answer_tokens(&self.conversations(batch)?)
        };
        let features = self.eyes.features(parameters, &self.dataset, part, self.side, self.dtype)?;
        let w = parameters.weights(self.dtype);
        let llava = LlavaModel::load(&w.pp("llava"), &self.config, self.tokenizer.tokens());
        let llava = llava.map_err(WeightsError::from)?;
        let sequences: Vec<&[u32]> = conversations.iter().map(|one| one.ids.as_slice()).collect();
        let embeddings = llava.embed_batch(&sequences, &features)?;
        let share = part.len() as f64 / batch.len() as f64;
        let loss = || -> Result<Loss, ExpandError> {
            let head = EditHead::load(&w.pp("edit_head"))?;
            let unet = Unet::new(&w.pp("unet"), &self.unet)?;
            let device = parameters.device();
            let (goal, source) = latents(&self.latents, self.seed, step, first, part, device)?;
            let draws = Draws::at(self.seed, step, first, goal.dims(), &self.schedule, device)?;
            let pictures = (&goal, &source);
            let (instruction, edit) =
                losses(&llava, &head, &unet, &self.schedule, &embeddings, &conversations, pictures, &draws)?;
            let (instruction, edit) = ((instruction / whole as f64)?, (edit * share)?);
            let total = ((&instruction * self.instruction)? + (&edit * EDIT_SHARE)?)?;
            Ok(Loss { total, terms: vec![("instruction", instruction), ("edit", edit)] })
        };
        Ok(loss()?)
    }

    /// Samples are made by the visual tokens of the data set's own expressive instructions: they show what edit head and
    /// UNet have learned, not what the language model says.
    fn sample(&self, parameters: &Parameters) -> Result<Option<Vec<u8>>, Failure> {
        let examples = sampled(&self.dataset);
        let numbers: Vec<usize> = examples.clone().collect();
        let conversations = self.conversations(&numbers)?;
        let sequences: Vec<&[u32]> = conversations.iter().map(|one| one.ids.as_slice()).collect();
        let features = self.eyes.features(parameters, &self.dataset, &numbers, self.side, DType::F32)?;
        let w = parameters.weights(DType::F32);
        let llava = w.load(|w| LlavaModel::load(&w.pp("llava"), &self.config, self.tokenizer.tokens()))?;
        let head = w.load(|w| EditHead::load(&w.pp("edit_head")))?;
        let unet = w.load(|w| Unet::new(&w.pp("unet"), &self.unet))?;
        let conditions = || -> Result<(Tensor, Tensor), ExpandError> {
            let hidden = llava.llama().hidden_states(&llava.embed_batch(&sequences, &features)?)?;
            let img = llava.img_embeddings();
            let null = head.forward(&img.zeros_like()?.unsqueeze(0)?, img)?;
            Ok((head.forward(&llava.visual_tokens(&hidden, &sequences)?, img)?, null))
        };
        let (conditioning, null) = conditions()?;
        sample_sheet(&self.studio, &unet, &self.dataset, self.side, examples, (&conditioning, &null)).map(Some)
    }
}
