//! Finding the weights in a Hugging Face folder, and the index of a checkpoint in shards.

use super::Checkpoint;
use crate::error::WeightsError;
use crate::small_file;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

/// The names tried, in order: what transformers and diffusers save, safetensors first.
const NAMES: [&str; 8] = [
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
    "pytorch_model.fp16.bin",
    "diffusion_pytorch_model.fp16.bin",
];

/// An index larger than this is not one: LLaMA-2-70B's has 66 kB.
const INDEX_LIMIT: u64 = 64 << 20;

/// The file of a folder that leads to its weights.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Whether it is an index of shards.
    pub(super) sharded: bool,
}

/// Picks the weights of a folder: a known name, else the only safetensors, index or `.bin` there.
pub(super) fn weights_of(folder: &Path) -> Result<Found, WeightsError> {
    for name in NAMES {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(Found { path, sharded: false });
        }
        let path = folder.join(format!("{name}.index.json"));
        if path.is_file() {
            return Ok(Found { path, sharded: true });
        }
    }
    let mut names = BTreeSet::new();
    let entries = std::fs::read_dir(folder).map_err(|e| WeightsError::unreadable(folder, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| WeightsError::unreadable(folder, &e))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.insert(name);
        }
    }
    for (suffix, sharded) in
        [(".safetensors.index.json", true), (".safetensors", false), (".bin.index.json", true), (".bin", false)]
    {
        let mut matching = names.iter().filter(|name| name.ends_with(suffix));
        if let (Some(name), None) = (matching.next(), matching.next()) {
            return Ok(Found { path: folder.join(name), sharded });
        }
    }
    Err(WeightsError::malformed(folder, "holds no weights")
        .with_remedy(format!("expected one of {} there, or an index of shards beside them", NAMES.join(", "))))
}

/// An `…index.json`: which shard holds which tensor.
pub(super) struct ShardIndex {
    path: PathBuf,
    /// Every shard once, in name order.
    pub(super) files: Vec<PathBuf>,
    /// Tensor name → position in `files`.
    pub(super) placed_in: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct IndexFile {
    weight_map: HashMap<String, String>,
}

impl ShardIndex {
    /// Reads an index. Shards lie in the index's own folder: a path that leads out of it is refused.
    pub(super) fn read(path: &Path) -> Result<Self, WeightsError> {
        let index: IndexFile = serde_json::from_slice(&small_file::bytes(path, INDEX_LIMIT)?)
            .map_err(|e| WeightsError::malformed(path, format!("is not an index of shards: {e}")))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let shards: BTreeSet<&str> = index.weight_map.values().map(String::as_str).collect();
        for shard in &shards {
            let mut parts = Path::new(shard).components();
            let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
            if !plain {
                return Err(WeightsError::malformed(
                    path,
                    format!("names the shard `{shard}`, which is not a file beside the index"),
                ));
            }
            if !folder.join(shard).exists() {
                return Err(WeightsError::malformed(path, format!("names the shard `{shard}`, which is not there"))
                    .with_remedy("copy or download the missing shard into the same folder"));
            }
        }
        if shards.is_empty() {
            return Err(WeightsError::malformed(path, "names no shards"));
        }
        let position: HashMap<&str, usize> = shards.iter().enumerate().map(|(i, s)| (*s, i)).collect();
        let placed_in = index
            .weight_map
            .iter()
            .filter_map(|(name, shard)| Some((name.clone(), *position.get(shard.as_str())?)))
            .collect();
        Ok(Self { path: path.to_path_buf(), files: shards.iter().map(|shard| folder.join(shard)).collect(), placed_in })
    }

    /// Checks that every tensor lies in the shard that the index names. Shards may hold more than the index lists.
    pub(super) fn check(&self, opened: &Checkpoint) -> Result<(), WeightsError> {
        let held_by = |name: &str| opened.inner.tensors.get(name).map(|(file, _)| *file);
        let mut astray: Vec<(&str, usize)> = Vec::new();
        for (name, shard) in &self.placed_in {
            if held_by(name) != Some(*shard) {
                astray.push((name, *shard));
            }
        }
        astray.sort_unstable();
        let Some((name, shard)) = astray.first() else {
            return Ok(());
        };
        let shard = self.files.get(*shard).map_or(Path::new(""), PathBuf::as_path);
        let problem = format!(
            "{} of its tensors are not in the shards it names; the first is {name}, expected in {}",
            astray.len(),
            shard.display()
        );
        let remedy = "the shards and the index are of different checkpoints: copy or download the folder again";
        Err(WeightsError::malformed(&self.path, problem).with_remedy(remedy))
    }
}
