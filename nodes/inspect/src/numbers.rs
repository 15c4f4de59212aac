//! A tensor's elements as f64, whatever their type, without a copy of the tensor.

use half::{bf16, f16};
use mgie_plugin_api::{DType, Failure, Run, Tensor};

/// The elements of a tensor in C order, each read as f64 (exact for every type but i64 beyond 2⁵³).
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'t> {
    /// Booleans (0 or 1) and unsigned bytes.
    U8(&'t [u8]),
    /// Unsigned 32 bit.
    U32(&'t [u32]),
    /// Signed 32 bit.
    I32(&'t [i32]),
    /// Signed 64 bit.
    I64(&'t [i64]),
    /// IEEE half.
    F16(&'t [f16]),
    /// bfloat16.
    Bf16(&'t [bf16]),
    /// IEEE single.
    F32(&'t [f32]),
    /// IEEE double.
    F64(&'t [f64]),
}

impl<'t> Numbers<'t> {
    /// The elements of `tensor`, which came through `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where the tensor lies on a device.
    pub fn of(tensor: &'t Tensor, socket: &str) -> Result<Self, Failure> {
        let numbers = match tensor.dtype() {
            DType::Bool | DType::U8 => tensor.bytes().map(Self::U8),
            DType::U32 => tensor.as_slice().map(Self::U32),
            DType::I32 => tensor.as_slice().map(Self::I32),
            DType::I64 => tensor.as_slice().map(Self::I64),
            DType::F16 => tensor.as_slice().map(Self::F16),
            DType::Bf16 => tensor.as_slice().map(Self::Bf16),
            DType::F32 => tensor.as_slice().map(Self::F32),
            DType::F64 => tensor.as_slice().map(Self::F64),
        };
        numbers.map_err(|error| {
            Failure::input(socket, "a tensor in main memory", error.to_string())
                .remedy("give out the value of a node that returns it to the CPU")
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(all) => all.len(),
            Self::U32(all) => all.len(),
            Self::I32(all) => all.len(),
            Self::I64(all) => all.len(),
            Self::F16(all) => all.len(),
            Self::Bf16(all) => all.len(),
            Self::F32(all) => all.len(),
            Self::F64(all) => all.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at that place; NaN beyond the last.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "i64 beyond 2⁵³ is rounded, as documented")]
    pub fn at(&self, place: usize) -> f64 {
        match self {
            Self::U8(all) => all.get(place).copied().map(f64::from),
            Self::U32(all) => all.get(place).copied().map(f64::from),
            Self::I32(all) => all.get(place).copied().map(f64::from),
            Self::I64(all) => all.get(place).map(|number| *number as f64),
            Self::F16(all) => all.get(place).copied().map(f64::from),
            Self::Bf16(all) => all.get(place).copied().map(f64::from),
            Self::F32(all) => all.get(place).copied().map(f64::from),
            Self::F64(all) => all.get(place).copied(),
        }
        .unwrap_or(f64::NAN)
    }
}

/// How many elements are looked at between two questions whether to stop.
const STRIDE: usize = 1 << 20;

/// Calls `look` with every element in order.
///
/// # Errors
/// [`Failure::cancelled`] where the run is cancelled meanwhile.
pub fn each(run: &Run, numbers: Numbers<'_>, mut look: impl FnMut(f64)) -> Result<(), Failure> {
    for start in (0..numbers.len()).step_by(STRIDE) {
        run.check_cancelled()?;
        for place in start..numbers.len().min(start + STRIDE) {
            look(numbers.at(place));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_as_its_own_numbers() -> Result<(), Failure> {
        let read = |tensor: Tensor| -> Result<Vec<f64>, Failure> {
            let numbers = Numbers::of(&tensor, "value")?;
            Ok((0..numbers.len()).map(|place| numbers.at(place)).collect())
        };
        assert_eq!(read(Tensor::from_vec([2], vec![1u8, 255])?)?, [1.0, 255.0]);
        assert_eq!(read(Tensor::from_bytes([2], DType::Bool, &[0, 7])?)?, [0.0, 1.0]);
        assert_eq!(read(Tensor::from_vec([1], vec![u32::MAX])?)?, [4_294_967_295.0]);
        assert_eq!(read(Tensor::from_vec([1], vec![-5i32])?)?, [-5.0]);
        assert_eq!(read(Tensor::from_vec([1], vec![-(1i64 << 40)])?)?, [-1_099_511_627_776.0]);
        assert_eq!(read(Tensor::from_vec([1], vec![f16::from_f32(0.099_975_586)])?)?, [0.099_975_585_937_5]);
        assert_eq!(read(Tensor::from_vec([1], vec![bf16::from_f32(-3.25)])?)?, [-3.25]);
        assert_eq!(read(Tensor::from_vec([1], vec![1e300])?)?, [1e300]);
        assert!(read(Tensor::from_f32([0], vec![])?)?.is_empty());
        Ok(())
    }
}
