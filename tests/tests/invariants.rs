//! What ARCHITECTURE.md promises of the crates, held against their manifests: who may know whom, and that each
//! dependency has a line that says what it is for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of the crates that a manifest lists in its tables of dependencies.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let mut names = Vec::new();
    let mut listed = false;
    for line in text.lines() {
        if line.starts_with('[') {
            listed = line.trim_end().ends_with("dependencies]");
        } else if listed && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    names
}

/// The manifests under `nodes/`, of the plugins' one-line crates too.
fn manifests_of_nodes() -> Vec<PathBuf> {
    let nodes = fs::read_dir(repository().join("nodes")).unwrap().map(|entry| entry.unwrap().path());
    let manifests = nodes.flat_map(|node| [node.join("Cargo.toml"), node.join("plugin/Cargo.toml")]);
    manifests.filter(|manifest| manifest.is_file()).collect()
}

#[test]
fn the_host_knows_plugin_api_and_no_model() {
    let known = dependencies(&repository().join("host/Cargo.toml"));
    assert!(known.len() > 10, "the manifest was not understood: {known:?}");
    let ours: Vec<&str> = known.iter().map(String::as_str).filter(|name| name.starts_with("mgie-")).collect();
    assert_eq!(ours, ["mgie-plugin-api"]);
    for model in ["candle", "gemm", "tokenizers", "half"] {
        assert!(!known.iter().any(|name| name.starts_with(model)), "the host knows {model}");
    }
}

#[test]
fn plugin_api_knows_nothing_of_this_repository() {
    let known = dependencies(&repository().join("plugin-api/Cargo.toml"));
    assert!(!known.is_empty() && !known.iter().any(|name| name.starts_with("mgie-")), "{known:?}");
}

#[test]
fn nodes_know_nothing_of_the_host() {
    let manifests = manifests_of_nodes();
    assert!(manifests.len() > 10, "{manifests:?}");
    for manifest in manifests {
        let known = dependencies(&manifest);
        assert!(!known.iter().any(|name| name == "mgie-host"), "{} knows the host", manifest.display());
    }
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    let architecture = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let table = architecture.split("## Dependencies").nth(1).unwrap();
    let named: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|cell| cell.split(", "))
        .collect();
    let all = dependencies(&repository().join("Cargo.toml"));
    for name in all.iter().filter(|name| !name.starts_with("mgie-")) {
        assert!(named.contains(&name.as_str()), "`{name}` has no line among {named:?}");
    }
    for name in named.iter().filter(|name| !["crate", "---", "|---"].contains(name)) {
        assert!(all.iter().any(|known| known == name), "`{name}` has a line and is no dependency any more");
    }
}
