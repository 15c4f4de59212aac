//! Attention on the CPU in f32 without the whole matrix of scores: each thread takes a run of queries of one head,
//! whose scores stay in its cache from the first product to the last. [`super::attention::plain`] computes the same
//! and is what this is tested against.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, bail};
use gemm::Parallelism;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

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
                let keys = View { data: &k[picture * m * k_width + head * d..], stride: k_width };
                let values = View { data: &v[picture * m * v_width + head * e..], stride: v_width };
                of_head.par_chunks_mut(run * e).enumerate().for_each_init(Vec::new, |scores, (part, result)| {
                    let queries = View { data: &q[(picture * n + part * run) * q_width + head * d..], stride: q_width };
                    attend(&queries, &keys, &values, Sizes { rows: result.len() / e, m, d, e, scale }, scores, result);
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

/// Rows that lie `stride` apart.
struct View<'a> {
    data: &'a [f32],
    stride: usize,
}

impl View<'_> {
    /// Whether `rows` rows of `columns` lie within the data.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.stride + columns <= self.data.len()
    }
}

#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    m: usize,
    d: usize,
    e: usize,
    scale: f32,
}

/// One run of queries of one head: `result [rows, e]` = softmax(queries · keysᵀ · scale) · values.
fn attend(
    queries: &View<'_>,
    keys: &View<'_>,
    values: &View<'_>,
    sizes: Sizes,
    scores: &mut Vec<f32>,
    result: &mut [f32],
) {
    let Sizes { rows, m, d, e, scale } = sizes;
    scores.clear();
    scores.resize(rows * m, 0.0);
    assert!(queries.holds(rows, d) && keys.holds(m, d) && values.holds(m, e) && result.len() == rows * e);
    // SAFETY: the assertion holds every row that the strides reach within its slice; `scores` holds rows × m and is
    // not aliased, being borrowed mutably.
    unsafe {
        gemm::gemm(
            rows,
            m,
            d,
            scores.as_mut_ptr(),
            1,
            m as isize,
            false,
            queries.data.as_ptr(),
            1,
            queries.stride as isize,
            keys.data.as_ptr(),
            keys.stride as isize,
            1,
            0.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
    let mut sums = vec![0f32; rows];
    Arch::new().dispatch(Softmax { scores, sums: &mut sums, m });
    // SAFETY: as above; `result` holds rows × e and is borrowed mutably.
    unsafe {
        gemm::gemm(
            rows,
            e,
            m,
            result.as_mut_ptr(),
            1,
            e as isize,
            false,
            scores.as_ptr(),
            1,
            m as isize,
            values.data.as_ptr(),
            1,
            values.stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
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
            *x = exponential(*x - largest);
            *s += *x;
        }
    }
    for x in rest.iter_mut() {
        *x = exponential(*x - largest);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// eˣ for x ≤ 0, to about one unit in the last place; NaN stays NaN. Written so that it compiles to vector code:
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, then the polynomial of Cephes' `expf` in r, then 2ⁿ put together from its bits.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    /// Adding 1.5 · 2²³ leaves the nearest whole number in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    // Below e⁻⁸⁷ the result is as good as zero, and 2ⁿ has no bits of its own.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_2e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + c;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23);
    (p * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_double_precision_to_two_units_in_the_last_place() {
        let worst = (0..=870_000u32)
            .map(|i| -(i as f32) / 10_000.0)
            .map(|x| (f64::from(exponential(x)) / f64::from(x).exp() - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "relative error {worst:e}");
        assert!(exponential(f32::NAN).is_nan());
        assert!(exponential(f32::NEG_INFINITY) < 1e-37);
    }
}
