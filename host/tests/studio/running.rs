//! Runs as the studio shows them.

use crate::desk::{Desk, Seen};
use eframe::egui::{Event, Key, Modifiers, Rect, pos2};
use egui_kittest::kittest::Queryable;
use mgie_host::editing::Edit;
use mgie_host::running::NodeState;
use mgie_host::studio::action::Action;
use serde_json::json;
use std::time::Duration;

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
fn after_the_cache_was_emptied_all_runs_anew() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.run();
    assert_eq!(desk.diary.take(), ["add", "number"]);
    seen.run();
    assert!(desk.diary.take().is_empty(), "all is kept");
    seen.click("Run");
    seen.click("Empty the cache");
    assert_eq!(seen.studio().said(), ("The cache is empty", false));
    assert_eq!(seen.studio().runner().value("sum", "number").unwrap().as_number(), Some(3.0), "what is shown stays");
    seen.run();
    assert_eq!(desk.diary.take(), ["add", "number"]);
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
fn what_runs_again_follows_a_node_to_another_name_and_lets_go_of_one_that_is_gone() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.click("Run on change (tool)");
    seen.select("sum");
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    seen.until("it has run", |studio| !studio.runner().is_running() && studio.runner().report().is_some());
    seen.harness.state_mut().act(Action::Edit(Edit::Rename { from: "sum".into(), to: "total".into() }));
    seen.harness.state_mut().act(Action::Edit(Edit::SetParameter {
        node: "one".into(),
        parameter: "value".into(),
        value: json!(9.0),
    }));
    seen.until("the change was run", |studio| {
        studio.runner().value("total", "number").and_then(|value| value.as_number()) == Some(10.0)
    });
    seen.harness.state_mut().act(Action::Edit(Edit::Delete { nodes: vec!["total".into()] }));
    for _ in 0..40 {
        seen.harness.step();
    }
    seen.rest();
    assert!(!seen.studio().said().1, "{:?}", seen.studio().said());
}

#[test]
fn a_node_that_is_off_is_not_run_to_and_nothing_else_runs_in_its_place() {
    let desk = Desk::new();
    let mut graph = sum();
    graph["sum"]["off"] = json!("mute");
    let mut seen = desk.open(Some(desk.graph("sum.json", graph)));
    seen.harness.state_mut().act(Action::RunTo(vec!["sum".into()]));
    seen.until("it is refused", |studio| !studio.runner().is_running() && studio.said().1);
    assert!(desk.diary.take().is_empty());
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
    // What the run told last may still wake the window.
    std::thread::sleep(Duration::from_millis(200));
    seen.rest();
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
fn results_hold_after_the_graph_was_saved_in_another_folder() {
    let desk = Desk::new();
    std::fs::write(desk.path("a.txt"), "one").unwrap();
    std::fs::create_dir(desk.path("below")).unwrap();
    let graph = json!({ "read": { "type": "test.read", "params": { "path": "a.txt" } } });
    let mut seen = desk.open(Some(desk.graph("read.json", graph)));
    seen.run();
    seen.harness.state_mut().act(Action::SaveAs(desk.path("below/read.json")));
    seen.rest();
    assert_eq!(seen.parameter("read", "path"), Some(json!("../a.txt")));
    seen.harness.state_mut().act(Action::Edit(Edit::Move { nodes: vec![("read".into(), [40.0, 80.0])] }));
    seen.rest();
    assert!(matches!(seen.studio().runner().state("read"), NodeState::Done { .. }));
    std::fs::write(desk.path("a.txt"), "another").unwrap();
    seen.event(Event::WindowFocused(true));
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
fn the_viewer_follows_a_node_to_another_name_and_back() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("photo.json", json!({ "photo": { "type": "pic.make" } }))));
    seen.run();
    assert!(seen.has("photo.image"), "{:?}", seen.labels());
    seen.harness.state_mut().act(Action::Edit(Edit::Rename { from: "photo".into(), to: "shot".into() }));
    seen.rest();
    assert!(seen.has("shot.image"), "{:?}", seen.labels());
    seen.key(Modifiers::COMMAND, Key::Z);
    assert!(seen.has("photo.image"), "{:?}", seen.labels());
}

#[test]
fn a_run_tells_of_the_node_that_failed_in_it() {
    let desk = Desk::new();
    let bad = json!({ "type": "test.bad", "params": { "how": "fail" } });
    let mut seen = desk.open(Some(desk.graph("bad.json", json!({ "a": bad, "b": bad }))));
    for node in ["a", "b"] {
        seen.harness.state_mut().act(Action::Select(vec![node.to_owned()]));
        seen.rest();
        seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
        let told = format!("{node}: ");
        seen.until("it has failed", move |studio| studio.said().0.starts_with(&told));
    }
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

#[test]
fn nothing_is_drawn_after_a_run_that_is_over() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.run();
    seen.harness.remove_cursor();
    // The run's last news may ring once more, on a thread of its own, when they are taken in already.
    let moment = Duration::from_millis(60);
    std::thread::sleep(moment);
    seen.rest();
    for _ in 0..5 {
        std::thread::sleep(moment);
        let causes = seen.harness.ctx.repaint_causes();
        assert!(!seen.harness.ctx.has_requested_repaint(), "a frame is asked for: {causes:?}");
        assert_eq!(seen.harness.try_run().unwrap(), 1, "{causes:?}");
    }
}

#[test]
fn two_inspectors_stay_open_side_by_side() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    seen.run();
    seen.select("one");
    seen.key(Modifiers::NONE, Key::P);
    seen.key(Modifiers::NONE, Key::CloseBracket);
    seen.key(Modifiers::NONE, Key::P);
    // The list of the graph in the side panel: the numbers below are the inspectors' alone.
    seen.key(Modifiers::NONE, Key::Escape);
    let closes = ["one", "sum"].map(|node| seen.harness_rect(&format!("Close inspector of {node}.number")));
    let [one, sum] = closes;
    assert!((one.center().y - sum.center().y).abs() < 1.0 && one.right() + 100.0 < sum.left(), "{one:?} {sum:?}");
    // What is below the line with the button of either, up to the other's.
    let numbers = |seen: &Seen, text: &str| -> Vec<Rect> {
        let all = seen.harness.query_all_by_label(text).map(|label| label.rect());
        all.filter(|rect| rect.top() > one.bottom() && rect.left() > 0.0).collect()
    };
    let (two, three) = (numbers(&seen, "2"), numbers(&seen, "3"));
    assert!(!two.is_empty() && two.iter().all(|rect| rect.left() < one.right()), "{two:?} {one:?}");
    assert!(!three.is_empty() && three.iter().all(|rect| rect.left() > one.right()), "{three:?} {one:?}");
    // They follow the next run, whatever is selected.
    seen.select("one");
    seen.type_into("Value", "5");
    seen.run();
    seen.key(Modifiers::NONE, Key::Escape);
    assert!(!numbers(&seen, "5").is_empty() && !numbers(&seen, "6").is_empty(), "{:?}", seen.labels());
    seen.click("Close inspector of one.number");
    assert!(!seen.has("Close inspector of one.number") && numbers(&seen, "5").is_empty(), "{:?}", seen.labels());
    assert!(seen.has("Close inspector of sum.number") && !numbers(&seen, "6").is_empty(), "{:?}", seen.labels());
}

#[test]
fn the_log_tells_what_a_run_did_and_what_its_nodes_said() {
    let desk = Desk::new();
    let graph = json!({
        "chat": { "type": "test.chat" },
        "bad": { "type": "test.bad", "params": { "how": "any" }, "inputs": { "after": "chat.number" } },
    });
    let mut seen = desk.open(Some(desk.graph("chat.json", graph)));
    seen.key(Modifiers::NONE, Key::F9);
    assert!(seen.has_text("Nothing has been said yet"), "{:?}", seen.labels());
    seen.run();
    assert!(!seen.has_text("Nothing has been said yet"), "{:?}", seen.labels());
    let line = seen.center("the weights are old");
    let chat = seen.harness.query_all_by_label("chat").map(|name| name.rect().center());
    let chat: Vec<_> = chat.filter(|name| (name.y - line.y).abs() < 2.0 && name.x < line.x).collect();
    assert_eq!(chat.len(), 1, "the line says which node it is from: {:?}", seen.labels());
    assert!(seen.center_of_part("2 ran, 0 were kept").y > line.y, "the newest is the last");
    seen.run();
    assert!(seen.has_text("0 ran, 1 were kept"), "what is kept needs nothing before it: {:?}", seen.labels());
    seen.select("bad");
    seen.click("How");
    seen.click("fail");
    seen.run();
    assert!(seen.has_text("the run failed"), "{:?}", seen.labels());
    seen.key(Modifiers::NONE, Key::F9);
    assert!(!seen.has_text("the weights are old"), "{:?}", seen.labels());
}

#[test]
fn beside_a_socket_stands_the_shape_of_what_flowed_last() {
    let desk = Desk::new();
    let graph = json!({
        "bad": { "type": "test.bad", "params": { "how": "any" } },
        "big": { "type": "test.big", "params": { "floats": 12 } },
    });
    let mut seen = desk.open(Some(desk.graph("shapes.json", graph)));
    assert!(!seen.has("2 × 2") && !seen.has("12"), "nothing has flowed: {:?}", seen.labels());
    seen.run();
    for (shape, node, output) in [("2 × 2", "bad", "tensor"), ("12", "big", "tensor"), ("a", "bad", "other")] {
        let (text, within) = (seen.center(shape), seen.harness_rect(&format!("node {node}")));
        let socket = seen.center(&format!("output {output} of {node}"));
        assert!(within.contains(text) && (text.y - socket.y).abs() < 6.0, "{shape} at {text:?}, {socket:?}");
    }
    seen.select("big");
    seen.type_into("Floats", "40");
    seen.run();
    seen.key(Modifiers::NONE, Key::Escape);
    assert!(seen.has("40") && !seen.has("12"), "{:?}", seen.labels());
}
