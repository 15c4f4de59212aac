//! The canvas: selecting, moving, frames and notes.

use crate::desk::{Desk, Seen};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, Rect, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use serde_json::json;

fn two() -> serde_json::Value {
    json!({ "one": { "type": "test.number" }, "two": { "type": "test.number" } })
}

#[test]
fn dragging_one_of_the_selected_nodes_moves_them_all_as_one_step() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("two.json", two())));
    let before = [seen.studio().session().position("one"), seen.studio().session().position("two")];
    seen.key(Modifiers::COMMAND, Key::A);
    let from = seen.harness_rect("node one").center_top() + vec2(0.0, 8.0);
    seen.drag(from, from + vec2(60.0, 40.0));
    let zoom = seen.studio().canvas().zoom();
    let after = [seen.studio().session().position("one"), seen.studio().session().position("two")];
    for (before, after) in before.iter().zip(after) {
        let moved = vec2(after[0] - before[0], after[1] - before[1]) * zoom;
        assert!((moved - vec2(60.0, 40.0)).length() < 12.0, "moved by {moved}, {:?}", seen.labels());
    }
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.studio().session().position("one"), before[0]);
}

#[test]
fn no_label_of_a_socket_lies_under_a_socket() {
    let desk = Desk::new();
    let mut graph = two();
    graph["sum"] = json!({ "type": "test.add", "inputs": { "a": "one.number", "b": "two.number" } });
    graph["sheet"] = json!({ "type": "image.sheet" });
    graph["alien"] =
        json!({ "type": "org.example.blur", "inputs": { "a_rather_long_name": "one.number", "b": "two.number" } });
    let mut seen = desk.open(Some(desk.graph("labels.json", graph)));
    // The outputs then say what flowed last, too.
    seen.key(Modifiers::COMMAND, Key::A);
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    seen.until("the run is over", |studio| !studio.runner().is_running());
    for node in ["one", "two", "sum", "sheet", "alien"] {
        let within = seen.harness_rect(&format!("node {node}"));
        let suffix = format!(" of {node}");
        let (mut labels, mut sockets) = (Vec::new(), Vec::new());
        for found in seen.harness.query_all(by()) {
            let described = found.accesskit_node();
            let Some(bounds) = described.bounding_box() else { continue };
            let corner = |x: f64, y: f64| pos2(x as f32, y as f32);
            let rect = Rect::from_min_max(corner(bounds.x0, bounds.y0), corner(bounds.x1, bounds.y1));
            let name = described.label().or_else(|| described.value()).unwrap_or_default();
            if name.ends_with(&suffix) && (name.starts_with("input ") || name.starts_with("output ")) {
                sockets.push((name, rect));
            } else if described.role() == Role::Label && within.contains(rect.center()) {
                labels.push((name, rect));
            }
        }
        let outputs = usize::from(node != "alien");
        assert!(sockets.len() > outputs || node == "one" || node == "two", "{node}: {sockets:?}");
        assert!(labels.len() >= sockets.len(), "{node}: {labels:?}");
        for (label, text) in &labels {
            for (socket, pin) in &sockets {
                assert!(!text.intersects(*pin), "{label} at {text:?} lies under {socket} at {pin:?}");
            }
        }
    }
}

#[test]
fn a_box_selects_what_it_touches_and_a_click_beside_selects_nothing() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("two.json", two())));
    let (one, two) = (seen.harness_rect("node one"), seen.harness_rect("node two"));
    let all = one.union(two).expand(12.0);
    seen.drag_with(Modifiers::SHIFT, all.min, all.max);
    assert_eq!(seen.studio().session().selection().len(), 2);
    seen.click_at(all.min - vec2(20.0, 0.0));
    assert!(seen.studio().session().selection().is_empty());
}

#[test]
fn a_frame_is_put_around_the_selected_nodes_and_moves_them() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("two.json", two())));
    seen.key(Modifiers::COMMAND, Key::A);
    seen.key(Modifiers::NONE, Key::F);
    seen.key(Modifiers::NONE, Key::Enter);
    assert_eq!(seen.studio().session().frames().len(), 1);
    let before = seen.studio().session().position("two");
    let from = seen.center("frame Frame");
    seen.drag(from, from + vec2(50.0, 30.0));
    let after = seen.studio().session().position("two");
    assert!(after[0] > before[0] + 10.0 && after[1] > before[1] + 5.0, "{before:?} {after:?}");
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.studio().session().position("two"), before);
}

#[test]
fn a_frame_that_was_selected_is_not_deleted_with_the_node_that_is_selected_after_it() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("two.json", two())));
    seen.key(Modifiers::COMMAND, Key::A);
    seen.key(Modifiers::NONE, Key::F);
    seen.key(Modifiers::NONE, Key::Enter);
    let frame = seen.center("frame Frame");
    seen.click_at(frame);
    assert!(seen.studio().canvas().chosen().is_some() && seen.studio().session().selection().is_empty());
    seen.select("two");
    assert!(seen.studio().canvas().chosen().is_none());
    seen.click("Edit");
    seen.click("Delete");
    assert_eq!((seen.studio().session().frames().len(), seen.studio().session().document().nodes.len()), (1, 1));
}

#[test]
fn selected_nodes_are_centred_on_a_line_and_spread_with_equal_gaps() {
    let desk = Desk::new();
    let path = desk.path("three.json");
    let graph = json!({
        "mgie": 1,
        "nodes": {
            "one": { "type": "test.number" }, "two": { "type": "test.add" }, "three": { "type": "test.number" },
        },
        "studio": { "one": [0, 0], "two": [340, 150], "three": [1100, 60] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut seen = desk.open(Some(path));
    // Where each node begins and ends along an axis; positions are kept to a tenth of a point.
    let span = |seen: &Seen, node: &str, axis: usize| {
        let studio = seen.studio();
        let start = studio.session().position(node)[axis];
        [start, start + studio.canvas().sizes()[node][axis]]
    };
    seen.key(Modifiers::COMMAND, Key::A);
    seen.click("Node");
    seen.click("Align");
    seen.click("Spread across");
    let [one, two, three] = ["one", "two", "three"].map(|node| span(&seen, node, 0));
    assert_eq!((one[0], three[0]), (0.0, 1100.0));
    assert!((two[0] - one[1] - (three[0] - two[1])).abs() < 0.3, "{one:?} {two:?} {three:?}");
    seen.key(Modifiers::ALT, Key::R);
    let middles = ["one", "two", "three"].map(|node| span(&seen, node, 1).iter().sum::<f32>() / 2.0);
    assert!(middles.iter().all(|middle| (middle - middles[0]).abs() < 0.2), "{middles:?}");
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.studio().session().position("three"), [1100.0, 60.0]);
    seen.key(Modifiers::ALT, Key::C);
    let middles = ["one", "two", "three"].map(|node| span(&seen, node, 0).iter().sum::<f32>() / 2.0);
    assert!(middles.iter().all(|middle| (middle - middles[0]).abs() < 0.2), "{middles:?}");
    seen.key(Modifiers::ALT, Key::Y);
    let mut spans = ["one", "two", "three"].map(|node| span(&seen, node, 1));
    spans.sort_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1])));
    let [first, second, third] = spans;
    assert!((second[0] - first[1] - (third[0] - second[1])).abs() < 0.3, "{spans:?}");
}
