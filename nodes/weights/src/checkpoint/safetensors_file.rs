//! Safetensors files, checked by the `safetensors` crate: a header that is too long, not JSON, overlapping, or that
//! does not cover the file exactly is an error before anything is allocated by its numbers.

use super::Placed;
use crate::element::StoredType;
use crate::error::WeightsError;
use crate::mapped::MappedFile;
use safetensors::SafeTensors;

/// Bytes of the header's length, which come first.
const LENGTH: usize = 8;

/// Whether the bytes start as a safetensors file does: a header length that fits the file, then `{`.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return false;
    };
    let fits = usize::try_from(u64::from_le_bytes(*length)).is_ok_and(|n| n <= rest.len());
    fits && rest.first() == Some(&b'{')
}

/// The table of tensors.
pub(super) fn tensors_of(file: &MappedFile) -> Result<Vec<(String, Placed)>, WeightsError> {
    let malformed = |what: String| {
        WeightsError::malformed(file.path(), what)
            .with_remedy("the file is damaged or incomplete: copy or download it again")
    };
    let bytes = file.bytes();
    let (header, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| malformed(format!("is not a whole safetensors file: {e}")))?;
    let data = header + LENGTH;
    let mut tensors = Vec::new();
    for (name, info) in metadata.tensors() {
        let Some(dtype) = StoredType::of_safetensors(info.dtype) else {
            return Err(WeightsError::malformed(
                file.path(),
                format!("stores tensor {name} as {}, which is not supported", info.dtype),
            )
            .with_remedy("convert it to f32, f16 or bf16"));
        };
        let (start, end) = info.data_offsets;
        let storage = data + start..data + end;
        if bytes.get(storage.clone()).is_none() {
            return Err(malformed(format!("tensor {name} lies outside the file")));
        }
        let placed = Placed { dtype, shape: info.shape.clone(), strides: None, storage };
        tensors.push((name, placed));
    }
    Ok(tensors)
}
