//! Writing a set, whole or not at all: into a hidden folder beside its place, renamed when it is complete.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mgie_plugin_api::Failure;
use serde_json::{Value, json};

use super::pair_folders::{EXPRESSIVE, PROMPT, SEEDS};

/// One edit to be written. Pictures are `side` × `side` × 3 bytes, RGB.
pub struct Record<'r> {
    /// The folder's name.
    pub id: &'r str,
    /// The pair's name in the folder.
    pub seed: &'r str,
    /// What is asked for.
    pub instruction: &'r str,
    /// What that means for the picture.
    pub expressive: &'r str,
    /// The source in words.
    pub source_caption: &'r str,
    /// The goal in words.
    pub goal_caption: &'r str,
    /// Width and height in pixels.
    pub side: u32,
    /// The source's pixels.
    pub source: &'r [u8],
    /// The goal's pixels.
    pub goal: &'r [u8],
}

/// A set that is being written. Dropped before [`NewSet::publish`], it leaves nothing behind.
pub struct NewSet {
    folder: PathBuf,
    hidden: tempfile::TempDir,
}

/// What the lists at the root say of one record.
pub struct Written {
    id: String,
    seed: String,
    texts: Value,
}

impl NewSet {
    /// Begins a set in `folder`, which is not there yet, or empty.
    ///
    /// # Errors
    /// A failure that names the folder where something is in it, or it cannot be written to.
    pub fn begin(folder: &Path) -> Result<Self, Failure> {
        if let Ok(found) = fs::metadata(folder) {
            let empty = found.is_dir() && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
            if !empty {
                let what = if found.is_dir() { "the folder is not empty" } else { "this is a file" };
                return Err(Failure::file(folder, what).remedy("name a new folder, or remove this one"));
            }
        }
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|error| unwritten(folder, &error))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mgie-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The default is readable by nobody else; a data set is an ordinary folder, as the user's umask has it.
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let hidden = builder.tempdir_in(parent).map_err(|error| unwritten(folder, &error))?;
        Ok(Self { folder: folder.to_owned(), hidden })
    }

    /// Writes one edit: JPEG of quality 100 without chroma subsampling. Several threads may do so at once, with
    /// different ids.
    ///
    /// # Errors
    /// A failure that names the set's folder where it cannot be written.
    pub fn add(&self, record: &Record<'_>) -> Result<Written, Failure> {
        let failed = |error: io::Error| unwritten(&self.folder, &error);
        let folder = self.hidden.path().join(record.id);
        fs::create_dir(&folder).map_err(failed)?;
        let prompt = json!({
            "input": record.source_caption, "edit": record.instruction, "output": record.goal_caption,
        });
        fs::write(folder.join(PROMPT), prompt.to_string()).map_err(failed)?;
        for (which, pixels) in [record.source, record.goal].into_iter().enumerate() {
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, 100)
                .write_image(pixels, record.side, record.side, ExtendedColorType::Rgb8)
                .map_err(|error| Failure::fault(format!("a scene is no picture: {error}")))?;
            fs::write(folder.join(format!("{}_{which}.jpg", record.seed)), jpeg).map_err(failed)?;
        }
        Ok(Written {
            id: record.id.to_owned(),
            seed: record.seed.to_owned(),
            texts: json!({ "instruction": record.instruction, "expressive": record.expressive }),
        })
    }

    /// Writes the lists at the root, and `extra` (name, contents) beside them, and puts the set in its place.
    ///
    /// # Errors
    /// As [`NewSet::add`].
    pub fn publish(self, written: Vec<Written>, extra: &[(&str, String)]) -> Result<(), Failure> {
        let failed = |error: io::Error| unwritten(&self.folder, &error);
        let seeds: Vec<(&str, [&str; 1])> =
            written.iter().map(|written| (written.id.as_str(), [written.seed.as_str()])).collect();
        let expressive: BTreeMap<String, &Value> =
            written.iter().map(|written| (format!("{}_{}_0", written.id, written.seed), &written.texts)).collect();
        let root = self.hidden.path();
        let texts = |value: Result<String, serde_json::Error>| {
            value.map_err(|error| Failure::fault(format!("the set's lists are no JSON: {error}")))
        };
        fs::write(root.join(SEEDS), texts(serde_json::to_string(&seeds))?).map_err(failed)?;
        fs::write(root.join(EXPRESSIVE), texts(serde_json::to_string_pretty(&expressive))?).map_err(failed)?;
        for (name, contents) in extra {
            fs::write(root.join(name), contents).map_err(failed)?;
        }
        // An empty folder may be there; it is not everywhere that a rename replaces one.
        let _ = fs::remove_dir(&self.folder);
        fs::rename(root, &self.folder).map_err(failed)?;
        let _ = self.hidden.keep();
        Ok(())
    }
}

fn unwritten(folder: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or name a folder on another disk",
        _ => "name a folder in a place that can be written to",
    };
    // The kind alone: the whole error tells the hidden folder's name, which says nothing to anybody.
    Failure::file(folder, format!("the data set cannot be written ({})", error.kind())).remedy(remedy)
}
