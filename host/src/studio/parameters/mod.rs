//! The widgets of parameters, by what a node says of them: sliders, choices, text, switches, seeds, paths. The same rows
//! stand on a node and in the side panel. A row never keeps a value: it shows the document's and asks for a change.

mod number;
mod path;
mod text;

pub use path::{Dialog, Picker, Wanted, relative};

use super::action::Action;
use super::theme;
use crate::editing::Edit;
use eframe::egui;
use egui::{Response, Ui};
use mgie_plugin_api::{Domain, description::Parameter};
use serde_json::Value;

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a node: narrow, and its accessible name begins with the node's.
    Node,
    /// In the side panel.
    Panel,
}

/// A parameter of a node to be shown.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The node.
    pub node: &'a str,
    /// What the node says of the parameter.
    pub parameter: &'a Parameter,
    /// The value that the graph gives; none for the default.
    pub given: Option<&'a Value>,
    /// Where the row stands.
    pub place: Place,
    /// Whether it takes the keyboard.
    pub focus: bool,
}

impl Row<'_> {
    /// The value that counts.
    fn value(&self) -> Value {
        self.given.cloned().unwrap_or_else(|| self.parameter.domain.default_json())
    }

    /// The name that a screen reader reads.
    fn name(&self) -> String {
        match self.place {
            Place::Node => format!("{}: {}", self.node, self.parameter.label),
            Place::Panel => self.parameter.label.clone(),
        }
    }

    /// The name of something beside the widget, such as its button.
    fn name_of(&self, what: &str) -> String {
        format!("{} ({what})", self.name())
    }

    /// Takes the keyboard where that was asked for.
    fn focus(&self, response: &Response) {
        if self.focus {
            response.request_focus();
        }
    }

    fn set(&self, value: impl Into<Value>) -> Action {
        Action::Edit(Edit::SetParameter {
            node: self.node.to_owned(),
            parameter: self.parameter.id.clone(),
            value: value.into(),
        })
    }

    fn unit(&self) -> String {
        if self.parameter.unit.is_empty() { String::new() } else { format!(" {}", self.parameter.unit) }
    }

    /// What the pointer is told that rests on the row: what it does, its range, its default.
    fn hint(&self) -> String {
        let parameter = self.parameter;
        let unit = self.unit();
        let range = match &parameter.domain {
            Domain::Float { hard: [low, high], soft: [from, to], .. } => {
                format!("{from} to {to}{unit}; {low} to {high}{unit} can be typed")
            }
            Domain::Integer { hard: [low, high], soft: [from, to], .. } => {
                format!("{from} to {to}{unit}; {low} to {high}{unit} can be typed")
            }
            Domain::File { extensions, .. } | Domain::SaveFile { extensions, .. } if !extensions.is_empty() => {
                format!("A file of {}.", extensions.join(", "))
            }
            Domain::Model { .. } => "A file or folder, relative to the models folder.".to_owned(),
            _ => String::new(),
        };
        let default = match parameter.domain.default_json() {
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("Default: {text}"),
            other => format!("Default: {other}{unit}"),
        };
        let lines = [parameter.summary.clone(), range, default, format!("In graph files: {}", parameter.id)];
        lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// Shows a parameter's row; what is changed in it is pushed to `actions`.
pub fn show(ui: &mut Ui, row: Row<'_>, picker: &mut Picker, actions: &mut Vec<Action>) {
    ui.push_id((row.node, &row.parameter.id), |ui| {
        let value = row.value();
        match &row.parameter.domain {
            Domain::Float { hard, soft, .. } => {
                labelled(ui, row, actions, |ui, row, actions| number::float(ui, row, &value, *hard, *soft, actions));
            }
            Domain::Integer { hard, soft, .. } => {
                labelled(ui, row, actions, |ui, row, actions| number::integer(ui, row, &value, *hard, *soft, actions));
            }
            Domain::Seed { .. } => {
                labelled(ui, row, actions, |ui, row, actions| number::seed(ui, row, &value, actions))
            }
            Domain::Boolean { .. } => {
                let mut on = value.as_bool().unwrap_or_default();
                let response = ui.checkbox(&mut on, &row.parameter.label).on_hover_text(row.hint());
                rename(&response, &row.name());
                row.focus(&response);
                reset_menu(&response, row, actions);
                if response.changed() {
                    actions.extend([row.set(on), Action::Settle]);
                }
            }
            Domain::Choice { choices, .. } => {
                labelled(ui, row, actions, |ui, row, actions| text::choice(ui, row, &value, choices, actions));
            }
            Domain::Text { multiline, .. } if *multiline => text::area(ui, row, &value, actions),
            Domain::Text { .. } => {
                labelled(ui, row, actions, |ui, row, actions| text::line(ui, row, &value, actions));
            }
            Domain::File { .. } | Domain::SaveFile { .. } | Domain::Folder { .. } | Domain::Model { .. } => {
                path::show(ui, row, &value, picker, actions);
            }
        }
    });
}

/// The label on the left, the widget on what is left of the row.
fn labelled(
    ui: &mut Ui,
    row: Row<'_>,
    actions: &mut Vec<Action>,
    widget: impl FnOnce(&mut Ui, Row<'_>, &mut Vec<Action>),
) {
    ui.horizontal(|ui| {
        label(ui, row, actions);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| widget(ui, row, actions));
    });
}

/// The label, set off where the graph gives a value of its own, with the menu that takes it back.
fn label(ui: &mut Ui, row: Row<'_>, actions: &mut Vec<Action>) {
    let colours = theme::of(ui);
    let colour = if row.given.is_some() { colours.text } else { colours.dim };
    let width = if row.place == Place::Node { 76.0 } else { 120.0_f32.min(ui.available_width() * 0.42) };
    let text = egui::Label::new(egui::RichText::new(&row.parameter.label).color(colour)).truncate();
    let size = egui::vec2(width, ui.spacing().interact_size.y);
    let response = ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.set_min_width(width);
        ui.add(text.sense(egui::Sense::click()).show_tooltip_when_elided(false))
    });
    let response = response.inner.on_hover_text(row.hint());
    // The widget carries the name; twice would confuse who hears it.
    let caption = format!("{} label", row.name());
    retext(&response, &caption);
    reset_menu(&response, row, actions);
}

/// The right-click menu of a parameter.
fn reset_menu(response: &Response, row: Row<'_>, actions: &mut Vec<Action>) {
    // Not by the id that egui would give it: a list of choices opens under that one, and would be closed at once.
    egui::Popup::context_menu(response).id(response.id.with("parameter")).show(|ui| {
        let reset = egui::Button::new("Reset to default");
        if ui.add_enabled(row.given.is_some(), reset).clicked() {
            actions.push(Action::Edit(Edit::ResetParameter {
                node: row.node.to_owned(),
                parameter: row.parameter.id.clone(),
            }));
            ui.close();
        }
        if ui.button("Sweep…").on_hover_text("Run it in several values, side by side").clicked() {
            let (node, parameter) = (row.node.to_owned(), row.parameter.id.clone());
            actions.push(Action::Sweep { node, parameter });
            ui.close();
        }
        if ui.button("Copy value").clicked() {
            let value = row.value();
            ui.ctx().copy_text(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
            ui.close();
        }
    });
}

/// Gives a text another wording for who hears it: one that says what it belongs to.
pub(super) fn retext(response: &Response, text: &str) {
    response.ctx.accesskit_node_builder(response.id, |node| node.set_value(text));
}

/// Gives a widget the name that a screen reader reads (and a test looks for).
pub(super) fn rename(response: &Response, name: &str) {
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}
