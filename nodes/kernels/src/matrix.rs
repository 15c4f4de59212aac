//! Matrix products of f32 numbers in main memory, from strided operands into strided results.

use gemm::{Parallelism, gemm};

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
    product(left, right, factor, result, row_stride, threads, false);
}

/// As [`multiply`], added to what `result` holds.
///
/// # Panics
/// As [`multiply`].
pub fn multiply_onto(left: Matrix, right: Matrix, factor: f32, result: &mut [f32], row_stride: usize, threads: usize) {
    product(left, right, factor, result, row_stride, threads, true);
}

fn product(
    left: Matrix,
    right: Matrix,
    factor: f32,
    result: &mut [f32],
    row_stride: usize,
    threads: usize,
    onto: bool,
) {
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
            onto,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn numbers(count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|index| (index as f32 * 0.731).sin() * scale).collect()
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
