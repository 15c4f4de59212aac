//! The whole of CLIP: both towers, and the projections into the space where pictures and texts are compared
//! (arXiv 2103.00020; transformers' `CLIPModel`).

use crate::config::TowerConfig;
use crate::layer::LayerNorm;
use crate::text::TextTower;
use crate::vision::VisionTower;
use candle_core::{Result, Tensor};
use mgie_weights::Weights;

/// Both towers.
#[derive(Debug, Clone)]
pub struct ClipModel {
    vision: VisionTower,
    post_layernorm: LayerNorm,
    text: TextTower,
    /// [projection, width]
    visual_projection: Tensor,
    text_projection: Tensor,
    logit_scale: Tensor,
}

impl ClipModel {
    /// Loads a CLIP file's tensors (`vision_model`, `text_model`, `visual_projection`, `text_projection`, `logit_scale`);
    /// `projection` is the width of the common space.
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights, vision: &TowerConfig, text: &TowerConfig, projection: usize) -> Result<Self> {
        let norm = w.pp("vision_model.post_layernorm");
        Ok(Self {
            vision: VisionTower::load(&w.pp("vision_model"), vision)?,
            post_layernorm: LayerNorm::load(&norm, vision.hidden)?,
            text: TextTower::load(&w.pp("text_model"), text)?,
            visual_projection: w.get((projection, vision.hidden), "visual_projection.weight")?,
            text_projection: w.get((projection, text.hidden), "text_projection.weight")?,
            logit_scale: w.get((), "logit_scale")?,
        })
    }

    /// The picture's tower.
    pub fn vision(&self) -> &VisionTower {
        &self.vision
    }

    /// The text's tower.
    pub fn text(&self) -> &TextTower {
        &self.text
    }

    /// The logarithm of what cosines are multiplied by in training, a scalar.
    pub fn logit_scale(&self) -> &Tensor {
        &self.logit_scale
    }

    /// Pictures [b, 3, image_size, image_size] → [b, projection], not normalised: `get_image_features`.
    ///
    /// # Errors
    /// A wrong shape, not enough memory, a failing device.
    pub fn image_embedding(&self, pixel_values: &Tensor) -> Result<Tensor> {
        let layers = self.vision.config().layers;
        let states: Tensor = self.vision.hidden_state::<candle_core::Error>(pixel_values, layers, |_| Ok(()))?;
        let class = states.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?;
        mgie_kernels::linear(&self.post_layernorm.forward(&class)?, &self.visual_projection, None)
    }

    /// Texts of one number of tokens → [texts, projection], not normalised: `get_text_features`.
    ///
    /// # Errors
    /// As [`TextTower::encode_batch`].
    pub fn text_embedding(&self, texts: &[impl AsRef<[u32]>]) -> Result<Tensor> {
        let states = self.text.encode_batch(texts)?;
        let (_, n, _) = states.dims3()?;
        let at = |(text, ids): (usize, &_)| (text * n + self.text.pooled_at(AsRef::<[u32]>::as_ref(ids))) as u32;
        let rows: Vec<u32> = texts.iter().enumerate().map(at).collect();
        let pooled = states.flatten_to(1)?.index_select(&Tensor::new(rows, states.device())?, 0)?;
        mgie_kernels::linear(&pooled, &self.text_projection, None)
    }
}
