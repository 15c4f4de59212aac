//! What of a session lies in files: saving, saving elsewhere, recovery.

use crate::desk::{Desk, add, set};
use mgie_host::document::Document;
use mgie_host::editing::{Edit, Recovery, SaveError, Session};
use mgie_host::plugins::Catalogue;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

#[test]
fn a_graph_is_saved_as_it_was_but_for_what_was_edited() {
    let text = include_str!("../../../graphs/mgie.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mgie.json");
    std::fs::write(&path, text).unwrap();
    let mut session = Session::open(&path).unwrap();
    let catalogue = Catalogue::default();
    session.apply(set("denoise", "guidance", json!(5.5)), &catalogue).unwrap();
    assert!(!session.is_saved());
    assert_eq!(session.save().unwrap(), path);
    assert!(session.is_saved());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text.replace("\"guidance\": 7.5", "\"guidance\": 5.5"));
    session.undo();
    assert!(!session.is_saved());
    session.redo();
    assert!(session.is_saved(), "the file holds the graph as it is");
    assert_eq!(session.name(), "mgie.json");
}

#[test]
fn unknown_nodes_and_fields_survive_editing_and_saving() {
    let mut desk = Desk::of(json!({
        "mgie": 1, "title": "mine",
        "nodes": {
            "gone": { "type": "nobody.knows", "from_the_future": [1, { "a": 2 }], "params": { "p": 1 },
                "inputs": { "x": "one.number" } },
            "one": { "type": "test.number" },
        },
        "studio": { "gone": [1, 2], "one": [3, 4], "zoom": 2 },
    }));
    desk.make(Edit::Rename { from: "one".into(), to: "eins".into() });
    desk.make(Edit::Move { nodes: vec![("gone".into(), [9.0, 9.0])] });
    desk.session.save().unwrap();
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(desk.path("g.json")).unwrap()).unwrap();
    let expected = json!({
        "mgie": 1, "title": "mine",
        "nodes": {
            "gone": { "type": "nobody.knows", "from_the_future": [1, { "a": 2 }], "params": { "p": 1 },
                "inputs": { "x": "eins.number" } },
            "eins": { "type": "test.number" },
        },
        "studio": { "gone": [9, 9], "eins": [3, 4], "zoom": 2 },
    });
    assert_eq!(saved.to_string(), expected.to_string());
}

#[test]
fn a_graph_saved_elsewhere_names_the_same_files_also_after_undo() {
    let mut desk = Desk::new(json!({
        "read": { "type": "test.read", "params": { "path": "pics/a.txt" } },
        "far": { "type": "test.read", "params": { "path": "/data/b.txt" } },
        "save": { "type": "test.save", "params": { "path": "out.txt" }, "inputs": { "value": "read.text" } },
        "gone": { "type": "nobody.knows", "params": { "path": "pics/a.txt" } },
    }));
    desk.make(set("read", "path", json!("pics/b.txt")));
    std::fs::create_dir(desk.path("other")).unwrap();
    let moved = desk.path("other/h.json");
    desk.session.save_as(&moved, &desk.catalogue).unwrap();
    let path =
        |desk: &Desk, node: &str| desk.session.document().nodes[node].params["path"].as_str().unwrap().to_owned();
    assert_eq!(path(&desk, "read"), "../pics/b.txt");
    assert_eq!((path(&desk, "far"), path(&desk, "save")), ("/data/b.txt".into(), "../out.txt".into()));
    assert_eq!(path(&desk, "gone"), "pics/a.txt", "nobody knows that this is a path");
    assert!(desk.session.is_saved());
    assert_eq!((desk.session.file(), desk.session.folder()), (Some(moved.as_path()), moved.parent().unwrap()));
    desk.session.undo();
    assert_eq!(path(&desk, "read"), "../pics/a.txt");
    assert_eq!(Document::open(&moved).unwrap().document.nodes["read"].params["path"], "../pics/b.txt");
    assert!(desk.path("g.json").exists(), "the file that it was opened from stays");
    assert_eq!(desk.session.path_text(&desk.path("other/x/p.png")), "x/p.png");
    assert_eq!(Path::new(&desk.session.path_text(&desk.path("p.png"))), desk.path("p.png"));
}

#[test]
fn a_graph_that_cannot_be_saved_stays_as_it_was() {
    let mut desk = Desk::sums();
    desk.make(add("test.number"));
    let file = desk.session.file().map(Path::to_owned);
    let error = desk.session.save_as(&desk.path("no/such/folder/g.json"), &desk.catalogue).unwrap_err();
    assert!(error.to_string().contains("folder"), "{error}");
    assert_eq!((desk.session.file().map(Path::to_owned), desk.session.is_saved()), (file, false));
    assert!(matches!(Session::new().save(), Err(SaveError::NoFile)));
    assert!(Session::new().is_saved() && Session::new().name() == "Untitled");
}

#[test]
fn a_file_that_another_program_changed_is_not_saved_over_unasked() {
    let mut desk = Desk::sums();
    let file = desk.path("g.json");
    desk.make(set("one", "value", json!(2)));
    // The same contents, written anew, are nobody's change.
    std::fs::write(&file, std::fs::read(&file).unwrap()).unwrap();
    desk.session.save().unwrap();
    desk.session.save().unwrap();
    let theirs = std::fs::read_to_string(&file).unwrap().replace("\"value\": 2", "\"value\": 7");
    std::fs::write(&file, &theirs).unwrap();
    desk.make(set("two", "value", json!(3)));
    let mine = desk.session.document().clone();
    assert!(matches!(desk.session.save(), Err(SaveError::Changed(changed)) if changed == file));
    assert_eq!((std::fs::read_to_string(&file).unwrap(), desk.session.is_saved()), (theirs, false));
    desk.session.reload().unwrap();
    assert_eq!(desk.session.document(), &Document::open(&file).unwrap().document);
    assert_eq!((&desk.session.document().nodes["one"].params["value"], desk.session.is_saved()), (&json!(7), true));
    desk.session.undo();
    assert_eq!((desk.session.document(), desk.session.is_saved()), (&mine, false));
    desk.session.save().unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        mine.to_text(),
        "theirs was read, so that nothing is lost unseen"
    );
}

#[test]
fn places_that_no_file_tells_are_as_they_were_after_a_file_was_read_again_and_that_was_undone() {
    let mut desk = Desk::sums();
    let file = desk.path("g.json");
    let places = |desk: &Desk| {
        let names: Vec<String> = desk.session.document().nodes.keys().cloned().collect();
        names.into_iter().map(|name| (desk.session.position(&name), name)).collect::<Vec<_>>()
    };
    let before = places(&desk);
    assert!(before.len() > 1, "{before:?}");
    // One of its nodes has a name of before, and lies elsewhere.
    let node = json!({ "type": "test.number" });
    std::fs::write(&file, json!({ "mgie": 1, "nodes": { "other": node, "total": node } }).to_string()).unwrap();
    desk.session.reload().unwrap();
    desk.session.place(&HashMap::new());
    desk.session.undo();
    assert_eq!(places(&desk), before);
}

#[test]
fn a_changed_file_is_saved_over_where_that_is_wanted_and_a_deleted_one_is_there_again() {
    let mut desk = Desk::sums();
    let file = desk.path("g.json");
    std::fs::write(&file, "{ half").unwrap();
    desk.make(set("one", "value", json!(2)));
    assert!(matches!(desk.session.save(), Err(SaveError::Changed(_))));
    let before = desk.session.document().clone();
    assert!(desk.session.reload().is_err());
    assert_eq!(desk.session.document(), &before, "what is no graph changes nothing");
    desk.session.save_over().unwrap();
    desk.session.save().unwrap();
    std::fs::remove_file(&file).unwrap();
    desk.session.save().unwrap();
    assert_eq!(&Document::open(&file).unwrap().document, desk.session.document());
}

#[test]
fn a_recovered_graph_knows_what_its_file_held() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::sums();
    desk.make(set("one", "value", json!(42)));
    Recovery::in_folder(folder.path()).keep(&desk.session).unwrap();
    let found = Recovery::in_folder(folder.path()).left_behind().remove(0);
    found.open().unwrap().save().unwrap();
    assert!(matches!(found.open().unwrap().save(), Err(SaveError::Changed(_))), "it was saved in the meantime");
}

#[test]
fn what_was_not_saved_is_found_again_after_a_kill_and_not_while_it_lives() {
    let recovery_folder = tempfile::tempdir().unwrap();
    let recovery = || Recovery::in_folder(recovery_folder.path().join("deep"));
    let mut desk = Desk::sums();
    let mut living = recovery();
    living.keep(&desk.session).unwrap();
    assert!(!recovery_folder.path().join("deep").exists(), "what is saved needs no keeping");
    desk.make(set("one", "value", json!(42)));
    living.keep(&desk.session).unwrap();
    desk.make(set("one", "value", json!(43)));
    living.keep(&desk.session).unwrap();
    assert!(recovery().left_behind().is_empty(), "it lives");
    drop(living);
    let other = recovery();
    let found = other.left_behind();
    assert_eq!((found.len(), found[0].file.as_deref()), (1, desk.session.file()));
    assert_eq!(found[0].pid, std::process::id());
    let recovered = found[0].open().unwrap();
    assert_eq!(recovered.document(), desk.session.document());
    assert_eq!((recovered.folder(), recovered.is_saved()), (desk.session.folder(), false));
    found[0].discard().unwrap();
    assert!(other.left_behind().is_empty());
    assert_eq!(std::fs::read_dir(recovery_folder.path().join("deep")).unwrap().count(), 0);
}

#[test]
fn a_session_that_is_saved_or_cleared_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::sums();
    let mut recovery = Recovery::in_folder(folder.path());
    desk.make(add("test.number"));
    recovery.keep(&desk.session).unwrap();
    desk.session.save().unwrap();
    recovery.keep(&desk.session).unwrap();
    assert!(Recovery::in_folder(folder.path()).left_behind().is_empty());
    desk.make(add("test.number"));
    recovery.keep(&desk.session).unwrap();
    recovery.clear();
    drop(recovery);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(folder.path().join("1-2-3.json"), "{ half").unwrap();
    std::fs::write(
        folder.path().join("4.json"),
        json!({ "pid": 1, "time": u64::MAX, "file": null, "folder": "/", "graph": "no" }).to_string(),
    )
    .unwrap();
    for left in Recovery::in_folder(folder.path()).left_behind() {
        assert!(left.open().is_err());
    }
}
