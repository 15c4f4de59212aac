//! The window as a whole: what is always to be seen, and that it rests.

use crate::desk::Desk;
use eframe::egui::{FontId, Key, Modifiers, Rect, pos2};
use serde_json::json;

fn graph() -> serde_json::Value {
    json!({
        "one": { "type": "test.number" },
        "bad": { "type": "test.bad" },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
    })
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    let desk = Desk::new();
    let mut seen = desk.open(Some(desk.graph("graph.json", graph())));
    seen.rest();
    let steps = seen.harness.try_run().unwrap();
    assert!(steps <= 2, "{steps} frames without a reason");
}

#[test]
fn the_sheet_shows_every_command_with_its_keys() {
    let desk = Desk::new();
    let mut seen = desk.open(None);
    seen.key(Modifiers::SHIFT, Key::Questionmark);
    assert!(seen.has_text("Run every node that saves"), "{:?}", seen.labels());
    seen.key(Modifiers::NONE, Key::Escape);
    assert!(!seen.has_text("Run every node that saves"));
}

#[test]
fn the_tools_and_the_status_are_within_the_window_at_both_scales() {
    for scale in [1.0, 2.0] {
        let desk = Desk::new();
        let seen = desk.open_at(Some(desk.graph("graph.json", graph())), scale);
        let window = Rect::from_min_max(pos2(0.0, 0.0), pos2(1280.0, 720.0)).expand(0.5);
        let tools = ["Run all (tool)", "Cancel (tool)", "Shortcuts (tool)", "Fit everything (tool)"];
        for label in tools {
            let rect = seen.harness_rect(label);
            assert!(window.contains_rect(rect), "{label} at {rect:?} with scale {scale}");
        }
    }
}

#[test]
fn every_sign_that_is_shown_among_words_has_a_glyph() {
    let desk = Desk::new();
    let seen = desk.open(None);
    // What messages and values are written with. Of some signs egui cannot tell: those of the font that has the sign in the
    // place of all that it lacks.
    let signs = "→≤≥≠∞×⏵⏷…–°²⁶⁴−√ε";
    let font = FontId::proportional(11.0);
    let lacks = |sign: &char| seen.harness.ctx.fonts_mut(|fonts| !fonts.has_glyph(&font, *sign));
    assert_eq!(signs.chars().filter(lacks).collect::<String>(), "");
}
