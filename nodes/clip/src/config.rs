//! `config.json` of a CLIP folder: one tower's sizes, whether the file describes both towers (`CLIPModel`) or one
//! (`CLIPVisionModel`, or a diffusers `text_encoder`). What candle-transformers' CLIP does not compute is refused by
//! the name of its key.

use mgie_weights::WeightsError;
use mgie_weights::small_file::{self, CONFIG_LIMIT};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Bounds that no CLIP comes near; they keep a damaged file from asking for any amount of memory.
const MOST_LAYERS: usize = 1024;
const WIDEST: usize = 1 << 20;

/// Which tower of CLIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tower {
    /// Pictures.
    Vision,
    /// Text.
    Text,
}

/// One tower as it is written; what is absent or null has the default of `CLIPVisionConfig` or `CLIPTextConfig`.
#[derive(Debug, Default, Deserialize)]
struct Written {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_channels: Option<usize>,
    image_size: Option<usize>,
    patch_size: Option<usize>,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    layer_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    eos_token_id: Option<u32>,
}

/// One tower's sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct TowerConfig {
    /// The file.
    pub path: PathBuf,
    /// Width of the residual stream (1024 for the vision tower of ViT-L/14, 768 for its text tower).
    pub hidden: usize,
    /// Width inside the feed-forward.
    pub intermediate: usize,
    /// Number of layers (24, 12).
    pub layers: usize,
    /// Attention heads (16, 12).
    pub heads: usize,
    /// Side of the picture in pixels (224).
    pub image_size: usize,
    /// Side of a patch in pixels (14).
    pub patch_size: usize,
    /// Rows of the token embeddings (49408).
    pub vocabulary: usize,
    /// Tokens of a text (77).
    pub positions: usize,
    /// The token that ends a text, as the file has it.
    pub eos: u32,
}

impl TowerConfig {
    /// Reads one tower's sizes out of `config.json` of a folder.
    ///
    /// # Errors
    /// The file cannot be read, is no such JSON, has sizes that no model can have, or asks for an activation, a norm's ε
    /// or a number of channels that is not implemented.
    pub fn read(folder: &Path, tower: Tower) -> Result<Self, WeightsError> {
        let path = folder.join("config.json");
        let json = small_file::text(&path, CONFIG_LIMIT)?;
        Self::from_json(path, &json, tower)
    }

    fn from_json(path: PathBuf, json: &str, tower: Tower) -> Result<Self, WeightsError> {
        let malformed = |error: serde_json::Error| WeightsError::malformed(&path, error);
        let whole: serde_json::Value = serde_json::from_str(json).map_err(malformed)?;
        let key = if tower == Tower::Vision { "vision_config" } else { "text_config" };
        // Files of 2022 have a second object for each tower; where both are there transformers takes that one.
        let older = format!("{key}_dict");
        let key = if whole.get(&older).is_some_and(|part| part.is_object()) { older.as_str() } else { key };
        let (mut part, prefix) = match whole.get(key) {
            Some(part) => (part.clone(), format!("{key}.")),
            None => (whole, String::new()),
        };
        if part.is_null() {
            part = serde_json::json!({});
        }
        let written: Written = serde_json::from_value(part).map_err(malformed)?;
        let refused = |problem: String| WeightsError::malformed(&path, problem);

        let activation = written.hidden_act.as_deref().unwrap_or("quick_gelu");
        if activation != "quick_gelu" {
            return Err(refused(format!("`{prefix}hidden_act` is {activation:?}; only \"quick_gelu\" is implemented")));
        }
        if let Some(eps) = written.layer_norm_eps.filter(|eps| *eps != 1e-5) {
            return Err(refused(format!("`{prefix}layer_norm_eps` is {eps}; only 1e-5 is implemented")));
        }
        if let Some(channels) = written.num_channels.filter(|channels| *channels != 3) {
            return Err(refused(format!("`{prefix}num_channels` is {channels}; only RGB, 3, is implemented")));
        }
        let (hidden, intermediate, heads) = if tower == Tower::Vision { (768, 3072, 12) } else { (512, 2048, 8) };
        let checked = |key: &str, written: Option<usize>, default: usize, most: usize| {
            let found = written.unwrap_or(default);
            if (1..=most).contains(&found) {
                return Ok(found);
            }
            Err(refused(format!("`{prefix}{key}` is {found}, expected 1 to {most}")))
        };
        let config = Self {
            hidden: checked("hidden_size", written.hidden_size, hidden, WIDEST)?,
            intermediate: checked("intermediate_size", written.intermediate_size, intermediate, WIDEST)?,
            layers: checked("num_hidden_layers", written.num_hidden_layers, 12, MOST_LAYERS)?,
            heads: checked("num_attention_heads", written.num_attention_heads, heads, WIDEST)?,
            image_size: checked("image_size", written.image_size, 224, WIDEST)?,
            patch_size: checked("patch_size", written.patch_size, 32, WIDEST)?,
            vocabulary: checked("vocab_size", written.vocab_size, 49_408, usize::MAX)?,
            positions: checked("max_position_embeddings", written.max_position_embeddings, 77, WIDEST)?,
            eos: written.eos_token_id.unwrap_or(49_407),
            path: path.clone(),
        };
        if !config.hidden.is_multiple_of(config.heads) {
            return Err(refused(format!(
                "`{prefix}hidden_size` {} is no multiple of `{prefix}num_attention_heads` {}",
                config.hidden, config.heads
            )));
        }
        if config.image_size < config.patch_size {
            return Err(refused(format!(
                "`{prefix}patch_size` {} is more than `{prefix}image_size` {}",
                config.patch_size, config.image_size
            )));
        }
        Ok(config)
    }

    /// Patches along a side of the picture.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(json: &Value, tower: Tower) -> Result<TowerConfig, WeightsError> {
        TowerConfig::from_json(PathBuf::from("x/config.json"), &json.to_string(), tower)
    }

    #[test]
    fn a_tower_is_read_out_of_both_or_alone() {
        let tower = json!({"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14});
        let both = read(&json!({"vision_config": tower, "text_config": {"hidden_size": 768}}), Tower::Vision).unwrap();
        assert_eq!((both.hidden, both.layers, both.grid(), both.image_size), (1024, 24, 16, 224));
        assert_eq!(read(&tower, Tower::Vision).unwrap(), both);
        let text = read(&json!({"hidden_size": 768, "num_attention_heads": 12}), Tower::Text).unwrap();
        assert_eq!((text.hidden, text.heads, text.positions, text.vocabulary), (768, 12, 77, 49_408));
    }

    #[test]
    fn the_older_object_of_a_tower_counts_where_it_is_there_as_in_transformers() {
        let large = json!({"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14});
        for newer in [Value::Null, json!({"hidden_size": 768, "patch_size": 32})] {
            let whole = json!({"vision_config_dict": large, "vision_config": newer});
            assert_eq!(read(&whole, Tower::Vision).unwrap(), read(&large, Tower::Vision).unwrap());
        }
        let whole = json!({"vision_config_dict": null, "vision_config": large});
        assert_eq!(read(&whole, Tower::Vision).unwrap(), read(&large, Tower::Vision).unwrap());
    }

    #[test]
    fn what_cannot_be_computed_is_refused_by_the_name_of_its_key() {
        for (key, value) in [
            ("hidden_act", json!("gelu")),
            ("layer_norm_eps", json!(1e-6)),
            ("num_channels", json!(4)),
            ("num_hidden_layers", json!(1_000_000_000)),
            ("hidden_size", json!(0)),
            ("num_attention_heads", json!(7)),
            ("patch_size", json!(500)),
        ] {
            let error = read(&json!({"vision_config": {key: value}}), Tower::Vision).unwrap_err().to_string();
            assert!(error.contains("x/config.json") && error.contains(&format!("`vision_config.{key}`")), "{error}");
        }
    }
}
