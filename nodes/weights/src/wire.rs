//! Tensors between wires and candle. What flows on a wire lies in main memory, floats in f32; a model's own device and
//! dtype are its own affair.

use crate::error::WeightsError;
use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use mgie_plugin_api as door;

/// A wire's tensor as a candle tensor of the same shape on `device`; copied. A `bool` becomes u8.
///
/// # Errors
/// [`WeightsError::Compute`] where it lies on a device of another plugin, or memory runs out.
pub fn to_candle(tensor: &door::Tensor, device: &Device) -> Result<Tensor, WeightsError> {
    let shape = tensor.shape();
    let unread = |e: door::TensorError| WeightsError::Compute(e.to_string());
    let copied = match tensor.dtype() {
        door::DType::F32 => Tensor::from_slice(tensor.f32().map_err(unread)?, shape, device),
        door::DType::F64 => Tensor::from_slice(tensor.as_slice::<f64>().map_err(unread)?, shape, device),
        door::DType::F16 => Tensor::from_slice(tensor.as_slice::<f16>().map_err(unread)?, shape, device),
        door::DType::Bf16 => Tensor::from_slice(tensor.as_slice::<bf16>().map_err(unread)?, shape, device),
        door::DType::I64 => Tensor::from_slice(tensor.as_slice::<i64>().map_err(unread)?, shape, device),
        door::DType::I32 => Tensor::from_slice(tensor.as_slice::<i32>().map_err(unread)?, shape, device),
        door::DType::U32 => Tensor::from_slice(tensor.as_slice::<u32>().map_err(unread)?, shape, device),
        door::DType::U8 | door::DType::Bool => Tensor::from_slice(tensor.bytes().map_err(unread)?, shape, device),
    };
    Ok(copied?)
}

/// As [`to_candle`], in `dtype`.
///
/// # Errors
/// As [`to_candle`].
pub fn to_candle_as(tensor: &door::Tensor, dtype: DType, device: &Device) -> Result<Tensor, WeightsError> {
    Ok(to_candle(tensor, device)?.to_dtype(dtype)?)
}

/// A candle tensor, on whatever device, as a wire's: floats become f32, integers keep their type (i16 becomes i32).
///
/// # Errors
/// [`WeightsError::Compute`] where the device fails or the type is not one that wires carry.
pub fn from_candle(tensor: &Tensor) -> Result<door::Tensor, WeightsError> {
    let shape = tensor.dims().to_vec();
    let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
    let made = match flat.dtype() {
        DType::U8 => door::Tensor::from_vec(shape, flat.to_vec1::<u8>()?),
        DType::U32 => door::Tensor::from_vec(shape, flat.to_vec1::<u32>()?),
        DType::I64 => door::Tensor::from_vec(shape, flat.to_vec1::<i64>()?),
        DType::I16 | DType::I32 => door::Tensor::from_vec(shape, flat.to_dtype(DType::I32)?.to_vec1::<i32>()?),
        _ => door::Tensor::from_vec(shape, flat.to_dtype(DType::F32)?.to_vec1::<f32>()?),
    };
    made.map_err(|e| WeightsError::Compute(e.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_keeps_its_shape_and_values_there_and_back() {
        let wire = door::Tensor::from_f32(vec![2, 3], vec![0.5, 1., 2., 3., 4., -5.]).unwrap();
        let there = to_candle_as(&wire, DType::F16, &Device::Cpu).unwrap();
        assert_eq!((there.dims(), there.dtype()), (&[2, 3][..], DType::F16));
        let back = from_candle(&there.t().unwrap()).unwrap();
        assert_eq!(back.shape(), [3, 2]);
        assert_eq!(back.f32().unwrap(), [0.5, 3., 1., 4., 2., -5.]);
    }

    #[test]
    fn token_ids_stay_integers() {
        let wire = door::Tensor::from_vec(vec![3], vec![1_i64, 32_003, -1]).unwrap();
        let there = to_candle(&wire, &Device::Cpu).unwrap();
        let back = from_candle(&there).unwrap();
        assert_eq!(back.as_slice::<i64>().unwrap(), [1, 32_003, -1]);
    }
}
