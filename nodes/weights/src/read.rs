//! One stored tensor to one candle tensor: strides undone, dtype changed and every value checked in a single pass.
//!
//! Floats go through f32 in blocks that stay in the cache, so that no second copy of a tensor is ever held; only a
//! tensor with strides is gathered first.

use crate::checkpoint::StoredTensor;
use crate::element::StoredType;
use candle_core::{DType, Device, Tensor, WithDType};
use half::slice::HalfFloatSliceExt;
use half::vec::HalfBitsVecExt;
use half::{bf16, f16};
use rayon::prelude::*;

/// Elements converted at a time; 64 kB of f32.
const BLOCK: usize = 16 * 1024;

/// Why a tensor was not read.
pub(crate) enum ReadError {
    /// Its values are unusable; a clause.
    Value(String),
    /// Memory or the device failed, or this build has no such dtype.
    Fatal(String),
}

impl From<candle_core::Error> for ReadError {
    fn from(error: candle_core::Error) -> Self {
        Self::Fatal(error.to_string())
    }
}

/// Reads a tensor as `dtype` onto `device`, contiguous.
pub(crate) fn read(stored: &StoredTensor<'_>, dtype: DType, device: &Device) -> Result<Tensor, ReadError> {
    let gathered;
    let bytes = match stored.strides() {
        None => stored.bytes(),
        Some(strides) => {
            gathered = gather(stored, strides)?;
            &gathered
        }
    };
    let from = stored.dtype();
    let shape = stored.shape();
    match dtype {
        DType::F32 => place(floats::<f32>(bytes, from, zeros(bytes, from)?)?, shape, device),
        DType::F16 => {
            let out: Vec<f16> = zeros::<u16>(bytes, from)?.reinterpret_into();
            place(floats(bytes, from, out)?, shape, device)
        }
        DType::BF16 => {
            let out: Vec<bf16> = zeros::<u16>(bytes, from)?.reinterpret_into();
            place(floats(bytes, from, out)?, shape, device)
        }
        DType::F64 => place(doubles(bytes, from)?, shape, device),
        DType::U8 => place(integers::<u8>(bytes, from)?, shape, device),
        DType::U32 => place(integers::<u32>(bytes, from)?, shape, device),
        DType::I16 => place(integers::<i16>(bytes, from)?, shape, device),
        DType::I32 => place(integers::<i32>(bytes, from)?, shape, device),
        DType::I64 => place(integers::<i64>(bytes, from)?, shape, device),
        other => Err(ReadError::Fatal(format!("no weights are read as {other:?}"))),
    }
}

fn place<T: WithDType>(data: Vec<T>, shape: &[usize], device: &Device) -> Result<Tensor, ReadError> {
    Ok(Tensor::from_vec(data, shape, device)?)
}

/// Zeros for as many elements as `bytes` hold, or an error where memory does not suffice.
fn zeros<T: Copy + Default>(bytes: &[u8], from: StoredType) -> Result<Vec<T>, ReadError> {
    let n = bytes.len() / from.size();
    let mut probe: Vec<T> = Vec::new();
    probe.try_reserve_exact(n).map_err(|_| ReadError::Fatal(no_memory(n.saturating_mul(size_of::<T>()))))?;
    drop(probe);
    Ok(vec![T::default(); n])
}

fn no_memory(bytes: usize) -> String {
    format!("not enough memory for {bytes} bytes")
}

/// A row-major copy of a tensor with strides. Its elements lie inside its bytes: checked when it was placed.
fn gather(stored: &StoredTensor<'_>, strides: &[usize]) -> Result<Vec<u8>, ReadError> {
    let size = stored.dtype().size();
    let shape = stored.shape();
    let count: usize = shape.iter().product();
    let mut out = Vec::new();
    out.try_reserve_exact(count.saturating_mul(size))
        .map_err(|_| ReadError::Fatal(no_memory(count.saturating_mul(size))))?;
    let mut index = vec![0_usize; shape.len()];
    for _ in 0..count {
        let at: usize = index.iter().zip(strides).map(|(i, stride)| i * stride * size).sum();
        let Some(element) = stored.bytes().get(at..at + size) else {
            return Err(ReadError::Value("has strides that leave its data".into()));
        };
        out.extend_from_slice(element);
        for (i, n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    Ok(out)
}

/// A float dtype that weights are handed out in.
trait Target: Copy + Send + Sync {
    /// The same type on disk.
    const STORED: StoredType;
    /// Copies elements of this type from a file.
    fn copy(bytes: &[u8], to: &mut [Self]);
    /// Rounds f32 values to this type.
    fn round(from: &[f32], to: &mut [Self]);
    /// Whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

impl Target for f32 {
    const STORED: StoredType = StoredType::F32;

    fn copy(bytes: &[u8], to: &mut [Self]) {
        each(bytes, to, Self::from_le_bytes);
    }

    fn round(from: &[f32], to: &mut [Self]) {
        to.copy_from_slice(from);
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

macro_rules! half_target {
    ($($half:ident => $stored:ident),*) => { $(
        impl Target for $half {
            const STORED: StoredType = StoredType::$stored;

            fn copy(bytes: &[u8], to: &mut [Self]) {
                each(bytes, to, Self::from_le_bytes);
            }

            fn round(from: &[f32], to: &mut [Self]) {
                to.convert_from_f32_slice(from);
            }

            fn is_finite(self) -> bool {
                self.is_finite()
            }
        }
    )* };
}
half_target!(f16 => F16, bf16 => BF16);

/// Converts little-endian elements into `out`, which has as many.
fn floats<T: Target>(bytes: &[u8], from: StoredType, mut out: Vec<T>) -> Result<Vec<T>, ReadError> {
    let size = from.size();
    let blocks = out.par_chunks_mut(BLOCK).zip(bytes.par_chunks(BLOCK * size));
    let bad = blocks.enumerate().find_map_first(|(block, (to, bytes))| {
        if from == T::STORED {
            T::copy(bytes, to);
        } else {
            let mut wide = vec![0_f32; to.len()];
            widen(bytes, from, &mut wide);
            T::round(&wide, to);
        }
        // Without a branch in the loop, so that it runs in vectors; where the value stands is looked up only if needed.
        if to.iter().fold(true, |all, value| all & value.is_finite()) {
            return None;
        }
        let at = to.iter().position(|value| !value.is_finite())?;
        let mut value = [0_f32];
        widen(bytes.get(at * size..)?, from, &mut value);
        Some((block * BLOCK + at, value[0]))
    });
    match bad {
        None => Ok(out),
        Some((at, value)) => Err(ReadError::Value(not_finite::<T>(at, value.into(), out.len()))),
    }
}

fn not_finite<T>(at: usize, value: f64, count: usize) -> String {
    if value.is_finite() {
        let bits = 8 * size_of::<T>();
        format!("holds {value:e} at element {at} of {count}, too large for {bits} bits: use f32 or bf16")
    } else {
        let value = if value.is_nan() { "NaN" } else { "infinity" };
        format!("holds {value} at element {at} of {count}: the file is damaged or the training diverged")
    }
}

/// Widens little-endian elements to f32; f64 and wide integers round to the nearest.
fn widen(bytes: &[u8], from: StoredType, to: &mut [f32]) {
    match from {
        StoredType::F32 => each(bytes, to, f32::from_le_bytes),
        StoredType::F16 => {
            let mut halves = vec![f16::ZERO; to.len()];
            each(bytes, &mut halves, f16::from_le_bytes);
            halves.convert_to_f32_slice(to);
        }
        StoredType::BF16 => each(bytes, to, |b| bf16::from_le_bytes(b).to_f32()),
        StoredType::F64 => each(bytes, to, |b| f64::from_le_bytes(b) as f32),
        StoredType::Bool => each(bytes, to, |[b]: [u8; 1]| f32::from(u8::from(b != 0))),
        StoredType::U8 => each(bytes, to, |[b]: [u8; 1]| f32::from(b)),
        StoredType::I8 => each(bytes, to, |b| f32::from(i8::from_le_bytes(b))),
        StoredType::U16 => each(bytes, to, |b| f32::from(u16::from_le_bytes(b))),
        StoredType::I16 => each(bytes, to, |b| f32::from(i16::from_le_bytes(b))),
        StoredType::U32 => each(bytes, to, |b| u32::from_le_bytes(b) as f32),
        StoredType::I32 => each(bytes, to, |b| i32::from_le_bytes(b) as f32),
        StoredType::U64 => each(bytes, to, |b| u64::from_le_bytes(b) as f32),
        StoredType::I64 => each(bytes, to, |b| i64::from_le_bytes(b) as f32),
    }
}

/// Maps every `N` bytes to an element.
fn each<const N: usize, T>(bytes: &[u8], to: &mut [T], convert: impl Fn([u8; N]) -> T) {
    let (elements, _) = bytes.as_chunks::<N>();
    for (to, element) in to.iter_mut().zip(elements) {
        *to = convert(*element);
    }
}

/// As [`floats`], for f64.
fn doubles(bytes: &[u8], from: StoredType) -> Result<Vec<f64>, ReadError> {
    let mut out: Vec<f64> = zeros(bytes, from)?;
    if from == StoredType::F64 {
        each(bytes, &mut out, f64::from_le_bytes);
    } else if let Some(wholes) = wholes(bytes, from)? {
        for (to, from) in out.iter_mut().zip(wholes) {
            *to = from as f64;
        }
    } else {
        for (to, from) in out.iter_mut().zip(floats::<f32>(bytes, from, zeros(bytes, from)?)?) {
            *to = f64::from(from);
        }
    }
    match out.iter().position(|x| !x.is_finite()) {
        None => Ok(out),
        Some(at) => {
            let value = out.get(at).copied().unwrap_or(f64::NAN);
            Err(ReadError::Value(not_finite::<f64>(at, value, out.len())))
        }
    }
}

/// Whole numbers, each checked to fit `T`.
fn integers<T: TryFrom<i64> + WithDType>(bytes: &[u8], from: StoredType) -> Result<Vec<T>, ReadError> {
    let Some(wholes) = wholes(bytes, from)? else {
        let wanted = T::DTYPE.as_str();
        return Err(ReadError::Value(format!("holds {from} where {wanted} is needed")));
    };
    let convert = |whole: i64| {
        T::try_from(whole).map_err(|_| {
            let wanted = T::DTYPE.as_str();
            ReadError::Value(format!("holds {whole}, which does not fit {wanted}"))
        })
    };
    wholes.into_iter().map(convert).collect()
}

/// Stored integers as i64; `None` where floats are stored.
fn wholes(bytes: &[u8], from: StoredType) -> Result<Option<Vec<i64>>, ReadError> {
    let mut out: Vec<i64> = zeros(bytes, from)?;
    match from {
        StoredType::Bool => each(bytes, &mut out, |[b]: [u8; 1]| i64::from(b != 0)),
        StoredType::U8 => each(bytes, &mut out, |[b]: [u8; 1]| i64::from(b)),
        StoredType::I8 => each(bytes, &mut out, |b| i64::from(i8::from_le_bytes(b))),
        StoredType::U16 => each(bytes, &mut out, |b| i64::from(u16::from_le_bytes(b))),
        StoredType::I16 => each(bytes, &mut out, |b| i64::from(i16::from_le_bytes(b))),
        StoredType::U32 => each(bytes, &mut out, |b| i64::from(u32::from_le_bytes(b))),
        StoredType::I32 => each(bytes, &mut out, |b| i64::from(i32::from_le_bytes(b))),
        StoredType::I64 => each(bytes, &mut out, i64::from_le_bytes),
        StoredType::U64 => {
            each(bytes, &mut out, |b| i64::try_from(u64::from_le_bytes(b)).unwrap_or(-1));
            if out.contains(&-1) {
                return Err(ReadError::Value("holds a number above 2^63".into()));
            }
        }
        StoredType::F16 | StoredType::BF16 | StoredType::F32 | StoredType::F64 => return Ok(None),
    }
    Ok(Some(out))
}
