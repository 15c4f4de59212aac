//! The layers that several models share: linear maps, norms, attention, rotary positions, 3×3 convolutions and gated
//! activations. Each gives PyTorch's numbers on any device and dtype, and a gradient that candle's `backward` follows:
//! candle-nn's own fused norms and softmax stop gradients. On the CPU in f32 most are one fused kernel, forward and
//! backward; [`plain`] computes the same out of candle's operations, serves everything else and is what the kernels are
//! tested against.

pub mod plain;

pub use plain::{attention, conv3x3, geglu, group_norm, layer_norm, linear, rms_norm, rope, swiglu};

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
