//! The questions that the studio asks, one at a time, over everything else. Each can be answered by the keyboard: Enter for
//! what is offered first, Escape for leaving all as it is.

use crate::editing::Recovered;
use crate::studio::parameters::{self, Dialog as SystemDialog, Picker, Wanted};
use crate::studio::theme;
use eframe::egui;
use egui::{Context, Id, Key, Label, Modal, Modifiers, RichText, ScrollArea, TextEdit, Ui};
use std::path::{Path, PathBuf};

/// What of the window's height is kept free of the list of what is recovered.
const BESIDE_LIST: f32 = 160.0;

/// What is done once the question of unsaved changes is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Begin an empty graph.
    New,
    /// Open this graph.
    Open(PathBuf),
    /// Close the window.
    Quit,
}

/// A question.
#[derive(Debug)]
pub enum Dialog {
    /// Which graph is opened.
    Open {
        /// What is typed.
        path: String,
    },
    /// Where the graph is saved.
    SaveAs {
        /// What is typed.
        path: String,
        /// What is done when it is saved.
        then: Option<Then>,
    },
    /// What becomes of changes that are not saved.
    Unsaved {
        /// What was wanted.
        then: Then,
    },
    /// What becomes of a file that another program changed.
    Changed {
        /// What is done when the graph is saved.
        then: Option<Then>,
    },
    /// What a node is called.
    Rename {
        /// The node.
        node: String,
        /// What is typed.
        name: String,
    },
    /// Whether graphs that a killed studio left are opened again.
    Recover {
        /// The graphs.
        left: Vec<Recovered>,
    },
    /// Whether a picture that carries a graph is meant as a picture or as a graph.
    Dropped {
        /// The picture.
        path: PathBuf,
        /// Where it was dropped, on the canvas.
        at: [f32; 2],
    },
}

/// The answer.
#[derive(Debug)]
pub enum Answer {
    /// Leave all as it is.
    Cancel,
    /// Open this graph.
    Open(PathBuf),
    /// Save the graph here, then do that.
    SaveAs(PathBuf, Option<Then>),
    /// Save the graph, then do that.
    Save(Then),
    /// Ask where to save the graph, then do that.
    AskWhere(Option<Then>),
    /// Save the graph whatever its file holds by now, then do that.
    SaveOver(Option<Then>),
    /// Read the graph's file again.
    Reload,
    /// Do that without saving.
    Discard(Then),
    /// Rename a node.
    Rename(String, String),
    /// Open what was left behind.
    Recover(Box<Recovered>),
    /// Throw away what was left behind.
    ThrowAway(Vec<Recovered>),
    /// Add the picture to the graph.
    AddPicture(PathBuf, [f32; 2]),
}

impl Dialog {
    /// Shows the question; the answer once there is one.
    pub fn show(&mut self, ctx: &Context, graph: &str, picker: &mut Picker) -> Option<Answer> {
        // A button that the keyboard has gone to takes the key itself.
        let free = ctx.text_edit_focused() || ctx.memory(|memory| memory.focused().is_none());
        let enter = free && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let mut answer = None;
        let width = 440.0_f32.min(ctx.content_rect().width() - 60.0);
        let modal = Modal::new(Id::new("dialog")).show(ctx, |ui| {
            ui.set_width(width);
            match self {
                Self::Open { path } => {
                    ui.heading("Open");
                    ui.label("A graph (.json), or a PNG that carries one.");
                    let extensions = ["json", "png"].map(str::to_owned).to_vec();
                    file_field(ui, path, SystemDialog::Open(extensions), picker);
                    if buttons(ui, "Open", !path.trim().is_empty(), enter, &mut answer) {
                        answer = Some(Answer::Open(absolute(path, picker)));
                    }
                }
                Self::SaveAs { path, then } => {
                    ui.heading("Save as");
                    file_field(ui, path, SystemDialog::Save(vec!["json".to_owned()]), picker);
                    let target = absolute(&with_ending(path), picker);
                    if target.exists() {
                        ui.label(
                            RichText::new("This file is there already and will be replaced.")
                                .color(theme::of(ui).warning),
                        );
                    }
                    if buttons(ui, "Save", !path.trim().is_empty(), enter, &mut answer) {
                        answer = Some(Answer::SaveAs(target, then.clone()));
                    }
                }
                Self::Unsaved { then } => {
                    ui.heading("Save the changes?");
                    ui.label(format!("{graph} has changes that are not saved."));
                    ui.horizontal(|ui| {
                        if ui.button("Save").clicked() || enter {
                            answer = Some(Answer::Save(then.clone()));
                        }
                        if ui.button("Discard").clicked() {
                            answer = Some(Answer::Discard(then.clone()));
                        }
                        if ui.button("Cancel").clicked() {
                            answer = Some(Answer::Cancel);
                        }
                    });
                }
                Self::Changed { then } => {
                    ui.heading("Changed on disk");
                    ui.label(format!(
                        "Another program changed {graph} since it was opened or saved here. Overwriting it loses that \
                         program's changes; reading it again replaces yours, which undo brings back."
                    ));
                    ui.horizontal(|ui| {
                        if ui.button("Save as…").clicked() || enter {
                            answer = Some(Answer::AskWhere(then.clone()));
                        }
                        if ui.button("Overwrite").clicked() {
                            answer = Some(Answer::SaveOver(then.clone()));
                        }
                        if ui.button("Reload").clicked() {
                            answer = Some(Answer::Reload);
                        }
                        if ui.button("Cancel").clicked() {
                            answer = Some(Answer::Cancel);
                        }
                    });
                }
                Self::Rename { node, name } => {
                    ui.heading(format!("Rename {node}"));
                    let field = ui.add(TextEdit::singleline(name).desired_width(width - 8.0));
                    parameters::rename(&field, "New name");
                    field.request_focus();
                    ui.label(RichText::new("Letters, digits, _ and -. Wires follow.").color(theme::of(ui).dim));
                    if buttons(ui, "Rename", !name.is_empty(), enter, &mut answer) {
                        answer = Some(Answer::Rename(node.clone(), name.clone()));
                    }
                }
                Self::Recover { left } => {
                    ui.heading("Recover unsaved work?");
                    ui.label("A studio ended before these graphs were saved:");
                    let most = (ctx.content_rect().height() - BESIDE_LIST).max(60.0);
                    ScrollArea::vertical().max_height(most).show(ui, |ui| {
                        for (index, recovered) in left.iter().enumerate() {
                            let name = recovered
                                .file
                                .as_deref()
                                .map_or_else(|| "Untitled".to_owned(), |file| file.display().to_string());
                            ui.horizontal(|ui| {
                                if ui.button("Recover").clicked() || (enter && index == 0) {
                                    answer = Some(Answer::Recover(Box::new(recovered.clone())));
                                }
                                ui.add(Label::new(format!("{name}, {}", ago(recovered.time))).wrap());
                            });
                        }
                    });
                    ui.horizontal(|ui| {
                        if ui.button("Throw away").clicked() {
                            answer = Some(Answer::ThrowAway(std::mem::take(left)));
                        }
                        if ui.button("Later").clicked() {
                            answer = Some(Answer::Cancel);
                        }
                    });
                }
                Self::Dropped { path, at } => {
                    ui.heading("This picture carries a graph");
                    ui.label(path.display().to_string());
                    ui.horizontal(|ui| {
                        if ui.button("Open its graph").clicked() || enter {
                            answer = Some(Answer::Open(path.clone()));
                        }
                        if ui.button("Add the picture").clicked() {
                            answer = Some(Answer::AddPicture(path.clone(), *at));
                        }
                        if ui.button("Cancel").clicked() {
                            answer = Some(Answer::Cancel);
                        }
                    });
                }
            }
        });
        if answer.is_none() && modal.should_close() {
            answer = Some(Answer::Cancel);
        }
        answer
    }

    /// A path that the system's dialog gave.
    pub fn take_path(&mut self, chosen: &Path) {
        if let Self::Open { path } | Self::SaveAs { path, .. } = self {
            *path = chosen.display().to_string();
        }
    }
}

/// The button that does it and the one that does not; whether it is to be done.
fn buttons(ui: &mut Ui, label: &str, enabled: bool, enter: bool, answer: &mut Option<Answer>) -> bool {
    ui.add_space(6.0);
    let done = ui.horizontal(|ui| {
        let button = ui.add_enabled(enabled, egui::Button::new(label));
        parameters::rename(&button, &format!("{label} now"));
        if ui.button("Cancel").clicked() {
            *answer = Some(Answer::Cancel);
        }
        button.clicked() || (enter && enabled)
    });
    done.inner
}

fn file_field(ui: &mut Ui, path: &mut String, dialog: SystemDialog, picker: &mut Picker) {
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(path).desired_width((ui.available_width() - 86.0).max(80.0));
        let field = ui.add(field);
        parameters::rename(&field, "Path");
        if ui.memory(|memory| memory.focused().is_none()) {
            field.request_focus();
        }
        if ui.button("Browse…").clicked() {
            let begin = picker.folder.clone();
            picker.ask(Wanted::Field, dialog, &begin, ui.ctx());
        }
    });
}

fn absolute(path: &str, picker: &Picker) -> PathBuf {
    picker.folder.join(path.trim())
}

/// A graph's file ends in `.json` where it ends in nothing.
fn with_ending(path: &str) -> String {
    let path = path.trim();
    if Path::new(path).extension().is_some() || path.is_empty() { path.to_owned() } else { format!("{path}.json") }
}

fn ago(time: std::time::SystemTime) -> String {
    let minutes = time.elapsed().map_or(0, |elapsed| elapsed.as_secs() / 60);
    match minutes {
        0 => "just now".to_owned(),
        1 => "a minute ago".to_owned(),
        minutes if minutes < 120 => format!("{minutes} minutes ago"),
        minutes if minutes < 48 * 60 => format!("{} hours ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_without_an_ending_gets_one() {
        assert_eq!(with_ending(" mine "), "mine.json");
        assert_eq!(with_ending("mine.graph"), "mine.graph");
    }
}
