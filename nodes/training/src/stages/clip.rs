//! CLIP's two towers, contrastively (arXiv 2103.00020): every picture has to be told from the other captions of its part of
//! the batch, and every caption from the other pictures. An example is an edit's source and goal with their captions: they
//! differ in what was edited alone, and so are each other's hard negative (as in arXiv 2210.01936). Without them a caption is
//! told from others by its colours, and shapes and places are not learned.

use super::pixel_values;
use crate::dataset::{Dataset, Entry};
use crate::parameters::Parameters;
use crate::trainer::{Loss, Stage};
use candle_core::{D, DType, Result, Tensor};
use mgie_clip::{ClipModel, Processor, TowerConfig};
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;
use mgie_weights::tokenizer::ClipTokenizer;

/// CLIP's bound on what cosines are multiplied by.
const LARGEST_SCALE: f64 = 100.0;

/// Sizes and files of a CLIP.
pub struct ClipParts {
    /// The picture's tower.
    pub vision: TowerConfig,
    /// The text's tower.
    pub text: TowerConfig,
    /// Width of the common space.
    pub projection: usize,
    /// From pictures to what the tower takes.
    pub processor: Processor,
    /// From texts to ids.
    pub tokenizer: ClipTokenizer,
}

/// Token ids of texts, cut at the longest one's end: what follows the end of a text does not change it.
///
/// # Errors
/// A vocabulary that cannot express a text.
pub fn ids(tokenizer: &ClipTokenizer, texts: &[&str]) -> std::result::Result<Vec<Vec<u32>>, WeightsError> {
    let padded = texts.iter().map(|text| tokenizer.encode_padded(text)).collect::<std::result::Result<Vec<_>, _>>()?;
    let longest = padded.iter().map(|(_, tokens)| *tokens).max().unwrap_or_default();
    Ok(padded
        .into_iter()
        .map(|(mut ids, _)| {
            ids.truncate(longest.max(1));
            ids
        })
        .collect())
}

/// The captions of an entry's source and goal.
///
/// # Errors
/// One is missing.
pub fn captions(entry: &Entry) -> std::result::Result<[&str; 2], Failure> {
    match (&entry.source_caption, &entry.goal_caption) {
        (Some(source), Some(goal)) => Ok([source, goal]),
        _ => Err(Failure::file(&entry.source, format!("{}: no caption", entry.name))
            .remedy("train CLIP on a data set whose prompt.json files have `input` and `output`")),
    }
}

/// Edits' sources and goals with their captions.
pub struct ClipStage {
    /// Sizes and files.
    pub parts: ClipParts,
    /// Pictures and captions.
    pub dataset: Dataset,
    /// Side of the pictures in pixels, before CLIP's own resizing.
    pub side: usize,
    /// What is computed in.
    pub dtype: DType,
}

impl Stage for ClipStage {
    fn examples(&self) -> usize {
        self.dataset.len()
    }

    fn loss(
        &self,
        parameters: &Parameters,
        _step: u64,
        batch: &[usize],
        _first: usize,
        part: &[usize],
    ) -> std::result::Result<Loss, Failure> {
        let mut pictures = Vec::with_capacity(2 * part.len());
        let mut texts = Vec::with_capacity(2 * part.len());
        for example in part {
            let entry =
                self.dataset.entries().get(*example).ok_or_else(|| Failure::fault("an example beyond the set"))?;
            let pair = self.dataset.pair(*example, self.side)?;
            let [of_source, of_goal] = captions(entry)?;
            pictures.push(pair.source);
            texts.push(of_source);
            // Two pictures of one caption cannot be told from each other by it.
            if of_source != of_goal {
                pictures.push(pair.goal);
                texts.push(of_goal);
            }
        }
        let pixels = pixel_values(&self.parts.processor, &pictures, parameters.device())?;
        let ids = ids(&self.parts.tokenizer, &texts)?;
        let share = part.len() as f64 / batch.len() as f64;
        let loss = || -> Result<Loss> {
            let ClipParts { vision, text, projection, .. } = &self.parts;
            let model = ClipModel::load(&parameters.weights(self.dtype).pp("clip"), vision, text, *projection)?;
            let (images, texts) = (model.image_embedding(&pixels.to_dtype(self.dtype)?)?, model.text_embedding(&ids)?);
            let (total, right) = contrastive_loss(&images, &texts, model.logit_scale())?;
            Ok(Loss {
                total: (&total * share)?,
                terms: vec![("contrastive", (total * share)?), ("right", (right * share)?)],
            })
        };
        Ok(loss().map_err(WeightsError::from)?)
    }
}

/// The mean of both directions' cross-entropies (`CLIPModel` with `return_loss`), and the share of pictures whose own
/// caption is the nearest. `images` and `texts` are `[pairs, projection]`, `logit_scale` the logarithm of the scale.
///
/// # Errors
/// Shapes that do not fit, no memory.
pub fn contrastive_loss(images: &Tensor, texts: &Tensor, logit_scale: &Tensor) -> Result<(Tensor, Tensor)> {
    let unit = |x: &Tensor| {
        let x = x.to_dtype(DType::F32)?;
        x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.sqrt()?)
    };
    let (images, texts) = (unit(images)?, unit(texts)?);
    let scale = logit_scale.to_dtype(DType::F32)?.exp()?.clamp(0f64, LARGEST_SCALE)?;
    let logits = images.matmul(&texts.t()?)?.broadcast_mul(&scale)?;
    let pairs = logits.dim(0)?;
    let own = Tensor::arange(0u32, pairs as u32, logits.device())?;
    let right = logits.argmax(D::Minus1)?.eq(&own)?.to_dtype(DType::F32)?.mean_all()?;
    let diagonal = own.unsqueeze(1)?;
    let direction = |logits: &Tensor| candle_nn::ops::log_softmax(logits, 1)?.gather(&diagonal, 1)?.mean_all()?.neg();
    let both = (direction(&logits)? + direction(&logits.t()?.contiguous()?)?)?;
    Ok(((both * 0.5)?, right))
}
