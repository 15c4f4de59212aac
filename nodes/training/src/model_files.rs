//! The models folder that training fills: configurations and tokenizers are there from the beginning, weights are written
//! beside them, in f16 and under the names that the users' files have.

use crate::parameters::Parameters;
use candle_core::{DType, Tensor};
use mgie_plugin_api::{Failure, file};
use mgie_weights::{Checkpoint, WeightsError};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::path::Path;

/// Writes tensors as one safetensors file in f16; a file of that name is replaced once the new one is complete.
///
/// # Errors
/// A number beyond f16, a file that cannot be written.
pub fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error.to_string()))?;
    }
    let bytes = tensors.iter().map(|(name, tensor)| half_bytes(path, name, tensor)).collect::<Result<Vec<_>, _>>()?;
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, tensor), bytes)| Ok((name, TensorView::new(Dtype::F16, tensor.dims().to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let whole = views.and_then(|views| safetensors::serialize(views, Some(about)));
    let whole = whole.map_err(|error| Failure::file(path, error.to_string()))?;
    file::write_whole(path, &[&whole])
}

/// A tensor's numbers in f16, in row-major order.
///
/// # Errors
/// A number that f16 cannot hold.
pub fn half_bytes(path: &Path, name: &str, tensor: &Tensor) -> Result<Vec<u8>, Failure> {
    let numbers = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>());
    let numbers = numbers.map_err(WeightsError::from)?;
    let halves: Vec<half::f16> = numbers.iter().map(|number| half::f16::from_f32(*number)).collect();
    if let Some(at) = halves.iter().position(|half| !half.is_finite()) {
        let number = numbers.get(at).copied().unwrap_or_default();
        return Err(Failure::file(path, format!("{name} holds {number}, which f16 cannot: the weights are not written")));
    }
    Ok(halves.iter().flat_map(|half| half.to_le_bytes()).collect())
}

/// Takes the weights that lie in a file or folder, as `prefix.NAME`.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn load(parameters: &Parameters, prefix: &str, path: &Path) -> Result<(), Failure> {
    Ok(parameters.load(prefix, Checkpoint::open(path)?.into())?)
}
