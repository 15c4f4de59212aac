//! Opening, saving and recovering graphs, and what is dropped into the window.

use super::app::{Studio, ToPlace};
use super::panels::dialogs::{Answer, Dialog, Then};
use super::parameters::{Wanted, relative};
use crate::editing::{Edit, SaveError, Session};
use crate::models::Models;
use crate::overwriting;
use eframe::egui;
use egui::Context;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Seconds between two looks at whether there is something to keep.
const KEEP_EVERY: f64 = 3.0;

/// Endings of pictures that can be dropped into the window.
const PICTURES: &[&str] = &["png", "jpg", "jpeg", "webp", "tif", "tiff", "exr"];

impl Studio {
    /// Opens what the studio was started with, and asks about what an earlier one left.
    pub(super) fn begin(&mut self, graph: Option<PathBuf>) {
        if let Some(path) = graph {
            self.open(&path);
        }
        let left = self.recovery.as_ref().map(crate::editing::Recovery::left_behind).unwrap_or_default();
        if !left.is_empty() {
            self.dialog = Some(Dialog::Recover { left });
        }
    }

    /// Opens a graph in place of the one that is open.
    pub(super) fn open(&mut self, path: &Path) {
        match Session::open(path) {
            Ok(session) => {
                self.take(session);
                let name = path.file_name().unwrap_or(path.as_os_str());
                self.say(format!("Opened {}", name.display()));
                // A list that cannot be written is no reason to say more than that the graph is open.
                drop(self.recent.add(path));
            }
            Err(error) => {
                drop(self.recent.remove(path));
                self.said = (error.to_string(), true);
                self.toasts.push((error.to_string(), f64::INFINITY));
            }
        }
    }

    fn take(&mut self, session: Session) {
        self.runner.forget();
        self.models = Models::find(self.named_models.as_deref(), Some(session.folder()));
        self.session = session;
        self.kept_revision = None;
        self.canvas.reset();
        self.to_place = Some(ToPlace { look: true, ..ToPlace::default() });
        self.looking.reset();
        self.sweeps.reset();
        self.palette = None;
        self.run_again.clear();
        self.picker.forget();
        self.run_at = None;
    }

    /// Does what was wanted, or asks first where something is not saved.
    pub(super) fn unless_unsaved(&mut self, then: Then, ctx: &Context) {
        if self.session.is_saved() {
            self.then(then, ctx);
        } else {
            self.dialog = Some(Dialog::Unsaved { then });
        }
    }

    fn then(&mut self, then: Then, ctx: &Context) {
        match then {
            Then::New => self.take(Session::new()),
            Then::Open(path) => self.open(&path),
            Then::Quit => {
                self.may_close = true;
                if let Some(recovery) = &mut self.recovery {
                    recovery.clear();
                }
                self.runner.cancel();
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
        }
    }

    pub(super) fn save(&mut self, then: Option<Then>, ctx: &Context) {
        match self.session.save() {
            Ok(path) => {
                self.say(format!("Saved {}", path.display()));
                self.saved(then, ctx);
            }
            Err(SaveError::NoFile) => self.ask_where_to_save(then),
            Err(SaveError::Changed(_)) => self.dialog = Some(Dialog::Changed { then }),
            Err(error) => self.refuse(error.to_string(), ctx),
        }
    }

    fn save_over(&mut self, then: Option<Then>, ctx: &Context) {
        match self.session.save_over() {
            Ok(path) => {
                self.say(format!("Saved {}", path.display()));
                self.saved(then, ctx);
            }
            Err(error) => self.refuse(error.to_string(), ctx),
        }
    }

    /// Takes the file as it is now in the place of the graph; undo brings that back.
    fn reload(&mut self, ctx: &Context) {
        match self.session.reload() {
            Ok(()) => {
                self.to_place = Some(ToPlace::default());
                self.say("Read again; undo brings your own changes back");
                self.changed(ctx);
            }
            Err(error) => self.refuse(error.to_string(), ctx),
        }
    }

    pub(super) fn ask_where_to_save(&mut self, then: Option<Then>) {
        let path = self.session.file().map_or_else(
            || self.session.folder().join("untitled.json").display().to_string(),
            |file| file.display().to_string(),
        );
        self.dialog = Some(Dialog::SaveAs { path, then });
    }

    pub(super) fn save_as(&mut self, path: &Path, ctx: &Context) {
        self.save_there(path, None, ctx);
    }

    fn save_there(&mut self, path: &Path, then: Option<Then>, ctx: &Context) {
        let catalogue = self.catalogue();
        let read = overwriting::read(self.session.document(), &catalogue, self.session.folder());
        if let Some(refusal) = read.refusal(path) {
            return self.refuse(refusal, ctx);
        }
        match self.session.save_as(path, &catalogue) {
            Ok(()) => {
                self.runner.moved(self.session.document(), self.session.folder());
                self.say(format!("Saved {}", path.display()));
                drop(self.recent.add(path));
                self.saved(then, ctx);
            }
            Err(error) => self.refuse(error.to_string(), ctx),
        }
    }

    fn saved(&mut self, then: Option<Then>, ctx: &Context) {
        if let Some(recovery) = &mut self.recovery {
            recovery.clear();
        }
        if let Some(then) = then {
            self.then(then, ctx);
        }
    }

    /// Does what a dialog was answered with.
    pub(super) fn answer(&mut self, answer: Answer, ctx: &Context) {
        match answer {
            Answer::Cancel => {}
            Answer::Open(path) => self.unless_unsaved(Then::Open(path), ctx),
            Answer::SaveAs(path, then) => self.save_there(&path, then, ctx),
            Answer::Save(then) => self.save(Some(then), ctx),
            Answer::AskWhere(then) => self.ask_where_to_save(then),
            Answer::SaveOver(then) => self.save_over(then, ctx),
            Answer::Reload => self.reload(ctx),
            Answer::Discard(then) => {
                if let Some(recovery) = &mut self.recovery {
                    recovery.clear();
                }
                // Where what is opened instead cannot be opened, this graph stays, and is kept again.
                self.kept_revision = None;
                self.then(then, ctx);
            }
            Answer::Rename(from, to) => {
                if from != to {
                    self.edit(Edit::Rename { from, to }, ctx);
                    self.session.settle();
                }
            }
            Answer::Recover(recovered) => match recovered.open() {
                Ok(session) => {
                    self.take(session);
                    // It is this session's to keep from now on.
                    if let Some(recovery) = &mut self.recovery
                        && recovery.keep(&self.session).is_ok()
                    {
                        drop(recovered.discard());
                    }
                    self.say("Recovered; not saved yet");
                }
                Err(error) => self.refuse(error.to_string(), ctx),
            },
            Answer::ThrowAway(left) => left.iter().for_each(|recovered| drop(recovered.discard())),
            Answer::AddPicture(path, at) => self.add_picture(&path, at, ctx),
        }
    }

    /// What the system's dialogs gave.
    pub(super) fn take_chosen_paths(&mut self) {
        for (wanted, path) in self.picker.poll() {
            match wanted {
                Wanted::Field => {
                    if let Some(dialog) = &mut self.dialog {
                        dialog.take_path(&path);
                    }
                }
                Wanted::Parameter { node, parameter, base } => {
                    let value = Value::from(relative(&path, &base));
                    let edit = Edit::SetParameter { node, parameter, value };
                    self.actions.extend([super::action::Action::Edit(edit), super::action::Action::Settle]);
                }
            }
        }
    }

    /// Pictures, graphs, and pictures that carry one.
    pub(super) fn dropped(&mut self, ctx: &Context) {
        let files: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        let mut at = self.canvas.at(self.canvas.pointer(ctx));
        for path in files {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
            if ending == "json" {
                self.unless_unsaved(Then::Open(path), ctx);
            } else if ending == "png" && crate::document::Document::open(&path).is_ok() {
                self.dialog = Some(Dialog::Dropped { path, at });
            } else if PICTURES.contains(&ending.as_str()) {
                self.add_picture(&path, at, ctx);
                at = [at[0] + 40.0, at[1] + 40.0];
            } else {
                let name = path.display();
                self.refuse(
                    format!("{name} is no graph and no picture; drop a .json or one of {}", PICTURES.join(", ")),
                    ctx,
                );
            }
        }
    }

    fn add_picture(&mut self, path: &Path, at: [f32; 2], ctx: &Context) {
        let mut params = Map::new();
        params.insert("path".to_owned(), Value::from(self.session.path_text(path)));
        self.edit(Edit::AddGiven { node_type: "image.load".to_owned(), at, params }, ctx);
        self.session.settle();
    }

    /// Keeps what is not saved, so that it outlives the process.
    pub(super) fn keep(&mut self, ctx: &Context) {
        let Some(recovery) = &mut self.recovery else { return };
        if self.session.is_saved() {
            recovery.clear();
            return;
        }
        if self.kept_revision == Some(self.session.revision()) {
            return;
        }
        let now = ctx.input(|input| input.time);
        let left = self.kept_at + KEEP_EVERY - now;
        if left > 0.0 {
            ctx.request_repaint_after_secs(left as f32);
            return;
        }
        self.kept_at = now;
        self.kept_revision = Some(self.session.revision());
        if let Err(failure) = recovery.keep(&self.session) {
            self.said = (format!("The graph cannot be kept for recovery: {failure}"), true);
        }
    }

    /// Asks before the window closes where something is not saved.
    pub(super) fn closing(&mut self, ctx: &Context) {
        if !ctx.input(|input| input.viewport().close_requested()) || self.may_close {
            return;
        }
        if self.session.is_saved() {
            self.then(Then::Quit, ctx);
        } else {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.dialog = Some(Dialog::Unsaved { then: Then::Quit });
        }
    }
}
