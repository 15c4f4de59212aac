//! The log: what nodes and the studio had to say, the newest last, each line with the time since the studio was opened.

use crate::running::Runner;
use crate::studio::action::{Action, Command, entry};
use crate::studio::{parameters, theme};
use eframe::egui;
use egui::{RichText, ScrollArea, Ui};
use std::time::{Duration, SystemTime};

/// Shows the log. `opened` is when the studio was opened.
pub fn show(ui: &mut Ui, runner: &Runner, opened: SystemTime, actions: &mut Vec<Action>) {
    let colours = theme::of(ui);
    let lines = runner.log();
    if lines.is_empty() {
        ui.label(RichText::new("Nothing has been said yet.").color(colours.dim));
        return;
    }
    ui.horizontal(|ui| {
        let entry = entry(Command::ClearLog);
        let clear = ui.small_button("Clear").on_hover_text(entry.summary);
        parameters::rename(&clear, &format!("{} (log)", entry.label));
        if clear.clicked() {
            actions.push(Action::Do(Command::ClearLog));
        }
        let legend = "Times are minutes and seconds since the studio was opened.";
        ui.label(RichText::new(legend).small().color(colours.dim));
    });
    let height = ui.text_style_height(&egui::TextStyle::Body);
    ScrollArea::both().auto_shrink(false).stick_to_bottom(true).show_rows(ui, height, lines.len(), |ui, shown| {
        for line in lines.range(shown) {
            ui.horizontal(|ui| {
                // A clock that was set back gives none.
                let since = line.time.duration_since(opened).unwrap_or_default();
                ui.label(RichText::new(time(since)).monospace().color(colours.dim));
                ui.label(RichText::new(line.node.as_deref().unwrap_or("run")).monospace().color(colours.dim));
                let colour = match line.level {
                    mgie_plugin_api::Level::Error => colours.failed,
                    mgie_plugin_api::Level::Warn => colours.warning,
                    _ => colours.text,
                };
                // Rows are of one height.
                ui.label(RichText::new(line.message.replace(['\n', '\r'], " ")).color(colour));
            });
        }
    });
}

/// A time since the studio was opened: minutes, seconds and tenths; hours where there are some.
fn time(since: Duration) -> String {
    let seconds = since.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = format!("{:02}.{}", seconds % 60, since.subsec_millis() / 100);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest}") } else { format!("{minutes:02}:{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_to_a_tenth_of_a_second_and_with_hours_where_there_are_some() {
        assert_eq!(time(Duration::ZERO), "00:00.0");
        assert_eq!(time(Duration::from_millis(83_960)), "01:23.9");
        assert_eq!(time(Duration::from_secs(36_000 + 62)), "10:01:02.0");
    }
}
