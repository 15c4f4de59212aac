//! Parameters side by side, as the studio runs and shows them.

use crate::desk::{Desk, Seen};
use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use serde_json::json;
use std::path::PathBuf;

fn swept(desk: &Desk) -> Seen {
    let graph = json!({
        "photo": { "type": "pic.make", "params": { "value": 1.0 } },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "photo.image" } },
    });
    let mut seen = desk.open(Some(desk.graph("sweep.json", graph)));
    seen.select("photo");
    seen.secondary("Value label");
    seen.click("Sweep…");
    seen.click("Across: values");
    seen.event(Event::Text("2, 4, 8".into()));
    seen.key(Modifiers::NONE, Key::Enter);
    seen.harness_click("Run sweep");
    seen.until("the sweep is over", |studio| !studio.sweeps().is_running() && studio.sweeps().sheet().is_some());
    seen
}

#[test]
fn a_parameter_is_swept_onto_a_sheet_and_a_cell_opens_as_the_graph() {
    let desk = Desk::new();
    let mut seen = swept(&desk);
    // The fake sheet is the sum of its cells.
    assert_eq!(seen.studio().sweeps().sheet().unwrap().as_image().unwrap().pixels(), [14.0]);
    assert!(seen.has("3 of 3 cells"), "{:?}", seen.labels());
    seen.click("Open cell value 4");
    assert_eq!(seen.parameter("photo", "value"), Some(json!(4.0)));
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.parameter("photo", "value"), Some(json!(1.0)));
}

#[test]
fn a_sheet_is_saved_as_a_picture() {
    let desk = Desk::new();
    let mut seen = swept(&desk);
    seen.harness_click("Save sheet");
    let file = desk.path("sheet.png");
    seen.until("it is saved", move |_| file.exists());
    let saved = std::fs::read_to_string(desk.path("sheet.png")).unwrap();
    let (pixel, texts) = saved.split_once('\n').unwrap();
    let texts: serde_json::Value = serde_json::from_str(texts).unwrap();
    let told: serde_json::Value = serde_json::from_str(texts["mgie_sweep"].as_str().unwrap()).unwrap();
    assert_eq!(pixel, "14");
    assert_eq!(told["columns"], json!({ "node": "photo", "parameter": "value", "values": [2.0, 4.0, 8.0] }));
    assert!(!desk.path("out.png").exists(), "a sweep saves nothing by itself");
}

/// A studio that was told to save a sheet as `sheet.png`.
fn saving_a_sheet(desk: &Desk, graph: PathBuf) -> Seen {
    let mut seen = desk.open(Some(graph));
    seen.select("photo");
    seen.secondary("Value label");
    seen.click("Sweep…");
    seen.type_into("Across: values", "2, 4");
    seen.harness_click("Run sweep");
    seen.until("the sweep is over", |studio| !studio.sweeps().is_running() && studio.sweeps().sheet().is_some());
    seen.harness_click("Save sheet");
    seen
}

#[test]
fn a_sheet_is_not_saved_over_a_file_that_a_cell_reads() {
    let desk = Desk::new();
    std::fs::write(desk.path("sheet.png"), "ours").unwrap();
    let graph = json!({
        "photo": { "type": "pic.make", "params": { "value": 1.0 } },
        "read": { "type": "test.read", "params": { "path": "sheet.png" } },
    });
    let mut seen = saving_a_sheet(&desk, desk.graph("sweep.json", graph));
    let told = "is read by node `read`, parameter `path`";
    seen.until("it is refused", |studio| studio.sweeps().said().contains(told));
    assert_eq!(std::fs::read_to_string(desk.path("sheet.png")).unwrap(), "ours");
}

#[test]
fn a_sheet_is_not_saved_over_the_picture_that_the_graph_was_opened_from() {
    let desk = Desk::new();
    let picture = desk.picture("sheet.png", Some(json!({ "photo": { "type": "pic.make" } })));
    let before = std::fs::read(&picture).unwrap();
    let mut seen = saving_a_sheet(&desk, picture.clone());
    seen.until("it is refused", |studio| studio.sweeps().said().contains("carries this graph"));
    assert_eq!(std::fs::read(&picture).unwrap(), before);
}

#[test]
fn values_that_the_parameter_does_not_take_are_told_and_nothing_runs() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("one.json", json!({ "photo": { "type": "pic.make" } }))));
    seen.select("photo");
    seen.secondary("Value label");
    seen.click("Sweep…");
    seen.click("Across: values");
    seen.event(Event::Text("many".into()));
    seen.click("Run sweep");
    assert!(seen.has_text("node `photo`, parameter `value`"), "{:?}", seen.labels());
    assert!(!seen.studio().sweeps().is_running());
}

#[test]
fn a_sweep_is_stopped_and_keeps_the_cells_that_it_has() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("one.json", json!({ "photo": { "type": "pic.make" } }))));
    seen.select("photo");
    seen.secondary("Value label");
    seen.click("Sweep…");
    // The second cell runs until it is asked to stop.
    seen.type_into("Across: values", "2, 99, 4");
    seen.harness_click("Run sweep");
    seen.until_shown("1 of 3 cells");
    assert!(seen.studio().sweeps().is_running());
    seen.harness_click("Stop sweep");
    seen.until("the sweep is over", |studio| !studio.sweeps().is_running());
    assert!(seen.has("1 of 3 cells") && seen.has("Open cell value 2"), "{:?}", seen.labels());
    assert_eq!(seen.studio().sweeps().sheet().unwrap().as_image().unwrap().pixels(), [2.0]);
    assert_eq!(desk.diary.take().iter().filter(|line| *line == "make").count(), 2, "the third cell never ran");
    // What was stopped can be run again.
    seen.type_into("Across: values", "2, 4");
    seen.harness_click("Run sweep");
    seen.until("the sweep is over", |studio| !studio.sweeps().is_running() && studio.sweeps().said() == "Done");
    assert!(seen.has("2 of 2 cells"), "{:?}", seen.labels());
}

/// Chooses a word of a list that a button opens.
fn choose(seen: &mut Seen, list: &str, word: &str) {
    seen.click(list);
    seen.harness.get_by_role_and_label(Role::Button, word).click();
    seen.rest();
}

#[test]
fn two_parameters_are_swept_across_and_down_and_a_cell_sets_both() {
    let desk = Desk::new();
    let graph = json!({
        "photo": { "type": "pic.make", "params": { "value": 1.0 } },
        "more": { "type": "pic.plus", "params": { "value": 5.0 }, "inputs": { "image": "photo.image" } },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "more.image" } },
    });
    let mut seen = desk.open(Some(desk.graph("sweep.json", graph)));
    seen.select("photo");
    seen.secondary("Value label");
    seen.click("Sweep…");
    seen.type_into("Across: values", "2, 4, 8");
    choose(&mut seen, "Down: node", "more");
    choose(&mut seen, "Down: parameter", "Value");
    seen.type_into("Down: values", "10, 20");
    seen.harness_click("Run sweep");
    seen.until("the sweep is over", |studio| !studio.sweeps().is_running() && studio.sweeps().sheet().is_some());
    assert!(seen.has("6 of 6 cells"), "{:?}", seen.labels());
    // The fake sheet is the sum of its cells: each of 2, 4 and 8 twice, and 10 and 20 three times.
    assert_eq!(seen.studio().sweeps().sheet().unwrap().as_image().unwrap().pixels(), [118.0]);
    let ran = desk.diary.take();
    let made = ran.iter().filter(|line| *line == "make").count();
    assert_eq!(made, 3, "what does not hang on the second parameter runs once a value of the first: {ran:?}");
    // Both parameters are called the same, so that the labels name the nodes.
    let labels = r#"of "photo value 2\nphoto value 4\nphoto value 8" "more value 10\nmore value 20""#;
    assert_eq!(ran.iter().filter(|line| line.contains(labels)).count(), 6, "{ran:?}");

    let cell = "Open cell photo value 4, more value 20";
    // More cells than there is room for: what they are scrolled by lies over none of them.
    seen.harness_click(cell);
    seen.until("the cell is shown", |studio| !studio.runner().is_running());
    assert_eq!(
        (seen.parameter("photo", "value"), seen.parameter("more", "value")),
        (Some(json!(4.0)), Some(json!(20.0)))
    );
    assert_eq!(seen.studio().runner().value("more", "image").unwrap().as_image().unwrap().pixels(), [24.0]);
    assert!(desk.diary.take().is_empty(), "a cell that is opened runs nothing anew");
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(
        (seen.parameter("photo", "value"), seen.parameter("more", "value")),
        (Some(json!(1.0)), Some(json!(5.0)))
    );
}
