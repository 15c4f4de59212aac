//! The log: what nodes and the studio had to say, the newest last.

use crate::running::Runner;
use crate::studio::theme;
use eframe::egui;
use egui::{RichText, ScrollArea, Ui};

/// Shows the log.
pub fn show(ui: &mut Ui, runner: &Runner) {
    let colours = theme::of(ui);
    let lines = runner.log();
    if lines.is_empty() {
        ui.label(RichText::new("Nothing has been said yet.").color(colours.dim));
        return;
    }
    let height = ui.text_style_height(&egui::TextStyle::Body);
    ScrollArea::both().auto_shrink(false).stick_to_bottom(true).show_rows(ui, height, lines.len(), |ui, shown| {
        for line in lines.range(shown) {
            ui.horizontal(|ui| {
                ui.label(RichText::new(line.node.as_deref().unwrap_or("run")).monospace().color(colours.dim));
                let colour = match line.level {
                    mgie_plugin_api::Level::Error => colours.failed,
                    mgie_plugin_api::Level::Warn => colours.warning,
                    _ => colours.text,
                };
                ui.label(RichText::new(&line.message).color(colour));
            });
        }
    });
}
