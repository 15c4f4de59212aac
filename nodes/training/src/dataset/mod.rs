//! Data sets of edits on disk: pairs of pictures with the instruction that leads from one to the other.
//!
//! [`Dataset::open`] reads what MGIE and InstructPix2Pix were trained on as it lies on disk, and MagicBrush's folders:
//!
//! ```text
//! seeds.json                  [["0000132", ["127380018", …]], …]      optional: which pairs count
//! 0000132/prompt.json         {"input": caption, "edit": instruction, "output": caption}
//! 0000132/127380018_0.jpg     the source
//! 0000132/127380018_1.jpg     the goal
//! ipr2pr_expressive.json      {"0000132_127380018_0": {"instruction": …, "expressive": …}}      optional
//! scenes.json                 what only our own scenes know            optional
//! ```
//!
//! Everything but the pixels is read and checked when a set is opened, so that training does not end at night over an
//! empty prompt; pictures are read when they are asked for.
//!
//! Source: `process_data.ipynb` of apple/ml-mgie; `prepare_dataset.py` of timothybrooks/instruct-pix2pix.
//!
//! Reading order: this, `pair_folders` and `magic_brush` (the two layouts), `pictures`, [`notes`], [`mod@write`].

mod magic_brush;
pub mod notes;
mod pair_folders;
mod pictures;
pub mod write;

use std::path::{Path, PathBuf};

use mgie_image::picture::Picture;
use mgie_plugin_api::{Failure, file};
use notes::Notes;
use serde::de::DeserializeOwned;

/// The most bytes that a JSON file of a set may have, 4 GiB: IPr2Pr's expressive texts have some 100 MB.
const MAX_JSON_BYTES: u64 = 4 << 30;

/// A set of edits.
#[derive(Debug)]
pub struct Dataset {
    folder: PathBuf,
    entries: Vec<Entry>,
}

/// One edit of a set, without its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name in the set, such as `0000132_127380018`.
    pub name: String,
    /// What a person asked for; never empty.
    pub instruction: String,
    /// What that means for the picture; never empty where it is there.
    pub expressive: Option<String>,
    /// The source in words.
    pub source_caption: Option<String>,
    /// The goal in words.
    pub goal_caption: Option<String>,
    /// The source's file.
    pub source: PathBuf,
    /// The goal's file.
    pub goal: PathBuf,
    /// What only our own scenes know.
    pub notes: Option<Notes>,
}

/// The pictures of one edit, square and of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The source: RGB in 0..1, encoded for display.
    pub source: Picture,
    /// The goal, as the source.
    pub goal: Picture,
}

impl Dataset {
    /// Opens the set in `folder`, in the order of `seeds.json`, or of the names where there is none.
    ///
    /// # Errors
    /// A failure that names the folder or file and the remedy: no set is there, a list is malformed or names something
    /// twice, a prompt is missing or empty, one of a pair's pictures is missing or there in two files.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let is_folder = std::fs::metadata(folder).map(|found| found.is_dir());
        if !matches!(is_folder, Ok(true)) {
            let found = if is_folder.is_ok() { "this is no folder" } else { "there is no such folder" };
            return Err(Failure::file(folder, found).remedy("name the folder of a data set"));
        }
        let mut entries = match magic_brush::list(folder)? {
            Some(entries) => entries,
            None => pair_folders::list(folder)?,
        };
        if entries.is_empty() {
            return Err(Failure::file(folder, "there is no data set in this folder")
                .expected("folders with prompt.json, *_0.jpg and *_1.jpg, or MagicBrush's edit_turns.json")
                .remedy("name the folder that holds them, or write one with training.scenes"));
        }
        notes::attach(folder, &mut entries)?;
        Ok(Self { folder: folder.to_owned(), entries })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every edit.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many edits it has; at least one.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none, which no opened set does.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pictures of edit `index` as squares of `side` pixels: the largest square in the middle, resized with
    /// Pillow's bicubic filter, as MGIE's authors do it.
    ///
    /// # Errors
    /// A failure that names the file where it is no picture or broken, or source and goal differ in size, or there is
    /// no edit of that index.
    pub fn pair(&self, index: usize, side: usize) -> Result<Pair, Failure> {
        let entry = self.entries.get(index).ok_or_else(|| {
            Failure::file(&self.folder, format!("the set has {} edits, not one of index {index}", self.len()))
        })?;
        pictures::pair(entry, side)
    }
}

/// Reads a JSON file of a set.
fn read_json<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T, Failure> {
    let bytes = file::read_whole(path, MAX_JSON_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::file(path, "the file is malformed")
            .expected(expected)
            .found(error.to_string())
            .remedy("correct it, or get the file again")
    })
}

/// `text` where it says anything.
fn said(text: &str, path: &Path, what: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::file(path, format!("{what} is empty")).remedy("write one, or remove the example"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
