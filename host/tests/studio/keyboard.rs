//! The keyboard alone: nodes chosen one by one, the canvas moved about, menus and what is in them.

use crate::desk::{Desk, Seen};
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable, by};
use mgie_host::studio::action::{COMMANDS, MENUS};
use serde_json::json;

fn three(desk: &Desk) -> Seen {
    let path = desk.path("three.json");
    let node = || json!({ "type": "test.number" });
    let graph = json!({
        "mgie": 1,
        "nodes": { "one": node(), "two": node(), "three": node() },
        "studio": { "one": [0, 0], "two": [300, 40], "three": [600, 80] },
    });
    std::fs::write(&path, graph.to_string()).unwrap();
    desk.open(Some(path))
}

fn press(seen: &mut Seen, key: Key) {
    seen.key(Modifiers::NONE, key);
}

fn selected(seen: &Seen) -> Vec<String> {
    let mut names: Vec<String> = seen.studio().session().selection().iter().cloned().collect();
    names.sort();
    names
}

/// What has the keyboard, as a screen reader tells it.
fn focused(seen: &Seen) -> Option<String> {
    let found = seen.harness.query_all(by()).find(|node| node.accesskit_node().is_focused())?;
    found.accesskit_node().label()
}

/// Tab, until something has the keyboard.
fn tab_to(seen: &mut Seen, label: &str) {
    let mut passed = Vec::new();
    for _ in 0..60 {
        let now = focused(seen);
        if now.as_deref() == Some(label) {
            return;
        }
        passed.push(now);
        press(seen, Key::Tab);
    }
    panic!("Tab does not lead to {label}, but to {passed:?}");
}

#[test]
fn nodes_are_selected_one_by_one_by_keys_without_those_between() {
    let desk = Desk::new();
    let mut seen = three(&desk);
    press(&mut seen, Key::J);
    assert_eq!(seen.studio().canvas().marked(), Some("one"));
    assert_eq!(selected(&seen), Vec::<String>::new());
    press(&mut seen, Key::Space);
    press(&mut seen, Key::J);
    press(&mut seen, Key::J);
    assert_eq!(selected(&seen), ["one"]);
    press(&mut seen, Key::Space);
    assert_eq!(selected(&seen), ["one", "three"]);
    // Screen readers are told where the keyboard is, and whether that is selected.
    assert_eq!(focused(&seen).as_deref(), Some("node three"));
    let is_selected = |seen: &Seen, node: &str| seen.harness.get_by_label(node).accesskit_node().is_selected();
    assert_eq!((is_selected(&seen, "node three"), is_selected(&seen, "node two")), (Some(true), Some(false)));
    // The arrows move what is selected, and not the keyboard.
    for key in [Key::ArrowRight, Key::ArrowLeft, Key::ArrowUp, Key::ArrowDown, Key::ArrowDown] {
        press(&mut seen, key);
        assert_eq!(focused(&seen).as_deref(), Some("node three"), "after {key:?}");
    }
    let at = |seen: &Seen, node: &str| seen.studio().session().position(node);
    assert_eq!([at(&seen, "one"), at(&seen, "two"), at(&seen, "three")], [[0.0, 20.0], [300.0, 40.0], [600.0, 100.0]]);
    press(&mut seen, Key::Space);
    assert_eq!(selected(&seen), ["one"], "once more takes it out");
    press(&mut seen, Key::K);
    press(&mut seen, Key::Enter);
    assert_eq!(selected(&seen), ["two"], "Enter selects it alone");
    press(&mut seen, Key::J);
    press(&mut seen, Key::J);
    assert_eq!(seen.studio().canvas().marked(), Some("one"), "after the last comes the first");
    press(&mut seen, Key::Tab);
    assert!(seen.has("Find a node"), "Tab finds a node to add, as everywhere on the canvas");
    press(&mut seen, Key::Escape);
    press(&mut seen, Key::Escape);
    assert_eq!((seen.studio().canvas().marked(), selected(&seen).len()), (None, 0));
}

#[test]
fn the_mark_goes_with_its_node_and_with_a_click_elsewhere() {
    let desk = Desk::new();
    let mut seen = three(&desk);
    press(&mut seen, Key::J);
    press(&mut seen, Key::Space);
    press(&mut seen, Key::Delete);
    assert_eq!(seen.studio().session().document().nodes.len(), 2);
    assert_eq!(seen.studio().canvas().marked(), None);
    // The menu does the same, and takes the keyboard from the node: the mark stays.
    press(&mut seen, Key::J);
    seen.click("Edit");
    seen.click("Select marked node too");
    assert_eq!(selected(&seen), ["two"]);
    let beside = seen.harness_rect("node two").left_bottom() + eframe::egui::vec2(-20.0, 60.0);
    seen.click_at(beside);
    assert_eq!((seen.studio().canvas().marked(), selected(&seen).len()), (None, 0));
    press(&mut seen, Key::J);
    assert!(seen.studio().canvas().marked().is_some());
    seen.click_at(beside);
    assert_eq!(seen.studio().canvas().marked(), None, "also where nothing was selected");
}

#[test]
fn a_space_that_is_typed_and_one_that_presses_a_button_select_nothing() {
    let desk = Desk::new();
    let mut seen = three(&desk);
    press(&mut seen, Key::J);
    seen.harness.get_by_label("Log (tool)").focus();
    seen.rest();
    press(&mut seen, Key::Space);
    assert!(seen.has("Nothing has been said yet."), "the button was pressed: {:?}", seen.labels());
    assert_eq!(selected(&seen), Vec::<String>::new());
}

#[test]
fn the_canvas_is_panned_by_keys_but_not_from_within_a_field() {
    let desk = Desk::new();
    let mut seen = three(&desk);
    let revision = seen.studio().session().revision();
    let before = seen.center("node two");
    let pan = |seen: &mut Seen, key: Key| seen.key(Modifiers::COMMAND, key);
    pan(&mut seen, Key::ArrowRight);
    let right = seen.center("node two") - before;
    assert!(right.x < -40.0 && right.y.abs() < 1.0, "what lies to the right comes nearer: {right:?}");
    pan(&mut seen, Key::ArrowUp);
    let up = seen.center("node two") - before;
    assert!((up.x - right.x).abs() < 1.0 && up.y > 20.0, "what lies above comes nearer: {up:?}");
    pan(&mut seen, Key::ArrowLeft);
    pan(&mut seen, Key::ArrowDown);
    assert!((seen.center("node two") - before).length() < 1.0);
    assert_eq!(seen.studio().session().revision(), revision, "nothing is moved");
    // A node that has the keyboard has no use for the arrows of its own.
    press(&mut seen, Key::J);
    let marked = seen.center("node two");
    pan(&mut seen, Key::ArrowRight);
    assert!(seen.center("node two").x < marked.x - 40.0);
    seen.select("two");
    let before = seen.center("node two");
    seen.click("Value");
    pan(&mut seen, Key::ArrowRight);
    assert_eq!(seen.center("node two"), before, "in a field it goes a word further");
}

#[test]
fn every_command_stands_in_its_menu_and_long_menus_have_submenus() {
    let desk = Desk::new();
    let mut seen = three(&desk);
    seen.key(Modifiers::COMMAND, Key::A);
    for (menu, title) in MENUS {
        seen.click(title);
        let mut found = seen.labels();
        for long in ["Align top", "Move up", "Wider", "Pan up"] {
            assert!(!seen.has(long), "{long} in {title}: {found:?}");
        }
        for submenu in ["Align", "Move", "Pan"] {
            if seen.has(submenu) {
                seen.click(submenu);
                found.extend(seen.labels());
            }
        }
        for entry in COMMANDS.iter().filter(|entry| entry.menu == *menu) {
            assert!(found.iter().any(|label| label == entry.label), "{} in {title}: {found:?}", entry.label);
        }
        press(&mut seen, Key::Escape);
    }
}

#[test]
fn an_entry_of_a_submenu_is_reached_by_the_keyboard() {
    let desk = Desk::new();
    let mut seen = three(&desk);
    seen.key(Modifiers::COMMAND, Key::A);
    seen.harness.get_by_label("Node").focus();
    seen.rest();
    press(&mut seen, Key::Enter);
    assert!(seen.has("Align") && !seen.has("Align top"), "{:?}", seen.labels());
    tab_to(&mut seen, "Align");
    press(&mut seen, Key::Enter);
    tab_to(&mut seen, "Align top");
    press(&mut seen, Key::Enter);
    let heights = ["one", "two", "three"].map(|node| seen.studio().session().position(node)[1]);
    assert_eq!(heights, [0.0; 3]);
    assert!(!seen.has("Align top"), "the menu is closed");
}
