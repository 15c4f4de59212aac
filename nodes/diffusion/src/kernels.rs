//! Loops over f32 numbers in main memory for which candle needs many passes, or a function call a number: matrix
//! products into place, the group norm with what follows it, and the exponential of a vector's worth of numbers. They are compiled for every vector width
//! that the machine may have, and run on the caller's thread unless they say otherwise. Each is tested against candle.

use gemm::{Parallelism, gemm};
use pulp::Arch;
use rayon::prelude::*;

/// Partial sums that are kept side by side, so that sums can be taken a vector at a time.
const LANES: usize = 16;

/// Numbers that are summed in f32 before the sum goes on in f64.
const SUMMED: usize = 1024;

/// A matrix somewhere in a slice: element (i, j) lies at `i · row_stride + j · column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// The numbers, from element (0, 0) on.
    pub values: &'a [f32],
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// From one row to the next.
    pub row_stride: usize,
    /// From one column to the next.
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` numbers, `row_stride` apart.
    pub fn in_rows(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Where the last element lies, if there is any.
    fn last(&self) -> Option<usize> {
        let rows = self.rows.checked_sub(1)?.checked_mul(self.row_stride)?;
        let columns = self.columns.checked_sub(1)?.checked_mul(self.column_stride)?;
        rows.checked_add(columns)
    }
}

/// `factor · left · right`, written in rows that start `row_stride` apart in `result`; what lies between them stays. May
/// keep `threads` threads of the current pool busy.
///
/// # Panics
/// The sizes do not fit each other, or a matrix does not fit into its slice: faults of the caller.
pub fn multiply(left: Matrix, right: Matrix, factor: f32, result: &mut [f32], row_stride: usize, threads: usize) {
    let target = Matrix::in_rows(result, left.rows, right.columns, row_stride);
    assert_eq!(left.columns, right.rows, "a matrix product of sizes that do not fit");
    assert!(right.columns <= row_stride || left.rows <= 1, "rows of a product that overlap");
    for matrix in [&left, &right, &target] {
        let inside = matrix.last().is_none_or(|last| last < matrix.values.len());
        assert!(inside && matrix.values.len() <= isize::MAX as usize, "a matrix beyond its slice");
    }
    let (rows, columns) = (target.rows, target.columns);
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: every element of the three matrices lies inside its slice, since the last one does and strides are not
    // negative; strides are at most the slices' lengths or are never used; `result` is borrowed for writing, so that it
    // overlaps neither operand, and its own rows do not overlap each other.
    unsafe {
        gemm(
            rows,
            columns,
            left.columns,
            result.as_mut_ptr(),
            1,
            row_stride as isize,
            false,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            0.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// A group norm's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// What each channel is multiplied by.
    pub weight: &'a [f32],
    /// What is then added; as many as there are weights.
    pub bias: &'a [f32],
    /// In how many groups the channels lie; divides their number.
    pub groups: usize,
    /// What is added to the variance.
    pub eps: f64,
}

/// Group norm of `x` `[batch, channels, pixels]`, then SiLU if asked: each group of channels of a picture is brought to
/// mean 0 and variance 1, and each channel scaled and shifted. Runs on the current pool.
pub fn group_norm(x: &[f32], norm: Norm, pixels: usize, silu: bool) -> Vec<f32> {
    let channels = norm.weight.len() / norm.groups.max(1);
    let mut result = vec![0f32; x.len()];
    let length = (channels * pixels).max(1);
    result.par_chunks_mut(length).zip(x.par_chunks(length)).enumerate().for_each(|(index, (to, from))| {
        let first = index % norm.groups * channels;
        let group = first..first + channels;
        let (weight, bias) = (&norm.weight[group.clone()], &norm.bias[group]);
        Arch::new().dispatch(
            #[inline(always)]
            || normalise(from, to, weight, bias, norm.eps, silu),
        );
    });
    result
}

/// One group of a picture; `weight` and `bias` are its channels'.
#[inline(always)]
fn normalise(from: &[f32], to: &mut [f32], weight: &[f32], bias: &[f32], eps: f64, silu: bool) {
    let count = from.len() as f64;
    let mean = (long_sum(from, |value| value) / count) as f32;
    let variance = long_sum(from, |value| (value - mean) * (value - mean)) / count;
    let deviation = (1.0 / (variance + eps).sqrt()) as f32;
    let pixels = (from.len() / weight.len().max(1)).max(1);
    let planes = to.chunks_exact_mut(pixels).zip(from.chunks_exact(pixels));
    for ((to, from), (weight, bias)) in planes.zip(weight.iter().zip(bias)) {
        let scale = deviation * weight;
        for (to, from) in to.iter_mut().zip(from) {
            let value = (from - mean) * scale + bias;
            *to = if silu { value / (1.0 + exp(-value)) } else { value };
        }
    }
}

/// The sum of `f` of every value, of which there may be millions.
#[inline(always)]
fn long_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    values.chunks(SUMMED).map(|part| f64::from(sum(part, &f))).sum()
}

/// The sum of `f` of every value, in as many partial sums as fit a vector.
#[inline(always)]
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0f32; LANES];
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f(*value);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|value| f(*value)).sum::<f32>()
}

/// e to the `x`, to about two units in the last place; NaN for NaN, and held at the ends of f32's normal range.
/// Source: Cephes' `expf`, with the exponent put together in integers so that loops over it become vector code.
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "the coefficients are those that were published")]
pub fn exp(x: f32) -> f32 {
    // Adding it leaves a whole number in the low bits of the significand.
    const SHIFT: f32 = 12_582_912.0;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let twos = shifted - SHIFT;
    let rest = x - twos * 0.693_359_375 - twos * -2.121_944_4e-4;
    let series = 1.987_569_15e-4 * rest + 1.398_199_950_7e-3;
    let series = series * rest + 8.333_451_907_3e-3;
    let series = series * rest + 4.166_579_589_4e-2;
    let series = series * rest + 1.666_666_545_9e-1;
    let series = series * rest + 5.000_000_120_1e-1;
    let value = series * (rest * rest) + rest + 1.0;
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(SHIFT.to_bits()) << 23).wrapping_add(0x3f80_0000));
    value * power
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn numbers(count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|index| (index as f32 * 0.731).sin() * scale).collect()
    }

    fn assert_near(found: &[f32], expected: &[f32], most: f32) {
        assert_eq!(found.len(), expected.len());
        let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
        assert!(far <= most, "{far} apart, at most {most} expected");
    }

    #[test]
    fn the_exponential_is_within_two_units_in_the_last_place_over_its_whole_range() {
        for index in -870_000..880_000 {
            let x = index as f32 * 1e-4;
            let (found, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / exact - 1.0).abs() < 2.4e-7, "e^{x}: expected {exact}, found {found}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-1000.0) > 0.0 && exp(-1000.0) < 1e-37 && exp(1000.0).is_finite());
    }

    #[test]
    fn the_group_norm_equals_candles_with_and_without_silu() {
        let (batch, channels, height, width, groups) = (2, 6, 9, 15, 3);
        let x = Tensor::from_vec(
            numbers(batch * channels * height * width, 3.0),
            (batch, channels, height, width),
            &Device::Cpu,
        );
        let x = (x.unwrap() + 100.0).unwrap();
        let (weight, bias) = (numbers(channels, 1.5), numbers(channels, 0.5));
        let tensor = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        let norm = candle_nn::GroupNorm::new(tensor(&weight), tensor(&bias), channels, groups, 1e-5).unwrap();
        let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = candle_nn::Module::forward(&norm, &x).unwrap();
        let norm = Norm { weight: &weight, bias: &bias, groups, eps: 1e-5 };
        let found = |silu| group_norm(&flat(&x), norm, height * width, silu);
        assert_near(&found(false), &flat(&expected), 1e-4);
        assert_near(&found(true), &flat(&expected.silu().unwrap()), 1e-4);
    }

    #[test]
    fn products_of_strided_matrices_go_where_they_are_told() {
        let (left, right) = (numbers(5 * 7, 1.0), numbers(4 * 9, 1.0));
        let a = Matrix::in_rows(&left, 5, 4, 7);
        let b = Matrix::in_rows(&right, 4, 6, 9).transposed().transposed();
        let mut found = vec![9.0; 5 * 8];
        multiply(a, b, 2.0, &mut found, 8, 1);
        for row in 0..5 {
            for column in 0..8 {
                let product: f32 = (0..4).map(|k| left[row * 7 + k] * right[k * 9 + column]).sum();
                let expected = if column < 6 { 2.0 * product } else { 9.0 };
                assert!((found[row * 8 + column] - expected).abs() < 1e-5, "({row}, {column})");
            }
        }
    }

    #[test]
    #[should_panic(expected = "beyond its slice")]
    fn a_matrix_beyond_its_slice_is_refused() {
        let values = [0.0; 6];
        multiply(Matrix::in_rows(&values, 3, 3, 3), Matrix::in_rows(&values, 3, 2, 2), 1.0, &mut [0.0; 6], 2, 1);
    }
}
