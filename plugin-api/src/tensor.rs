//! A tensor on a wire: read-only, shared by reference count, in DLPack's layout where it crosses the door. Making one
//! from a `Vec` and reading it as a slice copies nothing, on either side.

use crate::dlpack::{AbiTensor, DEVICE_CPU, DlDataType, DlDevice, DlManagedTensor, DlTensor, FLAG_READ_ONLY, VERSION};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

/// The most dimensions a tensor on a wire may have.
pub const MAX_DIMENSIONS: usize = 8;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// Boolean, one byte.
    Bool,
    /// Unsigned 8 bit.
    U8,
    /// Unsigned 32 bit.
    U32,
    /// Signed 32 bit.
    I32,
    /// Signed 64 bit.
    I64,
    /// IEEE half.
    F16,
    /// bfloat16.
    Bf16,
    /// IEEE single.
    F32,
    /// IEEE double.
    F64,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// The name people know: `f32`, `bf16`, `i64`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    fn to_dlpack(self) -> DlDataType {
        let (code, bits) = match self {
            Self::I32 => (0, 32),
            Self::I64 => (0, 64),
            Self::U8 => (1, 8),
            Self::U32 => (1, 32),
            Self::F16 => (2, 16),
            Self::F32 => (2, 32),
            Self::F64 => (2, 64),
            Self::Bf16 => (4, 16),
            Self::Bool => (6, 8),
        };
        DlDataType { code, bits, lanes: 1 }
    }

    fn from_dlpack(dtype: DlDataType) -> Option<Self> {
        Some(match (dtype.code, dtype.bits, dtype.lanes) {
            (0, 32, 1) => Self::I32,
            (0, 64, 1) => Self::I64,
            (1, 8, 1) => Self::U8,
            (1, 32, 1) => Self::U32,
            (2, 16, 1) => Self::F16,
            (2, 32, 1) => Self::F32,
            (2, 64, 1) => Self::F64,
            (4, 16, 1) => Self::Bf16,
            (6, 8, 1) => Self::Bool,
            _ => return None,
        })
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a tensor could not be made, taken over or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The shape and the number of elements disagree, or the shape is too large to count.
    #[error("shape {shape:?} holds {expected} elements, found {found}")]
    Length {
        /// The shape asked for.
        shape: Vec<usize>,
        /// Elements of that shape (`usize::MAX` where they cannot be counted).
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// The elements are of another type than the reader asked for.
    #[error("expected {expected} elements, found {found}")]
    DType {
        /// What was asked for.
        expected: DType,
        /// What the tensor holds.
        found: DType,
    },
    /// The tensor does not lie in main memory.
    #[error("the tensor lies on device {device_type}:{device_id}, not in main memory")]
    Device {
        /// DLPack's device type.
        device_type: i32,
        /// DLPack's device id.
        device_id: i32,
    },
    /// The struct that came over the door breaks DLPack's rules.
    #[error("a tensor that breaks DLPack's rules: {0}")]
    Malformed(&'static str),
}

/// An element type that a tensor can be read as.
pub trait Element: Copy + Send + Sync + 'static {
    /// Its [`DType`].
    const DTYPE: DType;
}

macro_rules! element {
    ($($t:ty => $d:ident),* $(,)?) => { $(impl Element for $t { const DTYPE: DType = DType::$d; })* };
}
element!(u8 => U8, u32 => U32, i32 => I32, i64 => I64, f16 => F16, bf16 => Bf16, f32 => F32, f64 => F64);

/// A tensor in C order. Cloning shares; nothing on a wire is ever written to.
#[derive(Clone)]
pub struct Tensor {
    inner: Arc<Inner>,
}

struct Inner {
    shape: Vec<usize>,
    dtype: DType,
    device: DlDevice,
    data: *const u8,
    bytes: usize,
    /// Keeps `data` alive: a `Vec`, or the struct that came over the door.
    _owner: Box<dyn Any + Send + Sync>,
}

// SAFETY: `data` points into `_owner`, which is Send + Sync, and is only ever read.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

impl Tensor {
    /// A tensor of `shape` in C order over `data`, which is moved, not copied.
    ///
    /// # Errors
    /// [`TensorError::Length`] where `shape` does not hold exactly `data.len()` elements, and
    /// [`TensorError::Malformed`] for more than [`MAX_DIMENSIONS`] dimensions.
    pub fn from_vec<T: Element>(shape: impl Into<Vec<usize>>, data: Vec<T>) -> Result<Self, TensorError> {
        let shape = shape.into();
        if shape.len() > MAX_DIMENSIONS {
            return Err(TensorError::Malformed("more than 8 dimensions"));
        }
        let expected = count(&shape).unwrap_or(usize::MAX);
        if expected != data.len() {
            return Err(TensorError::Length { shape, expected, found: data.len() });
        }
        let bytes = size_of_val(data.as_slice());
        Ok(Self {
            inner: Arc::new(Inner {
                shape,
                dtype: T::DTYPE,
                device: DlDevice { device_type: DEVICE_CPU, device_id: 0 },
                data: data.as_ptr().cast(),
                bytes,
                _owner: Box::new(data),
            }),
        })
    }

    /// [`Tensor::from_vec`] for `f32`, the type that floats have on wires.
    ///
    /// # Errors
    /// As [`Tensor::from_vec`].
    pub fn from_f32(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Result<Self, TensorError> {
        Self::from_vec(shape, data)
    }

    /// A tensor from raw little-endian bytes in C order, as a `.safetensors` file holds them.
    ///
    /// # Errors
    /// [`TensorError::Length`] where the bytes are not those of `shape`.
    pub fn from_bytes(shape: impl Into<Vec<usize>>, dtype: DType, bytes: &[u8]) -> Result<Self, TensorError> {
        let shape = shape.into();
        let found = bytes.len() / dtype.size();
        if !bytes.len().is_multiple_of(dtype.size()) || count(&shape) != Some(found) {
            return Err(TensorError::Length { expected: count(&shape).unwrap_or(usize::MAX), shape, found });
        }
        macro_rules! collect {
            ($t:ty, $n:literal) => {
                Self::from_vec(
                    shape,
                    bytes
                        .chunks_exact($n)
                        .map(|c| {
                            let mut b = [0u8; $n];
                            b.copy_from_slice(c);
                            <$t>::from_le_bytes(b)
                        })
                        .collect::<Vec<$t>>(),
                )
            };
        }
        match dtype {
            DType::U8 => Self::from_vec(shape, bytes.to_vec()),
            DType::Bool => {
                let data: Vec<u8> = bytes.iter().map(|&b| u8::from(b != 0)).collect();
                let mut tensor = Self::from_vec(shape, data)?;
                if let Some(inner) = Arc::get_mut(&mut tensor.inner) {
                    inner.dtype = DType::Bool;
                }
                Ok(tensor)
            }
            DType::U32 => collect!(u32, 4),
            DType::I32 => collect!(i32, 4),
            DType::I64 => collect!(i64, 8),
            DType::F16 => collect!(f16, 2),
            DType::Bf16 => collect!(bf16, 2),
            DType::F32 => collect!(f32, 4),
            DType::F64 => collect!(f64, 8),
        }
    }

    /// Sizes of the dimensions; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.inner.shape
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// Where it lies.
    pub fn device(&self) -> DlDevice {
        self.inner.device
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.inner.bytes / self.inner.dtype.size()
    }

    /// Whether it holds no element.
    pub fn is_empty(&self) -> bool {
        self.inner.bytes == 0
    }

    /// Size in bytes.
    pub fn byte_len(&self) -> usize {
        self.inner.bytes
    }

    /// The elements in C order, in main memory, without a copy.
    ///
    /// # Errors
    /// [`TensorError::DType`] for another element type, [`TensorError::Device`] for a tensor on a device.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], TensorError> {
        if self.inner.dtype != T::DTYPE {
            return Err(TensorError::DType { expected: T::DTYPE, found: self.inner.dtype });
        }
        self.require_main_memory()?;
        if self.is_empty() {
            return Ok(&[]);
        }
        // SAFETY: `data` holds `bytes` bytes of C-ordered `T` (dtype checked above), aligned for `T` (a Vec<T>, or checked
        // in `import`), alive as long as `_owner`, and never written to.
        Ok(unsafe { std::slice::from_raw_parts(self.inner.data.cast(), self.len()) })
    }

    /// [`Tensor::as_slice`] for `f32`.
    ///
    /// # Errors
    /// As [`Tensor::as_slice`].
    pub fn f32(&self) -> Result<&[f32], TensorError> {
        self.as_slice()
    }

    /// The elements as `f32`, converted from any float type.
    ///
    /// # Errors
    /// [`TensorError::DType`] where they are not floats, [`TensorError::Device`] for a tensor on a device.
    pub fn to_f32_vec(&self) -> Result<Vec<f32>, TensorError> {
        match self.dtype() {
            DType::F16 => Ok(self.as_slice::<f16>()?.iter().map(|x| x.to_f32()).collect()),
            DType::Bf16 => Ok(self.as_slice::<bf16>()?.iter().map(|x| x.to_f32()).collect()),
            #[expect(clippy::cast_possible_truncation, reason = "narrowing is what was asked for")]
            DType::F64 => Ok(self.as_slice::<f64>()?.iter().map(|&x| x as f32).collect()),
            _ => Ok(self.f32()?.to_vec()),
        }
    }

    /// The elements' bytes in C order, native endian.
    ///
    /// # Errors
    /// [`TensorError::Device`] for a tensor on a device.
    pub fn bytes(&self) -> Result<&[u8], TensorError> {
        self.require_main_memory()?;
        if self.is_empty() {
            return Ok(&[]);
        }
        // SAFETY: as in `as_slice`; any memory may be read as bytes.
        Ok(unsafe { std::slice::from_raw_parts(self.inner.data, self.inner.bytes) })
    }

    /// Whether every element is finite (integers always are).
    ///
    /// # Errors
    /// [`TensorError::Device`] for a tensor on a device.
    pub fn is_finite(&self) -> Result<bool, TensorError> {
        Ok(match self.dtype() {
            DType::F16 => self.as_slice::<f16>()?.iter().all(|x| x.is_finite()),
            DType::Bf16 => self.as_slice::<bf16>()?.iter().all(|x| x.is_finite()),
            DType::F32 => self.as_slice::<f32>()?.iter().all(|x| x.is_finite()),
            DType::F64 => self.as_slice::<f64>()?.iter().all(|x| x.is_finite()),
            _ => true,
        })
    }

    fn require_main_memory(&self) -> Result<(), TensorError> {
        let DlDevice { device_type, device_id } = self.inner.device;
        if device_type == DEVICE_CPU { Ok(()) } else { Err(TensorError::Device { device_type, device_id }) }
    }

    /// Hands a share of this tensor over the door; the memory is not copied.
    pub(crate) fn export(&self) -> AbiTensor {
        struct Exported {
            managed: DlManagedTensor,
            shape: Vec<i64>,
            strides: Vec<i64>,
            _tensor: Tensor,
        }
        unsafe extern "C" fn release(managed: *mut DlManagedTensor) {
            // SAFETY: `manager_ctx` is the `Exported` boxed below; DLPack's rule is that this is called once.
            drop(unsafe { Box::from_raw((*managed).manager_ctx.cast::<Exported>()) });
        }
        #[expect(clippy::cast_possible_wrap, reason = "a size in memory is below i64::MAX")]
        let shape: Vec<i64> = self.inner.shape.iter().map(|&d| d as i64).collect();
        let mut strides = vec![1i64; shape.len()];
        for i in (0..shape.len().saturating_sub(1)).rev() {
            strides[i] = strides[i + 1] * shape[i + 1].max(1);
        }
        let exported = Box::into_raw(Box::new(Exported {
            managed: DlManagedTensor {
                version: VERSION,
                manager_ctx: std::ptr::null_mut(),
                deleter: Some(release),
                flags: FLAG_READ_ONLY,
                dl_tensor: DlTensor {
                    data: self.inner.data.cast_mut().cast::<c_void>(),
                    device: self.inner.device,
                    ndim: i32::try_from(shape.len()).unwrap_or(0),
                    dtype: self.inner.dtype.to_dlpack(),
                    shape: std::ptr::null_mut(),
                    strides: std::ptr::null_mut(),
                    byte_offset: 0,
                },
            },
            shape,
            strides,
            _tensor: self.clone(),
        }));
        // SAFETY: `exported` was just leaked from a box, so it is valid and unaliased here; its vectors do not move
        // again until `release` drops the box.
        unsafe {
            (*exported).managed.manager_ctx = exported.cast::<c_void>();
            (*exported).managed.dl_tensor.shape = (*exported).shape.as_mut_ptr();
            (*exported).managed.dl_tensor.strides = (*exported).strides.as_mut_ptr();
            AbiTensor::from_raw(&raw mut (*exported).managed)
        }
    }

    /// Takes over a tensor that came through the door: shared where it is in C order and aligned, else copied into it.
    ///
    /// # Errors
    /// [`TensorError::Malformed`] for a struct that breaks DLPack's rules, a type that wires do not carry, or a
    /// strided tensor on a device.
    pub(crate) fn import(foreign: AbiTensor) -> Result<Self, TensorError> {
        use TensorError::Malformed;
        let managed = foreign.get().ok_or(Malformed("no tensor, or another major version of its header"))?;
        let dl = &managed.dl_tensor;
        let dtype = DType::from_dlpack(dl.dtype).ok_or(Malformed("an element type that wires do not carry"))?;
        let ndim = usize::try_from(dl.ndim).map_err(|_| Malformed("a negative number of dimensions"))?;
        if ndim > MAX_DIMENSIONS || (ndim > 0 && dl.shape.is_null()) {
            return Err(Malformed("more than 8 dimensions, or no shape"));
        }
        let read = |pointer: *mut i64| -> Vec<i64> {
            // SAFETY: the producer promises `ndim` readable elements behind a non-null pointer (door's rule, checked
            // for null by the callers).
            (0..ndim).map(|i| unsafe { *pointer.add(i) }).collect()
        };
        let shape = read(dl.shape)
            .into_iter()
            .map(|d| usize::try_from(d).map_err(|_| Malformed("a negative size")))
            .collect::<Result<Vec<usize>, _>>()?;
        let elements = count(&shape).ok_or(Malformed("a shape too large to count"))?;
        let bytes = elements
            .checked_mul(dtype.size())
            .filter(|&b| isize::try_from(b).is_ok())
            .ok_or(Malformed("a shape too large to address"))?;
        if bytes > 0 && dl.data.is_null() {
            return Err(Malformed("no data"));
        }
        let offset = usize::try_from(dl.byte_offset).map_err(|_| Malformed("an offset too large to address"))?;
        let data = dl.data.cast::<u8>().cast_const().wrapping_add(offset);
        let mut contiguous = true;
        if !dl.strides.is_null() {
            let strides = read(dl.strides);
            let mut expected = 1i64;
            for (&size, &stride) in shape.iter().zip(&strides).rev() {
                contiguous &= size <= 1 || stride == expected;
                expected = expected.saturating_mul(i64::try_from(size).unwrap_or(i64::MAX));
            }
            if !contiguous && elements > 0 {
                if dl.device.device_type != DEVICE_CPU {
                    return Err(Malformed("a strided tensor on a device"));
                }
                // Where strides are 0, a small allocation may stand for a copy that no memory holds.
                let mut copy = Vec::new();
                copy.try_reserve_exact(bytes).map_err(|_| Malformed("a shape too large to copy into C order"))?;
                let mut index = vec![0usize; ndim];
                for _ in 0..elements {
                    let at: i64 = index
                        .iter()
                        .zip(&strides)
                        .map(|(&i, &s)| i64::try_from(i).unwrap_or(0).wrapping_mul(s))
                        .fold(0i64, i64::wrapping_add);
                    let size = i64::try_from(dtype.size()).unwrap_or(1);
                    let element = data.wrapping_offset(isize::try_from(at.wrapping_mul(size)).unwrap_or(0));
                    // SAFETY: DLPack's producer promises that every in-range index times its strides lies within the
                    // allocation.
                    copy.extend_from_slice(unsafe { std::slice::from_raw_parts(element, dtype.size()) });
                    for axis in (0..ndim).rev() {
                        index[axis] += 1;
                        if index[axis] < shape[axis] {
                            break;
                        }
                        index[axis] = 0;
                    }
                }
                return Self::from_bytes(shape, dtype, &copy);
            }
        }
        if dl.device.device_type == DEVICE_CPU && data.align_offset(dtype.size()) != 0 {
            // SAFETY: `bytes` contiguous bytes from `data`, by the producer's promise; read as bytes, so any alignment.
            let copy = unsafe { std::slice::from_raw_parts(data, bytes) };
            return Self::from_bytes(shape, dtype, copy);
        }
        let device = dl.device;
        Ok(Self { inner: Arc::new(Inner { shape, dtype, device, data, bytes, _owner: Box::new(foreign) }) })
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype(), self.shape())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn crossing_the_door_shares_the_memory() {
        let tensor = Tensor::from_f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let other = Tensor::import(tensor.export()).unwrap();
        assert_eq!(tensor.f32().unwrap().as_ptr(), other.f32().unwrap().as_ptr());
        drop(tensor);
        assert_eq!(other.f32().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(other.shape(), [2, 3]);
    }

    #[test]
    fn a_strided_tensor_is_copied_into_c_order() {
        let mut data = vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let (mut shape, mut strides) = ([3i64, 2], [1i64, 3]);
        let mut managed = DlManagedTensor {
            version: VERSION,
            manager_ctx: std::ptr::null_mut(),
            deleter: None,
            flags: 0,
            dl_tensor: DlTensor {
                data: data.as_mut_ptr().cast(),
                device: DlDevice { device_type: DEVICE_CPU, device_id: 0 },
                ndim: 2,
                dtype: DType::F32.to_dlpack(),
                shape: shape.as_mut_ptr(),
                strides: strides.as_mut_ptr(),
                byte_offset: 0,
            },
        };
        // SAFETY: `managed` and what it points to outlive the imported tensor, which is a copy.
        let tensor = Tensor::import(unsafe { AbiTensor::from_raw(&raw mut managed) }).unwrap();
        assert_eq!(tensor.f32().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn malformed_tensors_are_refused() {
        let mut managed = DlManagedTensor {
            version: VERSION,
            manager_ctx: std::ptr::null_mut(),
            deleter: None,
            flags: 0,
            dl_tensor: DlTensor {
                data: std::ptr::null_mut(),
                device: DlDevice { device_type: DEVICE_CPU, device_id: 0 },
                ndim: 2,
                dtype: DType::F32.to_dlpack(),
                shape: [-1i64, 2].as_mut_ptr(),
                strides: std::ptr::null_mut(),
                byte_offset: 0,
            },
        };
        let mut huge = [i64::MAX, 4];
        // SAFETY: `managed` outlives every import; without a release callback dropping does nothing.
        let import = |m: &mut DlManagedTensor| Tensor::import(unsafe { AbiTensor::from_raw(m) });
        let mut negative = [-1i64, 2];
        managed.dl_tensor.shape = negative.as_mut_ptr();
        assert!(import(&mut managed).is_err());
        managed.dl_tensor.shape = huge.as_mut_ptr();
        assert!(import(&mut managed).is_err());
        managed.dl_tensor.dtype.lanes = 4;
        assert!(import(&mut managed).is_err());
        managed.version.major = 2;
        assert!(import(&mut managed).is_err());
    }

    #[test]
    fn a_number_spread_over_more_than_all_memory_is_refused() {
        let mut number = 1f32;
        let (mut shape, mut strides) = ([1i64 << 58], [0i64]);
        let mut managed = DlManagedTensor {
            version: VERSION,
            manager_ctx: std::ptr::null_mut(),
            deleter: None,
            flags: 0,
            dl_tensor: DlTensor {
                data: (&raw mut number).cast(),
                device: DlDevice { device_type: DEVICE_CPU, device_id: 0 },
                ndim: 1,
                dtype: DType::F32.to_dlpack(),
                shape: shape.as_mut_ptr(),
                strides: strides.as_mut_ptr(),
                byte_offset: 0,
            },
        };
        // SAFETY: `managed` and what it points to outlive the import, which is refused.
        let told = Tensor::import(unsafe { AbiTensor::from_raw(&raw mut managed) }).unwrap_err();
        assert_eq!(told, TensorError::Malformed("a shape too large to copy into C order"));
    }

    #[test]
    fn a_length_that_is_not_the_shapes_is_refused() {
        let error = Tensor::from_f32([2, 2], vec![0.0; 3]).unwrap_err();
        assert_eq!(error.to_string(), "shape [2, 2] holds 4 elements, found 3");
        assert!(Tensor::from_vec::<f32>([usize::MAX, 2], vec![]).is_err());
    }

    #[test]
    fn reading_as_another_type_is_an_error() {
        let tensor = Tensor::from_vec([1], vec![7i64]).unwrap();
        assert_eq!(tensor.f32().unwrap_err().to_string(), "expected f32 elements, found i64");
    }
}
