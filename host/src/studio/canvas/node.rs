//! A node: its header with what it is and how it is doing, its parameters, and what it has to say: how far it is, what it
//! made, why it failed, which plugin is missing.

use super::view::View;
use crate::document::{Node, Off};
use crate::editing::Edit;
use crate::running::NodeState;
use crate::studio::action::Action;
use crate::studio::parameters::{self, Place, Row};
use crate::studio::theme::{self, Colours};
use eframe::egui;
use egui::{Align, Align2, Color32, FontId, Label, Layout, ProgressBar, RichText, Sense, Ui, vec2};

/// Width of a node's lower part.
const WIDTH: f32 = 208.0;

/// The node type as people read it: its label, or its id where nothing is known of it.
fn label_of(view: &View<'_, '_>, name: &str, node: &Node) -> String {
    let node_type = view.shown.sockets.get(name).and_then(|sockets| sockets.node_type.as_ref());
    node_type.map_or_else(|| node.node_type.clone(), |node_type| node_type.description.label.clone())
}

/// How a node is doing, in a word, and the colour of the word.
#[must_use]
pub fn state_text(state: &NodeState, colours: &Colours) -> (String, Color32) {
    match state {
        NodeState::Idle => (String::new(), colours.dim),
        NodeState::Waiting => ("waiting".into(), colours.waiting),
        NodeState::Running { done, total, .. } if *total > 0 => {
            // What a plugin tells may be any number.
            let percent = (u128::from(*done) * 100 / u128::from(*total)).min(100);
            (format!("{percent} %"), colours.running)
        }
        NodeState::Running { .. } => ("running".into(), colours.running),
        NodeState::Cached => ("cached".into(), colours.cached),
        NodeState::Done { seconds } => (seconds_text(*seconds), colours.done),
        NodeState::Failed { .. } => ("failed".into(), colours.failed),
        NodeState::Stale => ("changed".into(), colours.stale),
    }
}

/// A time as people say it: `0.2 s`, `75 s`, `3 min 20 s`.
#[must_use]
pub fn seconds_text(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{} min {:.0} s", (seconds / 60.0) as u64, seconds % 60.0)
    }
}

impl View<'_, '_> {
    /// The node's name, its type and how it is doing.
    pub(super) fn header(&mut self, ui: &mut Ui, name: &str) {
        let Some(node) = self.shown.session.document().nodes.get(name) else { return };
        let colours = theme::of(ui);
        if !self.is_full(name) {
            let size = self.state.headers.get(name).copied().unwrap_or(vec2(WIDTH, 18.0));
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            // Zoomed out, the names are what is left to read: they stay as large as there is room for.
            if self.state.to_global.scaling < 0.9 && rect.intersects(self.state.viewport) {
                let font = FontId::proportional((13.0 / self.state.to_global.scaling).clamp(13.0, 26.0));
                let text = if name.len() > 18 {
                    &name[..name.char_indices().nth(17).map_or(name.len(), |(i, _)| i)]
                } else {
                    name
                };
                ui.painter().text(rect.left_center(), Align2::LEFT_CENTER, text, font, colours.text);
            }
            return;
        }
        let collapsed = self.shown.session.is_collapsed(name);
        let (text, colour) = self.badge(name, node, colours);
        let label = label_of(self, name, node);
        let shown = ui.horizontal(|ui| {
            ui.set_min_width(WIDTH - 12.0);
            let arrow = if collapsed { "⏵" } else { "⏷" };
            let arrow = ui.add(Label::new(RichText::new(arrow).color(colours.dim)).sense(Sense::click()));
            parameters::retext(&arrow, &format!("collapse {name}"));
            if arrow.clicked() {
                let nodes = vec![name.to_owned()];
                self.shown.actions.push(Action::Edit(Edit::Collapse { nodes, collapsed: !collapsed }));
            }
            let room = WIDTH - 42.0;
            ui.add(Label::new(RichText::new(name).strong().color(colours.text)).truncate());
            if label != name && label.len() + name.len() < 30 {
                ui.add(Label::new(RichText::new(label).small().color(colours.dim)));
            }
            let state = ui.painter().layout_no_wrap(text.clone(), FontId::proportional(11.0), colour);
            let used = ui.min_rect().width();
            let space = (room + 30.0 - used - state.size().x - ui.spacing().item_spacing.x).max(0.0);
            ui.add_space(space);
            let response = ui.add(Label::new(RichText::new(text.clone()).size(11.0).color(colour)));
            if !text.is_empty() {
                parameters::retext(&response, &format!("state of {name}: {text}"));
            }
        });
        self.state.headers.insert(name.to_owned(), shown.response.rect.size());
    }

    fn badge(&self, name: &str, node: &Node, colours: &Colours) -> (String, Color32) {
        match node.off {
            Some(Off::Mute) => ("muted".into(), colours.dim),
            Some(Off::Bypass) => ("bypassed".into(), colours.bypassed),
            None if self.is_missing(name) => ("missing".into(), colours.failed),
            None => state_text(self.shown.runner.state(name), colours),
        }
    }

    /// What is below the sockets.
    pub(super) fn footer(&mut self, ui: &mut Ui, name: &str) {
        if self.afar.contains(name) {
            self.lower_part_from_afar(ui, name);
            return;
        }
        if !self.is_full(name) {
            if let Some(size) = self.state.reserved.get(name) {
                ui.allocate_space(*size);
            }
            self.state.seeing.bottom = ui.min_rect().bottom();
            return;
        }
        // Keys mean to widgets what they mean everywhere.
        ui.input_mut(|input| input.modifiers = self.modifiers);
        let left = Layout::top_down(Align::Min);
        let shown = ui.allocate_ui_with_layout(vec2(WIDTH, 0.0), left, |ui| {
            ui.set_width(WIDTH);
            self.missing(ui, name);
            self.parameters(ui, name);
            self.problems(ui, name);
            self.outcome(ui, name);
        });
        ui.input_mut(|input| input.modifiers = egui::Modifiers::NONE);
        self.state.reserved.insert(name.to_owned(), shown.response.rect.size());
        self.state.seeing.bottom = ui.min_rect().bottom();
    }

    fn parameters(&mut self, ui: &mut Ui, name: &str) {
        let Some(node_type) = self.shown.sockets.get(name).and_then(|sockets| sockets.node_type.clone()) else {
            return;
        };
        let session = self.shown.session;
        let Some(node) = session.document().nodes.get(name) else { return };
        for parameter in &node_type.description.parameters {
            let given = node.params.get(&parameter.id);
            let row = Row { node: name, parameter, given, place: Place::Node, focus: false };
            parameters::show(ui, row, self.shown.picker, self.shown.actions);
        }
    }

    /// A node whose plugin is not here: which, and what to do.
    fn missing(&self, ui: &mut Ui, name: &str) {
        if !self.is_missing(name) {
            return;
        }
        let Some(node) = self.shown.session.document().nodes.get(name) else { return };
        let colours = theme::of(ui);
        let refused = self.shown.catalogue.refused_for(&node.node_type);
        let why = refused.map_or_else(
            || "No plugin here offers it. Put the plugin into the plugins folder and start again; the node is kept as it is.".to_owned(),
            |refused| format!("{} was refused: {}", refused.path.display(), refused.reason),
        );
        let text = format!("Missing node type: {}", node.node_type);
        ui.add(Label::new(RichText::new(text).color(colours.failed)).wrap());
        ui.add(Label::new(RichText::new(why).small().color(colours.dim)).wrap());
        for (parameter, value) in &node.params {
            let text = RichText::new(format!("{parameter}: {value}")).small().color(colours.dim);
            ui.add(Label::new(text).truncate());
        }
    }

    /// What is wrong with the node before anything runs.
    fn problems(&self, ui: &mut Ui, name: &str) {
        if self.is_missing(name) {
            return;
        }
        let colours = theme::of(ui);
        for problem in self.shown.problems.get(name).into_iter().flatten() {
            let colour = if problem.is_error() { colours.failed } else { colours.warning };
            let sign = if problem.is_error() { "✖" } else { "⚠" };
            let place = crate::studio::problems::brief(problem);
            let line = ui.add(Label::new(RichText::new(format!("{sign} {place}")).small().color(colour)).wrap());
            line.on_hover_text(problem.to_string());
        }
    }

    /// How far it is, what it made, why it failed.
    fn outcome(&mut self, ui: &mut Ui, name: &str) {
        let colours = theme::of(ui);
        let runner = self.shown.runner;
        match runner.state(name) {
            NodeState::Running { done, total, label } => {
                let bar = if *total > 0 {
                    ProgressBar::new(*done as f32 / *total as f32).text(format!("{label} {done}/{total}"))
                } else {
                    ProgressBar::new(0.0).text(label.clone())
                };
                ui.add(bar.desired_width(WIDTH - 4.0).desired_height(14.0));
                if let Some(preview) = runner.preview(name) {
                    self.state.thumbnails.show(ui, name, preview);
                }
            }
            NodeState::Failed { message, remedy } => {
                ui.add(Label::new(RichText::new(message).small().color(colours.failed)).wrap());
                if !remedy.is_empty() {
                    ui.add(Label::new(RichText::new(format!("→ {remedy}")).small().color(colours.text)).wrap());
                }
            }
            _ => {
                let outputs = self.shown.sockets.get(name).map(|sockets| sockets.outputs.as_slice());
                let values = outputs.into_iter().flatten().filter_map(|output| runner.value(name, &output.id));
                // The first that is something to be seen.
                let seen = values.into_iter().find(|value| value.as_image().is_some());
                if let Some(value) = seen.or_else(|| runner.preview(name)) {
                    self.state.thumbnails.show(ui, name, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_people_say_it() {
        assert_eq!(seconds_text(0.04), "0.0 s");
        assert_eq!(seconds_text(12.3), "12 s");
        assert_eq!(seconds_text(200.0), "3 min 20 s");
    }
}
