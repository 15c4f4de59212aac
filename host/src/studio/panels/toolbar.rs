//! The tool bar: running, and the switches that are used most.

use crate::studio::action::{Action, Command, entry};
use crate::studio::menu::Offers;
use crate::studio::parameters;
use eframe::egui;
use egui::{Button, Ui};

/// Shows the bar.
pub fn show(ui: &mut Ui, offers: &dyn Offers, actions: &mut Vec<Action>) {
    let mut button = |ui: &mut Ui, sign: &str, command: Command| {
        let (entry, offer) = (entry(command), offers.offer(command));
        let text = format!("{sign} {}", entry.label);
        let button = Button::new(text.trim()).selected(offer.on == Some(true));
        let keys = entry.keys(ui.ctx());
        let hint = if keys.is_empty() { entry.summary.to_owned() } else { format!("{} ({keys})", entry.summary) };
        let response = ui.add_enabled(offer.enabled, button).on_hover_text(hint);
        parameters::rename(&response, &format!("{} (tool)", entry.label));
        if response.clicked() {
            actions.push(Action::Do(command));
        }
    };
    ui.horizontal_wrapped(|ui| {
        button(ui, "▶", Command::Run);
        button(ui, "⏵", Command::RunSelected);
        button(ui, "⏹", Command::Cancel);
        button(ui, "↻", Command::AutoRun);
        ui.separator();
        button(ui, "➕", Command::AddNode);
        button(ui, "⟲", Command::Undo);
        button(ui, "⟳", Command::Redo);
        ui.separator();
        button(ui, "⛶", Command::ZoomFit);
        button(ui, "", Command::ShowSide);
        button(ui, "", Command::ShowViewer);
        button(ui, "", Command::ShowLog);
        button(ui, "", Command::Theme);
        button(ui, "", Command::Shortcuts);
    });
}
