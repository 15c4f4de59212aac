//! What is looked at: the picture in the viewer and the one that it is compared with, the output of the selected node, and
//! the inspectors that stay open side by side.

use super::action::{Action, Output};
use super::look::{Inspector, Tools, Viewer};
use super::parameters;
use super::theme;
use crate::engine::Engine;
use crate::running::Runner;
use eframe::egui;
use egui::{RichText, ScrollArea, Ui};
use std::sync::Arc;

/// Width of an inspector that stays open.
const PINNED: f32 = 300.0;

/// What is looked at.
pub struct Looking {
    viewed: Option<Output>,
    compared: Option<Output>,
    chosen: Option<String>,
    viewer: Viewer,
    inspector: Inspector,
    pinned: Vec<(Output, Inspector)>,
    tools: Tools,
}

impl Looking {
    /// Looks at nothing yet; `wake` is called when something was computed for an inspector.
    #[must_use]
    pub fn new(engine: &Arc<Engine>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            viewed: None,
            compared: None,
            chosen: None,
            viewer: Viewer::default(),
            inspector: Inspector::default(),
            pinned: Vec::new(),
            tools: Tools::new(Arc::clone(engine), wake),
        }
    }

    /// Forgets all, for another graph.
    pub fn reset(&mut self) {
        self.viewed = None;
        self.compared = None;
        self.chosen = None;
        self.pinned.clear();
    }

    /// The output of the selected node that is looked into.
    pub fn chosen(&mut self) -> &mut Option<String> {
        &mut self.chosen
    }

    /// Shows an output in the viewer.
    pub fn view(&mut self, output: Output) {
        if self.compared.as_ref() == Some(&output) {
            self.compared = None;
        }
        self.viewed = Some(output);
    }

    /// Shows an output beside the one in the viewer.
    pub fn compare(&mut self, output: Output) {
        if self.viewed.is_none() {
            self.viewed = Some(output);
        } else {
            self.compared = Some(output);
        }
    }

    /// Follows a node to another name.
    pub fn rename(&mut self, from: &str, to: &str) {
        let pinned = self.pinned.iter_mut().map(|(output, _)| output);
        let looked_at = self.viewed.iter_mut().chain(&mut self.compared).chain(pinned);
        looked_at.filter(|output| output.node == from).for_each(|output| to.clone_into(&mut output.node));
    }

    /// Whether the viewer is still empty.
    #[must_use]
    pub fn views_nothing(&self) -> bool {
        self.viewed.is_none()
    }

    /// Keeps an inspector open.
    pub fn pin(&mut self, output: Output) {
        if !self.pinned.iter().any(|(pinned, _)| *pinned == output) {
            self.pinned.push((output, Inspector::default()));
        }
    }

    /// Closes an inspector.
    pub fn unpin(&mut self, output: &Output) {
        self.pinned.retain(|(pinned, _)| pinned != output);
    }

    /// Whether an inspector stays open.
    #[must_use]
    pub fn has_pins(&self) -> bool {
        !self.pinned.is_empty()
    }

    /// Shows the inspector of an output.
    pub fn inspect(&mut self, ui: &mut Ui, runner: &Runner, output: &Output) {
        match runner.value(&output.node, &output.output) {
            Some(value) => {
                ui.push_id("selected", |ui| self.inspector.show(ui, value, &self.tools));
            }
            None => nothing(ui),
        }
    }

    /// Shows the viewer and the inspectors that stay open, side by side.
    pub fn show(&mut self, ui: &mut Ui, runner: &Runner, viewer: bool, actions: &mut Vec<Action>) {
        ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
            ui.horizontal_top(|ui| {
                if viewer {
                    let pinned = self.pinned.len().min(2) as f32 * PINNED;
                    let width = (ui.available_width() - pinned).max(320.0);
                    column(ui, width, |ui| self.viewer(ui, runner));
                }
                for (output, inspector) in &mut self.pinned {
                    ui.separator();
                    column(ui, PINNED, |ui| {
                        ui.horizontal(|ui| {
                            ui.label(RichText::new(name(output)).strong());
                            let close = ui.small_button("✖").on_hover_text("Close");
                            parameters::rename(&close, &format!("Close inspector of {}", name(output)));
                            if close.clicked() {
                                actions.push(Action::Unpin(output.clone()));
                            }
                        });
                        let scroll = ScrollArea::vertical().id_salt(name(output)).auto_shrink(false);
                        scroll.show(ui, |ui| match runner.value(&output.node, &output.output) {
                            Some(value) => inspector.show(ui, value, &self.tools),
                            None => nothing(ui),
                        });
                    });
                }
            });
        });
    }

    fn viewer(&mut self, ui: &mut Ui, runner: &Runner) {
        let value = |output: &Option<Output>| output.as_ref().and_then(|of| runner.value(&of.node, &of.output));
        let (a, b) = (value(&self.viewed), value(&self.compared));
        ui.horizontal(|ui| {
            let title = self.viewed.as_ref().map_or_else(|| "Viewer".to_owned(), name);
            ui.label(RichText::new(title).strong());
            if let Some(compared) = &self.compared {
                ui.label(format!("and {}", name(compared)));
                if ui.small_button("Stop comparing").clicked() {
                    self.compared = None;
                }
            }
        });
        match a {
            Some(_) => self.viewer.show(ui, a, b),
            None => nothing(ui),
        }
    }
}

fn name(output: &Output) -> String {
    format!("{}.{}", output.node, output.output)
}

fn column(ui: &mut Ui, width: f32, show: impl FnOnce(&mut Ui)) {
    let size = egui::vec2(width, ui.available_height());
    ui.allocate_ui_with_layout(size, egui::Layout::top_down(egui::Align::Min), |ui| {
        ui.set_width(width);
        show(ui);
    });
}

fn nothing(ui: &mut Ui) {
    let text = "Nothing has flowed here yet. Run to this node (Ctrl+Shift+Enter) to see it.";
    ui.add(egui::Label::new(RichText::new(text).color(theme::of(ui).dim)).wrap());
}
