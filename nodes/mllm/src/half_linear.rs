//! Linear maps on the CPU whose weights stay in half precision: half the memory of f32, which decides whether a 7B model
//! fits at all. Activations and sums are f32. candle would widen the whole matrix on one thread for every token, which
//! takes ten times as long as f32; here a row is widened in the cache while it is used, so that a token costs the time
//! to read the weights once.

use candle_core::{CpuStorage, Result, Storage, Tensor};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Up to so many rows of activations each weight is widened where it is used; for more, a matrix product of widened
/// weights is faster.
const FEW_ROWS: usize = 8;
/// Rows of weights a thread takes at a time.
const TAKEN: usize = 16;
/// Sums that run side by side, so that the compiler can use vector instructions.
const LANES: usize = 16;

/// x [n, in], f32, times the transpose of `weight` [out, in], f16 or bf16, both on the CPU → [n, out], f32.
pub(crate) fn times_transposed(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (n, input) = x.dims2()?;
    let (output, width) = weight.dims2()?;
    if width != input || input == 0 {
        candle_core::bail!("{input} inputs for weights of {width}")
    }
    let few = n <= FEW_ROWS;
    let rows: Vec<f32> = if few { x.flatten_all()?.to_vec1()? } else { Vec::new() };
    let (storage, layout) = weight.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        candle_core::bail!("weights in half precision have to be contiguous and on the CPU")
    };
    let result = match (storage, few) {
        (CpuStorage::F16(data), true) => products(&rows, data.get(start..end).unwrap_or_default(), input),
        (CpuStorage::BF16(data), true) => products(&rows, data.get(start..end).unwrap_or_default(), input),
        (CpuStorage::F16(data), false) => widened(data.get(start..end).unwrap_or_default(), input),
        (CpuStorage::BF16(data), false) => widened(data.get(start..end).unwrap_or_default(), input),
        _ => candle_core::bail!("weights are {:?}, not in half precision", weight.dtype()),
    };
    if few {
        return Tensor::from_vec(result, (output, n), x.device())?.t()?.contiguous();
    }
    x.matmul(&Tensor::from_vec(result, (output, input), x.device())?.t()?)
}

/// `rows` [n, in] · `weight` [out, in] → [out, n].
fn products<T: Send + Sync>(rows: &[f32], weight: &[T], input: usize) -> Vec<f32>
where
    [T]: HalfFloatSliceExt,
{
    let n = rows.len() / input;
    let mut result = vec![0_f32; weight.len() / input * n];
    let pieces = result.par_chunks_mut(TAKEN * n).zip(weight.par_chunks(TAKEN * input));
    pieces.for_each(|(result, weight)| {
        let mut wide = vec![0_f32; input];
        for (result, weight) in result.chunks_exact_mut(n).zip(weight.chunks_exact(input)) {
            weight.convert_to_f32_slice(&mut wide);
            for (result, row) in result.iter_mut().zip(rows.chunks_exact(input)) {
                *result = dot(row, &wide);
            }
        }
    });
    result
}

/// All weights in f32.
fn widened<T: Send + Sync>(weight: &[T], input: usize) -> Vec<f32>
where
    [T]: HalfFloatSliceExt,
{
    let mut wide = vec![0_f32; weight.len()];
    let pieces = wide.par_chunks_mut(TAKEN * input).zip(weight.par_chunks(TAKEN * input));
    pieces.for_each(|(wide, weight)| weight.convert_to_f32_slice(wide));
    wide
}

/// The scalar product of two slices of one length.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn noise(rows: usize, columns: usize, seed: usize) -> Tensor {
        let value = |i: usize| (((i + 1) * (seed + 3) * 7919) as f32 * 0.37).sin();
        Tensor::from_iter((0..rows * columns).map(value), &Device::Cpu).unwrap().reshape((rows, columns)).unwrap()
    }

    #[test]
    fn products_equal_those_of_the_weights_widened_by_candle() {
        for dtype in [DType::F16, DType::BF16] {
            for (n, input, output) in [(1, 67, 35), (3, 64, 1), (8, 5, 40), (9, 67, 35), (40, 16, 33)] {
                let (x, weight) = (noise(n, input, 1), noise(output, input, 2).to_dtype(dtype).unwrap());
                let found = times_transposed(&x, &weight).unwrap();
                let expected = x.matmul(&weight.to_dtype(DType::F32).unwrap().t().unwrap()).unwrap();
                assert_eq!(found.dims(), [n, output]);
                let off = (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(off < 1e-5, "{dtype:?}, {n} × {input} → {output}: {off:e} off");
            }
        }
    }

    #[test]
    fn weights_of_another_width_or_type_are_an_error() {
        let x = noise(1, 4, 1);
        assert!(times_transposed(&x, &noise(2, 5, 1).to_dtype(DType::F16).unwrap()).is_err());
        assert!(times_transposed(&x, &noise(2, 4, 1)).is_err());
    }
}
