//! Gated activations on the CPU in f32: GEGLU and SwiGLU, one pass forward and one backward.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use pulp::Arch;
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};
use crate::exponential::{exp, normal_distribution};

/// Numbers that one task works on, or one row.
const RUN: usize = 1 << 14;

/// `x` `[…, 2·width]`, contiguous → `[…, width]`.
pub(crate) struct Geglu;

impl Geglu {
    /// Half the width and how many rows one task takes.
    fn sizes(x: &Shape) -> Result<(usize, usize)> {
        match x.dims().last() {
            Some(&width) if width > 0 && width % 2 == 0 => Ok((width / 2, (RUN / width).max(1))),
            _ => bail!("GEGLU of {x:?}, which has no two halves"),
        }
    }
}

impl CustomOp1 for Geglu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (width, rows) = Self::sizes(layout.shape())?;
        let x = numbers(x, layout)?;
        let mut result = vec![0f32; x.len() / 2];
        result.par_chunks_mut(rows * width).zip(x.par_chunks(rows * 2 * width)).for_each(|(to, from)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(2 * width)) {
                        let (value, gate) = from.split_at(width);
                        for ((to, value), gate) in to.iter_mut().zip(value).zip(gate) {
                            *to = value * gate * normal_distribution(*gate).0;
                        }
                    }
                },
            );
        });
        let mut dims = layout.shape().dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = width;
        }
        Ok((CpuStorage::F32(result), dims.into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (width, rows) = Self::sizes(x.shape())?;
        let of_x = with_numbers([x, gradient], |[from, gradient]| {
            let mut result = vec![0f32; from.len()];
            let from = from.par_chunks(rows * 2 * width).zip(gradient.par_chunks(rows * width));
            result.par_chunks_mut(rows * 2 * width).zip(from).for_each(|(to, (from, gradient))| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        let from = from.chunks_exact(2 * width).zip(gradient.chunks_exact(width));
                        for (to, (from, gradient)) in to.chunks_exact_mut(2 * width).zip(from) {
                            let ((of_value, of_gate), (value, gate)) = (to.split_at_mut(width), from.split_at(width));
                            let inputs = value.iter().zip(gate).zip(gradient);
                            for ((of_value, of_gate), ((value, gate), gradient)) in
                                of_value.iter_mut().zip(of_gate).zip(inputs)
                            {
                                let (below, density) = normal_distribution(*gate);
                                *of_value = gradient * gate * below;
                                *of_gate = gradient * value * (below + gate * density);
                            }
                        }
                    },
                );
            });
            Ok(result)
        })?;
        shaped_as(x, of_x).map(Some)
    }
}

/// `gate` and `up` of one shape, contiguous.
pub(crate) struct Swiglu;

impl CustomOp2 for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, gate: &CpuStorage, gl: &Layout, up: &CpuStorage, ul: &Layout) -> Result<(CpuStorage, Shape)> {
        if gl.shape() != ul.shape() {
            bail!("SwiGLU of {:?} and {:?}", gl.shape(), ul.shape())
        }
        let (gate, up) = (numbers(gate, gl)?, numbers(up, ul)?);
        let mut result = vec![0f32; gate.len()];
        result.par_chunks_mut(RUN).zip(gate.par_chunks(RUN).zip(up.par_chunks(RUN))).for_each(|(to, (gate, up))| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for ((to, gate), up) in to.iter_mut().zip(gate).zip(up) {
                        *to = gate / (1.0 + exp(-gate)) * up;
                    }
                },
            );
        });
        Ok((CpuStorage::F32(result), gl.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_gate, of_up) = with_numbers([gate, up, gradient], |[gates, ups, gradient]| {
            let [mut of_gate, mut of_up] = [(); 2].map(|()| vec![0f32; gates.len()]);
            let from = gates.par_chunks(RUN).zip(ups.par_chunks(RUN)).zip(gradient.par_chunks(RUN));
            of_gate.par_chunks_mut(RUN).zip(of_up.par_chunks_mut(RUN)).zip(from).for_each(
                |((of_gate, of_up), ((gate, up), gradient))| {
                    Arch::new().dispatch(
                        #[inline(always)]
                        || {
                            let inputs = gate.iter().zip(up).zip(gradient);
                            for ((of_gate, of_up), ((gate, up), gradient)) in of_gate.iter_mut().zip(of_up).zip(inputs)
                            {
                                let sigmoid = 1.0 / (1.0 + exp(-gate));
                                *of_up = gradient * gate * sigmoid;
                                *of_gate = gradient * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
                            }
                        },
                    );
                },
            );
            Ok((of_gate, of_up))
        })?;
        let wanted = |x: &Tensor, gradient| x.track_op().then(|| shaped_as(x, gradient)).transpose();
        Ok((wanted(gate, of_gate)?, wanted(up, of_up)?))
    }
}
