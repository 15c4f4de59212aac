//! A studio on a desk: a folder of its own, the fake plugins, and a window of 1280 × 720 that nobody sees.

use crate::fakes::{Diary, pictures, plugin};
use eframe::egui::{self, Event, Key, Modifiers, PointerButton, Pos2, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::Catalogue;
use mgie_host::studio::{Setup, Studio};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a test waits for something before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Desk {
    pub folder: tempfile::TempDir,
    pub diary: Diary,
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), diary: Diary::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a graph, given as the inside of `nodes`.
    pub fn graph(&self, name: &str, nodes: Value) -> PathBuf {
        let path = self.path(name);
        let text = serde_json::to_string_pretty(&json!({ "mgie": 1, "nodes": nodes })).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A graph of so many nodes in rows of 25, each of which takes what the one before it and one half as far gave.
    pub fn grid(&self, name: &str, count: usize) -> PathBuf {
        let (mut nodes, mut places) = (Map::new(), Map::new());
        for index in 0..count {
            let name = format!("n{index}");
            let node = if index == 0 {
                json!({ "type": "test.number" })
            } else {
                let (a, b) = (format!("n{}.number", index - 1), format!("n{}.number", index / 2));
                json!({ "type": "test.add", "inputs": { "a": a, "b": b } })
            };
            places.insert(name.clone(), json!([(index % 25) * 320, (index / 25) * 260]));
            nodes.insert(name, node);
        }
        let path = self.path(name);
        std::fs::write(&path, json!({ "mgie": 1, "nodes": nodes, "studio": places }).to_string()).unwrap();
        path
    }

    /// Writes a picture of one pixel; one that carries a graph where the inside of `nodes` is given.
    pub fn picture(&self, name: &str, nodes: Option<Value>) -> PathBuf {
        let path = self.path(name);
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 1, 1);
        if let Some(nodes) = nodes {
            let text = json!({ "mgie": 1, "nodes": nodes }).to_string();
            encoder.add_itxt_chunk("mgie".to_owned(), text).unwrap();
        }
        encoder.write_header().unwrap().write_image_data(&[128]).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    pub fn setup(&self, graph: Option<PathBuf>) -> Setup {
        let catalogue = Arc::new(Catalogue::of([plugin(&self.diary), pictures::plugin(&self.diary)]));
        let budgets = Budgets { cache_bytes: 1 << 30, weights_bytes: None };
        Setup {
            engine: Arc::new(Engine::new(catalogue, budgets)),
            models: Some(self.folder.path().to_owned()),
            threads: Some(2),
            graph,
            data: Some(self.path("data")),
        }
    }

    /// Opens a studio.
    pub fn open(&self, graph: Option<PathBuf>) -> Seen {
        self.open_at(graph, 1.0)
    }

    /// Opens a studio on a screen with so many pixels a point.
    pub fn open_at(&self, graph: Option<PathBuf>, pixels_per_point: f32) -> Seen {
        Self::show(Studio::new(self.setup(graph)), vec2(1280.0, 720.0), pixels_per_point)
    }

    /// Shows a studio in a window of that size, in points.
    pub fn show(studio: Studio, size: Vec2, pixels_per_point: f32) -> Seen {
        let harness = Harness::builder()
            .with_size(size)
            .with_pixels_per_point(pixels_per_point)
            .with_max_steps(64)
            .build_ui_state(|ui, studio: &mut Studio| studio.ui(ui), studio);
        let mut seen = Seen { harness };
        seen.rest();
        seen
    }
}

/// A studio as a test sees it.
pub struct Seen {
    pub harness: Harness<'static, Studio>,
}

impl Seen {
    pub fn studio(&self) -> &Studio {
        self.harness.state()
    }

    /// Frames until nothing moves any more.
    pub fn rest(&mut self) {
        self.harness.run_ok();
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.rest();
    }

    /// A click, without waiting for what it begins.
    pub fn harness_click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.step();
    }

    pub fn secondary(&mut self, label: &str) {
        self.harness.get_by_label(label).click_secondary();
        self.rest();
    }

    pub fn has(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    pub fn has_text(&self, part: &str) -> bool {
        self.harness.query_all_by_label_contains(part).next().is_some()
    }

    pub fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.rest();
    }

    pub fn event(&mut self, event: Event) {
        self.harness.event(event);
        self.rest();
    }

    /// Types a value into the field of that label, in the place of what is there.
    pub fn type_into(&mut self, label: &str, text: &str) {
        self.harness.get_by_label(label).click();
        self.rest();
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.harness.step();
        self.event(Event::Text(text.to_owned()));
        self.key(Modifiers::NONE, Key::Enter);
    }

    /// Drags with the primary button from one place of the window to another.
    pub fn drag(&mut self, from: Pos2, to: Pos2) {
        self.drag_with(Modifiers::NONE, from, to);
    }

    /// The same with keys held.
    pub fn drag_with(&mut self, modifiers: Modifiers, from: Pos2, to: Pos2) {
        let button =
            |pos: Pos2, pressed: bool| Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers };
        self.harness.event(Event::ModifiersChanged(modifiers));
        self.harness.event(Event::PointerMoved(from));
        self.harness.step();
        self.harness.event(button(from, true));
        self.harness.step();
        for part in 1..=4 {
            self.harness.event(Event::PointerMoved(from + (to - from) * (part as f32 / 4.0)));
            self.harness.step();
        }
        self.harness.event(button(to, false));
        self.harness.step();
        self.harness.event(Event::ModifiersChanged(Modifiers::NONE));
        self.rest();
    }

    /// A click that is short enough to be one.
    pub fn click_at(&mut self, at: Pos2) {
        self.click_at_with(Modifiers::NONE, at);
    }

    /// The same with keys held.
    pub fn click_at_with(&mut self, modifiers: Modifiers, at: Pos2) {
        self.harness.event(Event::ModifiersChanged(modifiers));
        self.harness.event(Event::PointerMoved(at));
        self.harness.step();
        for event in press(at, modifiers) {
            self.harness.event(event);
        }
        self.harness.step();
        self.harness.event(Event::ModifiersChanged(Modifiers::NONE));
        self.rest();
    }

    /// Two clicks within one frame: the frames of a test are too far apart in time.
    pub fn double_click_at(&mut self, at: Pos2) {
        self.harness.event(Event::PointerMoved(at));
        self.harness.step();
        self.harness.input_mut().events.extend([press(at, Modifiers::NONE), press(at, Modifiers::NONE)].concat());
        self.rest();
    }

    pub fn harness_rect(&self, label: &str) -> egui::Rect {
        self.harness.get_by_label(label).rect()
    }

    /// Drops a file into the window.
    pub fn drop_file(&mut self, path: impl Into<PathBuf>) {
        self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.into())));
        self.rest();
    }

    pub fn center(&self, label: &str) -> Pos2 {
        self.harness.get_by_label(label).rect().center()
    }

    /// The middle of what has that in its name.
    pub fn center_of_part(&self, part: &str) -> Pos2 {
        self.harness.get_by_label_contains(part).rect().center()
    }

    pub fn select(&mut self, node: &str) {
        self.click(&format!("Go to {node}"));
        assert_eq!(self.studio().session().selection().iter().collect::<Vec<_>>(), [node]);
    }

    /// Frames until something is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Studio) -> bool) {
        self.until_busy(what, is_so);
        self.rest();
    }

    /// The same while something moves all the time, such as a progress bar.
    pub fn until_busy(&mut self, what: &str, is_so: impl Fn(&Studio) -> bool) {
        let began = Instant::now();
        while !is_so(self.harness.state()) {
            assert!(began.elapsed() < PATIENCE, "waited in vain until {what}; {:?}", self.studio().said());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
    }

    /// Frames until something of that name is to be seen, though something moves all the time.
    pub fn until_shown(&mut self, label: &str) {
        let began = Instant::now();
        while !self.has(label) {
            assert!(began.elapsed() < PATIENCE, "waited in vain for {label}: {:?}", self.labels());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
    }

    /// Runs everything, and waits until it is over.
    pub fn run(&mut self) {
        self.click("Run all (tool)");
        self.until("the run is over", |studio| !studio.runner().is_running());
    }

    pub fn wire(&self, node: &str, input: &str) -> Option<String> {
        let node = self.studio().session().document().nodes.get(node)?;
        Some(node.inputs.get(input)?.as_str().to_owned())
    }

    pub fn parameter(&self, node: &str, parameter: &str) -> Option<Value> {
        self.studio().session().document().nodes.get(node)?.params.get(parameter).cloned()
    }

    /// What an event puts on the clipboard.
    pub fn copied(&mut self, event: Event) -> Option<String> {
        self.harness.event(event);
        self.harness.step();
        self.on_clipboard()
    }

    /// What a click puts on the clipboard.
    pub fn copied_by(&mut self, label: &str) -> Option<String> {
        let click = press(self.center(label), Modifiers::NONE);
        self.harness.input_mut().events.extend(click);
        self.harness.step();
        self.on_clipboard()
    }

    fn on_clipboard(&self) -> Option<String> {
        self.harness.output().platform_output.commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// The whole tree, for a failing test to print.
    pub fn labels(&self) -> Vec<String> {
        self.harness
            .query_all(egui_kittest::kittest::by())
            .filter_map(|node| node.accesskit_node().label().or_else(|| node.accesskit_node().value()))
            .filter(|label| !label.is_empty())
            .collect()
    }
}

/// A file that is dropped into the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// The primary button goes down and up.
fn press(pos: Pos2, modifiers: Modifiers) -> [Event; 2] {
    let button = PointerButton::Primary;
    [true, false].map(|pressed| Event::PointerButton { pos, button, pressed, modifiers })
}
