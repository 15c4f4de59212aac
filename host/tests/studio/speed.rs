//! How long frames take with hundreds of nodes: layout and tessellation, on one core. Run by hand, optimised:
//! `cargo test --release --locked --workspace --test studio -- --ignored --nocapture speed`. The same nodes and wires in
//! egui-snarl alone, with a label and a number a row, are what the canvas cannot be quicker than: the machine's moods fall on
//! both.

use crate::desk::Desk;
use eframe::egui::emath::TSTransform;
use eframe::egui::{self, Event, Key, Modifiers, MouseWheelUnit, TouchPhase, vec2};
use egui_snarl::ui::{PinInfo, SnarlPin, SnarlViewer, SnarlWidget};
use egui_snarl::{InPin, InPinId, NodeId, OutPin, OutPinId, Snarl};
use mgie_host::studio::Studio;
use mgie_host::studio::action::{Action, Command};
use std::time::Duration;

const NODES: usize = 500;
const FRAMES: u32 = 100;

/// A frame with its tessellation.
fn frame(context: &egui::Context, studio: &mut Studio, events: Vec<Event>, time: f64) {
    let screen_rect = Some(egui::Rect::from_min_size(egui::Pos2::ZERO, vec2(1280.0, 720.0)));
    let input = egui::RawInput { screen_rect, events, time: Some(time), ..egui::RawInput::default() };
    let output = context.run_ui(input, |ui| studio.ui(ui));
    drop(context.tessellate(output.shapes, output.pixels_per_point));
}

/// What this thread has worked: a clock on the wall would count what else the machine does. The kernel brings it up to date
/// every 4 ms, so that single frames cannot be told apart.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux system");
    Duration::from_nanos(text.split_whitespace().next().and_then(|field| field.parse().ok()).expect("nanoseconds"))
}

#[test]
#[ignore = "a benchmark: its figures are this machine's"]
#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn speed_of_frames_with_five_hundred_nodes() {
    let desk = Desk::new();
    let path = desk.grid("large.json", NODES);
    let context = egui::Context::default();
    let began = worked();
    let mut studio = Studio::new(desk.setup(Some(path)));
    frame(&context, &mut studio, Vec::new(), 0.0);
    println!("opening {NODES} nodes, first frame included: {:?}", worked() - began);
    let mut time = 1.0;
    let mut run = |studio: &mut Studio, what: &str, events: &dyn Fn() -> Vec<Event>| {
        let began = worked();
        for _ in 0..FRAMES {
            time += 1.0 / 60.0;
            frame(&context, studio, events(), time);
        }
        println!("{what}: {:.1?} (mean of {FRAMES})", (worked() - began) / FRAMES);
    };
    run(&mut studio, "all in sight", &Vec::new);
    run(&mut studio, "all in sight, the pointer moves", &|| vec![Event::PointerMoved(egui::pos2(400.0, 300.0))]);
    studio.act(Action::GoTo("n250".into()));
    run(&mut studio, "a few in sight", &Vec::new);
    let scroll = || {
        let (unit, phase, modifiers) = (MouseWheelUnit::Point, TouchPhase::Move, Modifiers::NONE);
        vec![
            Event::PointerMoved(egui::pos2(400.0, 300.0)),
            Event::MouseWheel { unit, delta: vec2(-8.0, -4.0), phase, modifiers },
        ]
    };
    run(&mut studio, "a few in sight, moving along", &scroll);
    let arrow = || {
        let (key, modifiers) = (Key::ArrowRight, Modifiers::NONE);
        vec![Event::Key { key, physical_key: None, pressed: true, repeat: true, modifiers }]
    };
    run(&mut studio, "a node is moved, an edit a frame", &arrow);
    // The most widgets at once: from the first size on at which nodes show their parameters.
    studio.act(Action::Do(Command::ZoomFit));
    run(&mut studio, "all in sight once more", &Vec::new);
    let closer = Event::Zoom(0.42 / studio.canvas().zoom());
    frame(&context, &mut studio, vec![Event::PointerMoved(egui::pos2(400.0, 300.0)), closer], 12.0);
    let zoom = studio.canvas().zoom();
    assert!((0.4..0.45).contains(&zoom), "the canvas is shown at {zoom}");
    run(&mut studio, "as many as there is room for with their parameters", &Vec::new);
    bare();
}

/// Nodes that are shown as simply as egui-snarl can.
struct Bare;

impl SnarlViewer<usize> for Bare {
    fn title(&mut self, node: &usize) -> String {
        format!("n{node}")
    }

    fn inputs(&mut self, node: &usize) -> usize {
        if *node == 0 { 0 } else { 2 }
    }

    fn outputs(&mut self, _: &usize) -> usize {
        1
    }

    fn show_input(&mut self, pin: &InPin, ui: &mut egui::Ui, _: &mut Snarl<usize>) -> impl SnarlPin + 'static {
        ui.label(["A", "B"][pin.id.input % 2]);
        ui.add(egui::DragValue::new(&mut 0.0));
        PinInfo::circle()
    }

    fn show_output(&mut self, _: &OutPin, ui: &mut egui::Ui, _: &mut Snarl<usize>) -> impl SnarlPin + 'static {
        ui.label("Number");
        PinInfo::circle()
    }

    fn current_transform(&mut self, to_global: &mut TSTransform, _: &mut Snarl<usize>) {
        *to_global = TSTransform::from_translation(vec2(20.0, 20.0)) * TSTransform::from_scaling(0.13);
    }
}

#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn bare() {
    let mut snarl = Snarl::new();
    let at = |index: usize| egui::pos2((index % 25 * 320) as f32, (index / 25 * 260) as f32);
    let nodes: Vec<NodeId> = (0..NODES).map(|index| snarl.insert_node(at(index), index)).collect();
    for index in 1..NODES {
        for (input, source) in [(0, index - 1), (1, index / 2)] {
            snarl.connect(OutPinId { node: nodes[source], output: 0 }, InPinId { node: nodes[index], input });
        }
    }
    let context = egui::Context::default();
    let mut frame = |time: f64| {
        let screen_rect = Some(egui::Rect::from_min_size(egui::Pos2::ZERO, vec2(1280.0, 720.0)));
        let input = egui::RawInput { screen_rect, time: Some(time), ..egui::RawInput::default() };
        let output = context.run_ui(input, |ui| drop(SnarlWidget::new().show(&mut snarl, &mut Bare, ui)));
        drop(context.tessellate(output.shapes, output.pixels_per_point));
    };
    frame(0.0);
    let began = worked();
    (1..=FRAMES).for_each(|index| frame(f64::from(index) / 60.0));
    println!("egui-snarl alone, all in sight: {:.1?} (mean of {FRAMES})", (worked() - began) / FRAMES);
}
