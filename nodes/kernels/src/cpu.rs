//! What every CPU kernel needs to reach a tensor's numbers: the question whether it may, the numbers as slices, and a
//! result that several tasks write at once.

use std::marker::PhantomData;

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, bail};

/// Whether the kernels of this crate serve such inputs: f32 in main memory, all of them.
pub(crate) fn serves(inputs: &[&Tensor]) -> bool {
    inputs.iter().all(|x| x.device().is_cpu() && x.dtype() == DType::F32)
}

/// The numbers of a contiguous f32 tensor, in row-major order.
pub(crate) fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a kernel takes tensors in row-major order") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Calls `f` with the numbers of some tensors, which are made contiguous before.
pub(crate) fn with_numbers<const N: usize, R>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> Result<R>,
) -> Result<R> {
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor.contiguous()?);
    }
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = [[].as_slice(); N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        let Storage::Cpu(storage) = &**storage else { bail!("a kernel takes tensors in main memory") };
        *slice = numbers(storage, layout)?;
    }
    f(slices)
}

/// Numbers that become a tensor of the shape of `like`.
pub(crate) fn shaped_as(like: &Tensor, numbers: Vec<f32>) -> Result<Tensor> {
    Tensor::from_vec(numbers, like.shape(), like.device())
}

/// A slice that several tasks write at the same time, each its own part.
pub(crate) struct Parts<'a> {
    start: *mut f32,
    length: usize,
    slice: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only way to the numbers is `part`, whose callers promise that no two parts overlap.
unsafe impl Sync for Parts<'_> {}

impl<'a> Parts<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), slice: PhantomData }
    }

    /// `length` numbers from `start` on.
    ///
    /// # Safety
    /// While the part is in use nobody else asks for one that overlaps it.
    #[allow(clippy::mut_from_ref, reason = "the parts do not overlap")]
    pub(crate) unsafe fn part(&self, start: usize, length: usize) -> &mut [f32] {
        assert!(start <= self.length && length <= self.length - start, "a part beyond its slice");
        // SAFETY: it lies inside the slice that is borrowed for writing, and overlaps no other part in use.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) }
    }
}
