//! Where a training run stands, in one safetensors file: the trained parameters, the optimiser's state, the step, and the
//! settings that it was made with. It is written beside the old one and renamed over it, so that a full disk or a kill
//! leaves the last good one.

use crate::optimizer::{AdamW, State};
use crate::parameters::Parameters;
use candle_core::Tensor;
use mgie_plugin_api::{Failure, file};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Raised when the form of the file changes.
const VERSION: u64 = 1;
/// Larger files are none of ours.
const LARGEST: u64 = 64 << 30;

/// The four parts that a parameter's numbers are stored under.
const PARTS: [&str; 4] = ["parameter", "m", "v", "ema"];

/// Writes where the run stands; `pending` is what the loss curve has no row of yet.
///
/// # Errors
/// The file cannot be written; then the one that was there is as it was.
pub fn save(
    path: &Path,
    parameters: &Parameters,
    optimizer: &AdamW,
    settings: &Value,
    pending: &[Vec<f64>],
) -> Result<(), Failure> {
    let mut stored: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, variable) in parameters.variables() {
        let shape = variable.dims().to_vec();
        let values = variable.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).map_err(failed)?;
        let empty = State { m: Vec::new(), v: Vec::new(), ema: Vec::new() };
        let State { m, v, ema } = optimizer.states.get(&name).unwrap_or(&empty);
        for (part, numbers) in PARTS.into_iter().zip([&values, m, v, ema]) {
            if !numbers.is_empty() {
                let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                stored.insert(format!("{part}/{name}"), (shape.clone(), bytes));
            }
        }
    }
    let about = json!({ "version": VERSION, "step": optimizer.step, "settings": settings, "pending": pending });
    let about = HashMap::from([("mgie_training".to_owned(), about.to_string())]);
    let views = stored
        .iter()
        .map(|(name, (shape, bytes))| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|error| Failure::file(path, error.to_string()))?;
    let bytes = safetensors::serialize(views, Some(about)).map_err(|error| Failure::file(path, error.to_string()))?;
    file::write_whole(path, &[&bytes])
}

/// A run that was found.
#[derive(Debug)]
pub struct Resumed {
    /// Steps that were taken.
    pub step: u64,
    /// The settings that they were taken with.
    pub settings: Value,
    /// Steps that the loss curve has no row of yet.
    pub pending: Vec<Vec<f64>>,
}

/// Takes parameters and optimiser from a checkpoint, if there is one.
///
/// # Errors
/// The file is damaged, from a newer version, or of a model of other names or shapes: named, with what to do.
pub fn load(path: &Path, parameters: &Parameters, optimizer: &mut AdamW) -> Result<Option<Resumed>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let wrong = |problem: String| {
        Failure::file(path, problem).remedy("train in another `work` folder, or remove this file to begin anew")
    };
    let bytes = file::read_whole(path, LARGEST)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| wrong(format!("no training checkpoint: {e}")))?;
    let about = header.metadata().as_ref().and_then(|about| about.get("mgie_training"));
    let about = about.and_then(|about| serde_json::from_str::<Value>(about).ok());
    let Some(about) = about else { return Err(wrong("no training checkpoint of mgie".to_owned())) };
    let version = about.get("version").and_then(Value::as_u64).unwrap_or_default();
    if version > VERSION {
        return Err(Failure::file(path, format!("written by a newer mgie (form {version}, this one knows {VERSION})"))
            .remedy("continue with the mgie that wrote it, or train in another `work` folder"));
    }
    let stored = SafeTensors::deserialize(&bytes).map_err(|e| wrong(e.to_string()))?;
    let settings = about.get("settings").cloned().unwrap_or_default();
    let averaged = settings.get("ema").and_then(Value::as_f64).is_some_and(|decay| decay > 0.0);
    let variables = parameters.variables();
    let mut expected = 0;
    for (name, variable) in &variables {
        let read = |part: &str| -> Result<Option<Vec<f32>>, Failure> {
            let Ok(view) = stored.tensor(&format!("{part}/{name}")) else { return Ok(None) };
            if view.dtype() != Dtype::F32 || view.shape() != variable.dims() {
                return Err(wrong(format!("{name} has shape {:?} there", view.shape()))
                    .expected(format!("{:?}, as the model that is trained", variable.dims())));
            }
            let numbers = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            Ok(Some(numbers.collect()))
        };
        let Some(values) = read("parameter")? else {
            return Err(wrong(format!("{name} is not in it: it belongs to another model")));
        };
        let tensor = Tensor::from_vec(values, variable.shape(), variable.device()).map_err(failed)?;
        variable.set(&tensor).map_err(failed)?;
        expected += 1;
        let (Some(m), Some(v), ema) = (read("m")?, read("v")?, read("ema")?.unwrap_or_default()) else {
            return Err(wrong(format!("the optimiser's state of {name} is not in it")));
        };
        if averaged && ema.is_empty() {
            return Err(wrong(format!("the moving average of {name} is not in it")));
        }
        optimizer.states.insert(name.clone(), State { m, v, ema });
    }
    let there = stored.names().iter().filter(|name| name.starts_with("parameter/")).count();
    if there != expected {
        return Err(wrong(format!("{there} parameters, of which this model knows {expected}")));
    }
    let Some(step) = about.get("step").and_then(Value::as_u64) else {
        return Err(wrong("it does not say after which step it was written".to_owned()));
    };
    optimizer.step = step;
    let pending = about.get("pending").and_then(|pending| serde_json::from_value(pending.clone()).ok());
    Ok(Some(Resumed { step, settings, pending: pending.unwrap_or_default() }))
}

fn failed(error: candle_core::Error) -> Failure {
    Failure::failed(error.to_string())
}
