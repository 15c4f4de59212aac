//! A value with a tensor as the bytes of a `.safetensors` file: one tensor named `value`, and the value's kind and
//! header as metadata, so that `tensor.load` gives back the same value. Equal values give equal bytes.

use mgie_plugin_api::{DType, Tensor, Value};
use serde_json::json;

/// The file that holds a value.
///
/// # Errors
/// Why the value has none, in words.
pub fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    let tensor = value.as_tensor().ok_or_else(|| format!("{value} holds no tensor"))?;
    let data = tensor.bytes().map_err(|error| error.to_string())?;
    let header = json!({
        "__metadata__": { "mgie.header": value.header().to_string(), "mgie.kind": value.kind() },
        "value": { "dtype": dtype(tensor), "shape": tensor.shape(), "data_offsets": [0, data.len()] },
    });
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = Vec::with_capacity(8 + header.len() + data.len());
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    file.extend(data);
    Ok(file)
}

/// The format's name of an element type.
fn dtype(tensor: &Tensor) -> &'static str {
    match tensor.dtype() {
        DType::Bool => "BOOL",
        DType::U8 => "U8",
        DType::U32 => "U32",
        DType::I32 => "I32",
        DType::I64 => "I64",
        DType::F16 => "F16",
        DType::Bf16 => "BF16",
        DType::F32 => "F32",
        DType::F64 => "F64",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::kind;
    use safetensors::{Dtype, SafeTensors};

    #[test]
    fn the_file_is_read_by_the_format_s_own_reader() {
        let tensor = Tensor::from_f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, -0.5]).unwrap();
        let value = Value::tensor(kind::LATENTS, json!({ "space": "image", "é": [1] }), tensor.clone());
        let file = bytes(&value).unwrap();
        assert_eq!(file, bytes(&value).unwrap());
        let read = SafeTensors::deserialize(&file).unwrap();
        let view = read.tensor("value").unwrap();
        assert_eq!((view.dtype(), view.shape(), view.data()), (Dtype::F32, &[2usize, 3][..], tensor.bytes().unwrap()));
        let (_, metadata) = SafeTensors::read_metadata(&file).unwrap();
        let metadata = metadata.metadata().as_ref().unwrap();
        assert_eq!(metadata["mgie.kind"], "sd.latents");
        assert_eq!(metadata["mgie.header"], r#"{"space":"image","é":[1]}"#);
        assert!(bytes(&Value::text("a")).unwrap_err().contains("holds no tensor"));
    }
}
