//! The status bar: what was done last, how the run is going, and what the host takes of the machine.

use crate::studio::theme;
use eframe::egui;
use egui::text::{LayoutJob, TextWrapping};
use egui::{Align, Color32, Layout, Response, RichText, TextStyle, Ui};

/// What the bar tells.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What was said last, and whether it kept something from being done.
    pub said: (String, bool),
    /// How the run is going.
    pub run: String,
    /// Nodes of the graph.
    pub nodes: usize,
    /// Problems that keep it from running.
    pub problems: usize,
    /// Bytes of the process in memory, where that is known.
    pub memory: Option<u64>,
    /// Bytes of kept outputs.
    pub cache: u64,
    /// How large the canvas is shown.
    pub zoom: f32,
    /// Which models are used.
    pub models: String,
}

/// Bytes as people read them: `3.4 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    let (unit, size) = if count >= 1 << 30 { ("GiB", 1_u64 << 30) } else { ("MiB", 1 << 20) };
    let number = count as f64 / size as f64;
    if number < 10.0 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") }
}

/// The most of the bar's width that the name of a models folder takes, and that the run's progress takes: a long one
/// would push what was said out of the window.
const MODELS: f32 = 0.16;
const RUN: f32 = 0.24;

/// A small text, cut to a width; the pointer is told the rest.
fn cut(ui: &mut Ui, text: &str, colour: Color32, width: f32) -> Response {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), TextStyle::Small.resolve(ui.style()), colour);
    job.wrap = TextWrapping::truncate_at_width(width);
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    ui.label(galley)
}

/// Shows the bar.
pub fn show(ui: &mut Ui, status: &Status) {
    let colours = theme::of(ui);
    let room = ui.available_width();
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let dim = |text: String| RichText::new(text).small().color(colours.dim);
            ui.label(dim(format!("{:.0} %", status.zoom * 100.0))).on_hover_text("Size of the canvas");
            ui.label(dim(format!("cache {}", bytes(status.cache)))).on_hover_text("Outputs that are kept");
            if let Some(memory) = status.memory {
                ui.label(dim(format!("memory {}", bytes(memory)))).on_hover_text("This program, models included");
            }
            let nodes = if status.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", status.nodes) };
            ui.label(dim(nodes));
            if status.problems > 0 {
                let text =
                    if status.problems == 1 { "1 problem".into() } else { format!("{} problems", status.problems) };
                ui.label(RichText::new(text).small().color(colours.failed));
            }
            cut(ui, &status.models, colours.dim, room * MODELS);
            cut(ui, &status.run, colours.running, room * RUN);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let (text, refused) = &status.said;
                let colour = if *refused { colours.failed } else { colours.text };
                let response = ui.add(egui::Label::new(RichText::new(text).color(colour)).truncate());
                crate::studio::parameters::retext(&response, &format!("status: {text}"));
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_with_two_digits() {
        assert_eq!(bytes(0), "0.0 MiB");
        assert_eq!(bytes(5 << 20), "5.0 MiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(bytes(700 << 20), "700 MiB");
    }
}
