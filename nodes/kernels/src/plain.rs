//! Every layer out of candle's differentiable operations: any device, any dtype. Norms and softmax are computed in f32.

use crate::Stride;
use candle_core::{D, DType, Result, Tensor};

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

/// Scaled dot-product attention of `heads` heads. Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values
/// `[batch, m, heads·e]`; the result is `[batch, n, heads·e]`. `causal`: query i sees keys 0 … i + m − n.
///
/// # Errors
/// As [`linear`].
pub fn attention(queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    let (batch, n, width) = queries.dims3()?;
    let (_, m, value_width) = values.dims3()?;
    let split = |x: &Tensor| {
        let (_, rows, width) = x.dims3()?;
        x.reshape((batch, rows, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let queries = (split(queries)?.to_dtype(DType::F32)? * scale)?;
    let mut scores = queries.matmul(&split(keys)?.to_dtype(DType::F32)?.t()?)?; // [batch, heads, n, m]
    if causal {
        let hidden = |query: usize| (0..m).map(move |key| if key + n <= query + m { 0f32 } else { f32::NEG_INFINITY });
        let mask = Tensor::from_iter((0..n).flat_map(hidden), queries.device())?.reshape((n, m))?;
        scores = scores.broadcast_add(&mask)?;
    }
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(values.dtype())?;
    weights.matmul(&split(values)?)?.transpose(1, 2)?.reshape((batch, n, value_width))
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
        Stride::TwoPaddedBehind => {
            x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?.conv2d(weight, 0, 2, 1, 1)?
        }
    };
    y.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)
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
