//! `training.blueprint`: a models folder without its weights, to be trained. What it was made from stays as it is.

use crate::model_files;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};
use std::path::{Path, PathBuf};

/// How the names of configurations, tokenizers and graphs end.
const ENDINGS: [&str; 3] = [".json", ".model", ".txt"];

/// How the list of a sharded checkpoint's files ends: without them, it would name weights that are not there.
const OF_SHARDS: &str = ".index.json";

/// A configuration or a tokenizer is no larger.
const LARGEST: u64 = 64 << 20;

/// Folders within folders, down to here: more than any model has.
const DEEPEST: usize = 4;

/// The node.
pub fn definition() -> NodeDefinition {
    let folder = |default: &str| Domain::Folder { default: default.to_owned(), optional: false };
    let description = NodeDescription::new(
        "training.blueprint",
        "Blueprint",
        "Training",
        "Copies the configurations, the tokenizers and the graph of a models folder, but no weights, into a folder that is \
         trained then. Files that are there already stay where they say the same; others are refused.",
    )
    .parameter("from", "From", folder("small"), "A models folder with the sizes that are wanted.")
    .parameter("folder", "Folder", folder("training/small"), "The models folder that is made.")
    .output("models", "Models", kind::TEXT, "The models folder that was made.")
    .with_side_effect();
    NodeDefinition::new(description, blueprint)
}

fn blueprint(run: &Run) -> Result<Outputs, Failure> {
    let (from, into) = (run.path("from")?, run.path("folder")?);
    if into.starts_with(&from) {
        return Err(Failure::file(&into, "this folder lies within the folder that is copied")
            .remedy("name one beside it, such as training/small"));
    }
    let mut files = Vec::new();
    list(&from, Path::new(""), 0, &mut files)?;
    if files.is_empty() {
        return Err(Failure::file(&from, "there is no configuration in this folder")
            .expected("a models folder: LLaVA-7B-v1/config.json and so on")
            .remedy("name the folder of the built-in small model, or of other models"));
    }
    let mut new = Vec::new();
    for name in files {
        run.check_cancelled()?;
        let (source, copy) = (from.join(&name), into.join(&name));
        let bytes = file::read_whole(&source, LARGEST)?;
        if !copy.exists() {
            new.push((copy, bytes));
        } else if file::read_whole(&copy, LARGEST)? != bytes {
            return Err(Failure::file(&copy, format!("differs from {}", source.display()))
                .remedy("name a new folder, or take this node out to train what is in this one"));
        }
    }
    // Nothing is written where something is refused.
    for (copy, bytes) in new {
        if let Some(folder) = copy.parent() {
            model_files::make_folder(folder)?;
        }
        file::write_whole(&copy, &[&bytes])?;
    }
    Ok(Outputs::new().with("models", Value::text(into.display().to_string())))
}

/// The files to copy, relative to `root`, in the order of their names.
fn list(root: &Path, within: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let folder = root.join(within);
    let unreadable = |error: std::io::Error| {
        Failure::file(&folder, format!("the folder cannot be read ({})", error.kind()))
            .remedy("name a models folder that is there")
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        names.push(within.join(entry.map_err(unreadable)?.file_name()));
    }
    names.sort();
    for name in names {
        let path = root.join(&name);
        if path.is_dir() {
            if depth < DEEPEST {
                list(root, &name, depth + 1, files)?;
            }
        } else if name
            .to_str()
            .is_some_and(|text| !text.ends_with(OF_SHARDS) && ENDINGS.iter().any(|ending| text.ends_with(ending)))
        {
            files.push(name);
        }
    }
    Ok(())
}
