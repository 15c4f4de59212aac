//! Each edit: what it does, what it refuses, and that it can be undone.

use crate::desk::{Desk, add, connect, names, set, socket};
use mgie_host::document::{Document, Off};
use mgie_host::editing::{Edge, Edit, Frame, NewWire, Note, brought_to, copy, why_not};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

#[test]
fn every_edit_is_one_step_with_a_name_that_can_be_undone_and_made_again() {
    let edits: Vec<(&str, Edit)> = vec![
        ("Add test.number", add("test.number")),
        ("Connect one to total", connect(("one", "number"), ("total", "b"))),
        ("Disconnect sum", Edit::Disconnect { to: socket("sum", "b") }),
        ("Disconnect one", Edit::DisconnectOutput { from: socket("one", "number") }),
        ("Set Value of one", set("one", "value", json!(7))),
        ("Reset Value of one", Edit::ResetParameter { node: "one".into(), parameter: "value".into() }),
        ("Move two", Edit::Move { nodes: vec![("two".into(), [300.0, 5.5])] }),
        ("Rename two to zwei", Edit::Rename { from: "two".into(), to: "zwei".into() }),
        ("Duplicate 2 nodes", Edit::Duplicate { nodes: names(&["sum", "total"]), offset: [20.0, 20.0] }),
        ("Mute sum", Edit::SetOff { nodes: names(&["sum"]), off: Some(Off::Mute) }),
        ("Bypass 2 nodes", Edit::SetOff { nodes: names(&["sum", "total"]), off: Some(Off::Bypass) }),
        ("Switch on sum", Edit::SetOff { nodes: names(&["sum"]), off: None }),
        ("Collapse sum", Edit::Collapse { nodes: names(&["sum"]), collapsed: true }),
        ("Expand sum", Edit::Collapse { nodes: names(&["sum"]), collapsed: false }),
        ("Add a frame", Edit::AddFrame(Frame { title: "a".into(), at: [1.0, 2.0], size: [3.0, 4.0] })),
        ("Change a frame", Edit::SetFrame { index: 0, frame: Frame { title: "b".into(), ..Frame::default() } }),
        ("Add a note", Edit::AddNote(Note { text: "why".into(), ..Note::default() })),
        ("Change a note", Edit::SetNote { index: 0, note: Note { text: "why not".into(), ..Note::default() } }),
        ("Remove a note", Edit::RemoveNote { index: 0 }),
        ("Remove a frame", Edit::RemoveFrame { index: 0 }),
        (
            "Align 2 nodes",
            Edit::Align { nodes: names(&["one", "total"]), edge: Edge::Left, sizes: vec![[10.0, 10.0]; 2] },
        ),
        ("Arrange 2 nodes", Edit::Arrange { sizes: HashMap::new(), nodes: Some(names(&["one", "sum"])) }),
        ("Arrange the graph", Edit::Arrange { sizes: HashMap::new(), nodes: None }),
        ("Delete 2 nodes", Edit::Delete { nodes: names(&["one", "zwei"]) }),
        ("Paste x", Edit::Paste { text: r#"{"mgie":1,"nodes":{"x":{"type":"t"}}}"#.into(), at: [0.0, 0.0] }),
        ("Both", Edit::Several { label: "Both".into(), edits: vec![add("test.add"), add("test.add")] }),
    ];
    let mut desk = Desk::sums();
    let mut states = vec![desk.session.document().clone()];
    for (label, edit) in &edits {
        let revision = desk.session.revision();
        desk.make(edit.clone());
        assert_eq!(desk.session.undo_label(), Some(*label));
        assert!(desk.session.revision() > revision, "{label}");
        assert!(!desk.session.is_saved());
        assert_ne!(states.last(), Some(desk.session.document()), "{label}");
        states.push(desk.session.document().clone());
    }
    for (at, (label, _)) in edits.iter().enumerate().rev() {
        assert_eq!(desk.session.undo().as_deref(), Some(*label));
        assert_eq!(desk.session.document(), &states[at], "{label}");
        assert_eq!(desk.session.redo_label(), Some(*label));
    }
    assert_eq!((desk.session.undo(), desk.session.is_saved()), (None, true));
    for (at, (label, _)) in edits.iter().enumerate() {
        assert_eq!(desk.session.redo().as_deref(), Some(*label));
        assert_eq!(desk.session.document(), &states[at + 1], "{label}");
    }
    assert_eq!(desk.session.redo(), None);
    desk.session.undo();
    desk.make(add("test.add"));
    assert_eq!(desk.session.redo_label(), None, "a new edit takes the place of what was undone");
}

#[test]
fn an_edit_that_changes_nothing_is_no_step() {
    let mut desk = Desk::sums();
    desk.make(set("one", "value", json!(1)));
    desk.make(connect(("one", "number"), ("sum", "a")));
    desk.make(Edit::Delete { nodes: vec![] });
    desk.make(Edit::Rename { from: "one".into(), to: "one".into() });
    desk.make(Edit::SetOff { nodes: names(&["one"]), off: None });
    assert_eq!((desk.session.undo_label(), desk.session.is_saved(), desk.session.revision()), (None, true, 0));
}

#[test]
fn the_edits_of_one_drag_are_one_step_until_it_settles() {
    let mut desk = Desk::sums();
    for value in 2..9 {
        desk.make(set("one", "value", json!(value)));
    }
    desk.session.settle();
    desk.make(set("one", "value", json!(9)));
    desk.make(set("two", "value", json!(9)));
    for at in 0..5 {
        let nodes = vec![("one".to_owned(), [at as f32, 0.0]), ("two".to_owned(), [at as f32, 9.0])];
        desk.make(Edit::Move { nodes });
    }
    desk.make(Edit::Move { nodes: vec![("one".to_owned(), [50.0, 0.0])] });
    for at in 0..5 {
        let frame = Edit::Move { nodes: vec![("two".to_owned(), [at as f32, 70.0])] };
        desk.make(Edit::Several { label: "Move a frame".into(), edits: vec![frame] });
    }
    let mut undone = Vec::new();
    while let Some(label) = desk.session.undo() {
        undone.push(label);
    }
    let expected =
        ["Move a frame", "Move one", "Move 2 nodes", "Set Value of two", "Set Value of one", "Set Value of one"];
    assert_eq!(undone, expected);
    assert_eq!(desk.session.document().nodes["one"].params["value"], 1);
    desk.session.redo();
    assert_eq!(desk.session.document().nodes["one"].params["value"], 8);
    desk.make(set("one", "value", json!(20)));
    desk.session.undo();
    assert_eq!(desk.session.document().nodes["one"].params["value"], 8, "no step merges into one that was redone");
}

#[test]
fn new_nodes_are_named_after_their_type_and_selected() {
    let mut desk = Desk::new(json!({}));
    for _ in 0..3 {
        desk.make(add("test.number"));
    }
    assert_eq!(desk.nodes(), ["number", "number_2", "number_3"]);
    assert_eq!(desk.selected(), ["number_3"]);
    assert_eq!(desk.session.position("number_3"), [10.0, 20.0]);
    let params = json!({ "value": 4 }).as_object().unwrap().clone();
    desk.make(Edit::AddGiven { node_type: "test.number".into(), at: [0.0, 0.0], params });
    assert_eq!(desk.session.document().nodes["number_4"].params["value"], 4);
    assert_eq!(desk.refused(add("no.such")), "no plugin here offers the node type `no.such`");
}

#[test]
fn a_new_node_is_wired_by_its_first_socket_that_fits() {
    let mut desk = Desk::sums();
    let wire = NewWire::Output { node: "total".into(), output: "number".into() };
    desk.make(Edit::Add { node_type: "test.add".into(), at: [0.0, 0.0], wire: Some(wire.clone()) });
    assert_eq!(desk.wire("add", "a"), Some("total.number"));
    let wire_in = NewWire::Input { node: "sum".into(), input: "b".into() };
    desk.make(Edit::Add { node_type: "test.number".into(), at: [0.0, 0.0], wire: Some(wire_in) });
    assert_eq!(desk.wire("sum", "b"), Some("number.number"));
    desk.session.undo();
    assert_eq!(desk.wire("sum", "b"), Some("two.number"), "node and wire are one step");
    let why = desk.refused(Edit::Add { node_type: "test.read".into(), at: [0.0, 0.0], wire: Some(wire) });
    assert_eq!(why, "no socket of test.read goes together with `total.number`");
}

#[test]
fn a_refused_wire_says_why() {
    let mut desk = Desk::new(json!({
        "one": { "type": "test.number" },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
        "total": { "type": "test.add", "inputs": { "a": "sum.number" } },
        "read": { "type": "test.read" },
        "gone": { "type": "nobody.knows" },
    }));
    for (from, to, why) in [
        (("total", "number"), ("sum", "b"), "this would make a cycle: `total` already hangs on `sum` (sum → total)"),
        (("sum", "number"), ("sum", "b"), "`sum` cannot feed itself"),
        (("read", "text"), ("sum", "b"), "`sum.b` takes `number`; `read.text` gives `text`"),
        (("one", "nothing"), ("sum", "b"), "`one` (test.number) has no output `nothing`"),
        (("one", "number"), ("sum", "c"), "`sum` (test.add) has no input `c`"),
        (("nobody", "number"), ("sum", "b"), "there is no node `nobody`"),
        (("gone", "x"), ("sum", "b"), "the plugin of `gone` (nobody.knows) is missing, so its sockets are not known"),
    ] {
        assert_eq!(why_not(desk.session.document(), &desk.catalogue, from, to).as_deref(), Some(why));
        assert_eq!(desk.refused(connect(from, to)), why);
    }
    assert_eq!(why_not(desk.session.document(), &desk.catalogue, ("one", "number"), ("total", "a")), None);
    desk.make(connect(("one", "number"), ("total", "a")));
    assert_eq!(desk.wire("total", "a"), Some("one.number"), "the old wire gives way");
    assert_eq!(desk.refused(Edit::Disconnect { to: socket("sum", "b") }), "nothing is wired into `sum.b`");
}

#[test]
fn a_parameter_takes_what_its_description_allows() {
    let mut desk = Desk::new(json!({
        "one": { "type": "test.number" }, "bad": { "type": "test.bad" }, "read": { "type": "test.read" },
        "gone": { "type": "nobody.knows" },
    }));
    for (edit, why) in [
        (set("one", "value", json!("x")), "Value of `one`: expected a number, found the text \"x\""),
        (set("one", "value", json!(1e9)), "Value of `one`: expected a number from -1000 to 1000"),
        (set("one", "nothing", json!(1)), "`one` (test.number) has no parameter `nothing`"),
        (set("bad", "how", json!("well")), "How of `bad`: expected one of `fail`"),
        (set("read", "path", json!(5)), "Path of `read`: expected the path of a file"),
        (set("nobody", "x", json!(1)), "there is no node `nobody`"),
    ] {
        let found = desk.refused(edit);
        assert!(found.starts_with(why), "{found}");
    }
    desk.make(set("read", "path", json!("")));
    desk.make(set("gone", "anything", json!({ "a": [1] })));
    desk.make(Edit::ResetParameter { node: "read".into(), parameter: "path".into() });
    assert!(desk.session.document().nodes["read"].params.is_empty());
}

#[test]
fn renaming_takes_wires_layout_and_selection_along_and_undo_gives_them_back() {
    let mut desk = Desk::sums();
    desk.make(Edit::Collapse { nodes: names(&["sum"]), collapsed: true });
    desk.make(Edit::Move { nodes: vec![("sum".into(), [7.0, 8.0])] });
    desk.session.select(names(&["total", "sum", "nobody"]));
    desk.make(Edit::Rename { from: "sum".into(), to: "summe".into() });
    assert_eq!(desk.nodes(), ["one", "two", "summe", "total"], "it stays where it stood in the file");
    assert_eq!(desk.wire("total", "a"), Some("summe.number"));
    assert_eq!(desk.session.position("summe"), [7.0, 8.0]);
    assert!(desk.session.is_collapsed("summe") && !desk.session.is_collapsed("sum"));
    assert_eq!(desk.selected(), ["total", "summe"]);
    desk.session.undo();
    assert_eq!(desk.selected(), ["total", "sum"]);
    desk.session.redo();
    assert_eq!(desk.selected(), ["total", "summe"]);
    for (name, why) in [
        ("one", "there is a node `one` already"),
        ("", "a node cannot be called ``: expected a name, found nothing; give the node a name"),
        ("a.b", "a node cannot be called `a.b`: expected letters, digits, `_` and `-`, found '.'; call it `a_b`"),
    ] {
        assert_eq!(desk.refused(Edit::Rename { from: "summe".into(), to: name.into() }), why);
    }
    assert!(desk.refused(Edit::Rename { from: "summe".into(), to: "x".repeat(200) }).contains("at most 128"));
}

#[test]
fn deleting_takes_the_wires_away_and_undo_brings_back_and_selects() {
    let mut desk = Desk::sums();
    desk.session.select(names(&["one", "sum", "total"]));
    desk.make(Edit::Delete { nodes: names(&["one", "sum"]) });
    assert_eq!((desk.nodes(), desk.wire("total", "a")), (vec!["two", "total"], None));
    assert_eq!(desk.selected(), ["total"]);
    assert!(!desk.session.document().field("studio").unwrap().to_string().contains("one"));
    desk.session.undo();
    assert_eq!(desk.selected(), ["one", "sum"]);
    assert_eq!(desk.wire("sum", "a"), Some("one.number"));
    assert_eq!(desk.refused(Edit::Delete { nodes: names(&["one", "nobody"]) }), "there is no node `nobody`");
}

#[test]
fn duplicates_keep_the_wires_among_them_and_those_that_come_in() {
    let mut desk = Desk::sums();
    desk.make(Edit::Move { nodes: vec![("sum".into(), [100.0, 50.0])] });
    desk.make(Edit::Duplicate { nodes: names(&["total", "sum"]), offset: [30.0, 40.0] });
    assert_eq!(desk.selected(), ["sum_2", "total_2"]);
    assert_eq!(desk.wire("total_2", "a"), Some("sum_2.number"));
    assert_eq!(desk.wire("sum_2", "b"), Some("two.number"));
    assert_eq!(desk.session.position("sum_2"), [130.0, 90.0]);
    assert_eq!(desk.wire("total", "a"), Some("sum.number"));
}

#[test]
fn what_is_copied_from_a_graph_without_a_layout_lies_as_it_is_shown() {
    let mut desk = Desk::sums();
    assert!(!desk.session.is_laid_out());
    let nodes: Vec<String> = desk.session.document().nodes.keys().cloned().collect();
    let sizes = nodes.iter().map(|name| (name.clone(), [300.0, 900.0])).collect();
    desk.session.place(&sizes);
    let shown: Vec<[f32; 2]> = nodes.iter().map(|name| desk.session.position(name)).collect();
    let text = desk.session.copy(&nodes);
    desk.make(Edit::Paste { text, at: [5000.0, 0.0] });
    let pasted: Vec<[f32; 2]> = desk.selected().into_iter().map(|name| desk.session.position(name)).collect();
    assert_eq!(pasted.len(), shown.len());
    for (at, (shown_here, there)) in shown.iter().zip(&pasted).enumerate() {
        let apart = |from: &[[f32; 2]], node: [f32; 2]| [node[0] - from[0][0], node[1] - from[0][1]];
        assert_eq!(apart(&shown, *shown_here), apart(&pasted, *there), "{}", nodes[at]);
    }
    assert!(shown.iter().any(|at| at[1] - shown[0][1] >= 900.0), "by the sizes: {shown:?}");
}

#[test]
fn what_was_copied_reads_the_same_files_in_a_graph_of_another_folder() {
    let desk = Desk::new(json!({ "read": { "type": "test.read", "params": { "path": "photos/a.txt" } } }));
    let text = copy(desk.session.document(), &names(&["read"]), Path::new("/graphs/one"));
    for (folder, expected) in [
        ("/graphs/one", "photos/a.txt"),
        ("/graphs/two", "../one/photos/a.txt"),
        ("/graphs/one/photos", "a.txt"),
        ("/elsewhere", "/graphs/one/photos/a.txt"),
    ] {
        let text = brought_to(Path::new(folder), text.clone(), &desk.catalogue);
        let pasted = Document::parse(&text).unwrap();
        assert_eq!(pasted.nodes["read"].params["path"], expected, "in {folder}");
    }
}

#[test]
fn what_was_copied_is_a_graph_that_can_be_pasted_here_and_elsewhere() {
    let mut desk = Desk::sums();
    desk.make(Edit::Move { nodes: vec![("sum".into(), [100.0, 50.0]), ("total".into(), [400.0, 60.0])] });
    desk.make(Edit::SetOff { nodes: names(&["sum"]), off: Some(Off::Mute) });
    desk.make(Edit::Collapse { nodes: names(&["total"]), collapsed: true });
    let text = copy(desk.session.document(), &names(&["total", "sum", "nobody"]), desk.session.folder());
    let copied = Document::parse(&text).unwrap();
    assert_eq!(copied.nodes.len(), 2);
    assert!(copied.nodes["sum"].inputs.is_empty(), "wires that come from elsewhere stay there");
    for mut other in [desk, Desk::new(json!({ "sum": { "type": "test.number" } }))] {
        let names_before = other.nodes().len();
        other.make(Edit::Paste { text: text.clone(), at: [0.0, 0.0] });
        assert_eq!(other.nodes().len(), names_before + 2);
        let [sum, total] = other.selected()[..] else { panic!() };
        assert_eq!((sum, total.starts_with("total")), ("sum_2", true));
        assert_eq!(other.wire(total, "a"), Some("sum_2.number"));
        assert_eq!((other.session.position(sum), other.session.position(total)), ([0.0, 0.0], [300.0, 10.0]));
        assert_eq!(other.session.document().nodes[sum].off, Some(Off::Mute));
        assert!(other.session.is_collapsed(total));
    }
}

#[test]
fn pasting_keeps_a_wire_that_the_text_holds_where_its_other_end_is_here() {
    let mut desk = Desk::sums();
    let text = json!({ "mgie": 1, "nodes": {
        "a.b": { "type": "nobody.knows", "kept": 7, "inputs": { "x": "one.number", "y": "elsewhere.number", "z": "no" } },
    }, "studio": { "#frames": [{ "title": "F", "at": [-10, 0], "size": [5, 5] }], "a.b": [0, 10],
        "#notes": [{ "text": "N", "at": [0, 0] }] } });
    desk.make(Edit::Paste { text: text.to_string(), at: [100.0, 100.0] });
    assert_eq!(desk.selected(), ["a_b"]);
    assert_eq!((desk.wire("a_b", "x"), desk.wire("a_b", "y"), desk.wire("a_b", "z")), (Some("one.number"), None, None));
    assert_eq!(desk.session.position("a_b"), [110.0, 110.0]);
    assert_eq!((desk.session.frames()[0].at, desk.session.notes()[0].at), ([100.0, 100.0], [110.0, 100.0]));
    assert!(desk.session.document().to_text().contains("\"kept\": 7"));
}

#[test]
fn pasting_something_else_is_refused_with_what_it_is() {
    let mut desk = Desk::sums();
    for (text, why) in [
        ("hello", "what was copied is no graph of mgie: line 1, column 1: expected value"),
        ("{}", "what was copied is no graph of mgie: this is no mgie graph: the key `mgie` is missing"),
        (r#"{"mgie":1,"nodes":{}}"#, "what was copied is an empty graph"),
        (r#"{"mgie":99,"nodes":{}}"#, "what was copied is no graph of mgie: the graph has format version 99"),
    ] {
        let found = desk.refused(Edit::Paste { text: text.into(), at: [0.0, 0.0] });
        assert!(found.starts_with(why), "{found}");
    }
}

#[test]
fn aligning_and_arranging_move_only_what_was_asked_for() {
    let mut desk = Desk::sums();
    desk.make(Edit::Move { nodes: vec![("one".into(), [100.0, 0.0]), ("two".into(), [50.0, 90.0])] });
    let total = desk.session.position("total");
    desk.make(Edit::Align {
        nodes: names(&["one", "two"]),
        edge: Edge::Right,
        sizes: vec![[20.0, 10.0], [40.0, 10.0]],
    });
    assert_eq!((desk.session.position("one"), desk.session.position("two")), ([100.0, 0.0], [80.0, 90.0]));
    let sizes = HashMap::from([("one".to_owned(), [300.0, 80.0])]);
    desk.make(Edit::Arrange { sizes, nodes: Some(names(&["one", "sum"])) });
    assert_eq!(desk.session.position("sum")[0] - desk.session.position("one")[0], 380.0);
    assert_eq!(desk.session.position("total"), total);
}

#[test]
fn a_node_without_a_place_gets_one_that_stays_and_looking_changes_nothing() {
    let mut desk = Desk::sums();
    let places: Vec<[f32; 2]> = ["one", "two", "sum", "total"].map(|node| desk.session.position(node)).to_vec();
    assert!(places[2][0] > places[0][0] && places[0][1] != places[1][1]);
    assert!(desk.session.is_saved() && desk.session.document().field("studio").is_none());
    desk.make(Edit::Rename { from: "sum".into(), to: "summe".into() });
    assert_eq!(desk.session.position("summe"), places[2]);
    desk.make(Edit::Delete { nodes: names(&["total"]) });
    assert_eq!(desk.session.position("one"), places[0]);
    while desk.session.undo().is_some() {}
    let again: Vec<[f32; 2]> = ["one", "two", "sum", "total"].map(|node| desk.session.position(node)).to_vec();
    assert_eq!(again, places);
    assert!(desk.session.document().field("studio").is_none());
}
