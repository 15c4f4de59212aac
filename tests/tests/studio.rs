//! The studio with the real plugins: graphs/mgie.json is opened, changed, run, looked at, taken back and saved, through
//! the accessibility tree. The miniature stands in for the released weights.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use eframe::egui::{Event, Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mgie_host::document::Document;
use mgie_host::engine::{Budgets, Engine, Outcome};
use mgie_host::plugins::{Catalogue, SearchPath};
use mgie_host::running::NodeState;
use mgie_host::studio::{Setup, Studio};
use mgie_host::sweeping::inscription;
use mgie_tests::{build_folder, miniature, repository};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A window that nobody sees.
struct Seen(Harness<'static, Studio>);

impl Seen {
    /// A studio with graphs/mgie.json as it lies in `folder`.
    fn open(folder: &Path) -> Self {
        Self::of(folder.join("mgie.json"), folder)
    }

    /// A studio with that graph, which keeps what it keeps in `folder`.
    fn of(graph: PathBuf, folder: &Path) -> Self {
        let catalogue = Catalogue::discover(&SearchPath::default().then(build_folder()), None);
        let setup = Setup {
            engine: Arc::new(Engine::new(Arc::new(catalogue), Budgets::default())),
            models: Some(miniature()),
            threads: Some(2),
            graph: Some(graph),
            data: Some(folder.join("data")),
        };
        let harness = Harness::builder()
            .with_size(vec2(1280.0, 720.0))
            .with_max_steps(64)
            .build_ui_state(|ui, studio: &mut Studio| studio.ui(ui), Studio::new(setup));
        let mut seen = Self(harness);
        seen.0.run_ok();
        seen
    }

    fn click(&mut self, label: &str) {
        self.0.get_by_label(label).click();
        self.0.run_ok();
    }

    fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.0.key_press_modifiers(modifiers, key);
        self.0.run_ok();
    }

    /// Selects a node in the list that is there where none is selected.
    fn select(&mut self, node: &str) {
        self.key(Modifiers::NONE, Key::Escape);
        self.click(&format!("Go to {node}"));
    }

    fn type_into(&mut self, label: &str, text: &str) {
        self.click(label);
        self.key(Modifiers::COMMAND, Key::A);
        self.0.event(Event::Text(text.to_owned()));
        self.0.run_ok();
        self.key(Modifiers::NONE, Key::Enter);
    }

    /// Runs everything, and waits until it is over.
    fn run(&mut self) {
        self.0.get_by_label("Run all (tool)").click();
        self.0.step();
        self.until("the run is over", |studio| !studio.runner().is_running());
    }

    /// Frames until something is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Studio) -> bool) {
        let began = Instant::now();
        while !is_so(self.0.state()) {
            assert!(began.elapsed() < Duration::from_secs(120), "waited until {what}: {:?}", self.0.state().said());
            std::thread::sleep(Duration::from_millis(5));
            self.0.step();
        }
        self.0.run_ok();
    }

    fn shows(&self, part: &str) -> bool {
        self.0.query_all_by_label_contains(part).next().is_some()
    }

    fn steps(&self) -> Option<Value> {
        self.0.state().session().document().nodes.get("denoise")?.params.get("steps").cloned()
    }
}

/// A folder with graphs/mgie.json and its photo.
fn with_mgie() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let graphs = repository().join("graphs");
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    for file in ["photos/landscape.png", "mgie.json"] {
        std::fs::copy(graphs.join(file), folder.path().join(file)).unwrap();
    }
    folder
}

#[test]
fn denoising_shows_its_progress_and_a_picture_and_is_cancelled() {
    let folder = with_mgie();
    let mut seen = Seen::open(folder.path());
    seen.select("denoise");
    seen.type_into("Steps", "1000");
    seen.0.get_by_label("Run all (tool)").click();
    seen.0.step();
    seen.until("it denoises", |studio| {
        let runner = studio.runner();
        let on_the_way = matches!(runner.state("denoise"), NodeState::Running { done: 1.., total: 1000, .. });
        on_the_way && runner.preview("denoise").is_some_and(|preview| preview.as_image().is_some())
    });
    assert!(seen.shows("picture of denoise"), "the node shows what becomes of the picture");
    seen.0.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    seen.0.step();
    seen.until("it is cancelled", |studio| !studio.runner().is_running());
    let runner = seen.0.state().runner();
    assert!(!matches!(runner.state("denoise"), NodeState::Done { .. }), "{:?}", runner.state("denoise"));
    assert!(matches!(runner.state("vae_encode"), NodeState::Done { .. }), "{:?}", runner.state("vae_encode"));
    assert!(runner.value("mllm", "text").is_some(), "what was done stays to be looked at");
    assert!(!folder.path().join("edited.png").exists());
}

#[test]
fn mgie_is_opened_changed_run_looked_at_taken_back_and_saved() {
    let folder = with_mgie();
    let graph = folder.path().join("mgie.json");
    let before = std::fs::read_to_string(&graph).unwrap();

    let mut seen = Seen::open(folder.path());
    let begun = seen.steps();
    seen.select("denoise");
    seen.type_into("Steps", "2");
    assert_eq!(seen.steps(), Some(json!(2)));
    seen.run();
    let value =
        seen.0.state().runner().value("vae_decode", "image").unwrap_or_else(|| {
            panic!("no picture: {:?}, {:?}", seen.0.state().said(), seen.0.state().runner().problems())
        });
    let picture = value.as_image().unwrap();
    assert!(folder.path().join("edited.png").is_file(), "the graph's own result is written");
    assert!(seen.shows("vae_decode.image"), "the viewer says what it shows");
    let size = format!("{} × {}, {} bit", picture.width, picture.height, picture.bit_depth);
    assert!(seen.shows(&size), "the viewer shows a picture of {size}");

    seen.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(seen.steps(), begun);
    seen.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(seen.steps(), Some(json!(2)));
    seen.key(Modifiers::COMMAND, Key::S);
    assert!(seen.0.state().session().is_saved(), "{:?}", seen.0.state().said());
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut expected = read(&before);
    expected["nodes"]["denoise"]["params"]["steps"] = json!(2);
    assert_eq!(read(&std::fs::read_to_string(&graph).unwrap())["nodes"], expected["nodes"]);
}

#[test]
fn a_parameter_is_swept_with_the_real_nodes_and_a_cell_is_opened_without_running_anything() {
    let folder = tempfile::tempdir().unwrap();
    let graph = json!({ "mgie": 1, "nodes": {
        "colour": { "type": "image.constant", "params": { "width": 60, "height": 40, "r": 1.0, "g": 0.5, "b": 0.0 } },
        "crop": { "type": "image.center_crop", "params": { "width": 10, "height": 20 }, "inputs": { "image": "colour.image" } },
    } });
    std::fs::write(folder.path().join("mgie.json"), graph.to_string()).unwrap();
    let mut seen = Seen::open(folder.path());
    seen.select("crop");
    seen.0.get_by_label("Width label").click_secondary();
    seen.0.run_ok();
    seen.click("Sweep…");
    seen.click("Across: values");
    seen.0.event(Event::Text("16, 24, 100, 32".to_owned()));
    seen.0.run_ok();
    seen.0.get_by_label("Run sweep").click();
    seen.0.step();
    seen.until("the sweep is over", |studio| !studio.sweeps().is_running() && studio.sweeps().sheet().is_some());
    assert!(seen.shows("4 of 4 cells") && seen.shows("1 cells failed"), "100 is wider than the picture");
    let sheet = seen.0.state().sweeps().sheet().unwrap().as_image().unwrap();
    assert!(sheet.width > 4 * 32 && sheet.height > 20, "found {}×{}", sheet.width, sheet.height);

    // What the sweep computed is kept: neither node runs again for the cell, nor for its neighbours.
    for (cell, width) in [("width 24", 24), ("width 32", 32)] {
        seen.0.get_by_label(&format!("Open cell {cell}")).click();
        seen.0.step();
        seen.until("the cell is opened", |studio| {
            let picture = studio.runner().value("crop", "image").and_then(|value| value.as_image());
            !studio.runner().is_running() && picture.is_some_and(|picture| picture.width == width)
        });
        let studio = seen.0.state();
        assert_eq!(studio.session().document().nodes["crop"].params["width"], json!(width));
        assert_eq!(studio.runner().state("crop"), &NodeState::Cached);
        let ran = studio.runner().report().unwrap().with(Outcome::Ran).len();
        assert_eq!(ran, 0, "{cell}");
    }

    seen.0.get_by_label("Save sheet").click();
    seen.0.step();
    let saved = folder.path().join("sheet.png");
    seen.until("the sheet is saved", |_| saved.is_file());
    let opened = Document::open(&saved).unwrap();
    assert_eq!(opened.document.nodes["crop"].params["width"], json!(10), "it carries the graph that was swept");
    let told = inscription(&saved).unwrap().unwrap();
    assert_eq!(told["columns"], json!({ "node": "crop", "parameter": "width", "values": [16, 24, 100, 32] }));
}

#[test]
fn no_node_of_the_graphs_that_come_with_it_lies_over_another() {
    let graphs = repository().join("graphs");
    let listed = std::fs::read_dir(&graphs).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = listed.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.push(graphs.join("small/edit.json"));
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::of(file.clone(), folder.path());
        let studio = seen.0.state();
        let names: Vec<&String> = studio.session().document().nodes.keys().collect();
        assert!(!names.is_empty());
        for (at, name) in names.iter().enumerate() {
            let rect = studio.canvas().rect(name).unwrap();
            for other in &names[..at] {
                let beside = studio.canvas().rect(other).unwrap();
                assert!(!rect.intersects(beside), "{}: {name} {rect:?}, {other} {beside:?}", file.display());
            }
        }
    }
}
