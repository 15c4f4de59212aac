//! The parameters `device` and `dtype` of every model node, as candle's types.

use crate::error::WeightsError;
use candle_core::{DType, Device};
use mgie_plugin_api::{Domain, NodeDescription};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Opened CUDA devices by ordinal: tensors of two `Device` objects do not mix even where the hardware is the same.
static OPENED: Mutex<Option<HashMap<usize, Device>>> = Mutex::new(None);

/// What a model is made of, which decides the dtypes that it can be computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// Matrix products only.
    Linear,
    /// Convolutions too; candle has none in bf16 on the CPU.
    Convolutions,
}

/// Adds the parameters `device` and `dtype`, whose values [`device`] and [`dtype`] read; `about_dtype` tells people what
/// the second means for this node.
pub fn with_parameters(description: NodeDescription, about_dtype: &str) -> NodeDescription {
    let choices = ["auto", "f32", "f16", "bf16"].map(str::to_owned).to_vec();
    description
        .parameter(
            "device",
            "Device",
            Domain::Text { default: "auto".into(), multiline: false },
            "auto, cpu, cuda or cuda:N. auto is the first GPU where this build and machine have one.",
        )
        .parameter("dtype", "Precision", Domain::Choice { default: "auto".into(), choices }, about_dtype)
}

/// Reads `auto`, `cpu`, `cuda` or `cuda:N`. `auto` is the first GPU where this build has CUDA and one is there, else
/// the CPU. The same device comes back for the same text, however often it is asked for.
///
/// # Errors
/// [`WeightsError::Parameter`] for other text, for `cuda` in a build without it, and for a GPU that is not there.
pub fn device(text: &str) -> Result<Device, WeightsError> {
    let wrong_for = |expected: &str, found: String, remedy: &str| WeightsError::Parameter {
        name: "device".into(),
        expected: expected.into(),
        found,
        remedy: remedy.into(),
    };
    let ordinal = match text {
        "cpu" => return Ok(Device::Cpu),
        "auto" => {
            let gpu = cfg!(feature = "cuda").then(|| cuda(0));
            return Ok(gpu.and_then(Result::ok).unwrap_or(Device::Cpu));
        }
        "cuda" => 0,
        _ => match text.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(ordinal)) => ordinal,
            _ => {
                let remedy = "leave it at auto, which takes a GPU where there is one";
                return Err(wrong_for("auto, cpu, cuda or cuda:N", format!("`{text}`"), remedy));
            }
        },
    };
    if !cfg!(feature = "cuda") {
        return Err(wrong_for(
            "auto or cpu, as this plugin was built without CUDA",
            format!("`{text}`"),
            "set it to auto or cpu, or build the plugin with the feature cuda",
        ));
    }
    cuda(ordinal).map_err(|e| {
        wrong_for(
            "a GPU that can be opened",
            format!("`{text}`: {e}"),
            "set it to auto or cpu, or to a GPU that nvidia-smi lists",
        )
    })
}

fn cuda(ordinal: usize) -> candle_core::Result<Device> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = opened.get_or_insert_default();
    if let Some(device) = opened.get(&ordinal) {
        return Ok(device.clone());
    }
    // A stream of its own, which keeps the order of all work on the device. candle's other choice is a stream for each
    // thread: weights that one thread sends could then be read by another's kernels before they have arrived.
    let device = Device::new_cuda_with_stream(ordinal)?;
    opened.insert(ordinal, device.clone());
    Ok(device)
}

/// Reads `auto`, `f32`, `f16` or `bf16`. `auto` is f32 on the CPU and f16 on a GPU.
///
/// # Errors
/// [`WeightsError::Parameter`] for other text, and for bf16 on the CPU where the model has convolutions.
pub fn dtype(text: &str, device: &Device, layers: Layers) -> Result<DType, WeightsError> {
    let wrong_for = |expected: &str, remedy: &str| WeightsError::Parameter {
        name: "dtype".into(),
        expected: expected.into(),
        found: format!("`{text}`"),
        remedy: remedy.into(),
    };
    match text {
        "auto" if device.is_cpu() => Ok(DType::F32),
        "auto" | "f16" => Ok(DType::F16),
        "f32" => Ok(DType::F32),
        "bf16" if device.is_cpu() && layers == Layers::Convolutions => Err(wrong_for(
            "auto, f32 or f16 on the CPU, where this model's convolutions cannot be computed in bf16",
            "use f32 there (f16 works too, slower)",
        )),
        "bf16" => Ok(DType::BF16),
        _ => Err(wrong_for("auto, f32, f16 or bf16", "leave it at auto")),
    }
}

/// What a device is called in a report: `cpu` or `cuda:N`.
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".into(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn auto_is_f32_on_the_cpu() {
        let cpu = device("cpu").unwrap();
        assert!(cpu.is_cpu());
        assert_eq!(dtype("auto", &cpu, Layers::Convolutions).unwrap(), DType::F32);
        assert_eq!(dtype("f16", &cpu, Layers::Convolutions).unwrap(), DType::F16);
        assert_eq!(dtype("bf16", &cpu, Layers::Linear).unwrap(), DType::BF16);
    }

    #[test]
    fn an_unknown_device_is_named_with_what_is_expected() {
        for text in ["gpu", "cuda:", "cuda:x", "", "CPU"] {
            let error = device(text).unwrap_err().to_string();
            assert!(error.contains("parameter `device`"), "{error}");
            assert!(error.contains(&format!("found `{text}`")), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn cuda_in_a_build_without_it_says_so_and_auto_is_the_cpu() {
        let error = device("cuda:1").unwrap_err().to_string();
        assert!(error.contains("built without CUDA"), "{error}");
        assert!(device("auto").unwrap().is_cpu());
    }

    #[test]
    fn bf16_convolutions_on_the_cpu_are_refused_with_a_remedy() {
        let error = dtype("bf16", &Device::Cpu, Layers::Convolutions).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("use f32"), "{error}");
    }
}
