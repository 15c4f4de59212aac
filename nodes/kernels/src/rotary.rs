//! Rotary positions on the CPU in f32, in one pass; backward they turn the other way.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use pulp::Arch;
use rayon::prelude::*;

use crate::cpu::{numbers, with_numbers};

/// `x` `[batch, n, heads·d]`, contiguous; turns the two halves of each head by angles of its row.
#[derive(Clone)]
pub(crate) struct Rotary {
    /// `[n, d/2]`
    pub(crate) cos: Tensor,
    /// `[n, d/2]`
    pub(crate) sin: Tensor,
    pub(crate) heads: usize,
    /// Whether to turn the other way.
    pub(crate) back: bool,
}

impl CustomOp1 for Rotary {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, n, width) = layout.shape().dims3()?;
        let half = width / self.heads.max(1) / 2;
        let angles: Shape = (n, half).into();
        if half == 0 || half * 2 * self.heads != width || *self.cos.shape() != angles || *self.sin.shape() != angles {
            bail!("positions {:?} on {} heads of {:?}", self.cos.shape(), self.heads, layout.shape())
        }
        let x = numbers(x, layout)?;
        let mut result = vec![0f32; x.len()];
        with_numbers([&self.cos, &self.sin], |[cos, sin]| {
            let sign = if self.back { -1.0 } else { 1.0 };
            result.par_chunks_mut((n * width).max(1)).zip(x.par_chunks((n * width).max(1))).for_each(|(to, from)| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        for (row, (to, from)) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)).enumerate() {
                            let angles = row * half..(row + 1) * half;
                            let (cos, sin) = (&cos[angles.clone()], &sin[angles]);
                            for (to, from) in to.chunks_exact_mut(2 * half).zip(from.chunks_exact(2 * half)) {
                                let ((to_first, to_second), (first, second)) =
                                    (to.split_at_mut(half), from.split_at(half));
                                for i in 0..half {
                                    let sin = sign * sin[i];
                                    to_first[i] = first[i] * cos[i] - second[i] * sin;
                                    to_second[i] = second[i] * cos[i] + first[i] * sin;
                                }
                            }
                        }
                    },
                );
            });
            Ok(())
        })?;
        Ok((CpuStorage::F32(result), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let back = Self { back: !self.back, ..self.clone() };
        gradient.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}
