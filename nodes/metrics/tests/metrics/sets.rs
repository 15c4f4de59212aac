//! A small data set of scenes, and folders of edits as `training.edit_set` writes them.

use crate::goldens::NoHost;
use mgie_image::encode::{Format, encode};
use mgie_image::picture::Picture;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Object, Run};
use mgie_training::dataset::Dataset;
use std::path::{Path, PathBuf};

/// The folder of a new set of `count` scenes of all families.
pub fn scenes(within: &Path, count: usize) -> PathBuf {
    let folder = within.join("scenes");
    let parameters = json!({ "folder": folder, "count": count, "seed": 11, "first": 0, "families": "all" });
    let run = Run::new(parameters, Vec::new(), &Object::new(NoHost));
    mgie_training::plugin().definition("training.scenes").unwrap().run(&run).unwrap();
    folder
}

/// Writes each pair's edit, made of its source and goal, and its text.
pub fn edits(
    folder: &Path,
    set: &Path,
    edit: impl Fn(Picture, Picture) -> Picture,
    text: impl Fn(usize, &str) -> Option<String>,
) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let set = Dataset::open(set).unwrap();
    let mut texts = Json::Object(Default::default());
    for (index, entry) in set.entries().iter().enumerate() {
        let pair = set.pair(index, 128).unwrap();
        let png = encode(edit(pair.source, pair.goal), Format::Png, None, 0, &[]).unwrap();
        std::fs::write(folder.join(format!("{}.png", entry.name)), png).unwrap();
        texts[&entry.name] = json!({ "text": text(index, entry.expressive.as_deref().unwrap()) });
    }
    std::fs::write(folder.join("edits.json"), texts.to_string()).unwrap();
    folder.to_owned()
}
