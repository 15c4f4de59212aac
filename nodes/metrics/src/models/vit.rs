//! DINO's vision transformer (arXiv 2104.14294), read from a Hugging Face folder as transformers' `ViTModel`:
//! <https://github.com/huggingface/transformers/blob/v4.49.0/src/transformers/models/vit/modeling_vit.py>. What is compared
//! is the class token after the last norm, as in MagicBrush's and MGIE's evaluation.
//!
//! Shapes in comments: b pictures, n = patches + 1 (the class token comes first), width = 384 for `facebook/dino-vits16`.

use candle_core::{Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{LayerNorm, Linear, Module};
use mgie_weights::small_file::{self, CONFIG_LIMIT};
use mgie_weights::{Weights, WeightsError};
use serde::Deserialize;
use std::path::Path;

/// Bounds that no such model comes near; they keep a damaged file from asking for any amount of memory.
const MOST_LAYERS: usize = 1024;
const WIDEST: usize = 1 << 16;

/// `config.json`; what is absent has the default of `ViTConfig`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct VitConfig {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Side of the picture in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// ε of the norms.
    pub layer_norm_eps: f64,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// The activation; `gelu`, the exact one, is implemented.
    pub hidden_act: String,
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 16,
            layer_norm_eps: 1e-12,
            qkv_bias: true,
            hidden_act: "gelu".into(),
        }
    }
}

impl VitConfig {
    /// Reads `config.json` of a folder.
    ///
    /// # Errors
    /// The file cannot be read, is no such JSON, or has sizes that no model can have or an activation that is not
    /// implemented, by the name of the key.
    pub fn read(folder: &Path) -> std::result::Result<Self, WeightsError> {
        let path = folder.join("config.json");
        let json = small_file::text(&path, CONFIG_LIMIT)?;
        let config: Self = serde_json::from_str(&json).map_err(|error| WeightsError::malformed(&path, error))?;
        config.checked().map_err(|problem| WeightsError::malformed(&path, problem))
    }

    fn checked(self) -> std::result::Result<Self, String> {
        for (key, found, most) in [
            ("hidden_size", self.hidden_size, WIDEST),
            ("intermediate_size", self.intermediate_size, WIDEST),
            ("num_hidden_layers", self.num_hidden_layers, MOST_LAYERS),
            ("num_attention_heads", self.num_attention_heads, self.hidden_size),
            ("image_size", self.image_size, WIDEST),
            ("patch_size", self.patch_size, self.image_size),
        ] {
            if !(1..=most).contains(&found) {
                return Err(format!("`{key}` is {found}, expected 1 to {most}"));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (width, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(format!("`hidden_size` {width} is no multiple of `num_attention_heads` {heads}"));
        }
        if self.hidden_act != "gelu" {
            return Err(format!("`hidden_act` is {:?}; only \"gelu\" is implemented", self.hidden_act));
        }
        Ok(self)
    }

    fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

#[derive(Debug)]
struct Layer {
    layernorm_before: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    layernorm_after: LayerNorm,
    intermediate: Linear,
    output: Linear,
    heads: usize,
}

/// The model.
#[derive(Debug)]
pub struct Vit {
    config: VitConfig,
    /// [1, 1, width]
    cls_token: Tensor,
    /// [1, n, width]
    position_embeddings: Tensor,
    /// [3 × patch × patch, width]: the convolution's kernel. Its stride is its size, so that it is a matrix product.
    projection: Linear,
    layers: Vec<Layer>,
    layernorm: LayerNorm,
}

fn linear(w: &Weights, from: usize, to: usize, bias: bool) -> Result<Linear> {
    let bias = if bias { Some(w.get(to, "bias")?) } else { None };
    Ok(Linear::new(w.get((to, from), "weight")?, bias))
}

fn norm(w: &Weights, config: &VitConfig) -> Result<LayerNorm> {
    let width = config.hidden_size;
    Ok(LayerNorm::new(w.get(width, "weight")?, w.get(width, "bias")?, config.layer_norm_eps))
}

impl Layer {
    fn load(w: &Weights, config: &VitConfig) -> Result<Self> {
        let (width, inner, bias) = (config.hidden_size, config.intermediate_size, config.qkv_bias);
        let attention = w.pp("attention.attention");
        Ok(Self {
            layernorm_before: norm(&w.pp("layernorm_before"), config)?,
            query: linear(&attention.pp("query"), width, width, bias)?,
            key: linear(&attention.pp("key"), width, width, bias)?,
            value: linear(&attention.pp("value"), width, width, bias)?,
            attention_output: linear(&w.pp("attention.output.dense"), width, width, true)?,
            layernorm_after: norm(&w.pp("layernorm_after"), config)?,
            intermediate: linear(&w.pp("intermediate.dense"), width, inner, true)?,
            output: linear(&w.pp("output.dense"), inner, width, true)?,
            heads: config.num_attention_heads,
        })
    }

    /// [b, n, width] → [b, n, width]
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention(&self.layernorm_before.forward(x)?)?)?;
        let inner = self.intermediate.forward(&self.layernorm_after.forward(&x)?)?.gelu_erf()?;
        &x + self.output.forward(&inner)?
    }

    fn attention(&self, x: &Tensor) -> Result<Tensor> {
        let (b, n, width) = x.dims3()?;
        let heads = |x: Tensor| x.reshape((b, n, self.heads, width / self.heads))?.transpose(1, 2)?.contiguous();
        let (q, k, v) = (heads(self.query.forward(x)?)?, heads(self.key.forward(x)?)?, heads(self.value.forward(x)?)?);
        let scale = 1.0 / ((width / self.heads) as f64).sqrt();
        let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? * scale)?;
        let mixed = softmax_last_dim(&scores)?.matmul(&v)?;
        self.attention_output.forward(&mixed.transpose(1, 2)?.reshape((b, n, width))?)
    }
}

impl Vit {
    /// Loads the model whose tensors lie directly below `w`.
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights, config: &VitConfig) -> Result<Self> {
        let (width, patch, places) = (config.hidden_size, config.patch_size, config.grid() * config.grid() + 1);
        let embeddings = w.pp("embeddings");
        let projection = embeddings.pp("patch_embeddings.projection");
        let kernel = projection.get((width, 3, patch, patch), "weight")?.reshape((width, 3 * patch * patch))?;
        Ok(Self {
            cls_token: embeddings.get((1, 1, width), "cls_token")?,
            position_embeddings: embeddings.get((1, places, width), "position_embeddings")?,
            projection: Linear::new(kernel, Some(projection.get(width, "bias")?)),
            layers: (0..config.num_hidden_layers)
                .map(|number| Layer::load(&w.pp("encoder.layer").pp(number), config))
                .collect::<Result<_>>()?,
            layernorm: norm(&w.pp("layernorm"), config)?,
            config: config.clone(),
        })
    }

    /// Its sizes.
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// Pictures [b, 3, image_size, image_size] → class tokens after the last norm, [b, width]:
    /// `last_hidden_state[:, 0]`.
    ///
    /// # Errors
    /// A wrong shape, not enough memory or a failing device.
    pub fn embed(&self, pixel_values: &Tensor) -> Result<Tensor> {
        let (b, _, _, _) = pixel_values.dims4()?;
        let (grid, patch, width) = (self.config.grid(), self.config.patch_size, self.config.hidden_size);
        // As a convolution without padding does, what is left over at the end of a side is not looked at.
        let pixels = pixel_values.narrow(2, 0, grid * patch)?.narrow(3, 0, grid * patch)?;
        let patches = pixels
            .to_dtype(self.cls_token.dtype())?
            .reshape(&[b, 3, grid, patch, grid, patch][..])?
            .permute([0, 2, 4, 1, 3, 5])?
            .reshape((b, grid * grid, 3 * patch * patch))?;
        let patches = self.projection.forward(&patches)?;
        let x = Tensor::cat(&[&self.cls_token.broadcast_as((b, 1, width))?.contiguous()?, &patches], 1)?;
        let mut x = x.broadcast_add(&self.position_embeddings)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        let class = x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?;
        self.layernorm.forward(&class)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_computed_is_refused_by_the_name_of_its_key() {
        for (json, key) in [
            (r#"{"hidden_size": 0}"#, "`hidden_size`"),
            (r#"{"num_hidden_layers": 99999}"#, "`num_hidden_layers`"),
            (r#"{"num_attention_heads": 7}"#, "`num_attention_heads`"),
            (r#"{"patch_size": 500}"#, "`patch_size`"),
            (r#"{"hidden_act": "relu"}"#, "`hidden_act`"),
        ] {
            let problem = serde_json::from_str::<VitConfig>(json).unwrap().checked().unwrap_err();
            assert!(problem.contains(key), "{problem}");
        }
        VitConfig::default().checked().unwrap();
    }
}
