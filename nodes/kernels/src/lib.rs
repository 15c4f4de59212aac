//! The layers that several models share: linear maps, norms, attention, rotary positions, convolutions and gated
//! activations. Each gives PyTorch's numbers on any device and dtype, and a gradient that candle's `backward` follows:
//! candle-nn's own fused norms and softmax stop gradients. On the CPU in f32 each is one fused kernel, forward and
//! backward, which computes no gradient that nobody asked for; [`plain`] computes the same out of candle's operations,
//! serves everything else and is what the kernels are tested against.
//!
//! Kernels run on the current rayon pool. How they cut their work depends on sizes alone, never on which thread was
//! idle, so that results are the same each time.

mod attention;
mod convolution;
mod cpu;
mod exponential;
mod gates;
mod group_norm;
mod layer_norm;
mod layers;
mod linear;
mod matrix;
mod patches;
pub mod plain;
mod pointwise;
mod rotary;
mod scratch;
mod sums;
mod upsample;
mod winograd;
mod winograd_transforms;

pub use layers::{
    attention, conv1x1, conv3x3, geglu, group_norm, layer_norm, linear, rms_norm, rope, swiglu, upsample,
};

/// Where the border of zeros of a 3×3 convolution lies and how far apart the patches are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// A border of one pixel all around, a patch at each pixel: the size stays.
    One,
    /// A border of one pixel all around, a patch at every other pixel: the size is halved, rounding up.
    Two,
    /// A border of one pixel to the right and below only, a patch at every other pixel: an even size is halved.
    TwoPaddedBehind,
}
