//! The viewer and the inspector, driven through the accessibility tree. The plugin `inspect` is a stand-in here: the host's
//! tests link no nodes (`tests/tests/looking.rs` asks the real one).

#![cfg(feature = "studio")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use eframe::egui::{self, Key, Modifiers, MouseWheelUnit, TouchPhase, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::Catalogue;
use mgie_host::studio::look::comparison::Comparison;
use mgie_host::studio::look::{Answer, Inspector, Question, Tools, Viewer};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Plugin, Run, Tensor, Value, kind};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn picture<const N: usize>(shape: [usize; N], samples: Vec<f32>) -> Value {
    Value::image(Tensor::from_f32(shape, samples).unwrap(), 8)
}

/// Half grey, half white, 4 × 2.
fn before() -> Value {
    picture([2, 4, 3], [128.0 / 255.0; 12].into_iter().chain([1.0; 12]).collect())
}

/// Black, 4 × 2.
fn after() -> Value {
    picture([2, 4, 3], vec![0.0; 24])
}

struct Shown {
    viewer: Viewer,
    a: Option<Value>,
    b: Option<Value>,
}

fn viewer<'h>(a: Option<Value>, b: Option<Value>) -> Harness<'h, Shown> {
    let shown = Shown { viewer: Viewer::default(), a, b };
    let mut harness = Harness::builder()
        .with_size(vec2(900.0, 600.0))
        .with_max_steps(16)
        .build_ui_state(|ui, shown: &mut Shown| shown.viewer.show(ui, shown.a.as_ref(), shown.b.as_ref()), shown);
    harness.run();
    harness
}

fn click<State>(harness: &mut Harness<'_, State>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

#[test]
fn every_control_of_the_viewer_has_a_name() {
    let mut harness = viewer(Some(before()), Some(after()));
    for label in ["A", "B", "Wipe", "Difference", "RGB", "Red", "Green", "Blue", "Alpha", "Luminance"] {
        harness.get_by_label(label);
    }
    for label in
        ["Fit", "1:1", "Histogram", "Exposure", "Exposure as a number", "Reset exposure", "Picture A, 4 × 2, 8 bit"]
    {
        harness.get_by_label(label);
    }
    click(&mut harness, "Wipe");
    harness.get_by_label("Wipe position");
    harness.get_by_label("Wipe line");
    harness.get_by_label("Pictures A and B, 4 × 2, 8 bit");
    click(&mut harness, "Difference");
    harness.get_by_label("Gain");
    harness.get_by_label("Difference of A and B, 4 × 2, 8 bit");
}

#[test]
fn one_picture_has_nothing_to_be_compared_with() {
    let harness = viewer(Some(before()), None);
    assert!(harness.query_by_label("Wipe").is_none() && harness.query_by_label("Difference").is_none());
    viewer(None, Some(after())).get_by_label("Picture B, 4 × 2, 8 bit");
}

#[test]
fn what_is_no_picture_is_said_to_be_none() {
    viewer(None, None).get_by_label("No picture yet");
    viewer(Some(Value::text("a")), None).get_by_label("Not a picture: text");
}

#[test]
fn the_pixel_under_the_pointer_is_read_out() {
    let mut harness = viewer(Some(before()), Some(after()));
    let rect = harness.get_by_label("Picture A, 4 × 2, 8 bit").rect();
    harness.hover_at(rect.center() - vec2(20.0, 20.0));
    harness.run();
    harness.get_by_label("1, 0   R 0.5020 G 0.5020 B 0.5020   8 bit 128 128 128");
    click(&mut harness, "Wipe");
    harness.hover_at(rect.center() + vec2(20.0, 20.0));
    harness.run();
    let both = "2, 1   A R 1.0000 G 1.0000 B 1.0000   8 bit 255 255 255   B R 0 G 0 B 0   8 bit 0 0 0";
    harness.get_by_label(both);
}

#[test]
fn the_histogram_is_of_what_is_shown() {
    let mut harness = viewer(Some(before()), Some(after()));
    click(&mut harness, "Histogram");
    harness.get_by_label("Histogram, 0.0 % at black, 50.0 % at white");
    harness.state_mut().viewer.display.stops = 3.0;
    harness.run();
    harness.get_by_label("Histogram, 0.0 % at black, 100.0 % at white");
    click(&mut harness, "Reset exposure");
    harness.get_by_label("Histogram, 0.0 % at black, 50.0 % at white");
    click(&mut harness, "B");
    harness.get_by_label("Histogram, 100.0 % at black, 0.0 % at white");
    harness.state_mut().viewer.gain = 1.0;
    click(&mut harness, "Difference");
    harness.get_by_label("Histogram, 0.0 % at black, 50.0 % at white");
}

#[test]
fn wheel_and_keys_zoom_and_a_drag_moves() {
    let mut harness = viewer(Some(before()), None);
    let rect = harness.get_by_label("Picture A, 4 × 2, 8 bit").rect();
    let at = rect.center() - vec2(50.0, 30.0);
    assert!(harness.state().viewer.view.fit);
    harness.hover_at(at);
    harness.run();
    let read = || harness_reading(&harness);
    let before = read();
    harness.event(egui::Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, -300.0),
        modifiers: Modifiers::NONE,
        phase: TouchPhase::Move,
    });
    harness.run_steps(40);
    let view = harness.state().viewer.view;
    assert!(!view.fit && view.zoom < 100.0, "{view:?}");
    assert_eq!(harness_reading(&harness), before, "the pixel under the pointer stays there");
    harness.key_press(Key::Num1);
    harness.run();
    assert_eq!(harness.state().viewer.view.zoom, 1.0);
    harness.key_press(Key::F);
    harness.run();
    assert!(harness.state().viewer.view.fit);
    harness.drag_at(at);
    harness.run();
    harness.hover_at(at + vec2(60.0, 0.0));
    harness.run();
    harness.drop_at(at + vec2(60.0, 0.0));
    harness.run();
    let view = harness.state().viewer.view;
    assert!(!view.fit && view.centre.x < 2.0 && view.centre.y == 1.0, "{view:?}");
    click(&mut harness, "Fit");
    assert!(harness.state().viewer.view.fit);
    click(&mut harness, "1:1");
    assert_eq!((harness.state().viewer.view.zoom, harness.state().viewer.view.centre), (1.0, vec2(2.0, 1.0)));
}

/// The line that tells the pixel under the pointer.
fn harness_reading(harness: &Harness<'_, Shown>) -> String {
    harness.get_by_label_contains("   8 bit ").value().unwrap_or_default()
}

#[test]
fn the_line_of_the_wipe_is_dragged() {
    let mut harness = viewer(Some(before()), Some(after()));
    click(&mut harness, "Wipe");
    let (from, to) = (harness.get_by_label("Wipe line").rect().center(), vec2(90.0, 0.0));
    harness.drag_at(from);
    harness.run();
    harness.hover_at(from + to);
    harness.run();
    harness.drop_at(from + to);
    harness.run();
    let viewer = &harness.state().viewer;
    assert!(viewer.wipe > 0.55 && viewer.wipe < 0.7, "{}", viewer.wipe);
    assert!(viewer.view.fit, "the picture stayed where it was");
    harness.get_by_label("Wipe line");
}

#[test]
fn pictures_of_two_sizes_have_no_difference_and_that_is_said() {
    let mut harness = viewer(Some(before()), Some(picture([1, 1, 1], vec![0.5])));
    harness.state_mut().viewer.comparison = Comparison::Difference;
    harness.run();
    harness.get_by_label("A is 4 × 2, B is 1 × 1: only pictures of one size have a difference");
}

#[test]
fn a_picture_larger_than_a_texture_and_one_without_pixels_are_shown() {
    viewer(Some(picture([1, 5000, 1], vec![0.5; 5000])), None).get_by_label("Picture A, 5000 × 1, 8 bit");
    viewer(Some(picture([0, 4, 1], vec![])), None).get_by_label("Picture A, 4 × 0, 8 bit");
}

// The inspector.

/// A stand-in for the plugin `inspect`; counts the runs.
fn inspect(runs: &Arc<AtomicUsize>, slow: &Arc<Mutex<()>>) -> Plugin {
    let node = |id: &str, socket: &str, parameters: &[&str]| {
        let description = NodeDescription::new(id, id, "Inspect", "").input(socket, "", kind::ANY, "");
        parameters.iter().fold(description, |description, name| {
            let text = Domain::Text { default: String::new(), multiline: false };
            let number = Domain::Float { default: 0.0, hard: [-1e9, 1e9], soft: [0.0, 1.0] };
            let domain = if ["colours", "range"].contains(name) { text } else { number };
            description.parameter(name, "", domain, "")
        })
    };
    let rows = |run: &Run| run.tensor("value").map(|tensor| tensor.shape().to_vec());
    let (runs, slow) = (Arc::clone(runs), Arc::clone(slow));
    let statistics = move |run: &Run| {
        drop(slow.lock());
        runs.fetch_add(1, Ordering::SeqCst);
        let count = run.tensor("value")?.len();
        let told =
            json!({ "count": count, "nan": 1, "infinite": 2, "zeros": 0, "min": -1.5, "max": 2.5, "mean": null });
        Ok(Outputs::new().with("statistics", Value::text(told.to_string())))
    };
    let heat_map = move |run: &Run| {
        let shape = rows(run)?;
        let (rows, columns) = (shape[shape.len().saturating_sub(2)], shape.last().copied().unwrap_or(1));
        let told = json!({ "low": -2.0, "high": 2.0, "colours": "diverging", "rows": rows, "columns": columns });
        let image = Value::image(Tensor::from_f32([1, 1, 3], vec![0.5; 3])?, 8);
        Ok(Outputs::new().with("image", image).with("range", Value::text(told.to_string())))
    };
    let tensor = |shape: Vec<usize>, numbers: Vec<f32>| -> Result<Value, Failure> {
        Ok(Value::tensor(kind::TENSOR, json!({}), Tensor::from_f32(shape, numbers)?))
    };
    Plugin::new("inspect", "1")
        .node(NodeDefinition::new(
            node("inspect.statistics", "value", &[]).output("statistics", "", kind::TEXT, ""),
            statistics,
        ))
        .node(NodeDefinition::new(
            node("inspect.heat_map", "value", &["index", "outliers", "low", "high", "colours", "range"])
                .output("image", "", kind::IMAGE, "")
                .output("range", "", kind::TEXT, ""),
            heat_map,
        ))
        .node(NodeDefinition::new(
            node("inspect.row_norms", "value", &[]).output("norms", "", kind::TENSOR, ""),
            move |_| Ok(Outputs::new().with("norms", tensor(vec![3], vec![1.0, 2.0, 3.0])?)),
        ))
        .node(NodeDefinition::new(
            node("inspect.row_cosines", "value", &[]).output("cosines", "", kind::TENSOR, ""),
            move |_| Ok(Outputs::new().with("cosines", tensor(vec![3, 3], vec![1.0; 9])?)),
        ))
        .node(NodeDefinition::new(
            node("inspect.latents_picture", "latents", &["colours"]).output("image", "", kind::IMAGE, ""),
            |_| Ok(Outputs::new().with("image", Value::image(Tensor::from_f32([2, 2, 3], vec![0.5; 12])?, 8))),
        ))
}

struct Inspected {
    inspector: Inspector,
    value: Value,
    tools: Tools,
}

fn tools(plugins: Vec<Plugin>) -> (Tools, Receiver<()>) {
    let engine = Arc::new(Engine::new(Arc::new(Catalogue::of(plugins)), Budgets::default()));
    let (sender, answers) = channel();
    let sender = Mutex::new(sender);
    let wake = move || sender.lock().unwrap().send(()).unwrap_or_default();
    (Tools::new(engine, Arc::new(wake)), answers)
}

/// An inspector of `value`, when all that it asked for is answered.
fn inspector<'h>(value: Value, plugins: Vec<Plugin>) -> Harness<'h, Inspected> {
    let (tools, answers) = tools(plugins);
    let inspected = Inspected { inspector: Inspector::default(), value, tools };
    let mut harness = Harness::builder().with_size(vec2(420.0, 1600.0)).with_max_steps(16).build_ui_state(
        |ui, inspected: &mut Inspected| inspected.inspector.show(ui, &inspected.value, &inspected.tools),
        inspected,
    );
    harness.run_steps(4);
    while answers.recv_timeout(Duration::from_millis(300)).is_ok() {
        harness.run_steps(2);
    }
    harness
}

fn stand_in() -> Vec<Plugin> {
    vec![inspect(&Arc::default(), &Arc::default())]
}

fn tensor(kind: &str, shape: &[usize]) -> Value {
    let numbers = vec![0.5; shape.iter().product()];
    Value::tensor(kind, json!({ "layer": -2 }), Tensor::from_f32(shape, numbers).unwrap())
}

#[test]
fn texts_and_numbers_are_shown_whole() {
    let harness = inspector(Value::text("Turn the sky\norange."), vec![]);
    harness.get_by_label("Turn the sky\norange.");
    harness.get_by_label("Copy text");
    harness.get_by_label("4 words, 20 characters");
    inspector(Value::text(""), vec![]).get_by_label("The text is empty");
    inspector(Value::number(7.5), vec![]).get_by_label("7.5");
}

#[test]
fn tokens_are_shown_with_their_pieces() {
    let header = json!({ "prompt_length": 1, "pieces": ["<s>", "sky\n"] });
    let ids = Tensor::from_vec([2], vec![1i64, 14744]).unwrap();
    let harness = inspector(Value::tensor(kind::TOKENS, header, ids), stand_in());
    harness.get_by_label("2 tokens, 1 of them the prompt's");
    harness.get_by_label("   1  14744  \"sky\\n\"");
}

#[test]
fn a_tensor_has_statistics_a_heat_map_norms_and_cosines() {
    let harness = inspector(tensor(kind::VISUAL_TOKENS, &[3, 16]), stand_in());
    harness.get_by_label("mgie.visual_tokens f32 [3, 16]");
    for label in ["Shape", "3 × 16", "Smallest", "-1.5000", "Mean", "NaN: 1, infinite: 2"] {
        harness.get_by_label(label);
    }
    harness.get_by_label("Heat map of 3 tokens × 16 features, colours from -2.0000 to 2.0000");
    harness.get_by_label("Row norms of 3 tokens, from 1.0000 to 3.0000");
    harness.get_by_label("Cosines of 3 tokens × 3 tokens, colours from -2.0000 to 2.0000");
    harness.get_by_label("Leave out outliers");
}

#[test]
fn rows_beyond_128_have_no_cosines() {
    let harness = inspector(tensor(kind::CLIP_FEATURES, &[256, 4]), stand_in());
    harness.get_by_label_contains("Row norms of");
    assert!(harness.query_by_label("Cosines between rows").is_none());
}

#[test]
fn latents_are_a_picture_and_channels() {
    let mut harness = inspector(tensor(kind::LATENTS, &[4, 2, 2]), stand_in());
    harness.get_by_label("Picture A, 2 × 2, 8 bit");
    harness.get_by_label("Channel");
    harness.get_by_label("of 4");
    harness.get_by_label("Channels as colours").click();
    harness.run_steps(2);
}

#[test]
fn a_picture_is_in_a_viewer_with_its_statistics() {
    let harness = inspector(before(), stand_in());
    harness.get_by_label("Picture A, 4 × 2, 8 bit");
    harness.get_by_label("2 × 4 × 3");
}

#[test]
fn a_missing_plugin_is_said_and_harms_nothing() {
    let harness = inspector(tensor(kind::TENSOR, &[3, 4]), vec![]);
    let told: Vec<_> = harness.get_all_by_label_contains("a node type that a plugin here offers").collect();
    assert_eq!(told.len(), 4, "statistics, heat map, norms and cosines");
}

#[test]
fn asking_never_waits_and_an_answer_is_kept() {
    let (runs, slow) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(())));
    let (tools, answers) = tools(vec![inspect(&runs, &slow)]);
    let value = tensor(kind::TENSOR, &[3, 4]);
    let busy = slow.lock().unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        assert!(matches!(tools.ask(&Question::statistics(&value.clone())), Answer::Waiting));
    }
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(busy);
    answers.recv_timeout(Duration::from_secs(20)).unwrap();
    let answer = tools.ask(&Question::statistics(&value));
    assert!(answer.output("statistics").is_some());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(matches!(tools.ask(&Question::statistics(&tensor(kind::TENSOR, &[3, 4]))), Answer::Waiting));
}

#[test]
fn dropping_the_tools_does_not_wait_for_what_runs() {
    let slow = Arc::new(Mutex::new(()));
    let (tools, _answers) = tools(vec![inspect(&Arc::default(), &slow)]);
    let busy = slow.lock().unwrap();
    let _ = tools.ask(&Question::statistics(&tensor(kind::TENSOR, &[3, 4])));
    let began = Instant::now();
    drop(tools);
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(busy);
}
