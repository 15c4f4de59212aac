//! DLPack's layout of a tensor (version 1.0 of its header), and the owner of one that crossed the door. Producers and
//! consumers share the memory: whoever is last to let go calls the release callback that came with it.

use abi_stable::StableAbi;
use std::ffi::c_void;

/// `DLDeviceType` of main memory.
pub const DEVICE_CPU: i32 = 1;
/// `DLDeviceType` of CUDA memory.
pub const DEVICE_CUDA: i32 = 2;
/// `DLPACK_FLAG_BITMASK_READ_ONLY`: what flows on wires is never written to.
pub const FLAG_READ_ONLY: u64 = 1;
/// The version of DLPack's header that [`DlManagedTensor`] follows.
pub const VERSION: DlVersion = DlVersion { major: 1, minor: 0 };

/// `DLPackVersion`.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DlVersion {
    /// A different major version is another layout.
    pub major: u32,
    /// A higher minor version only adds enum values.
    pub minor: u32,
}

/// `DLDevice`.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DlDevice {
    /// Which kind of memory; see [`DEVICE_CPU`].
    pub device_type: i32,
    /// Which of them.
    pub device_id: i32,
}

/// `DLDataType`.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DlDataType {
    /// 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool.
    pub code: u8,
    /// Bits of one element.
    pub bits: u8,
    /// Elements in a vector; 1 here.
    pub lanes: u16,
}

/// `DLTensor`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct DlTensor {
    /// Start of the allocation.
    pub data: *mut c_void,
    /// Where it lies.
    pub device: DlDevice,
    /// Number of dimensions.
    pub ndim: i32,
    /// Type of the elements.
    pub dtype: DlDataType,
    /// `ndim` sizes.
    pub shape: *mut i64,
    /// `ndim` strides in elements, or null for C order.
    pub strides: *mut i64,
    /// Offset of the first element from `data`, in bytes.
    pub byte_offset: u64,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct DlManagedTensor {
    /// Which header this follows; first, so that it can be read whatever follows.
    pub version: DlVersion,
    /// The producer's own.
    pub manager_ctx: *mut c_void,
    /// Called once, by the last owner, with this struct's address; may be null.
    #[sabi(unsafe_opaque_field)]
    pub deleter: Option<unsafe extern "C" fn(*mut DlManagedTensor)>,
    /// Bit mask; see [`FLAG_READ_ONLY`].
    pub flags: u64,
    /// The tensor.
    pub dl_tensor: DlTensor,
}

/// Sole owner of a managed tensor; dropping it calls the release callback.
#[repr(transparent)]
#[derive(StableAbi, Debug)]
pub struct AbiTensor {
    managed: *mut DlManagedTensor,
}

// SAFETY: DLPack memory is plain data whose release callback may be called from any thread (the door's rule for
// producers), and nothing behind the pointer is written to while it is shared.
unsafe impl Send for AbiTensor {}
// SAFETY: as above; a shared reference only reads.
unsafe impl Sync for AbiTensor {}

impl AbiTensor {
    /// Takes over a managed tensor.
    ///
    /// # Safety
    /// `managed` points to a valid [`DlManagedTensor`] that nobody else will release, and what it points to stays
    /// unchanged until its release callback is called, which any thread may do.
    pub unsafe fn from_raw(managed: *mut DlManagedTensor) -> Self {
        Self { managed }
    }

    /// The managed tensor, where the pointer is not null and the version is one this code knows.
    pub fn get(&self) -> Option<&DlManagedTensor> {
        // SAFETY: by `from_raw`, the pointer is valid (or null, which `as_ref` answers) for as long as `self` lives.
        let managed = unsafe { self.managed.as_ref() }?;
        (managed.version.major == VERSION.major).then_some(managed)
    }
}

impl Drop for AbiTensor {
    fn drop(&mut self) {
        if self.managed.is_null() {
            return;
        }
        // SAFETY: by `from_raw` this is the only owner; the callback belongs to this struct and is called once.
        unsafe {
            if let Some(deleter) = (*self.managed).deleter {
                deleter(self.managed);
            }
        }
    }
}
