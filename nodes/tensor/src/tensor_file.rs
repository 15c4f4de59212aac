//! A value's tensor as a `.safetensors` file: one tensor named `value`, and in the file's metadata the kind
//! (`mgie.kind`) and the JSON header (`mgie.header`) of the value, so that a stage that was captured can be fed again.
//! Files of others, with any names and no such metadata, are read too.
//!
//! Source of the format: the header's length as a little-endian u64, the header as JSON, then the tensors' bytes;
//! reading is checked by the `safetensors` crate.

use mgie_plugin_api::serde_json::{self, Map, Value as Json, json};
use mgie_plugin_api::{DType, Failure, Tensor, Value, file, kind};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Name of the one tensor in files that are written here.
pub const VALUE: &str = "value";
/// Key of the value's kind in the file's metadata.
pub const KIND: &str = "mgie.kind";
/// Key of the value's header, as JSON text, in the file's metadata.
pub const HEADER: &str = "mgie.header";
/// The most bytes that a tensor may have which is put on a wire: 4 GiB. Weights are larger, and never cross.
pub const MAX_TENSOR_BYTES: u64 = 4 << 30;

/// The most bytes of a header, as the format has it.
const MAX_HEADER_BYTES: u64 = 100_000_000;
const LENGTH_BYTES: u64 = 8;

const REMEDY_BROKEN: &str = "the file is cut off or damaged; get it or save it again";

/// Writes a value's tensor with its kind and header, whole or not at all.
///
/// # Errors
/// A failure where the value has no tensor in main memory, or the file cannot be written.
pub fn write(path: &Path, value: &Value) -> Result<(), Failure> {
    let tensor = value.as_tensor().ok_or_else(|| {
        let remedy =
            if value.kind() == kind::TEXT { "use text.save for text" } else { "wire in a value with a tensor" };
        Failure::input(VALUE, "a tensor", value.to_string()).remedy(remedy)
    })?;
    let bytes = tensor.bytes()?;
    let (dtype, ..) = DTYPES
        .iter()
        .find(|(_, known)| *known == tensor.dtype())
        .ok_or_else(|| Failure::input(VALUE, "a type of elements that the format has", tensor.dtype().to_string()))?;
    let header = json!({
        "__metadata__": { HEADER: value.header().to_string(), KIND: value.kind() },
        VALUE: { "dtype": dtype, "shape": tensor.shape(), "data_offsets": [0, bytes.len()] },
    });
    let mut header = header.to_string().into_bytes();
    // Padded with spaces, so that the elements are aligned.
    header.resize(header.len().next_multiple_of(8), b' ');
    file::write_whole(path, &[&(header.len() as u64).to_le_bytes(), &header, bytes])
}

/// What is wanted from a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Name of the tensor; nothing for `value`, or the only one.
    pub name: Option<&'a str>,
    /// Kind of the value; nothing for the one that the file says, or else `tensor`.
    pub kind: Option<&'a str>,
    /// Header of the value; nothing for the one that the file says, or else an empty one.
    pub header: Option<&'a Map<String, Json>>,
}

/// Reads one tensor of a file; the others' bytes are not touched.
///
/// # Errors
/// A failure that names the file where it is missing, cut off, damaged, holds no such tensor, or one of a type that
/// wires do not carry.
pub fn read(path: &Path, wanted: Wanted<'_>) -> Result<Value, Failure> {
    let (mut file, length) = file::open(path)?;
    let broken = |message: String| Failure::file(path, message).remedy(REMEDY_BROKEN);
    let no_safetensors = |why: &str| {
        Failure::file(path, format!("this is no .safetensors file: {why}"))
            .remedy("name a .safetensors file; if it is one, it is cut off or damaged")
    };
    let mut length_bytes = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length_bytes).map_err(|_| no_safetensors("it has less than 8 bytes"))?;
    let header_length = u64::from_le_bytes(length_bytes);
    if header_length > MAX_HEADER_BYTES || header_length > length - LENGTH_BYTES.min(length) {
        return Err(no_safetensors(&format!("its header would have {header_length} bytes of the file's {length}")));
    }
    let mut header = Vec::new();
    (&mut file).take(header_length).read_to_end(&mut header).map_err(|error| broken(error.to_string()))?;
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|error| no_safetensors(&format!("its header is wrong ({error})")))?;
    let expected = LENGTH_BYTES + header_length + header.data_len() as u64;
    if length != expected {
        return Err(broken(format!("the file has {length} bytes, its header speaks of {expected}")));
    }

    let name = wanted_name(path, &header, wanted.name)?;
    let info = header.info(&name).ok_or_else(|| broken(format!("there is no tensor `{name}`")))?;
    let Some(&(_, dtype)) = DTYPES.iter().find(|(known, _)| *known == info.dtype) else {
        let known: Vec<String> = DTYPES.iter().map(|(known, _)| known.to_string()).collect();
        let message = format!("tensor `{name}` has elements of type {}", info.dtype);
        return Err(Failure::file(path, message)
            .expected(format!("one of {}", known.join(", ")))
            .remedy("convert it before"));
    };
    let (start, end) = info.data_offsets;
    let size = (end - start) as u64;
    if size > MAX_TENSOR_BYTES {
        let message = format!("tensor `{name}` has {size} bytes, the limit is {MAX_TENSOR_BYTES}");
        return Err(Failure::file(path, message).remedy("weights are read by the nodes that use them"));
    }
    let place = SeekFrom::Start(LENGTH_BYTES + header_length + start as u64);
    file.seek(place).map_err(|error| broken(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
    let tensor = Tensor::from_bytes(info.shape.clone(), dtype, &bytes)
        .map_err(|error| Failure::file(path, format!("tensor `{name}`: {error}")).remedy(REMEDY_BROKEN))?;

    let said = header.metadata().clone().unwrap_or_default();
    let (kind, header) = kind_and_header(path, &said, wanted)?;
    Ok(Value::tensor(&kind, header, tensor))
}

/// The elements as f32 where they are other floats; other types stay.
///
/// # Errors
/// A failure where the tensor is not in main memory.
pub fn widened(value: Value) -> Result<Value, Failure> {
    let Some(tensor) = value.as_tensor().filter(|t| matches!(t.dtype(), DType::F16 | DType::Bf16 | DType::F64)) else {
        return Ok(value);
    };
    let tensor = Tensor::from_f32(tensor.shape().to_vec(), tensor.to_f32_vec()?)?;
    Ok(Value::tensor(value.kind(), value.header().clone(), tensor))
}

/// The element types that both the format and wires have.
const DTYPES: [(Dtype, DType); 9] = [
    (Dtype::BOOL, DType::Bool),
    (Dtype::U8, DType::U8),
    (Dtype::U32, DType::U32),
    (Dtype::I32, DType::I32),
    (Dtype::I64, DType::I64),
    (Dtype::F16, DType::F16),
    (Dtype::BF16, DType::Bf16),
    (Dtype::F32, DType::F32),
    (Dtype::F64, DType::F64),
];

fn wanted_name(path: &Path, header: &Metadata, wanted: Option<&str>) -> Result<String, Failure> {
    let names = header.offset_keys();
    match (wanted, names.as_slice()) {
        (Some(name), _) if header.info(name).is_some() => Ok(name.to_owned()),
        (None, _) if header.info(VALUE).is_some() => Ok(VALUE.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (_, []) => Err(Failure::file(path, "there is no tensor in the file").remedy("name another file")),
        (wanted, _) => {
            const SHOWN: usize = 10;
            let mut list = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            if names.len() > SHOWN {
                list += &format!(" and {} more", names.len() - SHOWN);
            }
            let missing = wanted.unwrap_or(VALUE);
            Err(Failure::file(path, format!("there is no tensor `{missing}` in the file, but {list}"))
                .remedy("set `name` to one of them"))
        }
    }
}

fn kind_and_header(path: &Path, said: &HashMap<String, String>, wanted: Wanted<'_>) -> Result<(String, Json), Failure> {
    let said_kind = said.get(KIND).map_or(kind::TENSOR, String::as_str);
    let kind = wanted.kind.unwrap_or(said_kind);
    if let Some(header) = wanted.header {
        return Ok((kind.to_owned(), Json::Object(header.clone())));
    }
    // What the file says of another kind says nothing of this one.
    let Some(text) = said.get(HEADER).filter(|_| kind == said_kind) else {
        return Ok((kind.to_owned(), json!({})));
    };
    match serde_json::from_str(text) {
        Ok(header @ Json::Object(_)) => Ok((kind.to_owned(), header)),
        _ => Err(Failure::file(path, format!("`{HEADER}` in its metadata is no JSON object"))
            .remedy("set `header` to the right one, such as {}")),
    }
}
