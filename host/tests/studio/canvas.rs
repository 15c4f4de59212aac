//! The canvas: selecting, moving, frames and notes.

use crate::desk::{Desk, Seen};
use eframe::egui::accesskit::Role;
use eframe::egui::epaint::ColorMode;
use eframe::egui::{Color32, Key, Modifiers, Pos2, Rect, Shape, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use mgie_host::studio::action::Action;
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

#[test]
fn edges_of_the_selected_nodes_are_lined_up_by_alt_and_an_arrow() {
    let desk = Desk::new();
    let path = desk.path("three.json");
    let graph = json!({
        "mgie": 1,
        "nodes": { "one": { "type": "test.number" }, "two": { "type": "test.add" }, "three": { "type": "test.big" } },
        "studio": { "one": [0, 0], "two": [340, 350], "three": [700, 60] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut seen = desk.open(Some(path));
    let before = ["one", "two", "three"].map(|node| seen.studio().session().position(node));
    seen.key(Modifiers::COMMAND, Key::A);
    for (key, axis, is_end) in
        [(Key::ArrowLeft, 0, false), (Key::ArrowRight, 0, true), (Key::ArrowUp, 1, false), (Key::ArrowDown, 1, true)]
    {
        let edges = |seen: &Seen| {
            ["one", "two", "three"].map(|node| {
                let studio = seen.studio();
                let size = if is_end { studio.canvas().sizes()[node][axis] } else { 0.0 };
                studio.session().position(node)[axis] + size
            })
        };
        // The outermost edge stays where it is.
        let outermost = edges(&seen).into_iter().reduce(if is_end { f32::max } else { f32::min }).unwrap();
        seen.key(Modifiers::ALT, key);
        // Positions are kept to a tenth of a point.
        let after = edges(&seen);
        assert!(after.iter().all(|edge| (edge - outermost).abs() < 0.2), "{key:?}: {after:?}, not {outermost}");
        seen.key(Modifiers::COMMAND, Key::Z);
        assert_eq!(["one", "two", "three"].map(|node| seen.studio().session().position(node)), before, "{key:?}");
    }
}

#[test]
fn l_lays_the_nodes_out_from_left_to_right_along_their_wires_as_one_step() {
    let desk = Desk::new();
    let path = desk.path("heap.json");
    let graph = json!({
        "mgie": 1,
        "nodes": {
            "end": { "type": "test.save", "inputs": { "value": "sum.number" } },
            "sum": { "type": "test.add", "inputs": { "a": "one.number", "b": "two.number" } },
            "one": { "type": "test.number" },
            "two": { "type": "test.number" },
        },
        "studio": { "end": [0, 0], "sum": [10, 10], "one": [20, 20], "two": [30, 30] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut seen = desk.open(Some(path));
    let rect = |seen: &Seen, node: &str| {
        let studio = seen.studio();
        let ([x, y], size) = (studio.session().position(node), studio.canvas().sizes()[node]);
        Rect::from_min_size(pos2(x, y), size.into())
    };
    seen.key(Modifiers::NONE, Key::L);
    let [end, sum, one, two] = ["end", "sum", "one", "two"].map(|node| rect(&seen, node));
    for (before, after) in [(one, sum), (two, sum), (sum, end)] {
        assert!(before.right() < after.left(), "{before:?} is not left of {after:?}");
    }
    assert!(!one.intersects(two), "{one:?} {two:?}");
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.studio().session().position("two"), [30.0, 30.0]);
    assert!(seen.studio().session().is_saved());
    // Of those that are selected, the others stay.
    seen.harness.state_mut().act(Action::Select(vec!["one".into(), "sum".into()]));
    seen.rest();
    seen.key(Modifiers::NONE, Key::L);
    let [end, sum, one, two] = ["end", "sum", "one", "two"].map(|node| rect(&seen, node));
    assert!(one.right() < sum.left(), "{one:?} {sum:?}");
    assert_eq!((end.min, two.min), (pos2(0.0, 0.0), pos2(30.0, 30.0)));
}

#[test]
fn nodes_that_the_file_gives_no_place_lie_over_none_another_and_nothing_has_changed() {
    let desk = Desk::new();
    // Most of what such a node shows is not in the file, which says nothing of its parameters.
    let sheet = || json!({ "type": "image.sheet" });
    let graph = json!({
        "one": sheet(), "two": sheet(), "three": sheet(),
        "end": { "type": "image.sheet", "inputs": { "sheet": "one.sheet", "picture": "two.sheet" } },
        "other": { "type": "image.sheet", "inputs": { "sheet": "two.sheet", "picture": "three.sheet" } },
    });
    let nodes = ["one", "two", "three", "end", "other"];
    let lie_apart = |seen: &Seen| {
        let rects = nodes.map(|node| seen.harness_rect(&format!("node {node}")));
        for (at, rect) in rects.iter().enumerate() {
            assert!(rects[..at].iter().all(|other| !rect.intersects(*other)), "{rects:?}");
        }
        assert!(rects[0].right() < rects[3].left(), "along the wires: {rects:?}");
        // Beside the side panel, between the tools and the status.
        let canvas = Rect::from_min_max(pos2(0.0, 40.0), pos2(960.0, 700.0));
        assert!(rects.iter().all(|rect| canvas.contains_rect(*rect)), "all are in sight: {rects:?}");
        assert!(seen.studio().session().is_saved() && seen.studio().session().undo_label().is_none());
    };
    let path = desk.graph("bare.json", graph);
    let mut seen = desk.open(Some(path.clone()));
    lie_apart(&seen);
    // Nodes that are as open as others were in another graph are not measured before they have opened.
    seen.key(Modifiers::COMMAND, Key::A);
    seen.key(Modifiers::NONE, Key::H);
    seen.key(Modifiers::COMMAND, Key::S);
    let again = desk.path("again.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document.as_object_mut().unwrap().remove("studio").expect("the layout was saved");
    std::fs::write(&again, document.to_string()).unwrap();
    seen.harness.state_mut().act(Action::Open(again));
    seen.rest();
    lie_apart(&seen);
}

/// The colour of a socket, and where its corners lie about its middle, in tenths of its size: a circle has none.
fn painted(seen: &Seen, socket: &str) -> (Color32, Vec<[i32; 2]>) {
    let rect = seen.harness_rect(socket);
    let at = rect.center();
    let corner =
        |point: &Pos2| [point.x - at.x, point.y - at.y].map(|away| (away / rect.width() * 10.0).round() as i32);
    let found: Vec<_> = seen
        .harness
        .output()
        .shapes
        .iter()
        .filter(|clipped| clipped.shape.visual_bounding_rect().center().distance(at) < 1.0)
        .filter_map(|clipped| match &clipped.shape {
            Shape::Circle(circle) => Some((circle.stroke.color, Vec::new())),
            Shape::Path(path) => match path.stroke.color {
                ColorMode::Solid(colour) => Some((colour, path.points.iter().map(corner).collect())),
                ColorMode::UV(_) => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 1, "{socket}: {found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn sockets_of_two_kinds_differ_in_colour_and_shape_and_those_of_one_kind_do_not() {
    let desk = Desk::new();
    let graph = json!({
        "one": { "type": "test.number" },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
        "photo": { "type": "pic.make" },
        "big": { "type": "test.big" },
    });
    let mut seen = desk.open(Some(desk.graph("kinds.json", graph)));
    seen.key(Modifiers::NONE, Key::Home);
    let number = painted(&seen, "output number of one");
    assert_eq!(number, painted(&seen, "input a of sum"), "both are numbers");
    let (image, tensor) = (painted(&seen, "output image of photo"), painted(&seen, "output tensor of big"));
    for (one, other) in [(&number, &image), (&number, &tensor), (&image, &tensor)] {
        assert!(one.0 != other.0 && one.1 != other.1, "{one:?} {other:?}");
    }
}
