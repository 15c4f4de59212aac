//! The widgets of parameters: each changes the document, and one undo takes that back.

use crate::desk::{Desk, Seen};
use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, pos2};
use egui_kittest::kittest::Queryable;
use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::Catalogue;
use mgie_host::studio::{Setup, Studio};
use mgie_plugin_api::{Domain, NodeDefinition, NodeDescription, Outputs, Plugin, Run};
use serde_json::{Value, json};
use std::sync::Arc;

/// A plugin whose one node has a parameter of each kind.
fn plugin() -> Plugin {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let description = NodeDescription::new("rows.all", "rows.all", "Test", "Has a parameter of each kind.")
        .parameter("strength", "Strength", Domain::Float { default: 1.0, hard: [-100.0, 100.0], soft: [0.0, 10.0] }, "")
        .parameter("steps", "Steps", Domain::Integer { default: 20, hard: [1, 1000], soft: [1, 100] }, "")
        .unit("steps")
        .parameter("seed", "Seed", Domain::Seed { default: 7 }, "")
        .parameter("invert", "Invert", Domain::Boolean { default: false }, "")
        .parameter(
            "mode",
            "Mode",
            Domain::Choice { default: "fast".into(), choices: words(&["fast", "slow", "best"]) },
            "",
        )
        .parameter("prompt", "Prompt", Domain::Text { default: String::new(), multiline: true }, "")
        .parameter(
            "source",
            "Source",
            Domain::File { default: String::new(), extensions: words(&["txt"]), optional: true },
            "",
        );
    Plugin::new("rows", "1").node(NodeDefinition::new(description, |_: &Run| Ok(Outputs::new())))
}

/// A studio with such a node, which is selected.
fn open(desk: &Desk) -> Seen {
    let graph = desk.graph("rows.json", json!({ "all": { "type": "rows.all" } }));
    let catalogue = Arc::new(Catalogue::of([plugin()]));
    let engine = Arc::new(Engine::new(catalogue, Budgets::default()));
    let setup = Setup { engine, ..desk.setup(Some(graph)) };
    let mut seen = Desk::show(Studio::new(setup), eframe::egui::vec2(1280.0, 720.0), 1.0);
    seen.select("all");
    seen
}

fn undo(seen: &mut Seen) {
    seen.key(Modifiers::COMMAND, Key::Z);
}

fn redo(seen: &mut Seen) {
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
}

/// Drags the slider of that name from one share of its length to another.
fn slide(seen: &mut Seen, slider: &str, from: f32, to: f32) {
    let rect: Rect = seen.harness_rect(slider);
    let at = |share: f32| pos2(rect.left() + rect.width() * share, rect.center().y);
    seen.drag(at(from), at(to));
}

/// A quick hand lets go while the mouse still moves.
#[test]
fn a_slider_that_is_let_go_in_the_frame_of_its_last_move_is_one_step() {
    for (slider, parameter) in [("Strength (slider)", "strength"), ("Steps (slider)", "steps")] {
        let desk = Desk::new();
        let mut seen = open(&desk);
        let value = |seen: &Seen| seen.parameter("all", parameter).and_then(|value| value.as_f64());
        for (from, to) in [(0.2, 0.5), (0.5, 0.9)] {
            let rect: Rect = seen.harness_rect(slider);
            let at = |share: f32| pos2(rect.left() + rect.width() * share, rect.center().y);
            let button = |at: Pos2, pressed: bool| Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            };
            seen.harness.event(Event::PointerMoved(at(from)));
            seen.harness.step();
            seen.harness.event(button(at(from), true));
            seen.harness.step();
            seen.harness.event(Event::PointerMoved(at((from + to) / 2.0)));
            seen.harness.step();
            seen.harness.input_mut().events.extend([Event::PointerMoved(at(to)), button(at(to), false)]);
            seen.rest();
        }
        let second = value(&seen);
        undo(&mut seen);
        let first = value(&seen);
        assert!(first.is_some() && first != second, "{slider}: {first:?}, then {second:?}");
        undo(&mut seen);
        assert_eq!(value(&seen), None, "{slider}");
    }
}

#[test]
fn a_drag_of_a_slider_is_one_step() {
    // In the side panel and on the node; of a float and of a whole number.
    for (slider, parameter, range) in [
        ("Strength (slider)", "strength", 10.0),
        ("all: Strength (slider)", "strength", 10.0),
        ("Steps (slider)", "steps", 100.0),
        ("all: Steps (slider)", "steps", 100.0),
    ] {
        let desk = Desk::new();
        let mut seen = open(&desk);
        let value = |seen: &Seen| seen.parameter("all", parameter).and_then(|value| value.as_f64());
        slide(&mut seen, slider, 0.2, 0.5);
        let first = value(&seen).unwrap_or_else(|| panic!("{slider} changes nothing: {:?}", seen.labels()));
        assert!((first / range - 0.5).abs() < 0.05, "{slider} gives {first} in its middle");
        slide(&mut seen, slider, 0.5, 0.9);
        let second = value(&seen).unwrap();
        assert!((second / range - 0.9).abs() < 0.1, "{slider} gives {second} near its end");
        undo(&mut seen);
        assert_eq!(value(&seen), Some(first), "{slider}: the second drag is taken back whole, and it alone");
        undo(&mut seen);
        assert_eq!(value(&seen), None, "{slider}");
        assert!(seen.studio().session().is_saved(), "{slider}: a drag is one step");
        redo(&mut seen);
        assert_eq!(value(&seen), Some(first), "{slider}");
    }
}

#[test]
fn each_throw_of_the_dice_is_another_seed_and_one_step() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    let seed = |seen: &Seen| seen.parameter("all", "seed").map(|seed| seed.as_u64().expect("a seed"));
    let dice = seen.harness_rect("Seed (dice)");
    let field = seen.harness_rect("Seed");
    assert!((dice.center().y - field.center().y).abs() < 2.0, "they stand side by side: {dice:?} {field:?}");
    seen.click("Seed (dice)");
    let first = seed(&seen).expect("a seed of its own");
    seen.click("Seed (dice)");
    let second = seed(&seen).unwrap();
    assert!(first != 7 && second != first, "{first} {second}");
    undo(&mut seen);
    assert_eq!(seed(&seen), Some(first));
    undo(&mut seen);
    assert_eq!(seed(&seen), None);
    assert!(seen.studio().session().is_saved());
    // All of u64 can be typed: JSON's doubles would not hold it.
    seen.type_into("Seed", "12345678901234");
    assert_eq!(seed(&seen), Some(12_345_678_901_234));
    seen.click("all: Seed (dice)");
    assert_ne!(seed(&seen), Some(12_345_678_901_234), "the dice on the node is the same");
    undo(&mut seen);
    assert_eq!(seed(&seen), Some(12_345_678_901_234));
}

#[test]
fn a_choice_and_a_switch_are_steps_of_their_own() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    let now = |seen: &Seen| (seen.parameter("all", "mode"), seen.parameter("all", "invert"));
    for word in ["slow", "best"] {
        seen.click("Mode");
        assert!(seen.has(word), "{:?}", seen.labels());
        seen.click(word);
        assert_eq!(now(&seen).0, Some(json!(word)), "{:?}", seen.labels());
    }
    seen.click("Invert");
    assert_eq!(now(&seen), (Some(json!("best")), Some(json!(true))));
    undo(&mut seen);
    assert_eq!(now(&seen), (Some(json!("best")), None));
    undo(&mut seen);
    assert_eq!(now(&seen), (Some(json!("slow")), None));
    undo(&mut seen);
    assert_eq!(now(&seen), (None, None));
    assert!(seen.studio().session().is_saved());
}

#[test]
fn what_is_typed_into_a_text_area_is_one_step_until_it_is_left() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    let prompt = |seen: &Seen| seen.parameter("all", "prompt");
    seen.click("Prompt");
    for letters in ["make ", "it "] {
        seen.event(Event::Text(letters.into()));
    }
    seen.key(Modifiers::NONE, Key::Enter);
    seen.event(Event::Text("rain".into()));
    assert_eq!(prompt(&seen), Some(json!("make it \nrain")), "Enter begins a line");
    // A key that is a command elsewhere is a letter here.
    assert_eq!(seen.studio().session().document().nodes["all"].off, None);
    seen.key(Modifiers::NONE, Key::Tab);
    seen.click("Prompt");
    seen.key(Modifiers::COMMAND, Key::A);
    seen.event(Event::Text("snow".into()));
    assert_eq!(prompt(&seen), Some(json!("snow")));
    seen.key(Modifiers::NONE, Key::Tab);
    undo(&mut seen);
    assert_eq!(prompt(&seen), Some(json!("make it \nrain")), "{:?}", seen.studio().said());
    undo(&mut seen);
    assert_eq!(prompt(&seen), None, "{:?}", seen.studio().said());
    assert!(seen.studio().session().is_saved());
    // Undo is the graph's while the field has the keyboard, too.
    seen.click("Prompt");
    seen.event(Event::Text("fog".into()));
    assert_eq!(prompt(&seen), Some(json!("fog")));
    undo(&mut seen);
    assert_eq!(prompt(&seen), None);
}

#[test]
fn escape_leaves_a_field_and_the_selection_as_it_is() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    let selected = |seen: &Seen| seen.studio().session().selection().len();
    seen.click("Prompt");
    seen.event(Event::Text("fog".into()));
    seen.key(Modifiers::NONE, Key::Escape);
    assert_eq!((selected(&seen), seen.parameter("all", "prompt")), (1, Some(json!("fog"))));
    seen.key(Modifiers::NONE, Key::Escape);
    assert_eq!(selected(&seen), 0, "now it is the canvas' key");
}

#[test]
fn a_path_is_typed_beside_the_button_of_the_file_picker() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    let file = |seen: &Seen| -> Option<Value> { seen.parameter("all", "source") };
    for place in ["", "all: "] {
        let (field, browse) =
            (seen.harness_rect(&format!("{place}Source")), seen.harness_rect(&format!("{place}Source (browse)")));
        let beside = browse.left() - field.right();
        assert!((0.0..12.0).contains(&beside), "{place}{field:?} {browse:?}");
        assert!((field.center().y - browse.center().y).abs() < 2.0, "{place}{field:?} {browse:?}");
    }
    seen.type_into("Source", "photos/a.txt");
    assert_eq!(file(&seen), Some(json!("photos/a.txt")));
    seen.type_into("all: Source", "b.txt");
    assert_eq!(file(&seen), Some(json!("b.txt")));
    undo(&mut seen);
    assert_eq!(file(&seen), Some(json!("photos/a.txt")));
    undo(&mut seen);
    assert_eq!(file(&seen), None);
    assert!(seen.studio().session().is_saved());
}

#[test]
fn beside_a_number_stands_its_unit_and_it_may_be_typed() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    let shown = |seen: &Seen, field: &str| seen.harness.get_by_label(field).value();
    for field in ["Steps", "all: Steps"] {
        assert_eq!(shown(&seen, field).as_deref(), Some("20 steps"), "{:?}", seen.labels());
    }
    assert_eq!(shown(&seen, "Strength").as_deref(), Some("1.00"), "what has no unit is a bare number");
    for (typed, expected) in [("35", 35), ("48 steps", 48), ("many", 48)] {
        seen.type_into("Steps", typed);
        assert_eq!(seen.parameter("all", "steps"), Some(json!(expected)));
        assert_eq!(shown(&seen, "Steps"), Some(format!("{expected} steps")));
    }
}

#[test]
fn a_value_is_copied_from_the_menu_of_its_parameter() {
    let desk = Desk::new();
    let mut seen = open(&desk);
    seen.type_into("Strength", "2.5");
    for (parameter, expected) in [("Strength", "2.5"), ("Steps", "20"), ("Mode", "fast")] {
        seen.secondary(&format!("{parameter} label"));
        assert_eq!(seen.copied_by("Copy value").as_deref(), Some(expected), "{parameter}");
        seen.rest();
    }
}
