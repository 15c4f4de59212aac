//! What the goldens cannot show of LLaMA: that dividing a prompt changes nothing, and that shared key/value heads are
//! shared by the right query heads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::ExpandError;
use crate::cache::Cache;
use crate::config::LlamaConfig;
use crate::llama::Llama;
use candle_core::{DType, Device, Tensor};
use mgie_weights::{Checkpoint, Weights};
use std::collections::HashMap;

pub(crate) const CONFIG: LlamaConfig = LlamaConfig {
    hidden: 24,
    intermediate: 40,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    head_dim: 6,
    norm_eps: 1e-6,
    rope_theta: 10_000.0,
    rope_factor: 1.0,
    max_positions: 64,
    tied: false,
    attention_bias: true,
    mlp_bias: false,
};

/// Values that differ everywhere and mean nothing.
pub(crate) fn noise(shape: &[usize], seed: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i * 7919 + seed * 104_729) as f32 * 0.37).sin() * 0.3;
    Tensor::from_iter((0..count).map(value), &Device::Cpu).unwrap().reshape(shape).unwrap()
}

pub(crate) fn tensors() -> HashMap<String, Tensor> {
    let LlamaConfig { hidden, intermediate, heads, kv_heads, head_dim, .. } = CONFIG;
    let (q, kv) = (heads * head_dim, kv_heads * head_dim);
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![50, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
        ("lm_head.weight".to_owned(), vec![50, hidden]),
    ];
    for layer in 0..CONFIG.layers {
        let of_layer = [
            ("input_layernorm.weight", vec![hidden]),
            ("post_attention_layernorm.weight", vec![hidden]),
            ("self_attn.q_proj.weight", vec![q, hidden]),
            ("self_attn.k_proj.weight", vec![kv, hidden]),
            ("self_attn.v_proj.weight", vec![kv, hidden]),
            ("self_attn.o_proj.weight", vec![hidden, q]),
            ("self_attn.q_proj.bias", vec![q]),
            ("self_attn.k_proj.bias", vec![kv]),
            ("self_attn.v_proj.bias", vec![kv]),
            ("self_attn.o_proj.bias", vec![hidden]),
            ("mlp.gate_proj.weight", vec![intermediate, hidden]),
            ("mlp.up_proj.weight", vec![intermediate, hidden]),
            ("mlp.down_proj.weight", vec![hidden, intermediate]),
        ];
        shapes.extend(of_layer.map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape)));
    }
    shapes.into_iter().enumerate().map(|(seed, (name, shape))| (name, noise(&shape, seed))).collect()
}

pub(crate) fn llama(config: &LlamaConfig, tensors: &HashMap<String, Tensor>) -> Llama {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    candle_core::safetensors::save(tensors, &file).unwrap();
    let weights = Weights::new(Checkpoint::open(&file).unwrap(), DType::F32, &Device::Cpu);
    weights.load(|w| Llama::load(w, config)).unwrap()
}

fn feed(llama: &Llama, cache: &mut Cache, ids: &[u32]) -> Tensor {
    llama.forward(&llama.embed(ids).unwrap(), cache, |_| Ok::<_, ExpandError>(())).unwrap()
}

pub(crate) fn hidden(llama: &Llama, ids: &[u32]) -> Tensor {
    feed(llama, &mut llama.cache(ids.len()).unwrap(), ids)
}

pub(crate) fn assert_near(found: &Tensor, expected: &Tensor) {
    let off = (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(off < 1e-5, "{off:e} off");
}

pub(crate) const IDS: [u32; 11] = [1, 7, 7, 30, 2, 49, 11, 12, 13, 5, 0];

#[test]
fn a_prompt_attended_to_in_groups_of_queries_gives_the_same_states() {
    let mut llama = llama(&CONFIG, &tensors());
    let whole = hidden(&llama, &IDS);
    for queries in [1, 2, 3, 10] {
        llama.most_scores = queries * CONFIG.heads * IDS.len();
        assert_near(&hidden(&llama, &IDS), &whole);
    }
}

#[test]
fn a_prompt_fed_in_pieces_gives_the_same_states() {
    let llama = llama(&CONFIG, &tensors());
    let whole = hidden(&llama, &IDS);
    let mut cache = llama.cache(IDS.len()).unwrap();
    let pieces: Vec<Tensor> =
        [&IDS[..4], &IDS[4..5], &IDS[5..]].map(|ids| feed(&llama, &mut cache, ids)).into_iter().collect();
    assert_near(&Tensor::cat(&pieces, 0).unwrap(), &whole);
    assert_eq!(cache.past(), IDS.len());
}

#[test]
fn shared_key_heads_equal_key_heads_written_out_for_each_query_head() {
    let shared = tensors();
    let mut written_out = shared.clone();
    for (name, tensor) in &mut written_out {
        if name.contains("k_proj") || name.contains("v_proj") {
            // As `repeat_kv` does: each head twice, next to each other.
            let rest = tensor.elem_count() / (CONFIG.kv_heads * CONFIG.head_dim);
            let heads = tensor.reshape((CONFIG.kv_heads, 1, CONFIG.head_dim * rest)).unwrap();
            let mut shape = tensor.dims().to_vec();
            shape[0] *= 2;
            *tensor = Tensor::cat(&[&heads, &heads], 1).unwrap().reshape(shape).unwrap();
        }
    }
    let expected = hidden(&llama(&LlamaConfig { kv_heads: 4, ..CONFIG }, &written_out), &IDS);
    assert_near(&hidden(&llama(&CONFIG, &shared), &IDS), &expected);
}

#[test]
fn linear_rope_scaling_moves_positions_closer_together() {
    let (tensors, scaled) = (tensors(), LlamaConfig { rope_factor: 1e6, layers: 1, ..CONFIG });
    // With all positions as good as equal, the order of what came before does not matter to a single layer.
    let last = |ids: &[u32]| hidden(&llama(&scaled, &tensors), ids).narrow(0, 3, 1).unwrap();
    assert_near(&last(&[4, 9, 23, 8]), &last(&[23, 9, 4, 8]));
}

#[test]
fn tied_embeddings_are_the_output_rows_too() {
    let mut tied = tensors();
    let head = tied.remove("lm_head.weight");
    assert!(head.is_some());
    let llama = llama(&LlamaConfig { tied: true, ..CONFIG }, &tied);
    let state = hidden(&llama, &IDS).narrow(0, 0, 1).unwrap();
    let expected = state.matmul(&tied["model.embed_tokens.weight"].t().unwrap()).unwrap();
    assert_near(&llama.logits(&state).unwrap(), &expected);
}

#[test]
fn more_tokens_than_the_cache_has_room_for_are_an_error() {
    let llama = llama(&CONFIG, &tensors());
    let mut cache = llama.cache(3).unwrap();
    let input = llama.embed(&IDS[..4]).unwrap();
    let error = llama.forward(&input, &mut cache, |_| Ok::<_, ExpandError>(())).unwrap_err();
    assert!(error.to_string().contains("room for 3"), "{error}");
}
