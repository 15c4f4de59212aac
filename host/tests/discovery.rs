//! Finding plugins: search order, manifests remembered, libraries that are none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Diary, graph, plugin};
use mgie_host::engine::{Budgets, Engine, RunOptions, Silent, Targets};
use mgie_host::models::Models;
use mgie_host::plugins::{Catalogue, SearchPath};
use mgie_host::validate::validate;
use mgie_plugin_api::Plugin;
use serde_json::json;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A file that is named like a plugin and is none.
fn no_library(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{DLL_PREFIX}mgie_{name}_plugin{DLL_SUFFIX}"));
    fs::write(&path, "this is no library").unwrap();
    path.canonicalize().unwrap()
}

/// Writes the file of remembered manifests as a run that opened the library would have.
fn remember(cache: &Path, library: &Path, plugin: &Plugin) {
    let metadata = fs::metadata(library).unwrap();
    let modified = metadata.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let kept = json!({
        "host": env!("CARGO_PKG_VERSION"),
        "door": mgie_plugin_api::abi::API_VERSION,
        "libraries": { library.to_str().unwrap(): {
            "stamp": {
                "bytes": metadata.len(),
                "modified_seconds": modified.as_secs(),
                "modified_nanoseconds": modified.subsec_nanos(),
            },
            "manifest": plugin.manifest(),
        } },
    });
    fs::write(cache, kept.to_string()).unwrap();
}

#[test]
fn a_library_whose_manifest_is_remembered_is_not_opened_to_list_its_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let (library, cache) = (no_library(folder.path(), "test"), folder.path().join("plugins.json"));
    let search = SearchPath::default().then(folder.path());
    remember(&cache, &library, &plugin(&Diary::default()));
    let catalogue = Catalogue::discover(&search, Some(&cache));
    assert!(catalogue.node_type("test.number").is_some(), "{:?}", catalogue.warnings());
    assert!(!catalogue.libraries()[0].is_open());
    // It is opened when a node of it runs, and what is wrong with it is told then.
    let engine = Engine::new(Arc::new(catalogue), Budgets::default());
    let options = RunOptions::new(folder.path(), Models::Missing { looked: Vec::new() });
    let document = graph(json!({ "one": { "type": "test.number" } }));
    let error = engine.run(&document, &Targets::default().and_node("one"), &options, &Silent).unwrap_err().to_string();
    assert!(error.starts_with("node `one` (test.number): ") && error.contains("mgie_test_plugin"), "{error}");

    fs::write(&library, "this is no library either, and another size").unwrap();
    let catalogue = Catalogue::discover(&search, Some(&cache));
    assert!(catalogue.node_type("test.number").is_none(), "a library that changed is asked again");
}

#[test]
fn a_refused_plugin_is_one_line_and_explains_the_node_that_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let library = no_library(folder.path(), "clip");
    let catalogue = Catalogue::discover(&SearchPath::default().then(folder.path()), None);
    assert_eq!(catalogue.warnings().len(), 1);
    let warning = &catalogue.warnings()[0];
    assert!(warning.contains(library.to_str().unwrap()) && warning.contains("was refused: "), "{warning}");
    assert_eq!(warning.lines().count(), 1, "{warning}");
    let problems = validate(&graph(json!({ "clip": { "type": "clip.encode_image" } })), &catalogue);
    let problem = problems[0].to_string();
    assert!(problem.contains("mgie_clip_plugin") && problem.contains("was refused: "), "{problem}");
}

#[test]
fn a_cuda_build_that_does_not_load_is_quietly_replaced_by_the_cpu_build_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    no_library(folder.path(), "test_cuda");
    let (library, cache) = (no_library(folder.path(), "test"), folder.path().join("plugins.json"));
    remember(&cache, &library, &plugin(&Diary::default()));
    let catalogue = Catalogue::discover(&SearchPath::default().then(folder.path()), Some(&cache));
    assert_eq!(catalogue.warnings(), Vec::<String>::new());
    assert!(catalogue.node_type("test.number").is_some());
}

#[test]
fn of_two_plugins_with_one_node_the_first_is_used_and_both_are_named() {
    let (first, second) = (Diary::default(), Diary::default());
    let catalogue = Catalogue::of([plugin(&first), plugin(&second)]);
    assert_eq!(catalogue.warnings().len(), 1, "{:?}", catalogue.warnings());
    assert!(catalogue.warnings()[0].starts_with("two plugins offer `test.number`, `test.add`"));
    let engine = Engine::new(Arc::new(catalogue), Budgets::default());
    let options = RunOptions::new(".", Models::Missing { looked: Vec::new() });
    let document = graph(json!({ "one": { "type": "test.number" } }));
    engine.run(&document, &Targets::default().and_node("one"), &options, &Silent).unwrap();
    assert_eq!((first.take().len(), second.take().len()), (1, 0));
}

#[test]
fn a_manifest_that_is_not_sound_refuses_its_plugin_and_no_other() {
    let description = mgie_plugin_api::NodeDescription::new("bad id", "", "", "");
    let bad = Plugin::new("bad", "1")
        .node(mgie_plugin_api::NodeDefinition::new(description, |_| Ok(mgie_plugin_api::Outputs::new())));
    let catalogue = Catalogue::of([bad, plugin(&Diary::default())]);
    assert!(catalogue.node_type("test.number").is_some());
    assert!(catalogue.refused()[0].reason.contains("the id \"bad id\""), "{:?}", catalogue.refused());
}
