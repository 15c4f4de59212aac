//! What the pointer does on the canvas, and what is shown of it: the palette, the wire that is dragged, the selection, zoom.

use crate::desk::{Desk, Seen};
use eframe::egui::epaint::{ClippedShape, Shape};
use eframe::egui::{self, Event, Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use serde_json::json;

fn sum() -> serde_json::Value {
    json!({
        "one": { "type": "test.number" },
        "word": { "type": "test.read" },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
        "take": { "type": "test.take" },
    })
}

/// A place of the canvas where nothing is.
fn empty_place(seen: &Seen) -> Pos2 {
    let nodes = seen.studio().session().document().nodes.keys();
    let all = nodes.fold(Rect::NOTHING, |all, node| all.union(seen.harness_rect(&format!("node {node}"))));
    if all.is_negative() { egui::pos2(400.0, 300.0) } else { all.center_bottom() + vec2(0.0, 40.0) }
}

#[test]
fn a_double_click_beside_the_nodes_opens_the_palette_for_a_node_at_that_place() {
    let desk = Desk::new();
    for graph in [None, Some(desk.graph("sum.json", sum()))] {
        let mut seen = desk.open(graph);
        let at = empty_place(&seen);
        seen.click_at(at);
        assert!(!seen.has("Find a node"), "one click opens nothing");
        seen.double_click_at(at);
        assert!(seen.has("Find a node"), "{:?}", seen.labels());
        let wanted = seen.studio().canvas().at(at);
        let before = seen.studio().session().document().nodes.len();
        seen.event(Event::Text("chat".into()));
        seen.key(Modifiers::NONE, Key::Enter);
        assert_eq!(seen.studio().session().document().nodes.len(), before + 1);
        let found = seen.studio().session().position("chat");
        let beside = vec2(found[0] - wanted[0], found[1] - wanted[1]).length();
        assert!(beside < 2.0, "wanted at {wanted:?}, found at {found:?}");
    }
}

#[test]
fn a_double_click_on_a_node_opens_no_palette() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let header = seen.harness_rect("node one").center_top() + vec2(0.0, 8.0);
    seen.double_click_at(header);
    assert!(!seen.has("Find a node"), "{:?}", seen.labels());
}

/// Takes a wire from a socket and holds it over a place.
fn hold_wire(seen: &mut Seen, socket: &str, to: Pos2) {
    let from = seen.center(socket);
    seen.harness.event(Event::PointerMoved(from));
    seen.harness.step();
    button(seen, from, true);
    for part in 1..=4 {
        seen.harness.event(Event::PointerMoved(from + (to - from) * (part as f32 / 4.0)));
        seen.harness.step();
    }
    seen.harness.run_steps(4);
}

fn button(seen: &mut Seen, pos: Pos2, pressed: bool) {
    let modifiers = Modifiers::NONE;
    seen.harness.event(Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers });
    seen.harness.step();
}

/// The sockets around which a light is painted that is larger than they are.
fn lit(seen: &Seen) -> Vec<String> {
    let circles: Vec<(Pos2, f32)> = seen.harness.output().shapes.iter().filter_map(circle).collect();
    let mut lit = Vec::new();
    for node in seen.harness.query_all(egui_kittest::kittest::by()) {
        let Some(name) = node.accesskit_node().label() else { continue };
        if !(name.starts_with("input ") || name.starts_with("output ")) {
            continue;
        }
        let rect = node.rect();
        if circles.iter().any(|(at, radius)| at.distance(rect.center()) < 1.0 && *radius > rect.width() * 0.7) {
            lit.push(name);
        }
    }
    lit.sort();
    lit
}

fn circle(clipped: &ClippedShape) -> Option<(Pos2, f32)> {
    match &clipped.shape {
        Shape::Circle(circle) => Some((circle.center, circle.radius)),
        _ => None,
    }
}

#[test]
fn the_sockets_that_a_dragged_wire_fits_are_lit_while_it_is_held() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    assert!(lit(&seen).is_empty());
    let beside = empty_place(&seen);
    for (socket, expected) in [
        ("output number of one", ["input a of sum", "input b of sum", "input number of take"].as_slice()),
        ("output text of word", &["input number of take"]),
        // A node does not feed itself, and nothing is fed by what hangs on it.
        ("output number of sum", &["input number of take"]),
        ("input b of sum", &["output number of one", "output number of take"]),
    ] {
        hold_wire(&mut seen, socket, beside);
        assert_eq!(lit(&seen), expected, "a wire from {socket}");
        button(&mut seen, beside, false);
        seen.key(Modifiers::NONE, Key::Escape);
        assert!(lit(&seen).is_empty(), "nothing is held");
    }
}

#[test]
fn over_a_socket_that_refuses_the_wire_stands_why() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let why = "`sum.b` takes `number`; `word.text` gives `text`";
    let to = seen.center("input b of sum");
    assert!(!seen.has_text(why));
    hold_wire(&mut seen, "output text of word", to);
    assert!(seen.has(why), "{:?}", seen.labels());
    let tooltip = seen.harness_rect(why);
    assert!((tooltip.left_top() - to).length() < 60.0, "it stands at the pointer: {tooltip:?} {to:?}");
    // Beside the socket it is gone, and over one that takes the wire it does not come.
    for (beside, what) in
        [(to + vec2(0.0, 300.0), "beside"), (seen.center("input number of take"), "over one that fits")]
    {
        seen.harness.event(Event::PointerMoved(beside));
        seen.harness.run_steps(3);
        assert!(!seen.has_text("takes `"), "{what}: {:?}", seen.labels());
    }
    let fits = seen.center("input number of take");
    button(&mut seen, fits, false);
    seen.rest();
    assert_eq!(seen.wire("take", "number").as_deref(), Some("word.text"));
    // A cycle says through which nodes.
    let (from, to) = (seen.center("output number of sum"), seen.center("input number of take"));
    seen.drag(from, to);
    let to = seen.center("input b of sum");
    hold_wire(&mut seen, "output number of take", to);
    assert!(seen.has_text("cycle") && seen.has_text("sum → take"), "{:?}", seen.labels());
    button(&mut seen, to, false);
    seen.rest();
    assert_eq!(seen.wire("sum", "b"), None);
}

#[test]
fn a_click_with_shift_adds_a_node_to_the_selection_and_takes_it_out_again() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let header = |seen: &Seen, node: &str| seen.harness_rect(&format!("node {node}")).center_top() + vec2(0.0, 8.0);
    let selected = |seen: &Seen| seen.studio().session().selection().iter().cloned().collect::<Vec<_>>();
    let mut click = |modifiers: Modifiers, node: &str, expected: &[&str]| {
        let at = header(&seen, node);
        seen.click_at_with(modifiers, at);
        assert_eq!(selected(&seen), expected, "after a click on {node} with {modifiers:?}");
    };
    click(Modifiers::NONE, "one", &["one"]);
    click(Modifiers::SHIFT, "sum", &["one", "sum"]);
    click(Modifiers::COMMAND, "take", &["one", "sum", "take"]);
    click(Modifiers::SHIFT, "sum", &["one", "take"]);
    click(Modifiers::NONE, "word", &["word"]);
    click(Modifiers::SHIFT, "word", &[]);
}

/// Where the middle of the canvas is, in the window.
fn middle(seen: &mut Seen) -> Pos2 {
    seen.harness.remove_cursor();
    seen.rest();
    seen.studio().canvas().pointer(&seen.harness.ctx)
}

#[test]
fn home_shows_everything_the_full_stop_what_is_selected_and_one_the_actual_size() {
    let desk = Desk::new();
    let path = desk.path("wide.json");
    let graph = json!({
        "mgie": 1,
        "nodes": { "left": { "type": "test.number" }, "near": { "type": "test.add" }, "right": { "type": "test.number" } },
        "studio": { "left": [0, 0], "near": [400, 100], "right": [3000, 1500] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut seen = desk.open(Some(path));
    let middle = middle(&mut seen);
    seen.key(Modifiers::NONE, Key::Home);
    let fitted = seen.studio().canvas().zoom();
    assert!(fitted < 0.5, "the graph is wide: {fitted}");
    let all = |seen: &Seen| {
        let nodes = ["left", "near", "right"].map(|node| seen.harness_rect(&format!("node {node}")));
        nodes.into_iter().fold(Rect::NOTHING, Rect::union)
    };
    let whole = all(&seen);
    assert!((whole.center() - middle).length() < 2.0, "{whole:?} {middle:?}");

    let [x, y] = seen.studio().canvas().at(middle);
    seen.key(Modifiers::NONE, Key::Num1);
    assert_eq!(seen.studio().canvas().zoom(), 1.0);
    let [now_x, now_y] = seen.studio().canvas().at(middle);
    assert!(vec2(now_x - x, now_y - y).length() < 2.0, "the middle stays where it is");

    seen.key(Modifiers::NONE, Key::Home);
    let again = seen.studio().canvas().zoom();
    assert!((again - fitted).abs() < 1e-3, "{again} is not {fitted}");
    assert!((all(&seen).center() - whole.center()).length() < 2.0, "{:?}", all(&seen));

    seen.select("left");
    seen.key(Modifiers::NONE, Key::Period);
    assert_eq!(seen.studio().canvas().zoom(), 1.0, "one node is shown at its actual size");
    assert!((seen.center("node left") - middle).length() < 2.0);

    seen.key(Modifiers::NONE, Key::Home);
    let near = seen.harness_rect("node near").center_top() + vec2(0.0, 2.0);
    seen.click_at_with(Modifiers::SHIFT, near);
    assert_eq!(seen.studio().session().selection().len(), 2);
    seen.key(Modifiers::NONE, Key::Period);
    let both = seen.harness_rect("node left").union(seen.harness_rect("node near"));
    assert!((both.center() - middle).length() < 2.0, "{both:?} {middle:?}");
    assert!(seen.studio().canvas().zoom() > fitted * 1.5);
    // Nothing of it changes the graph.
    assert!(seen.studio().session().is_saved());
}

/// Two nodes side by side and, far off, a third one that takes what they give.
fn far_apart(desk: &Desk) -> std::path::PathBuf {
    let path = desk.path("far.json");
    let graph = json!({
        "mgie": 1,
        "nodes": {
            "one": { "type": "test.number" },
            "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
            "far": { "type": "test.add", "inputs": { "a": "sum.number" } },
        },
        "studio": { "one": [0, 0], "sum": [400, 100], "far": [6000, 3000] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    path
}

/// Whether a wire comes along when it is pulled at a place: there is a socket.
fn is_socket(seen: &mut Seen, at: Pos2) -> bool {
    let before = seen.studio().session().document().clone();
    seen.drag(at, at + vec2(60.0, 60.0));
    seen.rest();
    let is_socket = seen.has("Find a node");
    seen.key(Modifiers::NONE, Key::Escape);
    assert!(is_socket || before.nodes == seen.studio().session().document().nodes);
    if *seen.studio().session().document() != before {
        seen.key(Modifiers::COMMAND, Key::Z);
    }
    is_socket
}

/// How many lines are painted that lead from one place to another, within a few points.
fn lines(seen: &Seen, from: Pos2, to: Pos2) -> usize {
    let leads = |clipped: &&ClippedShape| match &clipped.shape {
        Shape::Path(path) => {
            let (Some(first), Some(last)) = (path.points.first(), path.points.last()) else { return false };
            first.distance(from) < 3.0 && last.distance(to) < 3.0
        }
        _ => false,
    };
    seen.harness.output().shapes.iter().filter(leads).count()
}

fn sockets(seen: &Seen) -> usize {
    seen.labels().iter().filter(|label| label.starts_with("input ") || label.starts_with("output ")).count()
}

#[test]
fn nodes_seen_from_afar_keep_their_size_and_their_wires_and_have_their_sockets_again_close_by() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(far_apart(&desk)));
    // Where sockets are within their nodes, at the full size.
    seen.select("sum");
    seen.key(Modifiers::NONE, Key::Period);
    assert_eq!(seen.studio().canvas().zoom(), 1.0);
    let sizes = seen.studio().canvas().sizes();
    let corner = seen.harness_rect("node sum").min;
    let (input, output) = (seen.center("input a of sum") - corner, seen.center("output number of sum") - corner);
    assert_eq!(sockets(&seen), 4, "{:?}", seen.labels());

    seen.key(Modifiers::NONE, Key::Home);
    let zoom = seen.studio().canvas().zoom();
    assert!(zoom < 0.25, "{zoom}");
    assert_eq!(seen.studio().canvas().sizes(), sizes);
    let corner = |node: &str| seen.harness_rect(&format!("node {node}")).min;
    let at = |node: &str, socket: egui::Vec2| corner(node) + socket * zoom;
    assert_eq!(lines(&seen, at("sum", output), at("far", input)), 1);
    let place = at("sum", output);
    assert!(!is_socket(&mut seen, place), "nobody could point at it");

    seen.select("sum");
    seen.key(Modifiers::NONE, Key::Period);
    assert_eq!(sockets(&seen), 4, "{:?}", seen.labels());
    assert_eq!(seen.studio().canvas().sizes(), sizes);
    // The wire to the node that is out of sight is there, and hangs from a socket.
    let place = seen.center("output number of sum");
    assert!(is_socket(&mut seen, place));
}

#[test]
fn a_wire_can_be_brought_to_a_node_that_is_seen_from_afar() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(far_apart(&desk)));
    // What flowed stands beside its socket, and is not drawn from afar.
    seen.key(Modifiers::COMMAND, Key::A);
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    seen.until("the run is over", |studio| !studio.runner().is_running());
    seen.click_at(Pos2::new(20.0, 600.0));
    seen.select("one");
    seen.key(Modifiers::NONE, Key::Period);
    let (corner, from) = (seen.harness_rect("node sum").min, seen.center("output number of one"));
    let within = seen.center("input b of sum") - corner;
    hold_wire(&mut seen, "output number of one", from + vec2(60.0, 40.0));
    // Everything is brought into sight while the wire is held.
    seen.key(Modifiers::NONE, Key::Home);
    let zoom = seen.studio().canvas().zoom();
    assert!(zoom < 0.25, "{zoom}");
    let to = seen.harness_rect("node far").min + within * zoom;
    for at in [to - vec2(9.0, 9.0), to] {
        seen.harness.event(Event::PointerMoved(at));
        seen.harness.run_steps(3);
    }
    button(&mut seen, to, false);
    seen.rest();
    assert_eq!(seen.wire("far", "b").as_deref(), Some("one.number"), "{:?}", seen.labels());
}

#[test]
fn a_node_that_is_collapsed_from_afar_keeps_its_wires() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(far_apart(&desk)));
    seen.key(Modifiers::NONE, Key::Home);
    let height = seen.harness_rect("node far").height();
    let header = seen.harness_rect("node far").center_top() + vec2(0.0, 2.0);
    seen.click_at(header);
    seen.key(Modifiers::NONE, Key::H);
    seen.harness.run_steps(60);
    let far = seen.harness_rect("node far");
    assert!(far.height() < height * 0.5, "{far:?} was {height} high");
    let zoom = seen.studio().canvas().zoom();
    let from = seen.harness_rect("node sum");
    let ends = |clipped: &ClippedShape| match &clipped.shape {
        Shape::Path(path) => path.points.first().copied().zip(path.points.last().copied()),
        _ => None,
    };
    let found: Vec<_> = seen.harness.output().shapes.iter().filter_map(ends).collect();
    let leads = |(a, b): &&(Pos2, Pos2)| from.expand(2.0).contains(*a) && far.expand(2.0).contains(*b);
    assert_eq!(found.iter().filter(leads).count(), 1, "at {zoom}: {from:?} {far:?} {found:?}");
}

#[test]
fn the_node_that_a_held_wire_hangs_from_may_go() {
    let desk = Desk::new();
    for (keys, left) in [(vec![Key::Delete], 3), (vec![Key::A, Key::Delete], 0)] {
        let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
        seen.select("one");
        let at = seen.center("output number of one");
        hold_wire(&mut seen, "output number of one", at + vec2(60.0, 60.0));
        for key in keys {
            seen.key(if key == Key::A { Modifiers::COMMAND } else { Modifiers::NONE }, key);
        }
        assert_eq!(seen.studio().session().document().nodes.len(), left);
        assert_eq!(lit(&seen), Vec::<String>::new(), "the wire was let go");
        button(&mut seen, at + vec2(60.0, 60.0), false);
        seen.rest();
        seen.key(Modifiers::COMMAND, Key::Z);
        assert!(seen.studio().session().is_saved());
        assert_eq!(seen.wire("sum", "a").as_deref(), Some("one.number"));
    }
}

#[test]
fn the_socket_that_a_held_wire_hangs_from_may_go_and_the_view_stays() {
    let desk = Desk::new();
    let graph = json!({
        "one": { "type": "test.number" },
        "alien": { "type": "org.example.blur", "inputs": { "in": "one.number" } },
    });
    let mut seen = desk.open(Some(desk.graph("alien.json", graph)));
    seen.select("one");
    seen.key(Modifiers::NONE, Key::Period);
    // Of a node whose plugin is missing, only its wires tell which sockets it has.
    let at = seen.center("input in of alien");
    hold_wire(&mut seen, "input in of alien", at + vec2(-20.0, 120.0));
    let view = |seen: &Seen| (seen.studio().canvas().zoom(), seen.studio().canvas().at(at));
    let before = view(&seen);
    seen.key(Modifiers::NONE, Key::Delete);
    assert_eq!(seen.studio().session().document().nodes.len(), 1);
    assert_eq!(view(&seen), before);
    button(&mut seen, at + vec2(-20.0, 120.0), false);
    seen.rest();
    assert!(!seen.has("Find a node"), "nothing was dropped: {:?}", seen.labels());
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.wire("alien", "in").as_deref(), Some("one.number"));
}

#[test]
fn a_node_with_long_labels_is_as_wide_from_afar_as_close_by() {
    let desk = Desk::new();
    let path = desk.path("long.json");
    let [into, out] = ["an_input_with_a_long_name", "an_output_with_a_long_name"];
    let graph = json!({
        "mgie": 1,
        "nodes": {
            "one": { "type": "test.number" },
            "alien": { "type": "org.example.blur", "inputs": { into: "one.number" } },
            "take": { "type": "test.take", "inputs": { "number": format!("alien.{out}") } },
        },
        "studio": { "one": [0, 0], "alien": [400, 0], "take": [6000, 3000] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut seen = desk.open(Some(path));
    seen.select("alien");
    seen.key(Modifiers::NONE, Key::Period);
    let (near, socket) = (seen.harness_rect("node alien"), seen.center(&format!("output {out} of alien")));
    assert!(near.width() > 300.0, "{near:?}");
    seen.key(Modifiers::NONE, Key::Home);
    let (zoom, afar) = (seen.studio().canvas().zoom(), seen.harness_rect("node alien"));
    assert!(zoom < 0.25, "{zoom}");
    assert!((afar.size() / zoom - near.size()).length() < 1.0, "{afar:?} at {zoom}, {near:?} close by");
    let from = afar.min + (socket - near.min) * zoom;
    let take = seen.harness_rect("node take");
    let begins = |clipped: &&ClippedShape| match &clipped.shape {
        Shape::Path(path) => {
            let ends = path.points.first().zip(path.points.last());
            ends.is_some_and(|(first, last)| first.distance(from) < 2.0 && take.expand(2.0).contains(*last))
        }
        _ => false,
    };
    assert_eq!(seen.harness.output().shapes.iter().filter(begins).count(), 1);
}

#[test]
fn the_graph_may_be_closed_while_a_wire_is_held() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("sum.json", sum())));
    let at = seen.center("output number of one");
    hold_wire(&mut seen, "output number of one", at + vec2(60.0, 60.0));
    seen.key(Modifiers::COMMAND, Key::N);
    assert!(seen.studio().session().document().nodes.is_empty());
    button(&mut seen, at + vec2(60.0, 60.0), false);
    seen.rest();
    assert!(!seen.has("Find a node"), "{:?}", seen.labels());
}
