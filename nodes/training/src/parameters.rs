//! What is trained and what is frozen, by the checkpoint's names. Models are built from here for every step: they get the
//! very variables, so that gradients reach them, and a trained name that no model asked for before is given its first value.

use crate::initial;
use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use mgie_weights::{LiveTensors, Overlay, Weights, WeightsError};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which names are trained.
pub type Trained = fn(&str) -> bool;

/// One tensor, in f32.
#[derive(Debug, Clone)]
enum Held {
    Trained(Var),
    Frozen(Tensor),
}

impl Held {
    fn tensor(&self) -> &Tensor {
        match self {
            Self::Trained(variable) => variable.as_tensor(),
            Self::Frozen(tensor) => tensor,
        }
    }
}

/// Tensors by name, f32, on one device.
#[derive(Debug)]
pub struct Parameters {
    device: Device,
    seed: u64,
    trained: Trained,
    held: Mutex<BTreeMap<String, Held>>,
}

impl Parameters {
    /// None yet. `seed` decides the first values, `trained` which names are variables.
    pub fn new(device: &Device, seed: u64, trained: Trained) -> Self {
        Self { device: device.clone(), seed, trained, held: Mutex::default() }
    }

    /// Takes all tensors of a file or folder, as `prefix.NAME`; those that are there already are replaced.
    ///
    /// # Errors
    /// A tensor that cannot be read.
    pub fn load(&self, prefix: &str, overlay: Overlay) -> std::result::Result<(), WeightsError> {
        let weights = Weights::new(overlay, DType::F32, &self.device);
        for name in weights.names() {
            let tensor = weights.get_any(&name)?;
            weights.finish()?;
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            self.insert(&name, tensor)?;
        }
        Ok(())
    }

    /// Puts one tensor in; it becomes a variable where its name is trained.
    ///
    /// # Errors
    /// No memory, a device that fails.
    pub fn insert(&self, name: &str, tensor: Tensor) -> Result<()> {
        let tensor = tensor.to_dtype(DType::F32)?.to_device(&self.device)?.contiguous()?.detach();
        let held = if (self.trained)(name) { Held::Trained(Var::from_tensor(&tensor)?) } else { Held::Frozen(tensor) };
        self.lock().insert(name.to_owned(), held);
        Ok(())
    }

    /// Puts a tensor of a first value in, unless the name is there.
    ///
    /// # Errors
    /// No memory, a device that fails.
    pub fn ensure(&self, name: &str, shape: impl Into<Shape>) -> Result<()> {
        if self.lock().contains_key(name) {
            return Ok(());
        }
        self.insert(name, initial::tensor(self.seed, name, &shape.into(), &self.device)?)
    }

    /// The view that models are built from, in `dtype` (variables are f32; the cast is part of the gradient).
    pub fn weights(&self, dtype: DType) -> Weights<'_> {
        Weights::live(self, dtype, &self.device)
    }

    /// Builds a model once, so that every parameter of it is there; the model itself is dropped.
    ///
    /// # Errors
    /// A tensor that is there in another shape, no memory.
    pub fn build<M>(&self, build: impl FnOnce(&Weights<'_>) -> Result<M>) -> std::result::Result<(), WeightsError> {
        self.weights(DType::F32).load(build).map(drop)
    }

    /// The trained variables in the order of their names.
    pub fn variables(&self) -> Vec<(String, Var)> {
        let trained = |(name, held): (&String, &Held)| match held {
            Held::Trained(variable) => Some((name.clone(), variable.clone())),
            Held::Frozen(_) => None,
        };
        self.lock().iter().filter_map(trained).collect()
    }

    /// Everything below `prefix`, without it, in the order of names.
    pub fn below(&self, prefix: &str) -> Vec<(String, Tensor)> {
        let named = |(name, held): (&String, &Held)| {
            let name = name.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((name.to_owned(), held.tensor().detach()))
        };
        self.lock().iter().filter_map(named).collect()
    }

    /// The same tensors with nothing trained, the values of `values` taken where they are given: a model to sample from.
    ///
    /// # Errors
    /// A value of another shape, no memory.
    pub fn frozen(&self, values: &BTreeMap<String, Tensor>) -> Result<Self> {
        let copy = Self::new(&self.device, self.seed, |_| false);
        for (name, held) in self.lock().iter() {
            let tensor = match (values.get(name), held) {
                (Some(value), _) => value.reshape(held.tensor().shape())?,
                (None, Held::Frozen(tensor)) => tensor.clone(),
                // A variable changes in place.
                (None, Held::Trained(variable)) => variable.as_tensor().copy()?,
            };
            copy.insert(name, tensor)?;
        }
        Ok(copy)
    }

    /// Where the tensors lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        // A panic while it was locked leaves the map as good as it was.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveTensors for Parameters {
    fn get(&self, name: &str, shape: Option<&Shape>) -> Result<Option<Tensor>> {
        if let Some(held) = self.lock().get(name) {
            return Ok(Some(held.tensor().clone()));
        }
        // What is frozen was trained before: where it is not there, a file lacks it, and a first value would hide that.
        let Some(shape) = shape.filter(|_| (self.trained)(name)) else { return Ok(None) };
        self.ensure(name, shape.clone())?;
        Ok(self.lock().get(name).map(|held| held.tensor().clone()))
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.lock().get(name).map(|held| held.tensor().dims().to_vec())
    }

    fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }
}
