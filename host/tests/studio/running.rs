//! Runs as the studio shows them.

use crate::desk::Desk;
use eframe::egui::{Event, Key, Modifiers, pos2};
use egui_kittest::kittest::Queryable;
use mgie_host::running::NodeState;
use mgie_host::studio::action::Action;
use serde_json::json;

fn sum() -> serde_json::Value {
    json!({
        "one": { "type": "test.number", "params": { "value": 2.0 } },
        "sum": { "type": "test.add", "params": { "more": 1.0 }, "inputs": { "a": "one.number" } },
    })
}

#[test]
fn a_run_shows_what_flowed_and_the_next_one_runs_only_what_changed() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.run();
    assert_eq!(seen.studio().runner().value("sum", "number").unwrap().as_number(), Some(3.0));
    assert_eq!(desk.diary.take(), ["add", "number"]);
    seen.select("sum");
    seen.type_into("More", "5");
    assert_eq!(seen.studio().runner().state("sum"), &NodeState::Stale);
    seen.run();
    assert_eq!(desk.diary.take(), ["add"]);
    assert_eq!(seen.studio().runner().state("one"), &NodeState::Cached);
    assert!(seen.has("state of one: cached"), "{:?}", seen.labels());
}

#[test]
fn a_change_runs_again_where_that_is_switched_on() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.click("Run on change (tool)");
    seen.select("one");
    seen.type_into("Value", "9");
    seen.until("the change was run", |studio| {
        studio.runner().value("sum", "number").and_then(|value| value.as_number()) == Some(10.0)
    });
}

#[test]
fn results_of_a_file_that_changes_on_the_disk_are_stale() {
    let desk = Desk::new();
    let file = desk.path("a.txt");
    std::fs::write(&file, "one").unwrap();
    let graph = json!({
        "read": { "type": "test.read", "params": { "path": "a.txt" } },
        "take": { "type": "test.take", "inputs": { "number": "read.text" } },
    });
    let mut seen = desk.open(Some(desk.graph("read.json", graph)));
    seen.run();
    assert!(matches!(seen.studio().runner().state("take"), NodeState::Done { .. }));
    std::fs::write(&file, "three").unwrap();
    // Whoever comes back to the window sees it at once, and the window rests again.
    seen.event(Event::WindowFocused(true));
    assert_eq!(seen.studio().runner().state("take"), &NodeState::Stale);
    assert!(seen.has("state of read: changed"), "{:?}", seen.labels());
    assert!(seen.harness.try_run().unwrap() <= 2);
    seen.run();
    assert_eq!(seen.studio().runner().value("read", "text").unwrap().as_text(), Some("three"));
    assert!(!seen.has("state of read: changed"));
    // While the window is in use, about a second is enough.
    std::fs::write(&file, "fourteen").unwrap();
    seen.harness.run_steps(90);
    assert_eq!(seen.studio().runner().state("read"), &NodeState::Stale);
    // A graph may save over the file that it loads: nothing runs by itself because a file is another one.
    seen.run();
    seen.click("Run on change (tool)");
    std::fs::write(&file, "a hundred").unwrap();
    seen.event(Event::WindowFocused(true));
    for _ in 0..60 {
        seen.harness.step();
        assert!(!seen.studio().runner().is_running());
    }
    assert_eq!(seen.studio().runner().state("read"), &NodeState::Stale);
}

#[test]
fn a_run_that_hangs_is_cancelled_while_the_window_goes_on() {
    let desk = Desk::new();
    let graph = json!({ "stuck": { "type": "test.stuck" }, "end": { "type": "test.take", "inputs": { "number": "stuck.number" } } });
    let mut seen = desk.open(Some(desk.graph("stuck.json", graph)));
    seen.harness.get_by_label("Run all (tool)").click();
    seen.until_busy("the node runs", |studio| matches!(studio.runner().state("stuck"), NodeState::Running { .. }));
    assert_eq!(seen.studio().runner().state("end"), &NodeState::Waiting);
    seen.harness.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    seen.until_busy("it has stopped", |studio| !studio.runner().is_running());
    seen.rest();
    assert_eq!(seen.studio().said(), ("Stopped", false));
}

#[test]
fn a_failing_node_shows_what_is_wrong_and_what_to_do() {
    let desk = Desk::new();
    let graph = json!({ "bad": { "type": "test.bad", "params": { "how": "fail" } } });
    let mut seen = desk.open(Some(desk.graph("bad.json", graph)));
    seen.run();
    assert!(seen.has("state of bad: failed"), "{:?}", seen.labels());
    assert!(seen.has_text("[256, 768]"), "{:?}", seen.labels());
    assert!(seen.has("→ wire in another"), "{:?}", seen.labels());
    assert!(seen.studio().said().1);
}

#[test]
fn a_node_that_panics_takes_nothing_with_it() {
    let desk = Desk::new();
    let graph = json!({ "bad": { "type": "test.bad", "params": { "how": "panic" } } });
    let mut seen = desk.open(Some(desk.graph("bad.json", graph)));
    seen.run();
    assert!(seen.has_text("the node fell over"), "{:?}", seen.labels());
    seen.select("bad");
    assert!(seen.has("How"));
}

#[test]
fn keys_over_the_viewer_are_the_viewers_and_two_pictures_are_compared_there() {
    let desk = Desk::new();
    let graph = json!({
        "photo": { "type": "pic.make" },
        "other": { "type": "pic.make", "params": { "value": 2.0 } },
        "first": { "type": "image.save", "params": { "path": "a.png" }, "inputs": { "image": "photo.image" } },
        "second": { "type": "image.save", "params": { "path": "b.png" }, "inputs": { "image": "other.image" } },
    });
    let mut seen = desk.open(Some(desk.graph("pictures.json", graph)));
    seen.run();
    seen.select("photo");
    // The menu is called the same.
    seen.harness.query_all_by_label("View").last().unwrap().click();
    seen.rest();
    seen.harness.state_mut().act(Action::GoTo("other".into()));
    seen.rest();
    seen.click("Compare");
    seen.click("Difference");
    assert!(seen.has_text("Difference of A and B"), "{:?}", seen.labels());
    seen.click("A");
    let zoom = seen.studio().canvas().zoom();
    // The side panel shows the selected node's picture the same way, smaller.
    let pictures = seen.harness.query_all_by_label_contains("Picture A,").map(|picture| picture.rect());
    let viewer = pictures.max_by(|a, b| a.area().total_cmp(&b.area())).unwrap();
    seen.event(Event::PointerMoved(viewer.center()));
    for key in [Key::F, Key::Plus, Key::Minus, Key::Num1] {
        seen.key(Modifiers::NONE, key);
    }
    assert!(seen.studio().session().frames().is_empty(), "F fits the picture");
    assert_eq!(seen.studio().canvas().zoom(), zoom, "+, - and 1 zoom the picture");
    // Over the canvas they are the canvas' again.
    seen.event(Event::PointerMoved(pos2(600.0, 120.0)));
    seen.key(Modifiers::NONE, Key::F);
    assert_eq!(seen.studio().session().frames().len(), 1);
}

#[test]
fn a_node_that_is_moved_runs_nothing_on_change() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.run();
    seen.click("Run on change (tool)");
    seen.select("one");
    let before = seen.studio().session().position("one");
    seen.key(Modifiers::NONE, Key::ArrowRight);
    assert_ne!(seen.studio().session().position("one"), before);
    for _ in 0..60 {
        seen.harness.step();
        assert!(!seen.studio().runner().is_running());
    }
}
