//! CLIP's vision tower (arXiv 2103.00020; transformers' `CLIPVisionModel`), as far as any of its hidden states. The
//! layers are candle-transformers' own, whose numbers are right; what stands before them is here, because the ready-made
//! tower neither gives its embeddings nor stops after a layer.
//!
//! One picture at a time. Shapes in comments: n = patches + 1 (the class token comes first), width = 1024 for ViT-L/14.

use crate::config::TowerConfig;
use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Module};
use candle_transformers::models::clip::EncoderConfig;
use candle_transformers::models::clip::text_model::{Activation, ClipEncoder};
use candle_transformers::models::clip::vision_model::ClipVisionConfig;
use mgie_weights::Weights;

const NORM_EPS: f64 = 1e-5;

/// The vision tower.
#[derive(Debug, Clone)]
pub struct VisionTower {
    config: TowerConfig,
    /// [1, width]
    class_embedding: Tensor,
    /// [3 × patch × patch, width]: the convolution's kernel. Its stride is its size, so that it is a matrix product.
    patch_embedding: Tensor,
    /// [n, width]
    position_embedding: Tensor,
    pre_layrnorm: LayerNorm,
    /// Encoders of one layer each.
    layers: Vec<ClipEncoder>,
}

impl VisionTower {
    /// Loads the tower whose tensors lie directly below `w` (in a CLIP file: below `vision_model`).
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights, config: &TowerConfig) -> Result<Self> {
        let TowerConfig { hidden: width, patch_size: patch, .. } = *config;
        let embeddings = w.pp("embeddings");
        let places = config.grid() * config.grid() + 1;
        let kernel = embeddings.get((width, 3, patch, patch), "patch_embedding.weight")?;
        // Misspelt in the checkpoints.
        let norm = w.pp("pre_layrnorm");
        let encoder = EncoderConfig::Vision(ClipVisionConfig {
            embed_dim: width,
            activation: Activation::QuickGelu,
            intermediate_size: config.intermediate,
            num_hidden_layers: 1,
            num_attention_heads: config.heads,
            projection_dim: 0,
            num_channels: 3,
            image_size: config.image_size,
            patch_size: patch,
        });
        let layer = |number: usize| {
            // candle's encoder of one layer asks for layer 0.
            let named = move |name: &str| match name.strip_prefix("layers.0.") {
                Some(rest) => format!("layers.{number}.{rest}"),
                None => name.to_owned(),
            };
            ClipEncoder::new(w.pp("encoder").var_builder().rename_f(named), &encoder)
        };
        Ok(Self {
            config: config.clone(),
            class_embedding: embeddings.get(width, "class_embedding")?.unsqueeze(0)?,
            patch_embedding: kernel.reshape((width, 3 * patch * patch))?.t()?.contiguous()?,
            position_embedding: embeddings.get((places, width), "position_embedding.weight")?,
            pre_layrnorm: LayerNorm::new(norm.get(width, "weight")?, norm.get(width, "bias")?, NORM_EPS),
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
        })
    }

    /// Its sizes.
    pub fn config(&self) -> &TowerConfig {
        &self.config
    }

    /// A picture [3, image_size, image_size] → transformers' `hidden_states[layer]`, [n, width]: 0 is the embeddings
    /// after the first norm, `layer` the output of that many layers.
    ///
    /// `before_layer` is called with each layer's number; an error of it ends the pass at once.
    ///
    /// # Errors
    /// A wrong shape, not enough memory, a failing device, or what `before_layer` says.
    pub fn hidden_state<E: From<candle_core::Error>>(
        &self,
        pixel_values: &Tensor,
        layer: usize,
        mut before_layer: impl FnMut(usize) -> std::result::Result<(), E>,
    ) -> std::result::Result<Tensor, E> {
        let mut x = self.embed(pixel_values)?.unsqueeze(0)?;
        for (number, layer) in self.layers.iter().take(layer).enumerate() {
            before_layer(number)?;
            x = layer.forward(&x, None)?;
        }
        Ok(x.squeeze(0)?)
    }

    /// [3, side, side] → [n, width]
    fn embed(&self, pixel_values: &Tensor) -> Result<Tensor> {
        let (grid, patch) = (self.config.grid(), self.config.patch_size);
        // As a convolution without padding does, what is left over at the end of a side is not looked at.
        let pixels = pixel_values.narrow(1, 0, grid * patch)?.narrow(2, 0, grid * patch)?;
        let patches = pixels
            .to_dtype(self.patch_embedding.dtype())?
            .reshape((3, grid, patch, grid, patch))?
            .permute((1, 3, 0, 2, 4))?
            .reshape((grid * grid, 3 * patch * patch))?;
        let patches = patches.matmul(&self.patch_embedding)?;
        let x = Tensor::cat(&[&self.class_embedding, &patches], 0)?;
        self.pre_layrnorm.forward(&(x + &self.position_embedding)?)
    }
}
