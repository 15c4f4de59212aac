//! Nodes that are muted or bypassed, through the real binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{mgie, repository, stderr};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// Loads a picture, makes it small and saves it.
fn graph(resize_off: &str, save_off: &str) -> Value {
    let photo = repository().join("graphs/photos/landscape.png");
    let mut graph = json!({ "mgie": 1, "nodes": {
        "photo": { "type": "image.load", "params": { "path": photo } },
        "small": { "type": "image.resize", "params": { "width": 24, "height": 16 }, "inputs": { "image": "photo.image" } },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "small.image" } },
    } });
    for (node, off) in [("small", resize_off), ("result", save_off)] {
        if !off.is_empty() {
            graph["nodes"][node]["off"] = off.into();
        }
    }
    graph
}

/// Exit code, what was said, and the size of the picture that was written.
fn run(graph: &Value, args: &[&str]) -> (Option<i32>, String, Option<[u32; 2]>) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("g.json"), graph.to_string()).unwrap();
    let output = mgie(folder.path()).args(["run", "g.json"]).args(args).output().unwrap();
    let size = fs::read(folder.path().join("out.png"))
        .ok()
        .map(|png| [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap())));
    (output.status.code(), stderr(&output), size)
}

#[test]
fn a_bypassed_node_lets_the_picture_through_as_it_is() {
    let (code, said, small) = run(&graph("", ""), &[]);
    assert_eq!((code, small), (Some(0), Some([24, 16])), "{said}");
    let (code, said, whole) = run(&graph("bypass", ""), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(whole.unwrap()[0] > 24, "{whole:?}");
    let (code, said, saved) = run(&graph("bypass", "mute"), &["--save", "small.image=out.png"]);
    assert_eq!((code, saved), (Some(0), whole), "{said}");
}

#[test]
fn a_muted_node_is_named_where_another_needs_it() {
    let (code, said, written) = run(&graph("mute", ""), &[]);
    assert_eq!((code, written), (Some(2), None));
    assert!(
        said.contains("node `result`, input `image`: expected `image`, found a wire from `small`, which is muted"),
        "{said}"
    );
    let (code, said, written) = run(&graph("", "mute"), &[]);
    assert_eq!((code, written), (Some(2), None));
    assert!(said.contains("nothing to do"), "{said}");
}
