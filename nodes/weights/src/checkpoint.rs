//! A checkpoint: named tensors in one file or in the shards of a Hugging Face folder, memory-mapped. Opening reads the
//! headers only; a tensor's bytes are touched when it is asked for.
//!
//! Which file of a folder is taken, and in which order, follows `from_pretrained` of transformers and diffusers:
//! safetensors before pickles, a single file before shards, the plain name before the `fp16` variant.

mod folder;
mod heap;
mod pickle;
mod safetensors_file;
mod torch_file;
mod torch_objects;

use crate::element::StoredType;
use crate::error::WeightsError;
use crate::mapped::MappedFile;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Named tensors of one file, or of all shards of a folder.
///
/// Cheap to clone; clones share the mapped files.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    files: Vec<MappedFile>,
    /// Name → which file, and where in it.
    tensors: HashMap<String, (usize, Placed)>,
}

/// Where a tensor lies in its file. Whoever makes one has checked that `storage` lies inside the file and that every
/// element which shape and strides can reach lies inside `storage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) dtype: StoredType,
    pub(crate) shape: Vec<usize>,
    /// In elements; `None` for row-major contiguous data that fills `storage` from its start.
    pub(crate) strides: Option<Vec<usize>>,
    /// Byte range within the file.
    pub(crate) storage: Range<usize>,
}

/// One tensor of a checkpoint: what it is, and its bytes in the mapped file.
#[derive(Debug, Clone, Copy)]
pub struct StoredTensor<'a> {
    file: &'a Path,
    bytes: &'a [u8],
    placed: &'a Placed,
}

impl<'a> StoredTensor<'a> {
    /// The file that holds it (the shard, not the folder).
    pub fn file(&self) -> &'a Path {
        self.file
    }

    /// Its shape; empty for a scalar.
    pub fn shape(&self) -> &'a [usize] {
        &self.placed.shape
    }

    /// Its element type on disk.
    pub fn dtype(&self) -> StoredType {
        self.placed.dtype
    }

    /// Strides in elements where it is not row-major contiguous.
    pub(crate) fn strides(&self) -> Option<&'a [usize]> {
        self.placed.strides.as_deref()
    }

    /// Its storage: for a contiguous tensor exactly its elements in order.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl Checkpoint {
    /// Opens a file (`.safetensors`, a PyTorch zip pickle, or an `…index.json` of shards) or a Hugging Face folder.
    ///
    /// What a file is, is told by its content, not by its name.
    ///
    /// # Errors
    /// One [`WeightsError`] that names the file: unreadable, malformed, truncated, or a pickle that asks for anything
    /// but tensors and plain containers. A nested dictionary in a pickle becomes dotted names, except that the names
    /// inside `state_dict`, `model_state_dict` and `module` stand for themselves.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let about = std::fs::metadata(path).map_err(|e| WeightsError::unreadable(path, &e))?;
        if about.is_dir() {
            let found = folder::weights_of(path)?;
            return if found.sharded {
                Self::open_shards(path, &found.path)
            } else {
                Self::open_files(path, &[found.path], &HashMap::new())
            };
        }
        if path.to_string_lossy().ends_with(".index.json") {
            return Self::open_shards(path, path);
        }
        Self::open_files(path, &[path.to_path_buf()], &HashMap::new())
    }

    fn open_shards(path: &Path, index: &Path) -> Result<Self, WeightsError> {
        let index = folder::ShardIndex::read(index)?;
        let opened = Self::open_files(path, &index.files, &index.placed_in)?;
        index.check(&opened)?;
        Ok(opened)
    }

    /// Opens `paths`. A name that several of them hold is taken from the one that `placed_in` says, else from the first.
    fn open_files(path: &Path, paths: &[PathBuf], placed_in: &HashMap<String, usize>) -> Result<Self, WeightsError> {
        let mut files = Vec::new();
        let mut tensors = HashMap::new();
        for (i, path) in paths.iter().enumerate() {
            let file = MappedFile::open(path)?;
            for (name, placed) in tensors_of(&file)? {
                if placed_in.get(&name) == Some(&i) || !tensors.contains_key(&name) {
                    tensors.insert(name, (i, placed));
                }
            }
            files.push(file);
        }
        Ok(Self { inner: Arc::new(Inner { path: path.to_path_buf(), files, tensors }) })
    }

    /// What was opened: the file or the folder.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The files that hold the tensors: one, or every shard.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.inner.files.iter().map(MappedFile::path)
    }

    /// The names of all tensors, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.tensors.keys().map(String::as_str)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.inner.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.inner.tensors.is_empty()
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<StoredTensor<'_>> {
        let (file, placed) = self.inner.tensors.get(name)?;
        let file = self.inner.files.get(*file)?;
        Some(StoredTensor { file: file.path(), bytes: file.bytes().get(placed.storage.clone())?, placed })
    }
}

/// Reads the table of tensors of one file, whatever its format.
fn tensors_of(file: &MappedFile) -> Result<Vec<(String, Placed)>, WeightsError> {
    let bytes = file.bytes();
    let named = |suffix: &str| file.path().to_string_lossy().ends_with(suffix);
    if bytes.is_empty() {
        return Err(WeightsError::malformed(file.path(), "is empty").with_remedy("copy or download the file again"));
    }
    if bytes.starts_with(b"version https://git-lfs.github.com/") {
        return Err(WeightsError::malformed(file.path(), "is a Git LFS pointer, not the weights")
            .with_remedy("fetch the weights with `git lfs pull` in that folder"));
    }
    if safetensors_file::looks_like(bytes) || named(".safetensors") {
        return safetensors_file::tensors_of(file);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return torch_file::tensors_of(file);
    }
    if bytes.first() == Some(&0x80) && bytes.get(1).is_some_and(|protocol| *protocol <= 5) {
        return Err(WeightsError::malformed(file.path(), "is a pickle in the format of PyTorch before 1.6")
            .with_remedy(
                "save it again with a current PyTorch: torch.save(torch.load(FILE, weights_only=True), FILE)",
            ));
    }
    Err(WeightsError::malformed(file.path(), "is neither a safetensors file nor a PyTorch checkpoint, or is truncated")
        .with_remedy("copy or download the file again"))
}
