//! The view that model code loads from: an overlay on a device in a dtype, with a stack of prefixes. It collects what
//! does not fit instead of failing at the first, so that the user sees one complete list.

use crate::checkpoint::{Checkpoint, StoredTensor};
use crate::error::{Found, UnfitTensor, WeightsError};
use crate::overlay::Overlay;
use crate::read::{ReadError, read};
use crate::room::{Room, available_bytes};
use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use std::fmt::{self, Display};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who watches the loading: asked between tensors, told of bytes. A node's [`mgie_plugin_api::Run`] is one.
pub trait Watch: Sync {
    /// Whether to stop; then loading ends with [`WeightsError::Cancelled`] before the next tensor.
    fn cancelled(&self) -> bool;

    /// Called after each tensor with the bytes read so far and the bytes of all tensors that the files hold (a model
    /// need not use them all).
    fn progress(&self, done: u64, total: u64);
}

impl Watch for mgie_plugin_api::Run {
    fn cancelled(&self) -> bool {
        Self::cancelled(self)
    }

    fn progress(&self, done: u64, total: u64) {
        Self::progress(self, done, total, "loading weights");
    }
}

/// Tensors that live in memory instead of in files: what a trainer changes. Model code that is built from them computes
/// with the very tensors, so that gradients reach them.
pub trait LiveTensors: Sync {
    /// The tensor `name`, on the device of the weights; `None` where there is none. A model may ask for one of a shape that
    /// is not there yet: then a trainer may make it.
    ///
    /// # Errors
    /// No memory, a device that fails.
    fn get(&self, name: &str, shape: Option<&Shape>) -> Result<Option<Tensor>>;

    /// Its shape, if it is there.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The names of all that are there.
    fn names(&self) -> Vec<String>;
}

/// Tensors by name, on a device in a dtype, below a prefix.
///
/// Model code asks for tensors and uses `?` as usual; [`Weights::load`] runs it and turns everything that was missing
/// or misshapen into one error:
///
/// ```no_run
/// # use mgie_weights::{Weights, WeightsError};
/// # use candle_core::{DType, Device, Result, Tensor};
/// struct Linear { weight: Tensor, bias: Tensor }
/// impl Linear {
///     fn new(w: &Weights) -> Result<Self> {
///         Ok(Self { weight: w.get((4, 3), "weight")?, bias: w.get(4, "bias")? })
///     }
/// }
/// # fn example() -> std::result::Result<(), WeightsError> {
/// let weights = Weights::open("model.safetensors".as_ref(), DType::F32, &Device::Cpu)?;
/// let linear = weights.load(|w| Linear::new(&w.pp("layers").pp(0)))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Weights<'a> {
    shared: Arc<Shared<'a>>,
    prefix: String,
    dtype: DType,
}

struct Shared<'a> {
    overlay: Overlay,
    /// Tensors in memory, which lie over those of the files.
    live: Option<&'a dyn LiveTensors>,
    device: Device,
    /// Main memory, where the device computes there: what does not fit is refused, since taking it would end the
    /// process. Another device says so itself.
    room: Option<Room>,
    watch: Option<&'a dyn Watch>,
    problems: Mutex<Problems>,
    /// Bytes of all tensors in the files.
    stored: u64,
    /// Bytes of them read so far.
    read: AtomicU64,
    /// Bytes of tensors handed out, in their new dtype.
    held: AtomicU64,
}

#[derive(Default)]
struct Problems {
    unfit: Vec<UnfitTensor>,
    /// What ended the loading at once.
    fatal: Option<WeightsError>,
}

impl Weights<'static> {
    /// All of an overlay, on `device`, in `dtype` unless asked otherwise tensor by tensor.
    pub fn new(overlay: impl Into<Overlay>, dtype: DType, device: &Device) -> Self {
        Self::shared(overlay.into(), None, dtype, device, None)
    }

    /// All of one file or folder.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open(path: &Path, dtype: DType, device: &Device) -> std::result::Result<Self, WeightsError> {
        Ok(Self::new(Checkpoint::open(path)?, dtype, device))
    }
}

impl<'a> Weights<'a> {
    /// As [`Weights::new`], with someone who may cancel and who sees progress.
    pub fn watched(overlay: impl Into<Overlay>, dtype: DType, device: &Device, watch: &'a dyn Watch) -> Self {
        Self::shared(overlay.into(), None, dtype, device, Some(watch))
    }

    /// Tensors in memory, handed out as they are, or cast where another dtype is asked for.
    pub fn live(tensors: &'a dyn LiveTensors, dtype: DType, device: &Device) -> Self {
        Self::shared(Overlay::new(), Some(tensors), dtype, device, None)
    }

    fn shared(
        overlay: Overlay,
        live: Option<&'a dyn LiveTensors>,
        dtype: DType,
        device: &Device,
        watch: Option<&'a dyn Watch>,
    ) -> Self {
        let sizes = overlay.names().filter_map(|name| overlay.get(name));
        let stored = sizes.map(|tensor| tensor.bytes().len() as u64).sum();
        Self {
            shared: Arc::new(Shared {
                overlay,
                live,
                device: device.clone(),
                room: device.is_cpu().then(|| Room::of(available_bytes)),
                watch,
                problems: Mutex::default(),
                stored,
                read: AtomicU64::new(0),
                held: AtomicU64::new(0),
            }),
            prefix: String::new(),
            dtype,
        }
    }

    /// The same weights below `part`: `w.pp("layers").pp(0)` asks for `layers.0.…`. `part` may contain dots.
    #[must_use]
    pub fn pp(&self, part: impl Display) -> Self {
        Self { prefix: self.full_name(&part.to_string()), ..self.clone() }
    }

    /// The same weights handed out in another dtype.
    #[must_use]
    pub fn in_dtype(&self, dtype: DType) -> Self {
        Self { dtype, ..self.clone() }
    }

    /// The dtype of tensors handed out.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device of tensors handed out.
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// The prefix, without a dot at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The tensor `name` of exactly `shape`, as contiguous data.
    ///
    /// A missing or misshapen tensor, and one with NaN or infinity in it, is noted for [`Weights::finish`], and a
    /// stand-in of zeros that takes no memory comes back. From the first such note on no data is read any more.
    ///
    /// # Errors
    /// Cancelled, out of memory, a device that fails. [`Weights::load`] says which.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        self.tensor(Some(shape.into()), &self.full_name(name), self.dtype, self.device())
    }

    /// The tensor `name` in whatever shape it has; noted as missing otherwise, and then an empty tensor.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn get_any(&self, name: &str) -> Result<Tensor> {
        self.tensor(None, &self.full_name(name), self.dtype, self.device())
    }

    /// As [`Weights::get`], or `None` where the files do not hold the tensor.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn get_if_present(&self, shape: impl Into<Shape>, name: &str) -> Result<Option<Tensor>> {
        if self.contains(name) { self.get(shape, name).map(Some) } else { Ok(None) }
    }

    /// The shape of a tensor as stored, if it is there.
    pub fn get_shape(&self, name: &str) -> Option<Vec<usize>> {
        let live = self.shared.live.and_then(|live| live.shape(&self.full_name(name)));
        live.or_else(|| self.stored(name).map(|tensor| tensor.shape().to_vec()))
    }

    /// The shape of a tensor that must be there and have `RANK` dimensions: how a model without a config file learns
    /// its widths. Noted for [`Weights::finish`] otherwise.
    ///
    /// # Errors
    /// A missing tensor or one of another rank, as an error that ends the loading: nothing can be built without it.
    pub fn sizes<const RANK: usize>(&self, name: &str) -> Result<[usize; RANK]> {
        let shape = self.get_shape(name);
        if let Some(sizes) = shape.and_then(|shape| <[usize; RANK]>::try_from(shape).ok()) {
            return Ok(sizes);
        }
        let stored = self.stored(name);
        let name = self.full_name(name);
        let found = match stored {
            None => Found::Nothing,
            Some(stored) => Found::Value {
                file: stored.file().to_path_buf(),
                problem: format!("has shape {:?}, not one of {RANK} dimensions", stored.shape()),
            },
        };
        let unfit = UnfitTensor { name, expected: None, found };
        let error = Error::Msg(unfit.to_string());
        self.problems().unfit.push(unfit);
        Err(error)
    }

    /// Whether the files hold a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get_shape(name).is_some()
    }

    /// The names below the prefix, without it, in no particular order.
    pub fn names(&self) -> Vec<String> {
        let below = |name: &str| -> Option<String> {
            if self.prefix.is_empty() {
                return Some(name.to_string());
            }
            let rest = name.strip_prefix(&self.prefix)?.strip_prefix('.')?;
            Some(rest.to_string())
        };
        let live = self.shared.live.map(LiveTensors::names).unwrap_or_default();
        let stored = self.shared.overlay.names();
        stored.chain(live.iter().map(String::as_str)).filter_map(below).collect()
    }

    /// The stored tensor of this name, unconverted.
    pub fn stored(&self, name: &str) -> Option<StoredTensor<'_>> {
        self.shared.overlay.get(&self.full_name(name))
    }

    /// The files and folders looked in, the first asked first.
    pub fn paths(&self) -> Vec<std::path::PathBuf> {
        self.shared.overlay.paths()
    }

    /// Refuses before anything is read what cannot fit into main memory: all tensors whose full names `used` takes, in
    /// this dtype. Loading asks for each tensor in turn, whether this was called or not; this spares the user the minutes
    /// until then.
    ///
    /// # Errors
    /// [`WeightsError::Memory`] with what is needed and what is free. Never for another device than the CPU.
    pub fn check_room(&self, used: impl Fn(&str) -> bool) -> std::result::Result<(), WeightsError> {
        let Some(room) = &self.shared.room else { return Ok(()) };
        let overlay = &self.shared.overlay;
        let names = overlay.names().filter(|name| used(name));
        let elements: u64 = names.filter_map(|name| overlay.get(name)).map(|tensor| elements(&tensor)).sum();
        let bytes = elements.saturating_mul(self.dtype.size_in_bytes() as u64);
        let what = || self.paths().last().map_or_else(String::new, |path| path.display().to_string());
        room.check(bytes).map_err(|free| WeightsError::no_room(what(), bytes, free, self.dtype))
    }

    /// Bytes of all tensors handed out so far: what the model holds.
    pub fn bytes(&self) -> u64 {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// The same weights as candle's own `VarBuilder`, for candle-transformers' models; it collects in the same list.
    pub fn var_builder(&self) -> VarBuilder<'a> {
        let backend: Box<dyn SimpleBackend + 'a> = Box::new(self.clone());
        VarBuilder::new_with_args(backend, self.dtype, self.device())
    }

    /// Builds a model and finishes: `build`'s value, or one error that tells everything that did not fit.
    ///
    /// # Errors
    /// [`WeightsError::Unfit`], [`WeightsError::Cancelled`], or what `build` itself found wrong.
    pub fn load<M>(&self, build: impl FnOnce(&Self) -> Result<M>) -> std::result::Result<M, WeightsError> {
        let built = build(self);
        self.finish()?;
        Ok(built?)
    }

    /// Reports everything that was missing, misshapen or unusable so far, and forgets it.
    ///
    /// # Errors
    /// [`WeightsError::Unfit`] with the whole list, or what ended the loading at once, such as
    /// [`WeightsError::Cancelled`].
    pub fn finish(&self) -> std::result::Result<(), WeightsError> {
        let problems = std::mem::take(&mut *self.problems());
        if let Some(fatal) = problems.fatal {
            return Err(fatal);
        }
        if problems.unfit.is_empty() {
            return Ok(());
        }
        Err(WeightsError::Unfit { files: self.paths(), tensors: problems.unfit })
    }

    fn full_name(&self, name: &str) -> String {
        match (self.prefix.is_empty(), name.is_empty()) {
            (true, _) => name.to_string(),
            (_, true) => self.prefix.clone(),
            _ => format!("{}.{name}", self.prefix),
        }
    }

    fn problems(&self) -> MutexGuard<'_, Problems> {
        // A panic while the list was locked leaves it as good as it was.
        self.shared.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: WeightsError) -> Error {
        let text = error.to_string();
        self.problems().fatal.get_or_insert(error);
        Error::Msg(text)
    }

    /// Notes a problem; a stand-in of the right shape that takes no memory.
    fn unfit(
        &self,
        name: &str,
        expected: Option<&Shape>,
        found: Found,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        self.problems().unfit.push(UnfitTensor {
            name: name.to_string(),
            expected: expected.map(|shape| shape.dims().to_vec()),
            found,
        });
        stand_in(expected, dtype, device)
    }

    fn tensor(&self, expected: Option<Shape>, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        if self.shared.watch.is_some_and(|watch| watch.cancelled()) {
            return Err(self.fail(WeightsError::Cancelled));
        }
        if let Some(tensor) = self.shared.live.map(|live| live.get(name, expected.as_ref())).transpose()?.flatten() {
            if let Some(shape) = expected.as_ref().filter(|shape| shape.dims() != tensor.dims()) {
                let problem = format!("has shape {:?} in memory", tensor.dims());
                let found = Found::Value { file: std::path::PathBuf::new(), problem };
                return self.unfit(name, Some(shape), found, dtype, device);
            }
            return tensor.to_dtype(dtype);
        }
        let Some(stored) = self.shared.overlay.get(name) else {
            return self.unfit(name, expected.as_ref(), Found::Nothing, dtype, device);
        };
        if let Some(shape) = expected.as_ref().filter(|shape| shape.dims() != stored.shape()) {
            let found = Found::Shape { file: stored.file().to_path_buf(), shape: stored.shape().to_vec() };
            return self.unfit(name, Some(shape), found, dtype, device);
        }
        if !self.problems().unfit.is_empty() {
            return stand_in(Some(&Shape::from(stored.shape())), dtype, device);
        }
        let bytes = elements(&stored).saturating_mul(dtype.size_in_bytes() as u64);
        if let Some(Err(free)) = self.shared.room.as_ref().map(|room| room.take(bytes)) {
            let what = format!(
                "{}: tensor {name}, after {:.1} GB of others,",
                stored.file().display(),
                self.bytes() as f64 / 1e9
            );
            return Err(self.fail(WeightsError::no_room(what, bytes, free, dtype)));
        }
        match read(&stored, dtype, device) {
            Ok(tensor) => {
                self.account(&stored, &tensor);
                Ok(tensor)
            }
            Err(ReadError::Value(problem)) => {
                let found = Found::Value { file: stored.file().to_path_buf(), problem };
                let shape = expected.unwrap_or_else(|| Shape::from(stored.shape()));
                self.unfit(name, Some(&shape), found, dtype, device)
            }
            Err(ReadError::Fatal(problem)) => {
                let file = stored.file().display();
                Err(self.fail(WeightsError::compute(format!("{file}: tensor {name}: {problem}"))))
            }
        }
    }

    fn account(&self, stored: &StoredTensor<'_>, tensor: &Tensor) {
        let Shared { read, held, stored: all, .. } = self.shared.as_ref();
        let bytes = stored.bytes().len() as u64;
        let done = read.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let size = tensor.elem_count() * tensor.dtype().size_in_bytes();
        held.fetch_add(size as u64, Ordering::Relaxed);
        if let Some(watch) = self.shared.watch {
            watch.progress(done.min(*all), *all);
        }
    }
}

fn elements(stored: &StoredTensor<'_>) -> u64 {
    stored.shape().iter().fold(1, |product, size| product.saturating_mul(*size as u64))
}

/// Zeros of a shape, over a single element.
fn stand_in(shape: Option<&Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    match shape {
        Some(shape) => Tensor::zeros((), dtype, device)?.broadcast_as(shape.clone()),
        None => Tensor::zeros(0, dtype, device),
    }
}

impl fmt::Debug for Weights<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights({:?} below `{}`, {:?} on {:?})", self.paths(), self.prefix, self.dtype, self.device())
    }
}

impl SimpleBackend for Weights<'_> {
    fn get(&self, shape: Shape, name: &str, _: candle_nn::Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.tensor(Some(shape), &self.full_name(name), dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.tensor(None, &self.full_name(name), dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.contains(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Weights of one tensor of 4 kB in f32, on a machine with so much memory.
    fn on_a_machine(folder: &Path, dtype: DType, supply: fn() -> Option<u64>) -> Weights<'static> {
        let path = folder.join("model.safetensors");
        let tensor = Tensor::zeros((32, 32), DType::F32, &Device::Cpu).unwrap();
        candle_core::safetensors::save(&[("layer.weight", tensor)].into(), &path).unwrap();
        let mut weights = Weights::open(&path, dtype, &Device::Cpu).unwrap();
        Arc::get_mut(&mut weights.shared).unwrap().room = Some(Room::of(supply));
        weights
    }

    #[test]
    fn weights_that_do_not_fit_into_memory_are_an_error_and_not_the_end_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let weights = on_a_machine(folder.path(), DType::F32, || Some(4095));
        let early = weights.check_room(|name| name.starts_with("layer.")).unwrap_err();
        let late = weights.load(|w| w.get((32, 32), "layer.weight")).unwrap_err();
        for error in [early, late] {
            assert!(matches!(error, WeightsError::Memory { .. }), "{error}");
            let failure = mgie_plugin_api::Failure::from(error);
            assert_eq!(failure.kind, mgie_plugin_api::FailureKind::Memory);
            assert!(failure.to_string().contains("model.safetensors"), "{failure}");
            assert!(failure.to_string().contains("are free; set dtype to f16"), "{failure}");
        }
        assert_eq!(weights.bytes(), 0);
        weights.check_room(|name| name.starts_with("another.")).unwrap();
    }

    #[test]
    fn half_precision_fits_where_f32_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let weights = on_a_machine(folder.path(), DType::F16, || Some(2048));
        weights.check_room(|_| true).unwrap();
        weights.load(|w| w.get((32, 32), "layer.weight")).unwrap();
    }

    #[test]
    fn a_device_out_of_memory_is_told_as_such() {
        let said = Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into());
        assert!(matches!(WeightsError::from(said), WeightsError::Memory { .. }));
        assert!(matches!(WeightsError::from(Error::Msg("shape mismatch".into())), WeightsError::Compute(_)));
    }
}
