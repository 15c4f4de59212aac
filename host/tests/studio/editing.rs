//! Changing a graph: parameters, wires, nodes, and taking it all back.

use crate::desk::{Desk, Seen};
use eframe::egui::{Event, Key, Modifiers};
use serde_json::json;

fn sum() -> serde_json::Value {
    json!({
        "one": { "type": "test.number", "params": { "value": 2.0 } },
        "word": { "type": "test.read" },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
    })
}

#[test]
fn a_parameter_is_changed_undone_redone_and_saved() {
    let desk = Desk::new();
    let path = desk.graph("sum.json", sum());
    let before = std::fs::read_to_string(&path).unwrap();
    let mut seen = desk.open(Some(path));
    seen.select("one");
    seen.type_into("Value", "7.25");
    assert_eq!(seen.parameter("one", "value"), Some(json!(7.25)), "{:?}", seen.labels());
    assert!(!seen.studio().session().is_saved());
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.parameter("one", "value"), Some(json!(2.0)));
    assert!(seen.studio().session().is_saved());
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(seen.parameter("one", "value"), Some(json!(7.25)));
    seen.key(Modifiers::COMMAND, Key::S);
    assert!(seen.studio().session().is_saved(), "{:?}", seen.studio().said());
    let mut expected: serde_json::Value = serde_json::from_str(&before).unwrap();
    expected["nodes"]["one"]["params"]["value"] = json!(7.25);
    let found = desk.read("sum.json");
    assert_eq!(found["nodes"], expected["nodes"]);
}

#[test]
fn a_number_beyond_what_its_slider_shows_stays_as_it_was_typed() {
    let desk = Desk::new();
    let mut graph = sum();
    // The slider ends at 10, and beyond 1000 the number is an error that is told, not one that is mended in silence.
    graph["one"]["params"]["value"] = json!(250.0);
    graph["far"] = json!({ "type": "test.number", "params": { "value": 5000.0 } });
    let mut seen = desk.open(Some(desk.graph("sum.json", graph)));
    seen.select("one");
    assert_eq!(seen.parameter("one", "value"), Some(json!(250.0)));
    assert_eq!(seen.parameter("far", "value"), Some(json!(5000.0)));
    assert!(seen.studio().session().is_saved());
    seen.type_into("Value", "123.456789");
    assert_eq!(seen.parameter("one", "value"), Some(json!(123.456789)));
}

#[test]
fn a_parameter_goes_back_to_its_default_from_its_menu() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.select("one");
    seen.secondary("Value label");
    seen.click("Reset to default");
    assert_eq!(seen.parameter("one", "value"), None);
}

#[test]
fn two_sockets_are_connected_by_dragging_and_by_the_side_panel() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let (from, to) = (seen.center("output number of one"), seen.center("input b of sum"));
    seen.drag(from, to);
    assert_eq!(seen.wire("sum", "b").as_deref(), Some("one.number"), "{:?}", seen.studio().said());
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.wire("sum", "b"), None);
    seen.select("sum");
    seen.click("Wire into B");
    seen.click("one.number");
    assert_eq!(seen.wire("sum", "b").as_deref(), Some("one.number"));
}

#[test]
fn a_refused_connection_says_why_and_changes_nothing() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let revision = seen.studio().session().revision();
    let (from, to) = (seen.center("output text of word"), seen.center("input b of sum"));
    seen.drag(from, to);
    assert_eq!(seen.wire("sum", "b"), None);
    assert_eq!(seen.studio().session().revision(), revision);
    let (said, refused) = seen.studio().said();
    assert!(refused && said.contains("text") && said.contains("number"), "{said}");
    assert!(seen.has_text("toast: "));
}

#[test]
fn a_node_is_found_by_a_few_letters_and_added() {
    let desk = Desk::new();
    let mut seen = desk.open(None);
    seen.key(Modifiers::NONE, Key::Tab);
    assert!(seen.has("Find a node"), "{:?}", seen.labels());
    seen.event(Event::Text("ad".into()));
    seen.event(Event::Text("d".into()));
    seen.key(Modifiers::NONE, Key::Enter);
    let names: Vec<_> = seen.studio().session().document().nodes.keys().cloned().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let node = &seen.studio().session().document().nodes[&names[0]];
    assert_eq!(node.node_type, "test.add");
    assert!(!seen.has("Find a node"));
}

#[test]
fn a_wire_that_is_dropped_in_empty_space_offers_what_fits_and_connects_it() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("word.json", json!({ "word": { "type": "test.read" } }))));
    let from = seen.center("output text of word");
    seen.drag(from, from + eframe::egui::vec2(120.0, 180.0));
    assert!(seen.has("Nodes that fit word.text"), "{:?}", seen.labels());
    assert!(seen.has("test.take") && !seen.has("test.add"), "{:?}", seen.labels());
    seen.event(Event::Text("take".into()));
    seen.key(Modifiers::NONE, Key::Enter);
    assert_eq!(seen.wire("take", "number").as_deref(), Some("word.text"));
}

#[test]
fn nodes_are_copied_and_pasted_with_the_wires_among_them() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.key(Modifiers::COMMAND, Key::A);
    let text = seen.copied(Event::Copy).unwrap();
    assert!(text.contains("\"mgie\""), "{text}");
    // Another window.
    let mut other = desk.open(None);
    other.event(Event::Paste(text));
    assert_eq!(other.studio().session().document().nodes.len(), 3);
    assert_eq!(other.wire("sum", "a").as_deref(), Some("one.number"));
    assert_eq!(other.studio().session().selection().len(), 3);
    other.key(Modifiers::NONE, Key::Delete);
    assert!(other.studio().session().document().nodes.is_empty());
    other.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(other.studio().session().document().nodes.len(), 3);
}

#[test]
fn a_node_is_muted_collapsed_and_renamed_by_the_keyboard() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.select("one");
    seen.key(Modifiers::NONE, Key::M);
    assert!(seen.has("state of one: muted"), "{:?}", seen.labels());
    seen.key(Modifiers::NONE, Key::B);
    assert!(seen.has("state of one: bypassed"));
    seen.key(Modifiers::NONE, Key::B);
    seen.key(Modifiers::NONE, Key::H);
    assert!(seen.studio().session().is_collapsed("one"));
    seen.key(Modifiers::NONE, Key::F2);
    seen.type_into("New name", "first");
    assert_eq!(seen.wire("sum", "a").as_deref(), Some("first.number"), "{:?}", seen.studio().said());
}

#[test]
fn nodes_are_cut_and_duplicated_by_keys_each_as_one_step() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let names = |seen: &Seen| -> Vec<String> {
        let mut names: Vec<_> = seen.studio().session().document().nodes.keys().cloned().collect();
        names.sort();
        names
    };
    seen.select("sum");
    seen.key(Modifiers::COMMAND, Key::D);
    let all = names(&seen);
    let copies: Vec<_> = all.iter().filter(|name| !["one", "sum", "word"].contains(&name.as_str())).collect();
    assert_eq!(copies.len(), 1, "{all:?}");
    let copy = copies[0];
    assert_eq!(seen.studio().session().selection().iter().collect::<Vec<_>>(), [copy]);
    assert_ne!(seen.studio().session().position(copy), seen.studio().session().position("sum"), "it lies beside it");
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(names(&seen), ["one", "sum", "word"]);

    seen.select("sum");
    let text = seen.copied(Event::Cut).unwrap();
    seen.rest();
    assert_eq!(names(&seen), ["one", "word"]);
    seen.event(Event::Paste(text));
    assert_eq!(names(&seen), ["one", "sum", "word"], "what was cut comes back under its name");
    for expected in [&["one", "word"][..], &["one", "sum", "word"]] {
        seen.key(Modifiers::COMMAND, Key::Z);
        assert_eq!(names(&seen), expected);
    }
    assert_eq!(seen.wire("sum", "a").as_deref(), Some("one.number"));
    assert!(seen.studio().session().is_saved());
}
