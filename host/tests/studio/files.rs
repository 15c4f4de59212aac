//! Opening, saving, closing, recovering.

use crate::desk::{Desk, Seen};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use mgie_host::document::Document;
use mgie_host::studio::action::Action;
use serde_json::json;

#[test]
fn a_node_whose_plugin_is_missing_is_shown_with_its_wires_and_kept_on_save() {
    let desk = Desk::new();
    let graph = json!({
        "one": { "type": "test.number" },
        "alien": { "type": "org.example.blur", "params": { "radius": 3 }, "inputs": { "in": "one.number" } },
        "sum": { "type": "test.add", "inputs": { "a": "alien.out" } },
    });
    let mut seen = desk.open(Some(desk.graph("alien.json", graph.clone())));
    assert!(seen.has("Missing node type: org.example.blur"), "{:?}", seen.labels());
    assert!(seen.has("output out of alien") && seen.has("input in of alien"), "{:?}", seen.labels());
    seen.select("one");
    seen.type_into("Value", "4");
    seen.key(Modifiers::COMMAND, Key::S);
    let mut expected = graph;
    expected["one"]["params"] = json!({ "value": 4.0 });
    assert_eq!(desk.read("alien.json")["nodes"], expected);
}

#[test]
fn a_new_graph_asks_where_it_is_saved() {
    let desk = Desk::new();
    let mut seen = desk.open(None);
    seen.key(Modifiers::NONE, Key::Tab);
    seen.event(eframe::egui::Event::Text("number".into()));
    seen.key(Modifiers::NONE, Key::Enter);
    seen.key(Modifiers::COMMAND, Key::S);
    let target = desk.path("mine").display().to_string();
    seen.type_into("Path", &target);
    assert!(Document::open(&desk.path("mine.json")).is_ok(), "{:?}", seen.studio().said());
    assert!(seen.studio().session().is_saved());
}

#[test]
fn unsaved_changes_are_asked_about_before_another_graph_is_opened() {
    let desk = Desk::new();
    let nodes = json!({ "one": { "type": "test.number" } });
    let mut seen = desk.open(Some(desk.graph("a.json", nodes.clone())));
    let other = desk.graph("b.json", json!({ "two": { "type": "test.number" } }));
    seen.select("one");
    seen.type_into("Value", "4");
    seen.key(Modifiers::COMMAND, Key::O);
    seen.type_into("Path", &other.display().to_string());
    assert!(seen.has("Save the changes?"), "{:?}", seen.labels());
    seen.click("Cancel");
    assert!(seen.studio().session().document().nodes.contains_key("one"));
    seen.key(Modifiers::COMMAND, Key::O);
    seen.type_into("Path", &other.display().to_string());
    seen.click("Save");
    assert!(seen.studio().session().document().nodes.contains_key("two"), "{:?}", seen.studio().said());
    assert_eq!(desk.read("a.json")["nodes"]["one"]["params"]["value"], json!(4.0));
}

#[test]
fn a_graph_that_another_program_changed_is_asked_about_before_it_is_saved_over() {
    let desk = Desk::new();
    let of = |value: f64| json!({ "one": { "type": "test.number", "params": { "value": value } } });
    let mut seen = desk.open(Some(desk.graph("a.json", of(1.0))));
    let on_disk = || desk.read("a.json")["nodes"]["one"]["params"]["value"].clone();
    seen.select("one");
    seen.type_into("Value", "4");
    desk.graph("a.json", of(7.0));
    seen.key(Modifiers::COMMAND, Key::S);
    assert!(seen.has("Changed on disk"), "{:?}", seen.labels());
    seen.click("Cancel");
    assert_eq!((on_disk(), seen.parameter("one", "value")), (json!(7.0), Some(json!(4.0))));
    seen.key(Modifiers::COMMAND, Key::S);
    seen.click("Reload");
    assert_eq!(seen.parameter("one", "value"), Some(json!(7.0)));
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.parameter("one", "value"), Some(json!(4.0)));
    desk.graph("a.json", of(8.0));
    seen.key(Modifiers::COMMAND, Key::S);
    seen.click("Save as…");
    assert!(seen.has("Save as"), "{:?}", seen.labels());
    seen.click("Cancel");
    seen.key(Modifiers::COMMAND, Key::S);
    seen.click("Overwrite");
    assert_eq!(on_disk(), json!(4.0));
    assert!(seen.studio().session().is_saved());
}

#[test]
fn enter_does_what_the_button_that_the_keyboard_is_on_says() {
    let desk = Desk::new();
    let graph = desk.graph("a.json", json!({ "one": { "type": "test.number", "params": { "value": 1.0 } } }));
    let mut seen = desk.open(Some(graph));
    seen.select("one");
    seen.type_into("Value", "4");
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    seen.harness.get_by_role_and_label(Role::Button, "Cancel").focus();
    seen.rest();
    seen.key(Modifiers::NONE, Key::Enter);
    assert!(!seen.has("Cancel"), "{:?}", seen.labels());
    assert_eq!(desk.read("a.json")["nodes"]["one"]["params"]["value"], 1.0);
    assert!(!seen.studio().session().is_saved());
}

#[test]
fn a_graph_is_not_saved_over_a_file_that_it_reads() {
    let desk = Desk::new();
    std::fs::write(desk.path("a.txt"), "ours").unwrap();
    let graph = json!({ "read": { "type": "test.read", "params": { "path": "a.txt" } } });
    let mut seen = desk.open(Some(desk.graph("a.json", graph)));
    seen.harness.state_mut().act(Action::SaveAs(desk.path("a.txt")));
    seen.rest();
    assert!(seen.studio().said().0.contains("is read by node `read`"), "{:?}", seen.studio().said());
    assert_eq!(std::fs::read_to_string(desk.path("a.txt")).unwrap(), "ours");
}

#[test]
fn what_a_killed_studio_had_not_saved_is_recovered() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("a.json", json!({ "one": { "type": "test.number" } }))));
    seen.select("one");
    seen.type_into("Value", "4");
    // Time passes, and the studio ends without being asked.
    seen.harness.run_steps(240);
    drop(seen);
    let mut seen = desk.open(None);
    assert!(seen.has("Recover unsaved work?"), "{:?}", seen.labels());
    seen.key(Modifiers::NONE, Key::Enter);
    assert_eq!(seen.parameter("one", "value"), Some(json!(4.0)));
    assert!(!seen.studio().session().is_saved());
    assert_eq!(seen.studio().session().file(), Some(desk.path("a.json").as_path()));
}

#[test]
fn a_file_that_is_no_graph_is_told_and_nothing_else_happens() {
    let desk = Desk::new();
    std::fs::write(desk.path("bad.json"), "{").unwrap();
    let seen = desk.open(Some(desk.path("bad.json")));
    assert!(seen.studio().said().1);
    assert!(seen.studio().said().0.contains("bad.json"), "{:?}", seen.studio().said());
}

#[test]
fn a_picture_that_is_dropped_becomes_a_node_and_a_graph_is_opened() {
    let desk = Desk::new();
    let graph = desk.graph("a.json", json!({ "one": { "type": "test.number" } }));
    let mut seen = desk.open(Some(graph));
    seen.drop_file(desk.path("photo.png"));
    assert_eq!(seen.parameter("load", "path"), Some(json!("photo.png")), "{:?}", seen.studio().said());
    seen.key(Modifiers::COMMAND, Key::S);
    let other = desk.graph("b.json", json!({ "two": { "type": "test.number" } }));
    seen.drop_file(other);
    assert!(seen.studio().session().document().nodes.contains_key("two"), "{:?}", seen.studio().said());
}

#[test]
fn a_dropped_picture_that_carries_a_graph_is_asked_about() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("a.json", json!({ "one": { "type": "test.number" } }))));
    let picture = desk.picture("made.png", Some(json!({ "two": { "type": "test.number" } })));
    let names = |seen: &Seen| seen.studio().session().document().nodes.keys().cloned().collect::<Vec<_>>();
    seen.drop_file(&picture);
    assert!(seen.has("This picture carries a graph"), "{:?}", seen.labels());
    seen.click("Cancel");
    assert_eq!(names(&seen), ["one"]);
    assert!(!seen.has("This picture carries a graph"));

    seen.drop_file(&picture);
    seen.click("Add the picture");
    assert_eq!(names(&seen), ["one", "load"]);
    assert_eq!(seen.parameter("load", "path"), Some(json!("made.png")));
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(names(&seen), ["one"]);

    seen.drop_file(&picture);
    seen.key(Modifiers::NONE, Key::Enter);
    assert_eq!(names(&seen), ["two"], "Enter opens the graph: {:?}", seen.studio().said());
    assert_eq!(seen.studio().session().file(), None);

    // One that carries none is a picture, and nothing is asked.
    seen.drop_file(desk.picture("photo.png", None));
    assert_eq!(names(&seen), ["two", "load"]);
    // Another graph is not opened over what is not saved.
    seen.drop_file(&picture);
    seen.click("Open its graph");
    assert!(seen.has("Save the changes?"), "{:?}", seen.labels());
    seen.click("Discard");
    assert_eq!(names(&seen), ["two"]);
}

#[test]
fn a_file_that_is_neither_graph_nor_picture_is_refused_where_it_is_dropped() {
    let desk = Desk::new();
    let mut seen = desk.open(None);
    seen.drop_file(desk.path("song.mp3"));
    let (said, refused) = seen.studio().said();
    assert!(refused && said.contains("song.mp3") && said.contains("png"), "{said}");
    assert!(seen.has_text("toast: ") && seen.studio().session().document().nodes.is_empty());
}

#[test]
fn a_studio_that_is_opened_on_a_picture_shows_its_graph_and_saves_it_elsewhere() {
    let desk = Desk::new();
    let nodes = json!({ "read": { "type": "test.read", "params": { "path": "a.txt" } } });
    let picture = desk.picture("made.png", Some(nodes.clone()));
    let before = std::fs::read(&picture).unwrap();
    let mut seen = desk.open(Some(picture.clone()));
    assert!(seen.has("Go to read") && seen.has("status: Opened made.png"), "{:?}", seen.labels());
    assert!(seen.studio().session().is_saved());
    // Its paths are relative to the picture.
    std::fs::write(desk.path("a.txt"), "found").unwrap();
    seen.run();
    assert_eq!(seen.studio().runner().value("read", "text").unwrap().as_text(), Some("found"));
    seen.key(Modifiers::COMMAND, Key::S);
    assert!(seen.has("Save as"), "{:?}", seen.labels());
    seen.type_into("Path", "kept");
    assert_eq!(desk.read("kept.json")["nodes"], nodes, "{:?}", seen.studio().said());
    assert_eq!(std::fs::read(&picture).unwrap(), before, "the picture stays as it was");

    let mut seen = desk.open(Some(desk.picture("photo.png", None)));
    let (said, refused) = seen.studio().said();
    assert!(refused && said.contains("photo.png"), "{said}");
    seen.key(Modifiers::NONE, Key::Tab);
    assert!(seen.has("Find a node"), "the studio is there, with an empty graph");
}

/// Opens the list of the files that were open last.
fn open_recent(seen: &mut Seen) {
    seen.click("File");
    seen.harness.get_by_label_contains("Open recent").click();
    seen.rest();
}

#[test]
fn the_graphs_that_were_open_last_are_opened_from_the_menu_and_one_that_is_gone_is_told() {
    let desk = Desk::new();
    let graph = |name: &str| desk.graph(&format!("{name}.json"), json!({ name: { "type": "test.number" } }));
    let (one, two) = (graph("one"), graph("two"));
    drop(desk.open(Some(one.clone())));
    // Another studio of this user.
    let mut seen = desk.open(Some(two));
    open_recent(&mut seen);
    seen.click("one.json");
    assert!(seen.studio().session().document().nodes.contains_key("one"), "{:?}", seen.studio().said());
    assert_eq!(seen.studio().session().file(), Some(one.as_path()));
    assert!(!seen.has_text("Open recent"), "the menu is closed");

    std::fs::remove_file(desk.path("two.json")).unwrap();
    open_recent(&mut seen);
    seen.click("two.json");
    let (said, refused) = seen.studio().said();
    assert!(refused && said.contains("two.json"), "{said}");
    assert!(seen.has_text("toast: ") && seen.has("Go to one"), "{:?}", seen.labels());
    open_recent(&mut seen);
    assert!(!seen.has("two.json"), "it is offered no longer: {:?}", seen.labels());
}
