//! Scaled dot-product attention that never holds the whole matrix of scores where that would be large: queries are
//! taken in runs, each of which sees all keys, so the result is the same. On the CPU in f32 a kernel of our own keeps
//! the scores in the cache ([`crate::cpu_attention`]); [`plain`] serves every other device and dtype, and its tests.

use crate::cpu_attention::CpuAttention;
use candle_core::{DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

/// Scores held at a time, in bytes. Large enough that matrix products stay efficient, small enough for any machine
/// that can hold the model.
const SCORE_BYTES: usize = 256 << 20;

/// Attention of `heads` heads. Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values `[batch, m, heads·e]`;
/// the result is `[batch, n, heads·e]`. Scores and their softmax are computed in f32 whatever the dtype.
pub fn attention(queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize) -> Result<Tensor> {
    if !queries.device().is_cpu() || [queries, keys, values].iter().any(|x| x.dtype() != DType::F32) {
        return plain(queries, keys, values, heads);
    }
    let (batch, n, _) = queries.dims3()?;
    let (_, _, width) = values.dims3()?;
    let (queries, keys, values) = (queries.contiguous()?, keys.contiguous()?, values.contiguous()?);
    let of_heads = queries.apply_op3_no_bwd(&keys, &values, &CpuAttention { heads })?;
    of_heads.transpose(1, 2)?.reshape((batch, n, width))
}

/// [`attention`] out of candle's own operations: any device, any dtype, differentiable.
pub fn plain(queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize) -> Result<Tensor> {
    attention_within(SCORE_BYTES, queries, keys, values, heads)
}

fn attention_within(bytes: usize, queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, n, width) = queries.dims3()?;
    let m = keys.dim(1)?;
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    // Scores in half precision would be off by a hundredth and more before the softmax sees them.
    let queries = (split_heads(queries, heads)?.to_dtype(DType::F32)? * scale)?;
    let keys = split_heads(keys, heads)?.to_dtype(DType::F32)?.t()?;
    let values = split_heads(values, heads)?;

    let row_bytes = batch * heads * m * DType::F32.size_in_bytes();
    let run = (bytes / row_bytes.max(1)).clamp(1, n.max(1));
    let parts = (0..n)
        .step_by(run)
        .map(|start| {
            let scores = queries.narrow(1, start, run.min(n - start))?.matmul(&keys)?;
            softmax_last_dim(&scores)?.to_dtype(values.dtype())?.matmul(&values)
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
        let whole = plain(&q, &k, &v, 3).unwrap();
        // Two rows of scores at a time: 2 pictures × 3 heads × 5 keys × 4 bytes each.
        let in_runs = attention_within(2 * 120, &q, &k, &v, 3).unwrap();
        let far = (whole - in_runs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(far < 1e-6, "{far}");
    }

    #[test]
    fn the_kernel_gives_the_same_as_the_plain_operations() {
        // Odd sizes, several runs a head (more than 512 KiB of scores), keys fewer than lanes, one query.
        for (n, m, heads, d, e) in [(700, 700, 3, 5, 7), (4, 3, 2, 8, 8), (1, 77, 1, 40, 40), (33, 17, 4, 16, 1)] {
            let tensor = |rows: usize, width: usize, seed: f32| {
                let numbers = (0..2 * rows * width).map(move |i| ((i as f32 * 0.37 + seed) * 1.7).sin() * 2.0);
                Tensor::from_iter(numbers, &Device::Cpu).unwrap().reshape((2, rows, width)).unwrap()
            };
            let (q, k, v) = (tensor(n, heads * d, 0.1), tensor(m, heads * d, 0.2), tensor(m, heads * e, 0.3));
            let difference = (attention(&q, &k, &v, heads).unwrap() - plain(&q, &k, &v, heads).unwrap()).unwrap();
            let far = difference.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(far < 2e-6, "{n} × {m}: {far}");
        }
    }
}
