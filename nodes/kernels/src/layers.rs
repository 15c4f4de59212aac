//! The layers, each of which picks its kernel or the plain operations.

use candle_core::{Result, Tensor};

use crate::attention::Attention;
use crate::convolution::Convolution;
use crate::cpu::serves;
use crate::gates::{Geglu, Swiglu};
use crate::group_norm::GroupNorm;
use crate::layer_norm::{LayerNorm, RmsNorm};
use crate::linear::Linear;
use crate::pointwise::Pointwise;
use crate::rotary::Rotary;
use crate::upsample::Doubled;
use crate::{Stride, plain};

/// `x` `[…, in]` times the transpose of `weight` `[out, in]`, plus `bias` `[out]`: `[…, out]`.
///
/// # Errors
/// Sizes that do not fit, no memory, a device that fails.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) if serves(&[x, weight, bias]) => {
            x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear)
        }
        None if serves(&[x, weight]) => x.contiguous()?.apply_op2(&weight.contiguous()?, Linear),
        _ => plain::linear(x, weight, bias),
    }
}

/// `torch.nn.LayerNorm` over the last dimension.
///
/// # Errors
/// As [`linear`].
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if serves(&[x, weight, bias]) {
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, LayerNorm { eps });
    }
    if [x, weight, bias].iter().any(|x| x.track_op()) {
        return plain::layer_norm(x, weight, bias, eps);
    }
    // One kernel on a GPU, but without a gradient.
    candle_nn::ops::layer_norm(&x.contiguous()?, weight, bias, eps as f32)
}

/// LLaMA's RMS norm over the last dimension.
///
/// # Errors
/// As [`linear`].
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    if serves(&[x, weight]) {
        return x.contiguous()?.apply_op2(&weight.contiguous()?, RmsNorm { eps });
    }
    if x.track_op() || weight.track_op() {
        return plain::rms_norm(x, weight, eps);
    }
    // One kernel on a GPU, but without a gradient.
    candle_nn::ops::rms_norm(&x.contiguous()?, weight, eps as f32)
}

/// `torch.nn.GroupNorm` of `x` `[batch, channels, height, width]`, then SiLU if asked. `weight` and `bias` are f32.
///
/// # Errors
/// As [`linear`]; groups that do not divide the channels.
pub fn group_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64, silu: bool) -> Result<Tensor> {
    if serves(&[x, weight, bias]) {
        let norm = GroupNorm { groups, eps, silu };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, norm);
    }
    plain::group_norm(x, weight, bias, groups, eps, silu)
}

/// Scaled dot-product attention of `heads` heads. Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values
/// `[batch, m, heads·e]`; the result is `[batch, n, heads·e]`. `causal`: query i sees keys 0 … i + m − n. Scores and
/// their softmax are computed in f32 whatever the dtype.
///
/// # Errors
/// As [`linear`].
pub fn attention(queries: &Tensor, keys: &Tensor, values: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    if serves(&[queries, keys, values]) {
        let (keys, values) = (keys.contiguous()?, values.contiguous()?);
        return queries.contiguous()?.apply_op3(&keys, &values, Attention { heads, causal });
    }
    plain::attention(queries, keys, values, heads, causal)
}

/// Rotary positions on the two halves of each head. `x` is `[batch, n, heads·d]`; `cos` and `sin` are `[n, d/2]`.
///
/// # Errors
/// As [`linear`].
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor, heads: usize) -> Result<Tensor> {
    if serves(&[x, cos, sin]) && !cos.track_op() && !sin.track_op() {
        let rotary = Rotary { cos: cos.clone(), sin: sin.clone(), heads, back: false };
        return x.contiguous()?.apply_op1(rotary);
    }
    plain::rope(x, cos, sin, heads)
}

/// A 3×3 convolution: `x` `[batch, from, h, w]`, `weight` `[to, from, 3, 3]`, `bias` `[to]`.
///
/// # Errors
/// As [`linear`].
pub fn conv3x3(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: Stride) -> Result<Tensor> {
    if serves(&[x, weight, bias]) {
        let training = x.track_op() || weight.track_op() || bias.track_op();
        let convolution = Convolution { stride, training };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, convolution);
    }
    plain::conv3x3(x, weight, bias, stride)
}

/// A 1×1 convolution: `x` `[batch, from, h, w]`, `weight` `[to, from, 1, 1]`, `bias` `[to]`: `[batch, to, h, w]`.
///
/// # Errors
/// As [`linear`].
pub fn conv1x1(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if serves(&[x, weight, bias]) {
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Pointwise);
    }
    plain::conv1x1(x, weight, bias)
}

/// Enlarges `x` `[batch, channels, _, _]` to `height` and `width` by repeating pixels. A gradient needs whole factors.
///
/// # Errors
/// As [`linear`].
pub fn upsample(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, _, from_height, from_width) = x.dims4()?;
    if serves(&[x]) && (height, width) == (2 * from_height, 2 * from_width) {
        return x.contiguous()?.apply_op1(Doubled);
    }
    plain::upsample(x, height, width)
}

/// GEGLU: `x` `[…, 2·width]`, the first half times the exact GELU of the second: `[…, width]`.
///
/// # Errors
/// As [`linear`].
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    if serves(&[x]) { x.contiguous()?.apply_op1(Geglu) } else { plain::geglu(x) }
}

/// SwiGLU: SiLU of `gate` times `up`, both of one shape.
///
/// # Errors
/// As [`linear`].
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if serves(&[gate, up]) {
        return gate.contiguous()?.apply_op2(&up.contiguous()?, Swiglu);
    }
    plain::swiglu(gate, up)
}

#[cfg(test)]
#[path = "layers_tests.rs"]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
