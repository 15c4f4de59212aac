//! `scenes.json`: what only our own scenes know of an edit, beside the layout that everybody shares.

use std::collections::HashMap;
use std::path::Path;

use mgie_plugin_api::Failure;
use serde::{Deserialize, Serialize};

use super::{Entry, read_json};

/// The file's name.
pub const FILE: &str = "scenes.json";

/// What a scene knows of its edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notes {
    /// The edit's family, as [`crate::scenes::Family::name`] gives it.
    pub family: String,
    /// The edit's name.
    pub edit: String,
    /// The words that a right expressive instruction contains and the brief one does not; empty where it can be told
    /// without seeing the picture.
    #[serde(default)]
    pub key: Vec<String>,
    /// Questions about the source, and their answers.
    #[serde(default)]
    pub questions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct File {
    examples: HashMap<String, Notes>,
}

/// Gives each entry its notes, where the set has any.
pub(super) fn attach(folder: &Path, entries: &mut [Entry]) -> Result<(), Failure> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(());
    }
    let mut file: File = read_json(&path, r#"{"examples": {"ID_SEED": {"family": …, "edit": …}, …}}"#)?;
    for entry in entries {
        entry.notes = file.examples.remove(&entry.name);
    }
    Ok(())
}
