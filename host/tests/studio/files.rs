//! Opening, saving, closing, recovering.

use crate::desk::Desk;
use eframe::egui::{Key, Modifiers};
use mgie_host::document::Document;
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
    seen.click("Recover");
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

#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl eframe::egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn a_picture_that_is_dropped_becomes_a_node_and_a_graph_is_opened() {
    let desk = Desk::new();
    let graph = desk.graph("a.json", json!({ "one": { "type": "test.number" } }));
    let mut seen = desk.open(Some(graph));
    seen.drop_file(std::sync::Arc::new(Dropped(desk.path("photo.png"))));
    assert_eq!(seen.parameter("load", "path"), Some(json!("photo.png")), "{:?}", seen.studio().said());
    seen.key(Modifiers::COMMAND, Key::S);
    let other = desk.graph("b.json", json!({ "two": { "type": "test.number" } }));
    seen.drop_file(std::sync::Arc::new(Dropped(other)));
    assert!(seen.studio().session().document().nodes.contains_key("two"), "{:?}", seen.studio().said());
}
