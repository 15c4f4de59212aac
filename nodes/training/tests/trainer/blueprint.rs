//! A models folder that is copied without its weights.

use crate::host::{Host, node};
use crate::models::{edit, miniature};
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Failure, Outputs};
use std::path::{Path, PathBuf};

fn blueprint(from: &Path, folder: &Path) -> Result<Outputs, Failure> {
    node(&Host::of(1), "training.blueprint", Path::new(""), &json!({ "from": from, "folder": folder }))
}

/// The files below a folder, relative to it, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { found.push(path.strip_prefix(folder).unwrap().to_owned()) }
        }
    }
    found.sort();
    found
}

#[test]
fn what_the_trainers_read_is_copied_and_no_weights_and_once_more_changes_nothing() {
    let (from, into) = (miniature(), tempfile::tempdir().unwrap());
    let into = into.path().join("training/small");
    std::fs::write(from.path().join("LLaVA-7B-v1/pytorch_model.bin.index.json"), "{}").unwrap();
    let outputs = blueprint(from.path(), &into).unwrap();
    assert_eq!(outputs.get("models").unwrap().as_text(), Some(into.display().to_string().as_str()));
    let copied = files(&into);
    for name in ["LLaVA-7B-v1/config.json", "LLaVA-7B-v1/tokenizer.model", "clip-vit-large-patch14/merges.txt"] {
        assert!(copied.contains(&PathBuf::from(name)), "{name} is missing: {copied:?}");
    }
    assert!(!copied.iter().any(|name| name.ends_with("pytorch_model.bin.index.json")), "no shards come with it");
    for name in &copied {
        assert_eq!(std::fs::read(into.join(name)).unwrap(), std::fs::read(from.path().join(name)).unwrap(), "{name:?}");
    }
    let weights =
        |name: &&PathBuf| name.extension().is_some_and(|end| ["safetensors", "pt", "bin"].iter().any(|w| end == *w));
    assert!(
        copied.iter().find(weights).is_none() && files(from.path()).iter().any(|name| weights(&name)),
        "{copied:?}"
    );
    // What was trained meanwhile stays.
    std::fs::create_dir_all(into.join("mgie_7b")).unwrap();
    std::fs::write(into.join("mgie_7b/unet.pt"), "trained").unwrap();
    blueprint(from.path(), &into).unwrap();
    assert_eq!(std::fs::read(into.join("mgie_7b/unet.pt")).unwrap(), b"trained");
}

#[test]
fn another_configuration_that_is_there_stays_and_nothing_else_is_written() {
    let (from, into) = (miniature(), tempfile::tempdir().unwrap());
    let there = into.path().join("LLaVA-7B-v1/config.json");
    std::fs::create_dir_all(there.parent().unwrap()).unwrap();
    std::fs::copy(from.path().join("LLaVA-7B-v1/config.json"), &there).unwrap();
    edit(&there, |config| config["hidden_size"] = json!(1));
    let before = std::fs::read(&there).unwrap();
    let failure = blueprint(from.path(), into.path()).unwrap_err();
    assert_eq!(Path::new(&failure.place), there, "{failure}");
    assert!(failure.to_string().contains("differs from") && failure.remedy.contains("new folder"), "{failure}");
    assert_eq!(files(into.path()), [PathBuf::from("LLaVA-7B-v1/config.json")]);
    assert_eq!(std::fs::read(&there).unwrap(), before);
}

#[test]
fn a_folder_without_configurations_one_that_is_not_there_and_one_within_are_refused() {
    let (empty, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = miniature();
    for (from, folder, said) in [
        (empty.path(), into.path(), "no configuration"),
        (&empty.path().join("nowhere"), into.path(), "cannot be read"),
        (from.path(), &from.path().join("training"), "within the folder that is copied"),
    ] {
        let failure = blueprint(from, folder).unwrap_err();
        assert!(failure.to_string().contains(said) && !failure.remedy.is_empty(), "{failure}");
        assert!(files(into.path()).is_empty() && !from.join("training").exists());
    }
}
