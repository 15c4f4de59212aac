//! `config.json` of a LLaVA folder: what Hugging Face's `LlamaConfig` and LLaVA's own keys say, checked. What cannot be
//! computed here as the reference does is refused by the name of its key.

use mgie_weights::WeightsError;
use mgie_weights::small_file::{self, CONFIG_LIMIT};
use serde::Deserialize;
use std::path::Path;

/// Bounds that no LLaMA comes near; they keep a damaged file from asking for any amount of memory.
const MOST_LAYERS: usize = 1024;
const WIDEST: usize = 1 << 20;

/// The file as it is written; what is absent or null has Hugging Face's default.
#[derive(Debug, Deserialize)]
struct Written {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RopeScaling>,
    rope_parameters: Option<RopeScaling>,
    max_position_embeddings: Option<usize>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    eos_token_id: Option<TokenIds>,
    mm_use_im_start_end: Option<bool>,
    mm_projector_type: Option<String>,
    mm_vision_select_layer: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct RopeScaling {
    rope_type: Option<String>,
    /// The older name of `rope_type`; newer transformers write both.
    #[serde(rename = "type")]
    kind: Option<String>,
    factor: Option<f64>,
    rope_theta: Option<f64>,
}

/// One id or a list of them: both are in use.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum TokenIds {
    One(u32),
    Many(Vec<u32>),
}

impl TokenIds {
    fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

/// The sizes and constants of a LLaMA; vocabulary sizes come from the tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Width of the residual stream (4096 for LLaMA-7B).
    pub hidden: usize,
    /// Width inside the feed-forward (11008).
    pub intermediate: usize,
    /// Number of layers (32).
    pub layers: usize,
    /// Query heads (32).
    pub heads: usize,
    /// Key and value heads; a divisor of `heads`.
    pub kv_heads: usize,
    /// Width of one head (128); even.
    pub head_dim: usize,
    /// The ε of the RMS norms.
    pub norm_eps: f32,
    /// The base of the rotary angles.
    pub rope_theta: f32,
    /// What positions are divided by before the rotary angles are taken; 1 unless `rope_scaling` is linear.
    pub rope_factor: f32,
    /// How many positions the model was trained for.
    pub max_positions: usize,
    /// Whether `lm_head` is `embed_tokens`.
    pub tied: bool,
    /// Whether the attention's linear maps have biases.
    pub attention_bias: bool,
    /// Whether the feed-forward's linear maps have biases.
    pub mlp_bias: bool,
}

/// A LLaVA: its LLaMA, and how pictures enter the prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct LlavaConfig {
    /// The language model.
    pub llama: LlamaConfig,
    /// Ids that end an answer, as this file has them.
    pub eos: Vec<u32>,
    /// Whether `<im_start>` and `<im_end>` enclose the picture's tokens.
    pub use_im_start_end: bool,
    /// The entry of CLIP's hidden states that the projector was trained on, where the file says.
    pub vision_layer: Option<i64>,
}

impl LlavaConfig {
    /// Reads `config.json` of a LLaVA folder, and `generation_config.json` for the end of answers where there is one.
    ///
    /// # Errors
    /// The file cannot be read, is no such JSON, has sizes that no model can have, or asks for something that is not
    /// implemented (a `rope_scaling` other than linear, an activation other than SiLU, a projector other than linear).
    pub fn read(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join("config.json");
        let mut config = Self::from_json(&path, &read(&path)?)?;
        let generation = folder.join("generation_config.json");
        if generation.exists() {
            #[derive(Deserialize)]
            struct Generation {
                eos_token_id: Option<TokenIds>,
            }
            let written: Generation = parse(&generation, &read(&generation)?)?;
            if let Some(eos) = written.eos_token_id {
                config.eos = eos.into_vec();
            }
        }
        Ok(config)
    }

    fn from_json(path: &Path, json: &str) -> Result<Self, WeightsError> {
        let written: Written = parse(path, json)?;
        let refuse = |problem: String| Err(WeightsError::malformed(path, problem));
        if let Some(activation) = written.hidden_act.as_deref().filter(|name| *name != "silu") {
            return refuse(format!("`hidden_act` is {activation:?}; only \"silu\" is implemented"));
        }
        if let Some(kind) = written.mm_projector_type.as_deref().filter(|kind| *kind != "linear") {
            return refuse(format!(
                "`mm_projector_type` is {kind:?}; only the linear projector of the first LLaVA is implemented"
            ));
        }
        let (rope_factor, newer_theta) = match written.rope_scaling.or(written.rope_parameters) {
            None => (1.0, None),
            Some(scaling) => {
                let kind = scaling.rope_type.or(scaling.kind).unwrap_or_else(|| "default".to_owned());
                match (kind.as_str(), scaling.factor) {
                    ("default", _) => (1.0, scaling.rope_theta),
                    ("linear", Some(factor)) if factor.is_finite() && factor > 0.0 => (factor, scaling.rope_theta),
                    (kind, factor) => {
                        let factor = factor.map_or(String::new(), |f| format!(" with factor {f}"));
                        return refuse(format!(
                            "`rope_scaling` is {kind:?}{factor}; only \"linear\" with a positive factor is implemented"
                        ));
                    }
                }
            }
        };
        let heads = written.num_attention_heads;
        let kv_heads = written.num_key_value_heads.unwrap_or(heads);
        let sizes = [
            ("hidden_size", written.hidden_size, WIDEST),
            ("intermediate_size", written.intermediate_size, WIDEST),
            ("num_hidden_layers", written.num_hidden_layers, MOST_LAYERS),
            ("num_attention_heads", heads, WIDEST),
            ("num_key_value_heads", kv_heads, WIDEST),
            ("head_dim", written.head_dim.unwrap_or(1), WIDEST),
            ("max_position_embeddings", written.max_position_embeddings.unwrap_or(1), usize::MAX),
        ];
        for (key, found, most) in sizes {
            if !(1..=most).contains(&found) {
                return refuse(format!("`{key}` is {found}, expected 1 to {most}"));
            }
        }
        if !heads.is_multiple_of(kv_heads) {
            return refuse(format!("`num_attention_heads` {heads} is no multiple of `num_key_value_heads` {kv_heads}"));
        }
        if written.head_dim.is_none() && !written.hidden_size.is_multiple_of(heads) {
            return refuse(format!(
                "`hidden_size` {} is no multiple of `num_attention_heads` {heads}",
                written.hidden_size
            ));
        }
        let head_dim = written.head_dim.unwrap_or(written.hidden_size / heads);
        if !head_dim.is_multiple_of(2) {
            return refuse(format!("a head is {head_dim} wide; rotary positions need an even width"));
        }
        Ok(Self {
            llama: LlamaConfig {
                hidden: written.hidden_size,
                intermediate: written.intermediate_size,
                layers: written.num_hidden_layers,
                heads,
                kv_heads,
                head_dim,
                norm_eps: written.rms_norm_eps.unwrap_or(1e-6) as f32,
                rope_theta: written.rope_theta.or(newer_theta).unwrap_or(10_000.0) as f32,
                rope_factor: rope_factor as f32,
                max_positions: written.max_position_embeddings.unwrap_or(2048),
                tied: written.tie_word_embeddings.unwrap_or(false),
                attention_bias: written.attention_bias.unwrap_or(false),
                mlp_bias: written.mlp_bias.unwrap_or(false),
            },
            eos: written.eos_token_id.map_or(vec![2], TokenIds::into_vec),
            use_im_start_end: written.mm_use_im_start_end.unwrap_or(false),
            vision_layer: written.mm_vision_select_layer,
        })
    }
}

fn read(path: &Path) -> Result<String, WeightsError> {
    small_file::text(path, CONFIG_LIMIT)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, json: &str) -> Result<T, WeightsError> {
    serde_json::from_str(json).map_err(|error| {
        WeightsError::malformed(path, error).with_remedy("`model` has to be a LLaVA folder; copy it again if it is one")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A config with one key replaced, or removed where `value` is null.
    fn with(key: &str, value: Value) -> Result<LlavaConfig, WeightsError> {
        let mut config = json!({
            "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
            "rms_norm_eps": 1e-6, "max_position_embeddings": 2048, "hidden_act": "silu", "eos_token_id": 2,
            "mm_use_im_start_end": true, "mm_vision_select_layer": -2, "mm_hidden_size": 1024
        });
        config.as_object_mut().unwrap().insert(key.to_owned(), value);
        LlavaConfig::from_json(Path::new("x/config.json"), &config.to_string())
    }

    #[test]
    fn the_released_llava_config_is_read() {
        let config = with("num_key_value_heads", Value::Null).unwrap();
        assert_eq!((config.llama.head_dim, config.llama.kv_heads, config.llama.layers), (128, 32, 32));
        assert_eq!((config.llama.rope_theta, config.llama.rope_factor), (10_000.0, 1.0));
        assert_eq!((config.eos, config.use_im_start_end), (vec![2], true));
        assert_eq!(config.vision_layer, Some(-2));
    }

    #[test]
    fn linear_rope_scaling_is_read_and_any_other_is_refused_by_name() {
        let linear = with("rope_scaling", json!({"type": "linear", "factor": 4.0})).unwrap();
        assert_eq!(linear.llama.rope_factor, 4.0);
        let newer = with("rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5})).unwrap();
        assert_eq!(newer.llama.rope_theta, 5e5);
        let yarn = with("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})).unwrap_err().to_string();
        assert!(yarn.contains("x/config.json") && yarn.contains("`rope_scaling`") && yarn.contains("yarn"), "{yarn}");
    }

    #[test]
    fn rope_scaling_that_names_its_kind_twice_as_transformers_saves_it_is_read() {
        let both = with("rope_scaling", json!({"factor": 2.0, "rope_type": "linear", "type": "linear"})).unwrap();
        assert_eq!(both.llama.rope_factor, 2.0);
    }

    /// Keys and forms of the files of early 2023: a second name for the positions, ids that are no ids, and keys of
    /// LLaVA that say nothing here.
    #[test]
    fn a_llava_config_of_2023_with_keys_that_are_not_read_is_taken() {
        let json = r#"{
            "_name_or_path": "llama-7b", "architectures": ["LlavaLlamaForCausalLM"], "bos_token_id": 1,
            "eos_token_id": 2, "freeze_mm_mlp_adapter": false, "hidden_act": "silu", "hidden_size": 4096,
            "initializer_range": 0.02, "intermediate_size": 11008, "max_sequence_length": 2048, "mm_hidden_size": 1024,
            "mm_use_im_start_end": true, "mm_vision_select_layer": -2,
            "mm_vision_tower": "openai/clip-vit-large-patch14", "model_type": "llava", "num_attention_heads": 32,
            "num_hidden_layers": 32, "pad_token_id": -1, "rms_norm_eps": 1e-06, "sep_image_conv_front": false,
            "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.28.0.dev0",
            "tune_mm_mlp_adapter": false, "use_cache": true, "use_mm_proj": true, "vocab_size": 32003
        }"#;
        let config = LlavaConfig::from_json(Path::new("x/config.json"), json).unwrap();
        assert_eq!((config.llama.max_positions, config.llama.norm_eps, config.llama.tied), (2048, 1e-6, false));
        assert_eq!((config.eos, config.use_im_start_end, config.vision_layer), (vec![2], true, Some(-2)));
    }

    #[test]
    fn what_cannot_be_computed_is_refused_by_the_name_of_its_key() {
        for (key, value) in [
            ("hidden_act", json!("gelu")),
            ("mm_projector_type", json!("mlp2x_gelu")),
            ("num_hidden_layers", json!(0)),
            ("num_hidden_layers", json!(1_000_000_000)),
            ("num_attention_heads", json!(0)),
            ("num_key_value_heads", json!(5)),
            ("num_attention_heads", json!(31)),
            ("hidden_size", Value::Null),
            ("hidden_size", json!("wide")),
        ] {
            let error = with(key, value.clone()).unwrap_err().to_string();
            assert!(error.contains("x/config.json"), "{key} = {value}: {error}");
        }
    }
}
