//! Sums of many f32 numbers, a vector at a time, without losing digits.

/// Partial sums that are kept side by side.
pub(crate) const LANES: usize = 16;

/// Numbers that are summed in f32 before the sum goes on in f64.
const SUMMED: usize = 1024;

/// The sum of `f` of every value, of which there may be millions.
#[inline(always)]
pub(crate) fn long_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    values.chunks(SUMMED).map(|part| f64::from(sum(part, &f))).sum()
}

/// The sum of `f` of every pair of values, of which there may be millions; the slices are of one length.
#[inline(always)]
pub(crate) fn long_sum_of_pairs(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    left.chunks(SUMMED).zip(right.chunks(SUMMED)).map(|(left, right)| f64::from(sum_of_pairs(left, right, &f))).sum()
}

/// The sum of `f` of every value, in as many partial sums as fit a vector.
#[inline(always)]
pub(crate) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0f32; LANES];
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f(*value);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|value| f(*value)).sum::<f32>()
}

/// The sum of `f` of every pair of values, as [`sum`].
#[inline(always)]
pub(crate) fn sum_of_pairs(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    let mut lanes = [0f32; LANES];
    for (left, right) in left.iter().zip(right) {
        for (lane, (left, right)) in lanes.iter_mut().zip(left.iter().zip(right)) {
            *lane += f(*left, *right);
        }
    }
    lanes.iter().sum::<f32>() + left_rest.iter().zip(right_rest).map(|(left, right)| f(*left, *right)).sum::<f32>()
}

/// The sum of all rows of `width` numbers, from the first to the last.
pub(crate) fn sum_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0f32; width];
    for row in rows.chunks_exact(width.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums
}
