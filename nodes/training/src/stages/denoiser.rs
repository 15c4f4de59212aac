//! InstructPix2Pix (Brooks et al., arXiv 2211.09800): the UNet conditioned on CLIP's features of a text. It is the paper's
//! baseline, and what MGIE's UNet begins from.

use super::edit::{Draws, NoiseSchedule, edit_loss, latents};
use super::{sample_sheet, sampled, uniform};
use crate::dataset::{Dataset, Entry};
use crate::latents::Latents;
use crate::parameters::Parameters;
use crate::sampling::Studio;
use crate::trainer::{Loss, Stage};
use candle_core::{DType, Result, Tensor};
use mgie_clip::{TextTower, TowerConfig};
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;
use mgie_weights::tokenizer::ClipTokenizer;

/// The text's tower as the UNet is given it.
pub struct Reader {
    /// Sizes.
    pub config: TowerConfig,
    /// From texts to ids.
    pub tokenizer: ClipTokenizer,
}

impl Reader {
    /// What the UNet attends to for each text, `[texts, 77, width]`; gradients reach the tower where it is trained.
    ///
    /// # Errors
    /// A vocabulary that cannot express a text, no memory.
    pub fn conditioning(
        &self,
        parameters: &Parameters,
        texts: &[&str],
        dtype: DType,
    ) -> std::result::Result<Tensor, WeightsError> {
        let padded = texts.iter().map(|text| Ok(self.tokenizer.encode_padded(text)?.0));
        let padded = padded.collect::<std::result::Result<Vec<_>, WeightsError>>()?;
        let tower = TextTower::load(&parameters.weights(dtype).pp("text_encoder.text_model"), &self.config)?;
        Ok(tower.encode_batch(&padded)?)
    }
}

/// Edits with their texts.
pub struct DenoiserStage {
    /// Sizes.
    pub unet: UnetConfig,
    /// The noise.
    pub schedule: NoiseSchedule,
    /// The texts' tower.
    pub reader: Reader,
    /// Texts.
    pub dataset: Dataset,
    /// Side of the pictures in pixels.
    pub side: usize,
    /// Pictures as latents.
    pub latents: Latents,
    /// What samples are made with.
    pub studio: Studio,
    /// The share of examples whose text is the expressive instruction where there is one, so that the denoiser reads what
    /// LGIE's language model writes.
    pub expressive: f64,
    /// Decides the draws.
    pub seed: u64,
    /// What is computed in.
    pub dtype: DType,
}

impl DenoiserStage {
    fn text<'e>(&self, entry: &'e Entry, step: u64, place: usize) -> &'e str {
        let expressive = entry.expressive.as_deref();
        let wanted = uniform(self.seed, "expressive", step, place) < self.expressive;
        expressive.filter(|_| wanted).unwrap_or(&entry.instruction)
    }
}

impl Stage for DenoiserStage {
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
        let entry = |(index, example): (usize, &usize)| {
            let entry =
                self.dataset.entries().get(*example).ok_or_else(|| Failure::fault("an example beyond the set"))?;
            Ok(self.text(entry, step, first + index))
        };
        let texts = part.iter().enumerate().map(entry).collect::<std::result::Result<Vec<_>, Failure>>()?;
        let conditioning = self.reader.conditioning(parameters, &texts, self.dtype)?;
        let null = self.reader.conditioning(parameters, &[""], self.dtype)?;
        let share = part.len() as f64 / batch.len() as f64;
        let loss = || -> Result<Loss> {
            let device = parameters.device();
            let (goal, source) = latents(&self.latents, self.seed, step, first, part, device)?;
            let draws = Draws::at(self.seed, step, first, goal.dims(), &self.schedule, device)?;
            let context = draws.context(&conditioning, &null)?;
            let unet = Unet::new(&parameters.weights(self.dtype).pp("unet"), &self.unet)?;
            let total = (edit_loss(&unet, &self.schedule, &goal, &source, &context, &draws)? * share)?;
            Ok(Loss { terms: vec![("edit", total.clone())], total })
        };
        Ok(loss().map_err(WeightsError::from)?)
    }

    fn sample(&self, parameters: &Parameters) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let examples = sampled(&self.dataset);
        let texts: Vec<&str> =
            self.dataset.entries()[examples.clone()].iter().map(|e| e.instruction.as_str()).collect();
        let conditioning = self.reader.conditioning(parameters, &texts, DType::F32)?;
        let null = self.reader.conditioning(parameters, &[""], DType::F32)?;
        let unet = parameters.weights(DType::F32).load(|w| Unet::new(&w.pp("unet"), &self.unet))?;
        sample_sheet(&self.studio, &unet, &self.dataset, self.side, examples, (&conditioning, &null)).map(Some)
    }
}
