//! Pictures of the main states in both themes, compared with those in `tests/snapshots`, rendered by wgpu on Mesa's software
//! Vulkan. They are compared where `MGIE_TEST_SCREEN` is set, as in CI, which installs Mesa; `UPDATE_SNAPSHOTS=1` makes them
//! anew. Nothing in them hangs on time or on this machine: nodes that ran are shown when they are kept from a run before.

use crate::desk::{Desk, Seen};
use eframe::egui::{Event, Key, Modifiers, Rect, pos2, vec2};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::Catalogue;
use mgie_host::studio::{Setup, Studio};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Plugin, Run, Tensor, Value, kind};
use serde_json::json;
use std::sync::Arc;

/// Width and height of the pictures that the nodes make.
const PICTURE: [usize; 2] = [24, 16];

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

/// The same in the dark theme, in which a studio begins, and in the light one.
fn compare_both(seen: &mut Seen, name: &str, results: &mut SnapshotResults) {
    compare(seen, &format!("{name} dark"), results);
    seen.key(Modifiers::NONE, Key::F10);
    compare(seen, &format!("{name} light"), results);
    seen.key(Modifiers::NONE, Key::F10);
}

/// A picture whose red grows to the right and whose green grows downwards.
fn picture(blue: f64) -> Result<Outputs, Failure> {
    let [width, height] = PICTURE;
    let pixel = |x: usize, y: usize| [x as f32 / width as f32, y as f32 / height as f32, blue as f32];
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    Ok(Outputs::new().with("image", Value::image(Tensor::from_f32([height, width, 3], pixels)?, 8)))
}

/// Stands still until it is cancelled.
fn stand_still(run: &Run) -> Result<Outputs, Failure> {
    loop {
        run.check_cancelled()?;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Puts a picture into its column of a sheet of one row.
fn sheet(run: &Run) -> Result<Outputs, Failure> {
    let [width, height] = PICTURE;
    let columns = run.string("columns")?.lines().count();
    let mut pixels = match run.image("sheet") {
        Ok(sheet) => sheet.pixels().to_vec(),
        Err(_) => vec![0.1; columns * width * height * 3],
    };
    let (picture, column) = (run.image("picture")?, run.count("column")? - 1);
    for (y, row) in picture.pixels().chunks_exact(width * 3).enumerate() {
        let at = (y * columns + column) * width * 3;
        pixels[at..at + width * 3].copy_from_slice(row);
    }
    let sheet = Tensor::from_f32([height, columns * width, 3], pixels)?;
    Ok(Outputs::new().with("sheet", Value::image(sheet, 8)))
}

/// A plugin whose nodes stand where a picture is taken of them.
fn plugin() -> Plugin {
    let node = |id: &str| NodeDescription::new(id, id, "Test", "A node for pictures.");
    let words = || Domain::Text { default: String::new(), multiline: false };
    let place = || Domain::Integer { default: 1, hard: [1, 1000], soft: [1, 1000] };
    let file = Domain::SaveFile { default: String::new(), extensions: vec!["png".into()] };
    let blue = Domain::Float { default: 0.5, hard: [0.0, 10.0], soft: [0.0, 1.0] };
    Plugin::new("pictures", "1")
        .node(NodeDefinition::new(
            // Beyond 1 it does not end.
            node("pic.make").parameter("blue", "Blue", blue, "").output("image", "Image", kind::IMAGE, ""),
            |run| match run.float("blue")? {
                blue if blue > 1.0 => stand_still(run),
                blue => picture(blue),
            },
        ))
        .node(NodeDefinition::new(
            node("pic.slow").input("image", "Image", kind::IMAGE, "").output("image", "Image", kind::IMAGE, ""),
            |run| {
                run.progress(12, 40, "step");
                run.preview(run.value("image")?.clone());
                stand_still(run)
            },
        ))
        .node(NodeDefinition::new(
            node("image.save")
                .input("image", "Image", kind::IMAGE, "")
                .parameter("path", "Path", file, "")
                .with_side_effect(),
            |_: &Run| Ok(Outputs::new()),
        ))
        .node(NodeDefinition::new(
            node("image.sheet")
                .optional_input("sheet", "Sheet", kind::IMAGE, "")
                .optional_input("picture", "Picture", kind::IMAGE, "")
                .parameter("columns", "Columns", words(), "")
                .parameter("rows", "Rows", words(), "")
                .parameter("text", "Text", words(), "")
                .parameter("column", "Column", place(), "")
                .parameter("row", "Row", place(), "")
                .parameter("cell", "Cell", place(), "")
                .output("sheet", "Sheet", kind::IMAGE, ""),
            sheet,
        ))
}

/// A studio whose nodes are those above.
fn open(desk: &Desk, nodes: serde_json::Value) -> Seen {
    let graph = desk.graph("pictures.json", nodes);
    let engine = Arc::new(Engine::new(Arc::new(Catalogue::of([plugin()])), Budgets::default()));
    let setup = Setup { engine, ..desk.setup(Some(graph)) };
    Desk::show(Studio::new(setup), vec2(1280.0, 720.0), 1.0)
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
    compare_both(&mut seen, "opened", &mut results);
    seen.select("bad");
    compare_both(&mut seen, "selected", &mut results);
    for theme in ["dark", "light"] {
        seen.key(Modifiers::NONE, Key::Tab);
        compare(&mut seen, &format!("palette {theme}"), &mut results);
        seen.key(Modifiers::NONE, Key::Escape);
        seen.key(Modifiers::NONE, Key::F10);
    }
}

#[test]
fn a_node_that_failed_looks_as_it_did() {
    if !has_screen() {
        return;
    }
    let desk = Desk::new();
    let graph = json!({
        "one": { "type": "test.number", "params": { "value": 2.5 } },
        "bad": { "type": "test.bad", "params": { "how": "fail" }, "inputs": { "after": "one.number" } },
        "after": { "type": "test.take", "inputs": { "number": "bad.other" } },
    });
    let mut results = SnapshotResults::new();
    let mut seen = desk.open(Some(desk.graph("graph.json", graph)));
    for _ in 0..2 {
        seen.run();
    }
    // Until the toast is gone: what stays is what the node says.
    seen.harness.run_steps(60);
    assert!(!seen.has_text("toast: ") && seen.has("→ wire in another"), "{:?}", seen.labels());
    compare_both(&mut seen, "failed", &mut results);
}

#[test]
fn a_result_in_the_viewer_and_a_run_that_goes_on_look_as_they_did() {
    if !has_screen() {
        return;
    }
    let desk = Desk::new();
    let graph = json!({
        "photo": { "type": "pic.make" },
        "slow": { "type": "pic.slow", "inputs": { "image": "photo.image" } },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "slow.image" } },
    });
    let mut results = SnapshotResults::new();
    let mut seen = open(&desk, graph);
    seen.select("photo");
    for _ in 0..2 {
        seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
        seen.until("the run is over", |studio| !studio.runner().is_running());
    }
    seen.key(Modifiers::NONE, Key::Escape);
    seen.key(Modifiers::NONE, Key::Home);
    assert!(seen.has_text("Picture A, 24 × 16"), "the viewer opened by itself: {:?}", seen.labels());
    compare_both(&mut seen, "viewer", &mut results);

    seen.key(Modifiers::NONE, Key::F8);
    seen.harness_click("Run all (tool)");
    seen.until_busy("the slow node shows something", |studio| studio.runner().preview("slow").is_some());
    seen.key(Modifiers::NONE, Key::Home);
    assert!(seen.has("state of slow: 30 %") && seen.has("state of result: waiting"), "{:?}", seen.labels());
    compare_both(&mut seen, "running", &mut results);
}

#[test]
fn a_sweep_that_is_half_way_looks_as_it_did() {
    if !has_screen() {
        return;
    }
    let desk = Desk::new();
    let graph = json!({
        "photo": { "type": "pic.make" },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "photo.image" } },
    });
    let mut results = SnapshotResults::new();
    let mut seen = open(&desk, graph);
    seen.select("photo");
    seen.secondary("Blue label");
    seen.click("Sweep…");
    seen.click("Across: values");
    seen.event(Event::Text("0, 0.9, 2, 0.4".into()));
    seen.harness_click("Run sweep");
    seen.until_shown("2 of 4 cells");
    assert!(seen.studio().sweeps().is_running());
    compare_both(&mut seen, "sweep", &mut results);
}

#[test]
fn nodes_seen_from_afar_look_as_they_did() {
    if !has_screen() {
        return;
    }
    let desk = Desk::new();
    let mut results = SnapshotResults::new();
    let mut seen = desk.open(Some(desk.grid("grid.json", 120)));
    for (node, key) in [("n30", Key::M), ("n31", Key::H)] {
        let header = seen.harness_rect(&format!("node {node}")).center_top() + vec2(0.0, 2.0);
        seen.click_at(header);
        seen.key(Modifiers::NONE, key);
    }
    seen.key(Modifiers::NONE, Key::Home);
    assert!(seen.studio().canvas().zoom() < 0.2, "{}", seen.studio().canvas().zoom());
    compare_both(&mut seen, "afar", &mut results);
}
