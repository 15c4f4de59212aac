//! What the nodes over whole data sets read: the set's pairs, and each method's edits of them, which lie in a folder as
//! `training.edit_set` writes them:
//!
//! ```text
//! NAME.png        the edit of the pair NAME (`Entry::name`)
//! edits.json      {"NAME": {"text": the expressive instruction, or null}, …}      optional
//! ```

use mgie_image::decode::{MAX_FILE_BYTES, decode};
use mgie_plugin_api::{Domain, Failure, NodeDescription, Run, file, kind};
use mgie_training::dataset::Dataset;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::pixels::Rgb;

/// How many methods may be wired in.
pub const MOST: usize = 8;

/// The file of texts.
const TEXTS: &str = "edits.json";

/// The most bytes that it may have, 1 GiB.
const MAX_TEXTS_BYTES: u64 = 1 << 30;

/// A method that edits pictures.
#[derive(Debug)]
pub struct Method {
    /// What it is called.
    pub name: String,
    folder: PathBuf,
    texts: HashMap<String, Edited>,
}

#[derive(Debug, Deserialize)]
struct Edited {
    text: Option<String>,
}

/// Adds the inputs `dataset` and `method_1` …, and the parameters `names` and `size`.
pub fn with_inputs(description: NodeDescription) -> NodeDescription {
    let mut description = description.input("dataset", "Data set", kind::TEXT, "The folder of the data set.");
    for number in 1..=MOST {
        description = description.optional_input(
            &format!("method_{number}"),
            &format!("Method {number}"),
            kind::TEXT,
            "The folder of a method's edits: NAME.png for each pair of the set, and edits.json.",
        );
    }
    let names = Domain::Text { default: String::new(), multiline: false };
    let size = Domain::Integer { default: 128, hard: [8, 4096], soft: [64, 512] };
    description
        .parameter("names", "Names", names, "What the methods are called, with commas between; else as their folders.")
        .parameter("size", "Size", size, "Side of the edits; source and goal are brought to it as for training.")
        .unit("px")
}

/// The data set that is wired in.
///
/// # Errors
/// Those of [`Dataset::open`].
pub fn dataset(run: &Run) -> Result<Dataset, Failure> {
    Dataset::open(Path::new(run.text("dataset")?))
}

/// The methods that are wired in, in the order of their sockets.
///
/// # Errors
/// A folder or its `edits.json` cannot be read, or two methods have one name.
pub fn methods(run: &Run) -> Result<Vec<Method>, Failure> {
    let names: Vec<&str> = run.string("names")?.split(',').map(str::trim).collect();
    let mut methods: Vec<Method> = Vec::new();
    for number in 1..=MOST {
        let socket = format!("method_{number}");
        if run.optional(&socket).is_none() {
            continue;
        }
        let folder = Path::new(run.text(&socket)?);
        let own = || folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
        let name = names.get(number - 1).filter(|name| !name.is_empty()).map_or_else(own, ToString::to_string);
        if methods.iter().any(|method| method.name == name) {
            return Err(Failure::parameter("names", "a name of its own for each method", format!("`{name}` twice"))
                .remedy("set names"));
        }
        methods.push(Method::open(name, folder)?);
    }
    Ok(methods)
}

impl Method {
    /// The method whose edits lie in `folder`.
    ///
    /// # Errors
    /// The folder is not there; its `edits.json` cannot be read or is malformed.
    pub fn open(name: String, folder: &Path) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(Failure::file(folder, format!("there is no such folder of edits ({name})"))
                .remedy("wire in what made them, such as training.edit_set, or check the path"));
        }
        let path = folder.join(TEXTS);
        let texts = if path.exists() {
            serde_json::from_slice(&file::read_whole(&path, MAX_TEXTS_BYTES)?).map_err(|error| {
                Failure::file(&path, "the file is malformed")
                    .expected(r#"{"NAME": {"text": text or null}, …}"#)
                    .found(error.to_string())
                    .remedy("remove it, or make the edits again")
            })?
        } else {
            HashMap::new()
        };
        Ok(Self { name, folder: folder.to_owned(), texts })
    }

    /// Whether it expresses instructions at all.
    pub fn has_texts(&self) -> bool {
        self.texts.values().any(|edited| edited.text.is_some())
    }

    /// What it made of the instruction of the pair `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name)?.text.as_deref()
    }

    /// Its edit of the pair `name`, `size` × `size`.
    ///
    /// # Errors
    /// The file is missing, unreadable, no picture, or of another size.
    pub fn edit(&self, name: &str, size: usize) -> Result<Rgb, Failure> {
        let path = self.folder.join(format!("{name}.png"));
        if !path.exists() {
            return Err(Failure::file(&path, format!("the edit of this pair by {} is missing", self.name))
                .remedy("make the edits again: they have to be of this data set, and complete"));
        }
        let bytes = file::read_whole(&path, MAX_FILE_BYTES)?;
        let picture = decode(&bytes).map_err(|problem| Failure::file(&path, problem.message).remedy(problem.remedy))?;
        let edit = Rgb::of(picture).map_err(|found| Failure::file(&path, found).remedy("make the edit again"))?;
        if (edit.width, edit.height) != (size, size) {
            return Err(Failure::file(&path, "the edit has another size than the goal it is compared with")
                .expected(format!("{size}×{size}, as the parameter `size` says"))
                .found(edit.size())
                .remedy("set size to that of the edits; all methods' have to be the same"));
        }
        Ok(edit)
    }
}
