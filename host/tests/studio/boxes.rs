//! Frames and notes without a pointer: found in the list, moved, resized, rewritten, copied and taken away by keys.

use crate::desk::{Desk, Seen};
use eframe::egui::{Event, Key, Modifiers};
use mgie_host::editing::{Frame, Note};
use serde_json::{Value, json};

/// A frame with one node and one note in it; a node and a note lie beside it.
fn open(desk: &Desk, nodes: Value) -> Seen {
    let path = desk.path("boxes.json");
    let graph = json!({
        "mgie": 1,
        "nodes": nodes,
        "studio": {
            "one": [40, 60], "two": [700, 60],
            "#frames": [{ "title": "Encode", "at": [0, 0], "size": [400, 400] }],
            "#notes": [
                { "text": "within", "at": [40, 300], "size": [200, 80] },
                { "text": "beside\nit", "at": [0, 500], "size": [220, 90] },
            ],
        },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    desk.open(Some(path))
}

fn nodes() -> Value {
    json!({ "one": { "type": "test.number" }, "two": { "type": "test.number" } })
}

fn frame(seen: &Seen) -> Frame {
    seen.studio().session().frames()[0].clone()
}

fn note(seen: &Seen, index: usize) -> Note {
    seen.studio().session().notes()[index].clone()
}

fn press(seen: &mut Seen, key: Key) {
    seen.key(Modifiers::NONE, key);
}

#[test]
fn a_frame_of_the_list_is_moved_by_the_arrow_keys_with_what_lies_in_it() {
    let desk = Desk::new();
    let mut seen = open(&desk, nodes());
    seen.key(Modifiers::COMMAND, Key::A);
    seen.click("Go to frame Encode");
    assert!(seen.studio().canvas().chosen().is_some() && seen.studio().session().selection().is_empty());
    press(&mut seen, Key::ArrowRight);
    press(&mut seen, Key::ArrowRight);
    press(&mut seen, Key::ArrowDown);
    assert_eq!(frame(&seen).at, [40.0, 20.0]);
    assert_eq!(seen.studio().session().position("one"), [80.0, 80.0]);
    assert_eq!(note(&seen, 0).at, [80.0, 320.0]);
    assert_eq!((seen.studio().session().position("two"), note(&seen, 1).at), ([700.0, 60.0], [0.0, 500.0]));
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!((frame(&seen).at, note(&seen, 0).at), ([0.0, 0.0], [40.0, 300.0]));
    assert_eq!(seen.studio().session().position("one"), [40.0, 60.0]);
    assert!(seen.studio().session().is_saved(), "one undo takes all of it back");
}

#[test]
fn a_frame_is_renamed_by_f2_and_that_is_a_step_of_its_own() {
    let desk = Desk::new();
    let mut seen = open(&desk, nodes());
    seen.click("Go to frame Encode");
    press(&mut seen, Key::ArrowRight);
    press(&mut seen, Key::F2);
    seen.type_into("text on the canvas", "Decode");
    assert_eq!((frame(&seen).title.as_str(), frame(&seen).at), ("Decode", [20.0, 0.0]));
    // The keys move it again: nothing holds the keyboard.
    press(&mut seen, Key::ArrowRight);
    assert_eq!(frame(&seen).at, [40.0, 0.0]);
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!((frame(&seen).title.as_str(), frame(&seen).at), ("Decode", [20.0, 0.0]));
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!((frame(&seen).title.as_str(), frame(&seen).at), ("Encode", [20.0, 0.0]));
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!((frame(&seen).title.as_str(), frame(&seen).at), ("Encode", [0.0, 0.0]));
}

#[test]
fn a_note_that_was_dragged_and_then_rewritten_by_a_double_click_is_undone_in_two_steps() {
    let desk = Desk::new();
    let mut seen = open(&desk, nodes());
    seen.click("Go to note beside");
    press(&mut seen, Key::ArrowUp);
    let at = seen.center("note beside\nit");
    seen.double_click_at(at);
    assert!(seen.has("text on the canvas"), "{:?}", seen.labels());
    seen.event(Event::Text("or ".into()));
    press(&mut seen, Key::Tab);
    assert!(!seen.has("text on the canvas") && !seen.has("Find a node"), "{:?}", seen.labels());
    let text = note(&seen, 1).text;
    assert!(text.contains("or ") && text.len() == "beside\nit".len() + 3, "{text:?}");
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!((note(&seen, 1).text.as_str(), note(&seen, 1).at), ("beside\nit", [0.0, 480.0]));
}

#[test]
fn shift_and_the_arrow_keys_resize_and_nothing_gets_too_small_to_be_held() {
    let desk = Desk::new();
    let mut seen = open(&desk, nodes());
    seen.click("Go to note within");
    press(&mut seen, Key::ArrowDown);
    seen.key(Modifiers::SHIFT, Key::ArrowRight);
    seen.key(Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!((note(&seen, 0).at, note(&seen, 0).size), ([40.0, 320.0], [220.0, 100.0]));
    for _ in 0..12 {
        seen.key(Modifiers::SHIFT, Key::ArrowLeft);
        seen.key(Modifiers::SHIFT, Key::ArrowUp);
    }
    assert_eq!(note(&seen, 0).size, [60.0, 60.0]);
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!((note(&seen, 0).at, note(&seen, 0).size), ([40.0, 320.0], [200.0, 80.0]), "the move is another step");
    seen.click("Go to frame Encode");
    seen.key(Modifiers::SHIFT, Key::ArrowRight);
    assert_eq!(frame(&seen).size, [420.0, 400.0]);
    assert_eq!(seen.studio().session().position("one"), [40.0, 60.0]);
}

#[test]
fn g_goes_from_one_frame_or_note_to_the_next_in_a_graph_without_nodes_too() {
    let desk = Desk::new();
    let mut seen = open(&desk, json!({}));
    assert!(seen.has("Go to frame Encode") && seen.has("Go to note beside"), "{:?}", seen.labels());
    // The frame takes the note within it along; then that moves alone, and then the one beside it.
    for (of_frame, within, beside) in [(20.0, 60.0, 0.0), (20.0, 80.0, 0.0), (20.0, 80.0, 20.0)] {
        press(&mut seen, Key::G);
        press(&mut seen, Key::ArrowRight);
        let found = (frame(&seen).at, note(&seen, 0).at, note(&seen, 1).at);
        assert_eq!(found, ([of_frame, 0.0], [within, 300.0], [beside, 500.0]));
    }
    seen.key(Modifiers::SHIFT, Key::G);
    press(&mut seen, Key::Delete);
    assert_eq!(seen.studio().session().notes().len(), 1);
    assert_eq!(note(&seen, 0).text, "beside\nit");
    press(&mut seen, Key::ArrowRight);
    assert_eq!(note(&seen, 0).at, [20.0, 500.0], "nothing is selected after that");
}

#[test]
fn the_keyboard_reaches_the_list_by_f6_and_leaves_it_with_what_was_chosen() {
    let desk = Desk::new();
    let mut seen = open(&desk, json!({}));
    press(&mut seen, Key::F6);
    press(&mut seen, Key::Enter);
    press(&mut seen, Key::ArrowDown);
    assert_eq!(frame(&seen).at, [0.0, 20.0], "{:?}", seen.studio().said());
}

#[test]
fn a_frame_or_note_is_duplicated_cut_and_pasted() {
    let desk = Desk::new();
    let mut seen = open(&desk, nodes());
    seen.click("Go to frame Encode");
    seen.key(Modifiers::COMMAND, Key::D);
    assert_eq!(seen.studio().session().frames().len(), 2);
    assert_eq!(seen.studio().session().frames()[1].at, [40.0, 40.0]);
    // The copy is what is selected, and the nodes that lie in it go with it.
    press(&mut seen, Key::ArrowRight);
    assert_eq!((frame(&seen).at, seen.studio().session().frames()[1].at), ([0.0, 0.0], [60.0, 40.0]));
    seen.click("Go to note beside");
    let text = seen.copied(Event::Cut).unwrap();
    seen.rest();
    assert_eq!(seen.studio().session().notes().len(), 1);
    let mut other = desk.open(None);
    other.event(Event::Paste(text));
    assert_eq!(other.studio().session().notes().len(), 1, "{:?}", other.studio().said());
    assert_eq!(note(&other, 0).text, "beside\nit");
    let before = note(&other, 0).at;
    press(&mut other, Key::ArrowRight);
    assert_eq!(note(&other, 0).at, [before[0] + 20.0, before[1]]);
}

#[test]
fn a_frame_that_an_undo_takes_away_is_no_longer_selected() {
    let desk = Desk::new();
    let mut seen = desk.open(None);
    press(&mut seen, Key::F);
    press(&mut seen, Key::Enter);
    assert!(seen.studio().canvas().chosen().is_some());
    seen.key(Modifiers::COMMAND, Key::Z);
    assert!(seen.studio().session().frames().is_empty());
    assert_eq!(seen.studio().canvas().chosen(), None);
}

#[test]
fn a_frame_within_a_frame_moves_with_the_outer_one_and_not_the_other_way_round() {
    let desk = Desk::new();
    let path = desk.path("nested.json");
    let graph = json!({
        "mgie": 1,
        "nodes": nodes(),
        "studio": {
            "one": [60, 120], "two": [1200, 60],
            "#frames": [
                { "title": "Inner", "at": [40, 80], "size": [300, 250] },
                { "title": "Outer", "at": [0, 0], "size": [500, 400] },
                // Its middle lies in the outer one, and the rest does not.
                { "title": "Across", "at": [100, 200], "size": [700, 100] },
                { "title": "Like outer", "at": [0, 0], "size": [500, 400] },
            ],
        },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    let mut seen = desk.open(Some(path));
    let places = |seen: &Seen| -> Vec<[f32; 2]> {
        let session = seen.studio().session();
        session.frames().iter().map(|frame| frame.at).chain([session.position("one")]).collect()
    };
    let before = places(&seen);
    seen.click("Go to frame Outer");
    press(&mut seen, Key::ArrowRight);
    press(&mut seen, Key::ArrowDown);
    let moved = vec![[60.0, 100.0], [20.0, 20.0], [100.0, 200.0], [0.0, 0.0], [80.0, 140.0]];
    assert_eq!(places(&seen), moved);
    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(places(&seen), before, "it is one step");
    seen.click("Go to frame Inner");
    press(&mut seen, Key::ArrowRight);
    let moved = vec![[60.0, 80.0], [0.0, 0.0], [100.0, 200.0], [0.0, 0.0], [80.0, 120.0]];
    assert_eq!(places(&seen), moved);
}
