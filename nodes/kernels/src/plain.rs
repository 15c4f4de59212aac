//! Every layer out of candle's differentiable operations: any device, any dtype. Norms and softmax are computed in f32.

use crate::Stride;
use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

/// `x` `[…, in]` times the transpose of `weight` `[out, in]`, plus `bias` `[out]`: `[…, out]`.
///
/// # Errors
/// Sizes that do not fit, no memory, a device that fails.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    let width = shape.pop().unwrap_or_default();
    shape.push(weight.dim(0)?);
    let y = x.reshape(((), width))?.matmul(&weight.t()?)?;
    let y = match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    };
    y.reshape(shape)
}

/// `torch.nn.LayerNorm` over the last dimension.
///
/// # Errors
/// As [`linear`].
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    centred.broadcast_div(&deviation)?.to_dtype(x.dtype())?.broadcast_mul(weight)?.broadcast_add(bias)
}

/// LLaMA's RMS norm over the last dimension.
///
/// # Errors
/// As [`linear`].
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let root = (wide.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    wide.broadcast_div(&root)?.to_dtype(x.dtype())?.broadcast_mul(weight)
}

/// `torch.nn.GroupNorm` of `x` `[batch, channels, height, width]`, then SiLU if asked. `weight` and `bias` are f32.
///
/// # Errors
/// As [`linear`]; groups that do not divide the channels.
pub fn group_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64, silu: bool) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    if channels != weight.elem_count() || groups == 0 || channels % groups != 0 {
        candle_core::bail!("a norm of {} channels in {groups} groups on {channels}", weight.elem_count())
    }
    // Sums go row by row, since one of a million numbers in f32 would cost digits.
    let rows = channels / groups * height;
    let count = (rows * width) as f64;
    let grouped = x.to_dtype(DType::F32)?.reshape((batch, groups, rows, width))?;
    let mean = |values: &Tensor| values.sum_keepdim(3)?.sum_keepdim(2)? / count;
    let centred = grouped.broadcast_sub(&mean(&grouped)?)?;
    let deviation = (mean(&centred.sqr()?)? + eps)?.sqrt()?;
    let normal = centred
        .broadcast_div(&deviation)?
        .reshape((batch, channels, height, width))?
        .broadcast_mul(&weight.reshape((1, channels, 1, 1))?)?
        .broadcast_add(&bias.reshape((1, channels, 1, 1))?)?
        .to_dtype(x.dtype())?;
    if silu { normal.silu() } else { Ok(normal) }
}

/// Scores that attention holds at a time, in bytes. Large enough that matrix products stay efficient, small enough for
/// any machine that can hold the model.
const SCORE_BYTES: usize = 256 << 20;

/// Scaled dot-product attention of `heads` heads. Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values
/// `[batch, m, heads·e]`; the result is `[batch, n, heads·e]`. `causal`: query i sees keys 0 … i + m − n. Queries are
/// taken in runs, each of which sees all keys, so that the whole matrix of scores never exists where it would be large.
///
/// # Errors
/// As [`linear`].
pub fn attention(queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    attention_within(SCORE_BYTES, queries, keys, values, heads, causal)
}

fn attention_within(bytes: usize, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    let (batch, n, width) = q.dims3()?;
    let m = k.dim(1)?;
    if heads == 0 || width % heads != 0 {
        candle_core::bail!("attention of {heads} heads on {:?}", q.shape())
    }
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    // Scores in half precision would be off by a hundredth and more before the softmax sees them.
    let queries = (split_heads(q, heads)?.to_dtype(DType::F32)? * scale)?;
    let keys = split_heads(k, heads)?.to_dtype(DType::F32)?.t()?;
    let values = split_heads(v, heads)?;
    // The fused softmax stops gradients.
    let softmax = |scores: &Tensor| {
        if scores.track_op() { candle_nn::ops::softmax(scores, D::Minus1) } else { softmax_last_dim(scores) }
    };
    let row_bytes = batch * heads * m * DType::F32.size_in_bytes();
    let run = (bytes / row_bytes.max(1)).clamp(1, n.max(1));
    let parts = (0..n)
        .step_by(run)
        .map(|start| {
            let rows = run.min(n - start);
            let mut scores = queries.narrow(1, start, rows)?.matmul(&keys)?;
            if causal {
                let mask = (start..start + rows).flat_map(|query| {
                    (0..m).map(move |key| if key + n <= query + m { 0f32 } else { f32::NEG_INFINITY })
                });
                scores = scores.broadcast_add(&Tensor::from_iter(mask, q.device())?.reshape((rows, m))?)?;
            }
            softmax(&scores)?.to_dtype(values.dtype())?.matmul(&values)
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

/// Rotary positions on the two halves of each head. `x` is `[batch, n, heads·d]`; `cos` and `sin` are `[n, d/2]`.
///
/// # Errors
/// As [`linear`].
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, n, width) = x.dims3()?;
    let half = width / heads / 2;
    let split = x.reshape((batch, n, heads, 2 * half))?;
    let (first, second) = (split.narrow(3, 0, half)?, split.narrow(3, half, half)?);
    let (cos, sin) = (cos.reshape((1, n, 1, half))?, sin.reshape((1, n, 1, half))?);
    let turned = [
        (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?,
        (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?,
    ];
    Tensor::cat(&turned, 3)?.reshape((batch, n, width))
}

/// A 3×3 convolution: `x` `[batch, from, h, w]`, `weight` `[to, from, 3, 3]`, `bias` `[to]`.
///
/// # Errors
/// As [`linear`].
pub fn conv3x3(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: Stride) -> Result<Tensor> {
    let y = match stride {
        Stride::One => x.conv2d(weight, 1, 1, 1, 1)?,
        Stride::Two => x.conv2d(weight, 1, 2, 1, 1)?,
        Stride::TwoPaddedBehind => x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?.conv2d(weight, 0, 2, 1, 1)?,
    };
    y.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)
}

/// A 1×1 convolution: `x` `[batch, from, h, w]`, `weight` `[to, from, 1, 1]`, `bias` `[to]`: `[batch, to, h, w]`.
///
/// # Errors
/// As [`linear`].
pub fn conv1x1(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.conv2d(weight, 0, 1, 1, 1)?.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)
}

/// Enlarges `x` `[batch, channels, _, _]` to `height` and `width` by repeating pixels. A gradient needs whole factors.
///
/// # Errors
/// As [`linear`].
pub fn upsample(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    x.upsample_nearest2d(height, width)
}

/// GEGLU: `x` `[…, 2·width]`, the first half times the exact GELU of the second: `[…, width]`.
///
/// # Errors
/// As [`linear`].
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)? / 2;
    x.narrow(D::Minus1, 0, width)? * x.narrow(D::Minus1, width, width)?.gelu_erf()?
}

/// SwiGLU: SiLU of `gate` times `up`, both of one shape.
///
/// # Errors
/// As [`linear`].
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()? * up
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
        let (q, k, v) = (tensor((2, 7, 6), 0.1), tensor((2, 9, 6), 0.2), tensor((2, 9, 6), 0.3));
        for causal in [false, true] {
            let whole = attention(&q, &k, &v, 3, causal).unwrap();
            // Two rows of scores at a time: 2 pictures × 3 heads × 9 keys × 4 bytes each.
            let in_runs = attention_within(2 * 216, &q, &k, &v, 3, causal).unwrap();
            let far = (whole - in_runs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(far < 1e-6, "{far}");
        }
    }
}
