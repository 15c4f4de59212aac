//! The menu bar and the menus under the right button, all made from the table of commands.

use super::action::{Action, COMMANDS, Command, Entry, MENUS, Output, entry};
use super::sockets::Sockets;
use eframe::egui;
use egui::{Button, MenuBar, ScrollArea, Ui};
use std::path::{Path, PathBuf};

/// What of the window's height is kept free of a menu: the menu bar, and the menu's own edges.
const BESIDE_MENU: f32 = 48.0;

/// How a command stands in a menu just now.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Whether it can be done.
    pub enabled: bool,
    /// Whether what it switches is on; none where it is no switch.
    pub on: Option<bool>,
    /// What is said after its label: what would be undone.
    pub more: String,
}

/// What the menus need to know.
pub trait Offers {
    /// How a command stands just now.
    fn offer(&self, command: Command) -> Offer;
    /// The graphs that were open last.
    fn recent(&self) -> Vec<PathBuf>;
}

/// The menu bar.
pub fn bar(ui: &mut Ui, offers: &dyn Offers, actions: &mut Vec<Action>) {
    MenuBar::new().ui(ui, |ui| {
        for (menu, title) in MENUS {
            ui.menu_button(*title, |ui| {
                ui.set_min_width(230.0);
                scrolled(ui, |ui| {
                    let entries: Vec<&Entry> = COMMANDS.iter().filter(|entry| entry.menu == *menu).collect();
                    let together = |a: &&Entry, b: &&Entry| {
                        submenu(a.command).is_some_and(|title| submenu(b.command) == Some(title))
                    };
                    for entries in entries.chunk_by(together) {
                        if entries.first().is_some_and(|first| begins_a_group(first.command)) {
                            ui.separator();
                        }
                        match entries.first().and_then(|first| submenu(first.command)) {
                            Some(title) => {
                                let shown = ui.menu_button(title, |ui| {
                                    scrolled(ui, |ui| list(ui, entries, offers, actions));
                                });
                                super::parameters::rename(&shown.response, title);
                            }
                            None => list(ui, entries, offers, actions),
                        }
                    }
                });
            });
        }
    });
}

/// Entries, one below the other.
fn list(ui: &mut Ui, entries: &[&Entry], offers: &dyn Offers, actions: &mut Vec<Action>) {
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 && begins_a_group(entry.command) {
            ui.separator();
        }
        item(ui, entry, &offers.offer(entry.command), actions);
        if entry.command == Command::Open {
            recent(ui, &offers.recent(), actions);
        }
    }
}

/// The submenu that a command stands in, with those beside it in the table.
fn submenu(command: Command) -> Option<&'static str> {
    match command {
        Command::AlignLeft
        | Command::AlignRight
        | Command::AlignTop
        | Command::AlignBottom
        | Command::AlignColumn
        | Command::AlignRow
        | Command::SpreadAcross
        | Command::SpreadDown => Some("Align"),
        Command::MoveLeft
        | Command::MoveRight
        | Command::MoveUp
        | Command::MoveDown
        | Command::Narrower
        | Command::Wider
        | Command::Shorter
        | Command::Taller => Some("Move"),
        Command::PanLeft | Command::PanRight | Command::PanUp | Command::PanDown => Some("Pan"),
        _ => None,
    }
}

/// A menu may be longer than the window is high.
fn scrolled(ui: &mut Ui, show: impl FnOnce(&mut Ui)) {
    let most = (ui.ctx().content_rect().height() - BESIDE_MENU).max(80.0);
    ScrollArea::vertical().max_height(most).show(ui, show);
}

/// Whether a line stands above a command in its menu.
fn begins_a_group(command: Command) -> bool {
    matches!(
        command,
        Command::Save
            | Command::Quit
            | Command::Cut
            | Command::SelectAll
            | Command::SelectNextBox
            | Command::MarkNext
            | Command::FocusSide
            | Command::Mute
            | Command::AddFrame
            | Command::AlignLeft
            | Command::AlignColumn
            | Command::SpreadAcross
            | Command::Narrower
            | Command::AutoRun
            | Command::ShowViewer
            | Command::ViewOutput
            | Command::Theme
    )
}

fn item(ui: &mut Ui, entry: &Entry, offer: &Offer, actions: &mut Vec<Action>) {
    let sign = match offer.on {
        Some(true) => "✔ ",
        Some(false) => "    ",
        None => "",
    };
    let more = if offer.more.is_empty() { String::new() } else { format!(": {}", offer.more) };
    let button = Button::new(format!("{sign}{}{more}", entry.label)).shortcut_text(entry.keys(ui.ctx()));
    let response = ui.add_enabled(offer.enabled, button).on_hover_text(entry.summary);
    super::parameters::rename(&response, entry.label);
    if response.clicked() {
        actions.push(Action::Do(entry.command));
        ui.close();
    }
}

fn recent(ui: &mut Ui, files: &[PathBuf], actions: &mut Vec<Action>) {
    ui.add_enabled_ui(!files.is_empty(), |ui| {
        ui.menu_button("Open recent", |ui| {
            for file in files {
                let name = file
                    .file_name()
                    .map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned());
                let folder = file.parent().map(Path::display);
                let response = ui.button(name);
                if let Some(folder) = folder {
                    response.clone().on_hover_text(folder.to_string());
                }
                if response.clicked() {
                    actions.push(Action::Open(file.clone()));
                    ui.close();
                }
            }
        });
    });
}

/// An entry of a menu under the right button.
fn simple(ui: &mut Ui, command: Command, actions: &mut Vec<Action>) {
    let entry = entry(command);
    let offer = Offer { enabled: true, ..Offer::default() };
    item(ui, entry, &offer, actions);
}

/// The menu of the empty canvas.
pub fn canvas(ui: &mut Ui, at: [f32; 2], actions: &mut Vec<Action>) {
    if ui.button("Add node…").clicked() {
        actions.push(Action::Palette { at, wire: None });
        ui.close();
    }
    for command in [Command::Paste, Command::AddNote, Command::AddFrame] {
        simple(ui, command, actions);
    }
    ui.separator();
    for command in [Command::SelectAll, Command::Arrange, Command::ZoomFit] {
        simple(ui, command, actions);
    }
}

/// The menu of a node.
pub fn node(ui: &mut Ui, name: &str, sockets: Option<&Sockets>, actions: &mut Vec<Action>) {
    simple(ui, Command::RunSelected, actions);
    let outputs = sockets.map(|sockets| sockets.outputs.as_slice()).unwrap_or_default();
    let mut of_output = |ui: &mut Ui, title: &str, action: fn(Output) -> Action| {
        if outputs.is_empty() {
            return;
        }
        ui.menu_button(title, |ui| {
            for socket in outputs {
                if ui.button(&socket.label).clicked() {
                    actions.push(action(Output { node: name.to_owned(), output: socket.id.clone() }));
                    ui.close();
                }
            }
        });
    };
    of_output(ui, "View", Action::View);
    of_output(ui, "Compare", Action::Compare);
    of_output(ui, "Pin inspector", Action::Pin);
    ui.separator();
    for command in [Command::Rename, Command::Mute, Command::Bypass, Command::Collapse, Command::Disconnect] {
        simple(ui, command, actions);
    }
    ui.separator();
    for command in [Command::Cut, Command::Copy, Command::Duplicate, Command::Delete, Command::AddFrame] {
        simple(ui, command, actions);
    }
}

/// The menu of a frame or note, which the click that opened it selected.
pub fn boxed(ui: &mut Ui, actions: &mut Vec<Action>) {
    for command in [Command::Rename, Command::Cut, Command::Copy, Command::Duplicate, Command::Delete] {
        simple(ui, command, actions);
    }
}
