//! Recorded values, and how far from them a result may be.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};

/// A path from the repository's root.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A folder of the miniature model.
pub fn model(path: &str) -> PathBuf {
    repository("tests/miniature").join(path)
}

/// One file of recorded tensors.
pub struct Goldens {
    name: String,
    file: Vec<u8>,
}

impl Goldens {
    /// `tests/goldens/NAME.safetensors`
    pub fn open(name: &str) -> Self {
        let path = repository("tests/goldens").join(name).with_extension("safetensors");
        let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: name.to_owned(), file }
    }

    /// The names of all tensors.
    pub fn names(&self) -> Vec<String> {
        SafeTensors::deserialize(&self.file).unwrap().names().into_iter().map(str::to_owned).collect()
    }

    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        let tensors = SafeTensors::deserialize(&self.file).unwrap();
        tensors.tensor(name).unwrap_or_else(|error| panic!("{} of {}: {error}", name, self.name)).shape().to_vec()
    }

    /// A tensor's values, widened to f32; u8 as they are.
    pub fn values(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.file).unwrap();
        let view = tensors.tensor(name).unwrap_or_else(|error| panic!("{} of {}: {error}", name, self.name));
        let data = view.data();
        match view.dtype() {
            Dtype::U8 => data.iter().map(|byte| f32::from(*byte)).collect(),
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            Dtype::F16 => data.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
            other => panic!("{name}: {other:?} is not read here"),
        }
    }

    /// A tensor in candle, on the CPU in f32.
    pub fn tensor(&self, name: &str) -> Tensor {
        Tensor::from_vec(self.values(name), self.shape(name), &Device::Cpu).unwrap()
    }
}

/// Root mean square of the difference, over that of `expected`.
pub fn relative_rms(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "as many numbers as were recorded");
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let difference = square(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    (difference / square(&mut expected.iter().map(|value| f64::from(*value)))).sqrt()
}

/// Panics unless `found` is within `most` relative RMS of what was recorded.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], most: f64) {
    let distance = relative_rms(found, expected);
    assert!(distance <= most, "{what}: relative RMS {distance:e}, at most {most:e} expected");
}

/// All values of a candle tensor.
pub fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}
