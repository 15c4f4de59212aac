//! Words: a line, an area, one of several.

use super::number::{settle, unreadable};
use super::{Place, Row, rename, reset_menu};
use crate::studio::action::Action;
use eframe::egui;
use egui::{ComboBox, TextEdit, Ui};
use serde_json::Value;

/// A line of text.
pub(super) fn line(ui: &mut Ui, row: Row<'_>, value: &Value, actions: &mut Vec<Action>) {
    let Some(now) = value.as_str() else { return unreadable(ui, row, value, "a text", actions) };
    let mut text = now.to_owned();
    let response = ui.add(TextEdit::singleline(&mut text).desired_width(ui.available_width() - 4.0));
    rename(&response, &row.name());
    row.focus(&response);
    if response.changed() && text != now {
        actions.push(row.set(text));
    }
    settle(&response, actions);
}

/// Several lines of text, under their label.
pub(super) fn area(ui: &mut Ui, row: Row<'_>, value: &Value, actions: &mut Vec<Action>) {
    super::label(ui, row, actions);
    let Some(now) = value.as_str() else { return unreadable(ui, row, value, "a text", actions) };
    let mut text = now.to_owned();
    let rows = if row.place == Place::Node { 2 } else { 4 };
    let response = ui.add(TextEdit::multiline(&mut text).desired_width(ui.available_width() - 2.0).desired_rows(rows));
    rename(&response, &row.name());
    row.focus(&response);
    if response.changed() && text != now {
        actions.push(row.set(text));
    }
    settle(&response, actions);
}

/// One of several words.
pub(super) fn choice(ui: &mut Ui, row: Row<'_>, value: &Value, choices: &[String], actions: &mut Vec<Action>) {
    let Some(now) = value.as_str() else { return unreadable(ui, row, value, "one of its words", actions) };
    let shown = ComboBox::from_id_salt("choice")
        .width(ui.available_width() - 8.0)
        .truncate()
        .selected_text(now)
        .show_ui(ui, |ui| {
            for word in choices {
                if ui.selectable_label(word == now, word).clicked() && word != now {
                    actions.extend([row.set(word.as_str()), Action::Settle]);
                }
            }
        });
    rename(&shown.response, &row.name());
    row.focus(&shown.response);
    reset_menu(&shown.response, row, actions);
    shown.response.on_hover_text(row.hint());
}
