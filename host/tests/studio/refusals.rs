//! What a run would lose, what is out of date, and what the log says of it.

use crate::desk::Desk;
use crate::fakes::{plugin, weights_plugin};
use eframe::egui::{Event, Key, Modifiers, vec2};
use mgie_host::editing::Edit;
use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::Catalogue;
use mgie_host::running::NodeState;
use mgie_host::studio::Studio;
use mgie_host::studio::action::Action;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_graph_that_saves_over_what_it_reads_is_refused_at_the_node_with_the_remedy() {
    let desk = Desk::new();
    std::fs::write(desk.path("a.txt"), "one").unwrap();
    let graph = json!({
        "read": { "type": "test.read", "params": { "path": "a.txt" } },
        "save": { "type": "test.save", "params": { "path": "./a.txt" }, "inputs": { "value": "read.text" } },
    });
    let mut seen = desk.open(Some(desk.graph("over.json", graph)));
    seen.run();
    assert!(seen.has("state of save: failed"), "{:?}", seen.labels());
    assert!(seen.has_text("is read by node `read`, parameter `path` and would be lost"), "{:?}", seen.labels());
    assert!(seen.has("→ name another file"), "{:?}", seen.labels());
    let (said, refused) = seen.studio().said();
    assert!(refused && said.contains("node `save`") && said.contains("would be lost"), "{said}");
    assert!(seen.has_text("toast: node `save`"));
    assert_eq!(std::fs::read_to_string(desk.path("a.txt")).unwrap(), "one");
    assert_eq!(desk.diary.take(), Vec::<String>::new(), "nothing ran");
    let value = json!("b.txt");
    let edit = Edit::SetParameter { node: "save".into(), parameter: "path".into(), value };
    seen.harness.state_mut().act(Action::Edit(edit));
    seen.rest();
    assert!(!seen.has("→ name another file"), "{:?}", seen.labels());
    seen.run();
    assert!(desk.path("b.txt").exists(), "{:?}", seen.studio().said());
}

#[test]
fn results_of_weights_that_change_on_the_disk_are_stale() {
    let desk = Desk::new();
    // The desk is the models folder, too.
    let weights = desk.path("model/unet");
    std::fs::create_dir_all(&weights).unwrap();
    std::fs::write(weights.join("a.bin"), "one").unwrap();
    let graph = json!({
        "use": { "type": "model.use", "params": { "model": "model" } },
        "sum": { "type": "test.add", "inputs": { "a": "use.number" } },
    });
    let mut setup = desk.setup(Some(desk.graph("weights.json", graph)));
    let catalogue = Catalogue::of([plugin(&desk.diary), weights_plugin("model", 8, &desk.diary)]);
    setup.engine = Arc::new(Engine::new(Arc::new(catalogue), Budgets { cache_bytes: 1 << 30, weights_bytes: None }));
    let mut seen = Desk::show(Studio::new(setup), vec2(1280.0, 720.0), 1.0);
    seen.run();
    assert!(matches!(seen.studio().runner().state("sum"), NodeState::Done { .. }));
    // What the run told last may still wake the window.
    std::thread::sleep(Duration::from_millis(200));
    seen.rest();
    std::fs::write(weights.join("a.bin"), "three").unwrap();
    seen.event(Event::WindowFocused(true));
    assert!(seen.has("state of use: changed") && seen.has("state of sum: changed"), "{:?}", seen.labels());
    assert!(seen.harness.try_run().unwrap() <= 2, "the window rests again");
    seen.run();
    assert!(!seen.has("state of use: changed"));
}

#[test]
fn the_log_says_when_and_is_cleared() {
    let desk = Desk::new();
    let graph = json!({ "bad": { "type": "test.bad", "params": { "how": "fail" } } });
    let mut seen = desk.open(Some(desk.graph("bad.json", graph)));
    seen.run();
    seen.key(Modifiers::NONE, Key::F9);
    let is_time = |label: &String| {
        let shape: String = label.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect();
        shape == "00:00.0"
    };
    let lines = seen.studio().runner().log().len();
    let told = seen.labels();
    let times = told.iter().filter(|label| is_time(label)).count();
    assert!(lines > 1 && times >= lines, "{lines} lines: {told:?}");
    assert!(seen.has("the run failed"), "{told:?}");
    seen.click("Clear log (log)");
    assert!(seen.has("Nothing has been said yet."), "{:?}", seen.labels());
    assert!(seen.studio().runner().log().is_empty() && !seen.has("the run failed"));
    seen.run();
    seen.click("View");
    seen.click("Clear log");
    assert!(seen.studio().runner().log().is_empty());
}
