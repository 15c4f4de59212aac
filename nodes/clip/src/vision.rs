//! CLIP's vision tower (arXiv 2103.00020; transformers' `CLIPVisionModel`), as far as any of its hidden states.
//!
//! Shapes in comments: b = pictures, n = patches + 1 (the class token comes first), width = 1024 for ViT-L/14.

use crate::config::TowerConfig;
use crate::layer::{Layer, LayerNorm};
use candle_core::{Result, Tensor};
use mgie_weights::Weights;

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
    layers: Vec<Layer>,
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
        Ok(Self {
            config: config.clone(),
            class_embedding: embeddings.get(width, "class_embedding")?.unsqueeze(0)?,
            patch_embedding: kernel.reshape((width, 3 * patch * patch))?.t()?.contiguous()?,
            position_embedding: embeddings.get((places, width), "position_embedding.weight")?,
            pre_layrnorm: LayerNorm::load(&norm, width)?,
            layers: (0..config.layers).map(|number| Layer::load(w, config, number)).collect::<Result<_>>()?,
        })
    }

    /// Its sizes.
    pub fn config(&self) -> &TowerConfig {
        &self.config
    }

    /// A picture [3, image_size, image_size] → transformers' `hidden_states[layer]`, [n, width]: 0 is the embeddings
    /// after the first norm, `layer` the output of that many layers. Of pictures [b, 3, …] it is [b, n, width].
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
        let single = pixel_values.rank() == 3;
        let mut x = if single { self.embed(&pixel_values.unsqueeze(0)?)? } else { self.embed(pixel_values)? };
        for (number, layer) in self.layers.iter().take(layer).enumerate() {
            before_layer(number)?;
            x = layer.forward(&x, false)?;
        }
        Ok(if single { x.squeeze(0)? } else { x })
    }

    /// [b, 3, side, side] → [b, n, width]
    fn embed(&self, pixel_values: &Tensor) -> Result<Tensor> {
        let (grid, patch, width) = (self.config.grid(), self.config.patch_size, self.config.hidden);
        let b = pixel_values.dim(0)?;
        // As a convolution without padding does, what is left over at the end of a side is not looked at.
        let pixels = pixel_values.narrow(2, 0, grid * patch)?.narrow(3, 0, grid * patch)?;
        let patches = pixels
            .to_dtype(self.patch_embedding.dtype())?
            .reshape(vec![b, 3, grid, patch, grid, patch])?
            .permute([0, 2, 4, 1, 3, 5])?
            .reshape((b * grid * grid, 3 * patch * patch))?;
        let patches = patches.matmul(&self.patch_embedding)?.reshape((b, grid * grid, width))?;
        let class = self.class_embedding.unsqueeze(0)?.broadcast_as((b, 1, width))?;
        let x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.position_embedding)?;
        self.pre_layrnorm.forward(&x)
    }
}
