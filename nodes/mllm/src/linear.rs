//! A linear map whose weights may be stored in less precision than what goes through it.

use crate::half_linear;
use candle_core::{Result, Tensor};
use mgie_weights::Weights;

/// A linear map, `weight` [out, in]. On the CPU activations are always f32, and half precision is a way to store weights.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
}

impl Linear {
    pub(crate) fn load(w: &Weights, input: usize, output: usize, bias: bool) -> Result<Self> {
        let weight = w.get((output, input), "weight")?;
        let bias = if bias { Some(w.get(output, "bias")?) } else { None };
        Ok(Self { weight, bias })
    }

    /// The width of what goes in.
    pub(crate) fn input(&self) -> usize {
        self.weight.dims().last().copied().unwrap_or(0)
    }

    /// […, in] → […, out], in the dtype of `x`. Where weights are stored in half precision on the CPU no gradient flows.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.weight.dtype() == x.dtype() {
            return mgie_kernels::linear(x, &self.weight, self.bias.as_ref());
        }
        let mut shape = x.dims().to_vec();
        if let Some(width) = shape.last_mut() {
            *width = self.weight.dim(0)?;
        }
        let y = half_linear::times_transposed(&x.reshape(((), self.input()))?, &self.weight)?.reshape(shape)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.to_dtype(x.dtype())?),
            None => Ok(y),
        }
    }
}
