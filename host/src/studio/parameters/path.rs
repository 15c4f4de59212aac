//! Paths: a field, and beside it the system's own dialog. The dialog is asked for on a thread, because it may be long in
//! coming, and may never come where no desktop portal is there; the field always works.

use super::number::{settle, unreadable};
use super::{Row, label, rename, reset_menu};
use crate::studio::action::Action;
use eframe::egui;
use egui::{TextEdit, Ui};
use mgie_plugin_api::Domain;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// What a dialog is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A value of a parameter, relative to a folder where it lies below it.
    Parameter {
        /// The node.
        node: String,
        /// The parameter.
        parameter: String,
        /// What a relative path is relative to.
        base: PathBuf,
    },
    /// The path field of a dialog of the studio.
    Field,
}

/// The kind of dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// A file that is there, with one of these extensions; any where there are none.
    Open(Vec<String>),
    /// A file to write.
    Save(Vec<String>),
    /// A folder.
    Folder,
}

/// The dialogs of the system that are open. Where relative paths begin is set before each frame.
#[derive(Default)]
pub struct Picker {
    /// The folder of the graph.
    pub folder: PathBuf,
    /// The folder of the models, where there is one.
    pub models: Option<PathBuf>,
    open: Vec<(Wanted, Receiver<Option<PathBuf>>)>,
}

impl Picker {
    /// Opens the system's dialog; [`Self::poll`] gives what was chosen.
    pub fn ask(&mut self, wanted: Wanted, dialog: Dialog, begin: &Path, ctx: &egui::Context) {
        let (sender, receiver) = channel();
        let (begin, ctx) = (begin.to_owned(), ctx.clone());
        let asked = std::thread::Builder::new().name("file dialog".into()).spawn(move || {
            let asked = rfd::FileDialog::new().set_directory(&begin);
            let filtered = |asked: rfd::FileDialog, extensions: &[String]| {
                if extensions.is_empty() { asked } else { asked.add_filter(extensions.join(", "), extensions) }
            };
            let chosen = match dialog {
                Dialog::Open(extensions) => filtered(asked, &extensions).pick_file(),
                Dialog::Save(extensions) => filtered(asked, &extensions).save_file(),
                Dialog::Folder => asked.pick_folder(),
            };
            // Nobody listens where the studio has closed.
            drop(sender.send(chosen));
            ctx.request_repaint();
        });
        if asked.is_ok() {
            self.open.push((wanted, receiver));
        }
    }

    /// Forgets all dialogs: what is chosen in them was meant for another graph.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// Forgets the dialogs for the path field of a dialog of the studio, which is closed.
    pub fn forget_fields(&mut self) {
        self.open.retain(|(wanted, _)| *wanted != Wanted::Field);
    }

    /// What was chosen since the last time. A dialog that was closed gives nothing.
    pub fn poll(&mut self) -> Vec<(Wanted, PathBuf)> {
        let mut chosen = Vec::new();
        self.open.retain(|(wanted, receiver)| match receiver.try_recv() {
            Ok(Some(path)) => {
                chosen.push((wanted.clone(), path));
                false
            }
            Ok(None) | Err(TryRecvError::Disconnected) => false,
            Err(TryRecvError::Empty) => true,
        });
        chosen
    }
}

/// A path as a graph holds it: relative where it lies below the folder that it would be relative to.
#[must_use]
pub fn relative(path: &Path, base: &Path) -> String {
    let below = path.strip_prefix(base).ok().filter(|below| !below.as_os_str().is_empty());
    below.unwrap_or(path).to_string_lossy().into_owned()
}

/// The row of a path: its label, and under it the field and the button.
pub(super) fn show(ui: &mut Ui, row: Row<'_>, value: &Value, picker: &mut Picker, actions: &mut Vec<Action>) {
    let Some(now) = value.as_str() else { return unreadable(ui, row, value, "a path", actions) };
    label(ui, row, actions);
    ui.horizontal(|ui| {
        let mut text = now.to_owned();
        let button = 26.0;
        let field = TextEdit::singleline(&mut text)
            .desired_width((ui.available_width() - button - ui.spacing().item_spacing.x - 4.0).max(40.0))
            .hint_text("path");
        let response = ui.add(field);
        rename(&response, &row.name());
        row.focus(&response);
        if response.changed() && text != now {
            actions.push(row.set(text));
        }
        settle(&response, actions);
        let browse = ui.add(egui::Button::new("🗁").min_size(egui::vec2(button, 0.0))).on_hover_text("Browse…");
        rename(&browse, &row.name_of("browse"));
        reset_menu(&browse, row, actions);
        if browse.clicked() {
            ask(row, now, picker, ui.ctx());
        }
    });
}

fn ask(row: Row<'_>, now: &str, picker: &mut Picker, ctx: &egui::Context) {
    let (dialog, base) = match &row.parameter.domain {
        Domain::File { extensions, .. } => (Dialog::Open(extensions.clone()), picker.folder.clone()),
        Domain::SaveFile { extensions, .. } => (Dialog::Save(extensions.clone()), picker.folder.clone()),
        Domain::Model { .. } => {
            let base = picker.models.clone().unwrap_or_else(|| picker.folder.clone());
            // A model is a folder or a file; what is there now says which.
            let is_file = base.join(now).is_file();
            (if is_file { Dialog::Open(Vec::new()) } else { Dialog::Folder }, base)
        }
        _ => (Dialog::Folder, picker.folder.clone()),
    };
    let begin = base.join(now);
    let begin = if begin.is_dir() { begin } else { begin.parent().unwrap_or(&base).to_owned() };
    let wanted = Wanted::Parameter { node: row.node.to_owned(), parameter: row.parameter.id.clone(), base };
    picker.ask(wanted, dialog, &begin, ctx);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_folder_is_relative_and_another_is_not() {
        assert_eq!(relative(Path::new("/graphs/photos/a.png"), Path::new("/graphs")), "photos/a.png");
        assert_eq!(relative(Path::new("/elsewhere/a.png"), Path::new("/graphs")), "/elsewhere/a.png");
        assert_eq!(relative(Path::new("/graphs"), Path::new("/graphs")), "/graphs");
    }
}
