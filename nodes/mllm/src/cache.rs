//! What generation remembers of the tokens seen so far, so that each new one costs a single position's work.
//!
//! One sequence at a time. Shapes in comments: n = new tokens, past = tokens already in the cache, seen = past + new.

use candle_core::{Device, Result, Tensor};

/// Keys and values of the tokens seen so far, and the rotary angles, for one generation. Room for `capacity` tokens is
/// taken at once, so that a token costs no copy of the others.
#[derive(Debug)]
pub struct Cache {
    pub(crate) capacity: usize,
    pub(crate) past: usize,
    /// [capacity, head_dim / 2]
    pub(crate) cos: Tensor,
    pub(crate) sin: Tensor,
    /// For each layer keys and values, [kv_heads, capacity, head_dim].
    pub(crate) layers: Vec<(Tensor, Tensor)>,
}

impl Cache {
    /// How many tokens have been seen.
    pub fn past(&self) -> usize {
        self.past
    }

    /// Divides `n` new queries so that no group has more than `most_scores` scores.
    pub(crate) fn query_groups(&self, n: usize, heads: usize, most_scores: usize) -> Result<Vec<QueryGroup>> {
        let all = self.past + n;
        if all > self.capacity {
            candle_core::bail!("{all} tokens do not fit the cache, which has room for {}", self.capacity)
        }
        let rows = (most_scores / heads.saturating_mul(all).max(1)).max(1);
        let group = |start: usize| {
            let count = rows.min(n - start);
            let seen = self.past + start + count;
            let mask = if count == 1 { None } else { Some(causal_mask(count, seen, self.cos.device())?) };
            Ok(QueryGroup { start, count, seen, mask })
        };
        (0..n).step_by(rows).map(group).collect()
    }
}

/// The part of a forward pass that is the same in every layer: one group of queries, and what it may look at.
pub(crate) struct QueryGroup {
    pub(crate) start: usize,
    pub(crate) count: usize,
    pub(crate) seen: usize,
    /// [count, seen], 0 where a query may look and −∞ where it may not; none for a single query, which sees everything.
    pub(crate) mask: Option<Tensor>,
}

/// [count, seen]: the last `count` of `seen` tokens each look at themselves and at what stands before.
fn causal_mask(count: usize, seen: usize, device: &Device) -> Result<Tensor> {
    let past = seen - count;
    let row = |query: usize| (0..seen).map(move |key| if key <= past + query { 0f32 } else { f32::NEG_INFINITY });
    Tensor::from_iter((0..count).flat_map(row), device)?.reshape((count, seen))
}
