//! Nothing is cut off, in a window of 1280 × 720 points and in one of 640 × 360, which is what 1280 × 720 pixels are at
//! 200 %: every widget and label lies within the window and within its panel, or is scrolled there.

use crate::desk::{Desk, Seen};
use eframe::egui::{self, Event, Key, Modifiers, Rect, Vec2, vec2};
use egui::accesskit::{Action, ActionRequest, NodeId, Role, TreeId};
use egui_kittest::kittest::{NodeT, Queryable};
use mgie_host::studio::Studio;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The windows: size in points, and pixels a point.
const WINDOWS: [(Vec2, f32); 2] = [(vec2(1280.0, 720.0), 1.0), (vec2(640.0, 360.0), 2.0)];

const LONG: &str = "the_denoiser_that_has_a_name_as_long_as_people_sometimes_give_one";
const GRAPH: &str = "a graph whose file has a name as long as people sometimes give one (second try).json";
const MODELS: &str = "models-of-the-long-evening-with-instruct-pix2pix-and-mgie-7b-in-half-precision";

/// Something with a name, beside the canvas.
#[derive(Clone, Debug)]
struct Widget {
    id: NodeId,
    name: String,
    rect: Rect,
    /// What its panel, scroll area or window leaves of it.
    seen: Rect,
}

fn nodes() -> Value {
    json!({
        "one": { "type": "test.number" },
        "sum": { "type": "test.add", "inputs": { "a": "one.number", "b": format!("{LONG}.number") } },
        "bad": { "type": "test.bad", "inputs": { "after": "sum.number" } },
        LONG: { "type": "test.number" },
        "word": { "type": "test.read" },
        "alien": { "type": "org.example.a_plugin_of_somebody_else.blur_with_a_kernel", "inputs": { "in": "one.number" } },
        "picture": { "type": "pic.make" },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "picture.image" } },
    })
}

fn open(desk: &Desk, window: (Vec2, f32)) -> Seen {
    open_nodes(desk, window, nodes())
}

fn open_nodes(desk: &Desk, (size, scale): (Vec2, f32), nodes: Value) -> Seen {
    let path = desk.path(GRAPH);
    let graph = json!({ "mgie": 1, "nodes": nodes, "studio": {
        "#frames": [{ "title": format!("Frame of {LONG}"), "at": [0, 0], "size": [900, 700] }],
        "#notes": [{ "text": format!("A note on {LONG} and what became of it"), "at": [0, 800], "size": [200, 80] }],
    } });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut setup = desk.setup(Some(path));
    let models = desk.path(MODELS);
    std::fs::create_dir_all(&models).unwrap();
    setup.models = Some(models);
    Desk::show(Studio::new(setup), size, scale)
}

/// Everything with a name that is no part of the canvas, which is moved about.
fn widgets(seen: &Seen) -> Vec<Widget> {
    let canvas = seen.studio().canvas().id();
    let places: HashMap<NodeId, (Rect, Rect)> = seen.harness.ctx.viewport(|viewport| {
        let layers = viewport.prev_pass.widgets.layers().filter(|(layer, _)| layer.id != canvas);
        let widgets = layers.flat_map(|(_, widgets)| widgets);
        widgets.map(|widget| (widget.id.accesskit_id(), (widget.rect, widget.interact_rect))).collect()
    });
    assert!(!places.is_empty());
    let nodes = seen.harness.query_all(egui_kittest::kittest::by()).filter_map(|node| {
        let node = node.accesskit_node();
        if matches!(node.role(), Role::GenericContainer | Role::ScrollBar | Role::Splitter | Role::Window | Role::Pane)
        {
            return None;
        }
        let name = node.label().or_else(|| node.value()).filter(|name| !name.trim().is_empty())?;
        let id = node.locate().0;
        let (rect, shown) = *places.get(&id)?;
        Some(Widget { id, name, rect, seen: shown })
    });
    nodes.collect()
}

/// What is missing of a widget, along x and y.
fn missing(widget: &Widget, window: Rect) -> Vec2 {
    let seen = widget.seen.intersect(window);
    if seen.is_negative() { widget.rect.size() } else { (widget.rect.size() - seen.size()).max(Vec2::ZERO) }
}

/// The widgets that cannot be seen whole, not even by scrolling.
fn cut_off(seen: &mut Seen, size: Vec2) -> Vec<String> {
    const LEAST: f32 = 1.0;
    let window = Rect::from_min_size(egui::Pos2::ZERO, size);
    let mut cut = Vec::new();
    for before in widgets(seen) {
        if missing(&before, window).max_elem() <= LEAST {
            continue;
        }
        seen.harness.event(Event::AccessKitActionRequest(ActionRequest {
            action: Action::ScrollIntoView,
            target_tree: TreeId::ROOT,
            target_node: before.id,
            data: None,
        }));
        seen.rest();
        let after = widgets(seen).into_iter().find(|widget| widget.id == before.id);
        let Some(after) = after else {
            cut.push(format!("{} at {:?}, which is gone when it is scrolled to", before.name, before.rect));
            continue;
        };
        let still = missing(&after, window);
        // What is larger than its scroll area is seen by and by.
        let moved = after.rect.min - before.rect.min;
        let by_and_by = |axis: usize| moved[axis] != 0.0 && after.seen.size()[axis] > 20.0;
        if (0..2).any(|axis| still[axis] > LEAST && !by_and_by(axis)) {
            cut.push(format!("{} at {:?}, of which {:?} is seen", after.name, after.rect, after.seen));
        }
    }
    cut
}

/// What is found in one test, told at its end all at once.
struct Check {
    size: Vec2,
    found: Vec<String>,
}

impl Check {
    fn new((size, _): (Vec2, f32)) -> Self {
        Self { size, found: Vec::new() }
    }

    fn whole(&mut self, seen: &mut Seen, what: &str) {
        let cut = cut_off(seen, self.size).into_iter();
        self.found.extend(cut.map(|cut| format!("{what} in {:?}: {cut}", self.size)));
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.found.is_empty(), "{}", self.found.join("\n"));
        }
    }
}

fn go_to(seen: &mut Seen, node: &str) {
    seen.harness.state_mut().act(mgie_host::studio::action::Action::GoTo(node.to_owned()));
    seen.rest();
}

#[test]
fn the_bars_and_the_list_of_the_graph_are_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        let mut seen = open(&desk, window);
        assert!(seen.has("Run all (tool)") && seen.has("Go to one") && seen.has_text("status: Opened"));
        check.whole(&mut seen, "the list");
        seen.key(Modifiers::COMMAND, Key::A);
        check.whole(&mut seen, "the list of what is selected");
    }
}

#[test]
fn the_status_bar_has_room_for_all_that_it_tells() {
    for window in WINDOWS {
        let desk = Desk::new();
        let mut seen = open(&desk, window);
        seen.click("Run all (tool)");
        seen.until("the run is over", |studio| !studio.runner().is_running());
        let all = widgets(&seen);
        let said = all.iter().find(|widget| widget.name.starts_with("status: ")).expect("what was said last");
        assert!(said.rect.width() > 60.0, "{said:?}");
        let height = said.rect.center().y;
        // Rows of the list that are scrolled away lie at that height, too, and are not seen.
        let along = |widget: &&Widget| widget.seen.is_positive() && (widget.rect.center().y - height).abs() < 8.0;
        let bar: Vec<&Widget> = all.iter().filter(along).collect();
        for told in ["%", "cache", "memory", "8 nodes", "problem", "models: models-of"] {
            assert!(bar.iter().any(|widget| widget.name.contains(told)), "{told} in {bar:?}");
        }
        for (index, one) in bar.iter().enumerate() {
            let inside = Rect::from_min_size(egui::Pos2::ZERO, window.0).expand(0.5);
            assert!(inside.contains_rect(one.rect), "{one:?}");
            for other in &bar[index + 1..] {
                assert!(!one.rect.shrink(0.5).intersects(other.rect.shrink(0.5)), "{one:?} lies on {other:?}");
            }
        }
    }
}

#[test]
fn a_refusal_is_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        let mut seen = open(&desk, window);
        seen.event(Event::Paste("a page of a book that somebody copied in the meantime".into()));
        assert!(seen.has_text("toast: "), "{:?}", seen.labels());
        check.whole(&mut seen, "a toast");
    }
}

#[test]
fn the_parameters_wires_and_outputs_of_a_node_are_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        let mut seen = open(&desk, window);
        seen.click("Run all (tool)");
        seen.until("the run is over", |studio| !studio.runner().is_running());
        for node in [LONG, "word", "alien", "sum", "bad", "result", "picture"] {
            go_to(&mut seen, node);
            check.whole(&mut seen, node);
        }
    }
}

#[test]
fn the_log_the_viewer_and_an_inspector_are_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        let mut seen = open(&desk, window);
        seen.key(Modifiers::NONE, Key::F9);
        check.whole(&mut seen, "the empty log");
        seen.click("Run all (tool)");
        seen.until("the run is over", |studio| !studio.runner().is_running());
        check.whole(&mut seen, "the log");
        seen.key(Modifiers::NONE, Key::F9);
        seen.key(Modifiers::NONE, Key::F8);
        check.whole(&mut seen, "the empty viewer");
        go_to(&mut seen, "picture");
        seen.key(Modifiers::NONE, Key::V);
        check.whole(&mut seen, "the viewer");
        seen.key(Modifiers::NONE, Key::P);
        check.whole(&mut seen, "the viewer and an inspector");
    }
}

#[test]
fn every_menu_is_whole() {
    for window in WINDOWS {
        for menu in ["File", "Edit", "Node", "Run", "View", "Help"] {
            let (desk, mut check) = (Desk::new(), Check::new(window));
            let mut seen = open(&desk, window);
            let before = widgets(&seen).len();
            seen.click(menu);
            assert!(widgets(&seen).len() > before, "{menu} opens");
            check.whole(&mut seen, menu);
            for submenu in ["Align", "Move", "Pan"] {
                if seen.has(submenu) {
                    seen.click(submenu);
                    check.whole(&mut seen, submenu);
                }
            }
        }
    }
}

#[test]
fn the_palette_and_the_sheet_of_shortcuts_are_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        let mut seen = open(&desk, window);
        seen.key(Modifiers::NONE, Key::Tab);
        assert!(seen.has("Find a node"));
        check.whole(&mut seen, "the palette");
        seen.key(Modifiers::NONE, Key::Escape);
        seen.key(Modifiers::SHIFT, Key::Questionmark);
        assert!(seen.has_text("Run every node that saves"));
        check.whole(&mut seen, "the sheet of shortcuts");
    }
}

#[test]
fn the_questions_are_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        let mut seen = open(&desk, window);
        let mut ask = |seen: &mut Seen, modifiers: Modifiers, key: Key, heading: &str| {
            seen.key(modifiers, key);
            assert!(seen.has(heading), "{:?}", seen.labels());
            check.whole(seen, heading);
            seen.click("Cancel");
        };
        ask(&mut seen, Modifiers::COMMAND, Key::O, "Open");
        ask(&mut seen, Modifiers::COMMAND | Modifiers::SHIFT, Key::S, "Save as");
        go_to(&mut seen, LONG);
        ask(&mut seen, Modifiers::NONE, Key::F2, &format!("Rename {LONG}"));
        seen.key(Modifiers::NONE, Key::M);
        ask(&mut seen, Modifiers::COMMAND, Key::N, "Save the changes?");
        let file = desk.path(GRAPH);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + "\n").unwrap();
        ask(&mut seen, Modifiers::COMMAND, Key::S, "Changed on disk");
        seen.drop_file(desk.picture(&format!("{GRAPH}.png"), Some(nodes())));
        assert!(seen.has("This picture carries a graph"), "{:?}", seen.labels());
        check.whole(&mut seen, "a picture that carries a graph");
        seen.click("Cancel");
        // Time passes, and the studio ends without being asked.
        seen.harness.run_steps(240);
        drop(seen);
        let mut seen = open(&desk, window);
        assert!(seen.has("Recover unsaved work?"), "{:?}", seen.labels());
        check.whole(&mut seen, "what is recovered");
    }
}

#[test]
fn a_sweep_and_what_is_refused_of_it_are_whole() {
    for window in WINDOWS {
        let (desk, mut check) = (Desk::new(), Check::new(window));
        // A sweep runs nothing of a graph with nodes that are not known.
        let nodes = json!({
            LONG: { "type": "pic.make" },
            "result": { "type": "image.save", "params": { "path": "o.png" }, "inputs": { "image": format!("{LONG}.image") } },
        });
        let mut seen = open_nodes(&desk, window, nodes);
        go_to(&mut seen, LONG);
        seen.secondary("Value label");
        seen.click("Sweep…");
        seen.click("Across: values");
        seen.event(Event::Text("many".into()));
        seen.click("Run sweep");
        assert!(seen.has_text("parameter `value`"), "{:?}", seen.labels());
        check.whole(&mut seen, "a refused sweep");
        seen.type_into("Across: values", "1, 2, 3, 4, 5, 6, 7, 8, 9");
        seen.harness_click("Run sweep");
        seen.until("the sweep is over", |studio| !studio.sweeps().is_running() && studio.sweeps().sheet().is_some());
        check.whole(&mut seen, "a sweep");
    }
}
