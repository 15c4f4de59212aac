//! Attention on the CPU in f32 without the whole matrix of scores: each task takes a run of queries, whose scores stay
//! in its cache from the first product to the last, head by head. The backward pass computes them again.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::cpu::{numbers, shaped_as, with_numbers};
use crate::exponential::exp;
use crate::matrix::{Matrix, multiply, multiply_onto};

/// Scores that a thread holds at a time, in bytes: about half of a core's second-level cache.
const SCORE_BYTES: usize = 512 << 10;

/// Partial sums that are kept side by side, so that sums can be taken a vector at a time.
const LANES: usize = 16;

/// Queries `[batch, n, heads·d]`, keys `[batch, m, heads·d]`, values `[batch, m, heads·e]`, all contiguous →
/// `[batch, n, heads·e]`.
pub(crate) struct Attention {
    pub(crate) heads: usize,
    /// Query i sees keys 0 … i + m − n only.
    pub(crate) causal: bool,
}

/// The sizes of one attention.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    n: usize,
    m: usize,
    heads: usize,
    /// Width of a head's queries and keys, and of its values.
    d: usize,
    e: usize,
    causal: bool,
}

impl Sizes {
    /// Queries whose scores a thread holds at a time.
    fn run(self) -> usize {
        (SCORE_BYTES / (self.m * size_of::<f32>())).clamp(8, self.n.max(8))
    }

    fn scale(self) -> f32 {
        1.0 / (self.d as f32).sqrt()
    }

    /// How many keys the query sees.
    fn seen(self, query: usize) -> usize {
        if self.causal { (query + 1 + self.m).saturating_sub(self.n).min(self.m) } else { self.m }
    }
}

impl Attention {
    fn sizes(&self, q: &Shape, k: &Shape, v: &Shape) -> Result<Sizes> {
        let Self { heads, causal } = *self;
        let (batch, n, q_width) = q.dims3()?;
        let (k_batch, m, k_width) = k.dims3()?;
        let (v_batch, v_rows, v_width) = v.dims3()?;
        let sizes_fit = k_batch == batch && v_batch == batch && v_rows == m && k_width == q_width;
        // A causal query before the first key would see nothing.
        if heads == 0
            || !sizes_fit
            || q_width % heads != 0
            || v_width % heads != 0
            || n * m * q_width * v_width == 0
            || (causal && n > m)
        {
            bail!("attention of {heads} heads on {q:?}, {k:?}, {v:?}");
        }
        Ok(Sizes { batch, n, m, heads, d: q_width / heads, e: v_width / heads, causal })
    }
}

impl CustomOp3 for Attention {
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
        let sizes = self.sizes(q_layout.shape(), k_layout.shape(), v_layout.shape())?;
        let result = forward(numbers(q, q_layout)?, numbers(k, k_layout)?, numbers(v, v_layout)?, sizes);
        Ok((CpuStorage::F32(result), (sizes.batch, sizes.n, sizes.heads * sizes.e).into()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = self.sizes(q.shape(), k.shape(), v.shape())?;
        let [of_q, of_k, of_v] =
            with_numbers([q, k, v, result, gradient], |[q, k, v, o, g]| Ok(backward([q, k, v], o, g, sizes)))?;
        let wanted = |x: &Tensor, gradient| x.track_op().then(|| shaped_as(x, gradient)).transpose();
        Ok((wanted(q, of_q)?, wanted(k, of_k)?, wanted(v, of_v)?))
    }
}

/// What is one picture's in the rows `from..from + rows` of a tensor with `all` rows of `width` a picture, from one
/// head's first column on.
fn of_head(x: &[f32], picture: usize, all: usize, from: usize, rows: usize, head: usize, width: Width) -> Matrix<'_> {
    let Width { head: columns, row } = width;
    Matrix::in_rows(&x[(picture * all + from) * row + head * columns..], rows, columns, row)
}

/// Numbers of a head and of a row of all heads.
#[derive(Clone, Copy)]
struct Width {
    head: usize,
    row: usize,
}

fn forward(q: &[f32], k: &[f32], v: &[f32], sizes: Sizes) -> Vec<f32> {
    let Sizes { batch, n, m, heads, d, e, .. } = sizes;
    let (q_width, v_width) = (Width { head: d, row: heads * d }, Width { head: e, row: heads * e });
    let run = sizes.run();
    let mut result = vec![0f32; batch * n * heads * e];
    result.par_chunks_mut(n * heads * e).enumerate().for_each(|(picture, result)| {
        result.par_chunks_mut(run * heads * e).enumerate().for_each_init(Vec::new, |scores, (part, result)| {
            let (first, rows) = (part * run, result.len() / (heads * e));
            scores.resize(rows * m, 0.0);
            let mut sums = vec![0f32; rows];
            for head in 0..heads {
                let queries = of_head(q, picture, n, first, rows, head, q_width);
                let keys = of_head(k, picture, m, 0, m, head, q_width);
                let values = of_head(v, picture, m, 0, m, head, v_width);
                multiply(queries, keys.transposed(), sizes.scale(), scores, m, 1);
                Arch::new().dispatch(Softmax { scores, sums: &mut sums, sizes, first });
                let result = &mut result[head * e..];
                multiply(Matrix::in_rows(scores, rows, m, m), values, 1.0, result, heads * e, 1);
                for (row, sum) in result.chunks_mut(heads * e).zip(&sums) {
                    row[..e].iter_mut().for_each(|x| *x /= sum);
                }
            }
        });
    });
    result
}

/// The gradients of queries, keys and values.
fn backward([q, k, v]: [&[f32]; 3], result: &[f32], gradient: &[f32], sizes: Sizes) -> [Vec<f32>; 3] {
    let Sizes { n, m, heads, d, e, .. } = sizes;
    let (q_width, v_width) = (Width { head: d, row: heads * d }, Width { head: e, row: heads * e });
    let run = sizes.run();
    let [mut of_q, mut of_k, mut of_v] = [q, k, v].map(|x| vec![0f32; x.len()]);
    let pictures = of_q
        .par_chunks_mut(n * heads * d)
        .zip(of_k.par_chunks_mut(m * heads * d).zip(of_v.par_chunks_mut(m * heads * e)))
        .enumerate();
    pictures.for_each_init(
        Default::default,
        |(weights, slopes, dots): &mut (Vec<f32>, Vec<f32>, Vec<f32>), (picture, (of_q, (of_k, of_v)))| {
            for (head, first) in (0..heads).flat_map(|head| (0..n).step_by(run).map(move |first| (head, first))) {
                let rows = run.min(n - first);
                weights.resize(rows * m, 0.0);
                slopes.resize(rows * m, 0.0);
                dots.resize(rows, 0.0);
                let queries = of_head(q, picture, n, first, rows, head, q_width);
                let keys = of_head(k, picture, m, 0, m, head, q_width);
                let values = of_head(v, picture, m, 0, m, head, v_width);
                let result = of_head(result, picture, n, first, rows, head, v_width);
                let gradient = of_head(gradient, picture, n, first, rows, head, v_width);
                multiply(queries, keys.transposed(), sizes.scale(), weights, m, 1);
                Arch::new().dispatch(Softmax { scores: weights, sums: dots, sizes, first });
                multiply(gradient, values.transposed(), 1.0, slopes, m, 1);
                Arch::new().dispatch(SoftmaxBackward { weights, slopes, sums: dots, result, gradient });
                let [weights, slopes] = [&*weights, &*slopes].map(|x| Matrix::in_rows(x, rows, m, m));
                multiply_onto(weights.transposed(), gradient, 1.0, &mut of_v[head * e..], heads * e, 1);
                multiply_onto(slopes.transposed(), queries, sizes.scale(), &mut of_k[head * d..], heads * d, 1);
                let of_q = &mut of_q[first * heads * d + head * d..];
                multiply(slopes, keys, sizes.scale(), of_q, heads * d, 1);
            }
        },
    );
    [of_q, of_k, of_v]
}

/// Rows of scores, to be replaced by their exponentials; a type of its own so that all of it is compiled with the vector
/// instructions that this processor has.
struct Softmax<'a> {
    scores: &'a mut [f32],
    sums: &'a mut [f32],
    sizes: Sizes,
    /// The query of the first row.
    first: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let rows = self.scores.chunks_exact_mut(self.sizes.m).zip(self.sums);
        for (query, (row, sum)) in (self.first..).zip(rows) {
            let (seen, hidden) = row.split_at_mut(self.sizes.seen(query));
            *sum = exponentials(seen);
            hidden.fill(0.0);
        }
    }
}

/// Exponentials become the softmax's weights, and the weights' gradients the scores': w · (g − Σ w·g), where Σ w·g is
/// the product of a row of the result with its gradient.
struct SoftmaxBackward<'a> {
    weights: &'a mut [f32],
    slopes: &'a mut [f32],
    sums: &'a [f32],
    result: Matrix<'a>,
    gradient: Matrix<'a>,
}

impl WithSimd for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let m = self.weights.len() / self.sums.len().max(1);
        let rows = self.weights.chunks_exact_mut(m).zip(self.slopes.chunks_exact_mut(m)).zip(self.sums);
        let results = self.result.values.chunks(self.result.row_stride);
        let gradients = self.gradient.values.chunks(self.gradient.row_stride);
        let e = self.result.columns;
        for (((weights, slopes), sum), (result, gradient)) in rows.zip(results.zip(gradients)) {
            let dot: f32 = result[..e].iter().zip(&gradient[..e]).map(|(a, b)| a * b).sum();
            let factor = 1.0 / sum;
            for (weight, slope) in weights.iter_mut().zip(slopes) {
                *weight *= factor;
                *slope = *weight * (*slope - dot);
            }
        }
    }
}

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
