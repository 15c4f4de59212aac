//! Scaled dot-product attention that never holds the whole matrix of scores where that would be large: queries are
//! taken in runs, each of which sees all keys, so the result is the same.

use candle_core::{DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

/// Scores held at a time, in bytes. Large enough that matrix products stay efficient, small enough for any machine
/// that can hold the model.
const SCORE_BYTES: usize = 256 << 20;

/// Attention of `heads` heads. Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values `[batch, m, heads·e]`;
/// the result is `[batch, n, heads·e]`. The softmax is computed in f32 whatever the dtype.
pub fn attention(queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize) -> Result<Tensor> {
    attention_within(SCORE_BYTES, queries, keys, values, heads)
}

fn attention_within(bytes: usize, queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, n, width) = queries.dims3()?;
    let m = keys.dim(1)?;
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let queries = (split_heads(queries, heads)? * scale)?;
    let keys = split_heads(keys, heads)?.t()?;
    let values = split_heads(values, heads)?;

    let row_bytes = batch * heads * m * DType::F32.size_in_bytes();
    let run = (bytes / row_bytes.max(1)).clamp(1, n.max(1));
    let parts = (0..n)
        .step_by(run)
        .map(|start| {
            let scores = queries.narrow(1, start, run.min(n - start))?.matmul(&keys)?;
            let shares = softmax_last_dim(&scores.to_dtype(DType::F32)?)?.to_dtype(values.dtype())?;
            shares.matmul(&values)
        })
        .collect::<Result<Vec<_>>>()?;
    join_heads(&Tensor::cat(&parts, 1)?, batch)
}

/// `[batch, n, heads·d]` to `[batch·heads, n, d]`
fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, n, width) = x.dims3()?;
    x.reshape((batch, n, heads, width / heads))?.transpose(1, 2)?.reshape((batch * heads, n, width / heads))
}

/// `[batch·heads, n, d]` to `[batch, n, heads·d]`
fn join_heads(x: &Tensor, batch: usize) -> Result<Tensor> {
    let (all_heads, n, width) = x.dims3()?;
    let heads = all_heads / batch;
    x.reshape((batch, heads, n, width))?.transpose(1, 2)?.reshape((batch, n, heads * width))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn queries_taken_in_runs_give_the_same_as_all_at_once() {
        let numbers = |count: usize, seed: f32| (0..count).map(move |i| ((i as f32 * 0.37 + seed) * 1.7).sin());
        let tensor = |shape: (usize, usize, usize), seed| {
            let (a, b, c) = shape;
            Tensor::from_iter(numbers(a * b * c, seed), &Device::Cpu).unwrap().reshape(shape).unwrap()
        };
        let (q, k, v) = (tensor((2, 7, 6), 0.1), tensor((2, 5, 6), 0.2), tensor((2, 5, 6), 0.3));
        let whole = attention(&q, &k, &v, 3).unwrap();
        // Two rows of scores at a time: 2 pictures × 3 heads × 5 keys × 4 bytes each.
        let in_runs = attention_within(2 * 120, &q, &k, &v, 3).unwrap();
        let far = (whole - in_runs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(far < 1e-6, "{far}");
    }
}
