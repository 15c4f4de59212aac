//! Attention on the CPU in f32 without the whole matrix of scores: each thread takes a run of queries of one head,
//! whose scores stay in its cache from the first product to the last. [`super::attention::plain`] computes the same
//! and is what this is tested against.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, bail};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::kernels::{Matrix, exp, multiply};

/// Scores that a thread holds at a time, in bytes: about half of a core's second-level cache.
const SCORE_BYTES: usize = 512 << 10;

/// Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values `[batch, m, heads·e]` → `[batch, heads, n, e]`.
pub struct CpuAttention {
    /// Number of heads.
    pub heads: usize,
}

impl CustomOp3 for CpuAttention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let heads = self.heads;
        let (batch, n, q_width) = q_layout.shape().dims3()?;
        let (k_batch, m, k_width) = k_layout.shape().dims3()?;
        let (v_batch, v_rows, v_width) = v_layout.shape().dims3()?;
        let sizes_fit = k_batch == batch && v_batch == batch && v_rows == m && k_width == q_width;
        if heads == 0 || !sizes_fit || q_width % heads != 0 || v_width % heads != 0 || n == 0 || m == 0 {
            bail!("attention of {:?}, {:?}, {:?}", q_layout.shape(), k_layout.shape(), v_layout.shape());
        }
        let (d, e) = (q_width / heads, v_width / heads);
        let (q, k, v) = (rows(q, q_layout)?, rows(k, k_layout)?, rows(v, v_layout)?);
        let scale = 1.0 / (d as f32).sqrt();
        let run = (SCORE_BYTES / (m * size_of::<f32>())).clamp(8, n.max(8));

        let mut result = vec![0f32; batch * heads * n * e];
        if e > 0 {
            result.par_chunks_mut(n * e).enumerate().for_each(|(at, of_head)| {
                let (picture, head) = (at / heads, at % heads);
                let keys = Matrix::in_rows(&k[picture * m * k_width + head * d..], m, d, k_width);
                let values = Matrix::in_rows(&v[picture * m * v_width + head * e..], m, e, v_width);
                of_head.par_chunks_mut(run * e).enumerate().for_each_init(Vec::new, |scores, (part, result)| {
                    let queries = &q[(picture * n + part * run) * q_width + head * d..];
                    let queries = Matrix::in_rows(queries, result.len() / e, d, q_width);
                    attend(queries, keys, values, scale, scores, result);
                });
            });
        }
        Ok((CpuStorage::F32(result), (batch, heads, n, e).into()))
    }
}

/// The values of a tensor in C order.
fn rows<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("attention takes tensors in C order") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// One run of queries of one head: `result [rows, e]` = softmax(queries · keysᵀ · scale) · values.
fn attend(queries: Matrix, keys: Matrix, values: Matrix, scale: f32, scores: &mut Vec<f32>, result: &mut [f32]) {
    let (rows, m, e) = (queries.rows, keys.rows, values.columns);
    scores.resize(rows * m, 0.0);
    multiply(queries, keys.transposed(), scale, scores, m, 1);
    let mut sums = vec![0f32; rows];
    Arch::new().dispatch(Softmax { scores, sums: &mut sums, m });
    multiply(Matrix::in_rows(scores, rows, m, m), values, 1.0, result, e, 1);
    for (row, sum) in result.chunks_exact_mut(e).zip(&sums) {
        row.iter_mut().for_each(|x| *x /= sum);
    }
}

/// Rows of `m` scores, to be replaced by their exponentials; a type of its own so that all of it is compiled with the
/// vector instructions that this processor has.
struct Softmax<'a> {
    scores: &'a mut [f32],
    sums: &'a mut [f32],
    m: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (row, sum) in self.scores.chunks_exact_mut(self.m).zip(self.sums) {
            *sum = exponentials(row);
        }
    }
}

const LANES: usize = 16;

/// Replaces every score by the exponential of its distance to the largest, and returns their sum.
#[inline(always)]
fn exponentials(row: &mut [f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (l, &x) in largest.iter_mut().zip(chunk) {
            *l = if x > *l { x } else { *l };
        }
    }
    let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut sums = [0f32; LANES];
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    for chunk in whole {
        for (s, x) in sums.iter_mut().zip(chunk) {
            *x = exp(*x - largest);
            *s += *x;
        }
    }
    for x in rest.iter_mut() {
        *x = exp(*x - largest);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}
