//! Doubling a picture by repeating pixels, on the CPU in f32; backward each pixel gets the sum of its four copies, which
//! candle takes through a convolution with one group a channel.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};

/// `x` `[batch, channels, height, width]`, contiguous → twice as high and wide.
pub(crate) struct Doubled;

impl CustomOp1 for Doubled {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let x = numbers(x, layout)?;
        let plane = (height * width).max(1);
        let mut result = vec![0f32; 4 * x.len()];
        result.par_chunks_mut(4 * plane).zip(x.par_chunks(plane)).for_each(|(to, from)| {
            for (lines, from) in to.chunks_exact_mut(4 * width).zip(from.chunks_exact(width)) {
                let (first, second) = lines.split_at_mut(2 * width);
                for (to, from) in first.as_chunks_mut::<2>().0.iter_mut().zip(from) {
                    *to = [*from; 2];
                }
                second.copy_from_slice(first);
            }
        });
        Ok((CpuStorage::F32(result), (batch, channels, 2 * height, 2 * width).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, height, width) = x.dims4()?;
        let plane = (height * width).max(1);
        let of_x = with_numbers([gradient], |[gradient]| {
            let mut result = vec![0f32; x.elem_count()];
            result.par_chunks_mut(plane).zip(gradient.par_chunks(4 * plane)).for_each(|(to, from)| {
                for (to, lines) in to.chunks_exact_mut(width).zip(from.chunks_exact(4 * width)) {
                    let (first, second) = lines.split_at(2 * width);
                    let pairs = first.as_chunks::<2>().0.iter().zip(second.as_chunks::<2>().0);
                    for (to, ([a, b], [c, d])) in to.iter_mut().zip(pairs) {
                        *to = a + b + c + d;
                    }
                }
            });
            Ok(result)
        })?;
        shaped_as(x, of_x).map(Some)
    }
}
