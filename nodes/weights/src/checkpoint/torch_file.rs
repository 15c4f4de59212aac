//! PyTorch's zip format (`torch.save` since 1.6): `<name>/data.pkl` holds the structure, `<name>/data/<key>` the raw
//! elements of each storage, uncompressed, so that they can be mapped where they lie.

use super::Placed;
use super::heap::PickleError;
use super::pickle;
use super::torch_objects::Tensor;
use crate::error::WeightsError;
use crate::mapped::MappedFile;
use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;

/// Elements that an expanded tensor (one whose strides repeat elements) may unfold to.
const EXPANDED_LIMIT: usize = 1 << 24;

/// The table of tensors.
pub(super) fn tensors_of(file: &MappedFile) -> Result<Vec<(String, Placed)>, WeightsError> {
    let path = file.path();
    let damaged = |problem: String| {
        WeightsError::malformed(path, problem)
            .with_remedy("the file is damaged or incomplete: copy or download it again")
    };
    let entries = entries_of(file.bytes()).map_err(damaged)?;
    let Some(prefix) = entries.keys().find_map(|name| prefix_of(name)) else {
        return Err(WeightsError::malformed(path, "is a zip archive without data.pkl, so not a PyTorch checkpoint"));
    };
    let entry = |name: &str| {
        let range = entries.get(&format!("{prefix}{name}"))?.clone();
        file.bytes().get(range.clone()).map(|bytes| (range, bytes))
    };
    if entry("byteorder").is_some_and(|(_, order)| order != b"little") {
        return Err(WeightsError::malformed(path, "was saved on a big-endian machine")
            .with_remedy("save it again on this machine"));
    }
    let (_, structure) = entry("data.pkl").ok_or_else(|| damaged("its data.pkl lies outside the file".into()))?;
    let not_read = |error| match error {
        PickleError::Malformed(problem) => damaged(format!("its data.pkl {problem}")),
        PickleError::Refused(global) => WeightsError::Refused { path: path.to_path_buf(), global },
    };
    let (root, heap) = pickle::read(structure).map_err(not_read)?;
    let mut tensors: HashMap<String, Placed> = HashMap::new();
    for (name, tensor) in heap.named_tensors(&root).map_err(not_read)? {
        let Some((storage, _)) = entry(&format!("data/{}", tensor.key)) else {
            return Err(damaged(format!("lacks the data of tensor {name}")));
        };
        let placed = place(tensor, &storage).map_err(|p| damaged(format!("tensor {name} {p}")))?;
        let repeated = tensors.get(&name).is_some_and(|other| *other != placed);
        if repeated {
            return Err(WeightsError::malformed(path, format!("holds two different tensors called {name}")));
        }
        tensors.insert(name, placed);
    }
    Ok(tensors.into_iter().collect())
}

/// `archive/` of `archive/data.pkl`.
fn prefix_of(name: &str) -> Option<String> {
    let prefix = name.strip_suffix("data.pkl")?;
    let whole = prefix.is_empty() || (prefix.ends_with('/') && prefix.matches('/').count() == 1);
    whole.then(|| prefix.to_string())
}

/// Every entry of the archive with the bytes it occupies; a clause on failure.
fn entries_of(bytes: &[u8]) -> Result<HashMap<String, Range<usize>>, String> {
    let not_whole = |e: zip::result::ZipError| format!("is not a whole zip archive: {e}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(not_whole)?;
    if archive.has_duplicate_names() {
        return Err("has two entries of the same name".into());
    }
    let mut entries = HashMap::new();
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(not_whole)?;
        let name = entry.name().map_err(not_whole)?.into_owned();
        if entry.is_dir() {
            continue;
        }
        if entry.compression() != zip::CompressionMethod::Stored || entry.encrypted() {
            return Err(format!("its entry {name} is compressed or encrypted, which torch.save never does"));
        }
        let start = entry.data_start().and_then(|n| usize::try_from(n).ok());
        let length = usize::try_from(entry.compressed_size()).ok();
        let range = start
            .zip(length)
            .and_then(|(start, length)| Some(start..start.checked_add(length)?))
            .filter(|range| bytes.get(range.clone()).is_some());
        let Some(range) = range else {
            return Err(format!("its entry {name} reaches beyond the end of the file"));
        };
        entries.insert(name, range);
    }
    Ok(entries)
}

/// Where a tensor lies, given its storage's bytes in the file; a clause on failure.
fn place(tensor: &Tensor, storage: &Range<usize>) -> Result<Placed, String> {
    let size = tensor.dtype.size();
    let start = tensor.offset.checked_mul(size).and_then(|n| n.checked_add(storage.start));
    let end = tensor.reach.checked_mul(size).and_then(|n| n.checked_add(start?));
    let (Some(start), Some(end)) = (start, end) else {
        return Err("reaches beyond its data".into());
    };
    if end > storage.end {
        return Err(format!(
            "needs {} bytes of data and its entry has {}",
            end.saturating_sub(storage.start),
            storage.len()
        ));
    }
    let elements = tensor.shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
    if elements.is_none_or(|n| n > tensor.reach && n > EXPANDED_LIMIT) {
        return Err(format!("of shape {:?} repeats its {} elements too often", tensor.shape, tensor.reach));
    }
    Ok(Placed {
        dtype: tensor.dtype,
        shape: tensor.shape.clone(),
        strides: tensor.strides.clone(),
        storage: start..end,
    })
}
