//! Pictures of the main states, compared with those in `tests/snapshots`, rendered by wgpu on Mesa's software Vulkan. They are
//! compared where `MGIE_TEST_SCREEN` is set, as in CI, which installs Mesa; `UPDATE_SNAPSHOTS=1` makes them anew.

use crate::desk::{Desk, Seen};
use eframe::egui::{Key, Modifiers, Rect, pos2};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use serde_json::json;

/// Whether pictures are compared here.
fn has_screen() -> bool {
    let has = std::env::var_os("MGIE_TEST_SCREEN").is_some();
    if !has {
        eprintln!("MGIE_TEST_SCREEN is not set, so that no pictures were compared");
    }
    has
}

fn compare(seen: &mut Seen, name: &str, results: &mut SnapshotResults) {
    seen.harness.remove_cursor();
    seen.rest();
    // The status bar tells of this machine's memory and of a folder that is another one each time.
    seen.harness.mask(Rect::from_min_max(pos2(0.0, 688.0), pos2(1280.0, 720.0)));
    // Versions of Mesa differ at the edges of shapes.
    let options = SnapshotOptions::default().threshold(1.0).max_failed_pixels(600_usize);
    results.add(seen.harness.try_snapshot_options(name, &options));
}

#[test]
fn the_main_states_look_as_they_did() {
    if !has_screen() {
        return;
    }
    let desk = Desk::new();
    let graph = json!({
        "one": { "type": "test.number", "params": { "value": 2.5 } },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
        "bad": { "type": "test.bad", "inputs": { "after": "sum.number" } },
        "alien": { "type": "org.example.blur", "inputs": { "in": "sum.number" } },
    });
    let mut results = SnapshotResults::new();
    let mut seen = desk.open(Some(desk.graph("graph.json", graph)));
    compare(&mut seen, "opened dark", &mut results);
    seen.key(Modifiers::NONE, Key::F10);
    compare(&mut seen, "opened light", &mut results);
    seen.select("bad");
    compare(&mut seen, "selected light", &mut results);
    seen.key(Modifiers::NONE, Key::F10);
    seen.key(Modifiers::NONE, Key::Tab);
    compare(&mut seen, "palette dark", &mut results);
}
