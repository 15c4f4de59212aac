//! The side panel: the selected node with its parameters, its wires and what it gave; where no single node is selected, the
//! graph with its nodes and what is wrong with it.

use crate::editing::{Edit, why_not};
use crate::studio::action::{Action, BoxId, Command, Output};
use crate::studio::canvas::state_text;
use crate::studio::looking::Looking;
use crate::studio::parameters::{self, Place, Row};
use crate::studio::shown::Shown;
use crate::studio::sockets::{Socket, Sockets};
use crate::studio::{frames, kinds, theme};
use eframe::egui;
use egui::containers::menu::MenuButton;
use egui::{Button, Label, RichText, Sense, Sides, Ui};

/// What the panel shows.
pub struct Side<'a, 'b> {
    /// The graph.
    pub shown: &'a mut Shown<'b>,
    /// The frame or note that is selected.
    pub chosen: Option<BoxId>,
    /// Whether the first parameter, or the first row of the list, takes the keyboard.
    pub take_keyboard: bool,
}

impl Side<'_, '_> {
    /// Shows the node that is selected alone, with what flows out of it, or else the graph.
    pub fn show(mut self, ui: &mut Ui, looking: &mut Looking) {
        let Some(node) = self.selected(ui) else { return };
        let Some(of) = self.shown.sockets.get(&node) else { return };
        outputs(ui, &node, of, looking.chosen(), self.shown.actions);
        if let Some(output) = looking.chosen().clone() {
            looking.inspect(ui, self.shown.runner, &Output { node, output });
        }
    }

    fn selected(&mut self, ui: &mut Ui) -> Option<String> {
        let mut selected = self.shown.session.selection().iter();
        match (selected.next(), selected.next()) {
            (Some(name), None) => {
                let name = name.clone();
                self.node(ui, &name);
                Some(name)
            }
            (Some(_), Some(_)) => {
                let count = self.shown.session.selection().len();
                ui.heading(format!("{count} nodes selected"));
                self.graph(ui);
                None
            }
            _ => {
                ui.heading(self.shown.session.name());
                self.graph(ui);
                None
            }
        }
    }

    fn node(&mut self, ui: &mut Ui, name: &str) {
        let session = self.shown.session;
        let Some(node) = session.document().nodes.get(name) else { return };
        let colours = theme::of(ui);
        let sockets = self.shown.sockets;
        let Some(of) = sockets.get(name) else { return };
        ui.horizontal_wrapped(|ui| {
            ui.heading(name);
            let rename = ui.small_button("✏").on_hover_text("Rename (F2)");
            parameters::rename(&rename, "Rename node");
            if rename.clicked() {
                self.shown.actions.push(Action::Do(Command::Rename));
            }
            let (text, colour) = state_text(self.shown.runner.state(name), colours);
            ui.label(RichText::new(text).color(colour));
        });
        ui.label(RichText::new(&node.node_type).small().color(colours.dim));
        if let Some(node_type) = &of.node_type {
            ui.add(Label::new(RichText::new(&node_type.description.summary).color(colours.dim)).wrap());
        }
        for problem in self.shown.problems.get(name).into_iter().flatten() {
            let colour = if problem.is_error() { colours.failed } else { colours.warning };
            ui.add(Label::new(RichText::new(problem.to_string()).small().color(colour)).wrap());
        }
        if let Some(node_type) = of.node_type.clone().filter(|of| !of.description.parameters.is_empty()) {
            title(ui, "Parameters");
            for parameter in &node_type.description.parameters {
                let given = node.params.get(&parameter.id);
                let focus = std::mem::take(&mut self.take_keyboard);
                let row = Row { node: name, parameter, given, place: Place::Panel, focus };
                parameters::show(ui, row, self.shown.picker, self.shown.actions);
            }
        }
        if !of.inputs.is_empty() {
            title(ui, "Inputs");
            for socket in &of.inputs {
                self.input(ui, name, socket);
            }
        }
    }

    /// An input and where its wire comes from: wires can be laid without a pointer.
    fn input(&mut self, ui: &mut Ui, name: &str, socket: &Socket) {
        let colours = theme::of(ui);
        let session = self.shown.session;
        let wire = session.document().nodes.get(name).and_then(|node| node.inputs.get(&socket.id));
        ui.horizontal(|ui| {
            let (dot, _) = ui.allocate_exact_size(egui::vec2(12.0, 16.0), Sense::hover());
            let colour = kinds::colour(socket.kind(), colours);
            let filled = wire.is_some();
            kinds::draw(ui.painter(), dot.center(), 10.0, kinds::outline(socket.kind()), colour, filled);
            ui.label(&socket.label).on_hover_text(&socket.summary);
            let text = wire
                .map_or(if socket.optional { "nothing" } else { "nothing, and it needs one" }, |wire| wire.as_str());
            let button = MenuButton::from_button(Button::new(text).truncate());
            let (button, _) = button.ui(ui, |ui| {
                egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| self.sources(ui, name, socket, filled));
            });
            parameters::rename(&button, &format!("Wire into {}", socket.label));
        });
    }

    /// The outputs that go together with an input; the others say why they do not.
    fn sources(&mut self, ui: &mut Ui, name: &str, socket: &Socket, wired: bool) {
        if wired {
            if ui.button("Disconnect").clicked() {
                let to = (name.to_owned(), socket.id.clone());
                self.shown.actions.push(Action::Edit(Edit::Disconnect { to }));
                ui.close();
            }
            ui.separator();
        }
        let document = self.shown.session.document();
        for (source, of) in document.nodes.keys().filter_map(|source| Some((source, self.shown.sockets.get(source)?))) {
            if source == name {
                continue;
            }
            for output in &of.outputs {
                let why = why_not(document, self.shown.catalogue, (source, &output.id), (name, &socket.id));
                // What is of quite another kind would only be in the way.
                let other_kind = why.is_some() && !output.kinds.iter().any(|kind| socket.kinds.contains(kind));
                if other_kind {
                    continue;
                }
                let button = Button::new(format!("{source}.{}", output.id));
                let response = ui.add_enabled(why.is_none(), button);
                let response = match why {
                    Some(why) => response.on_disabled_hover_text(why),
                    None => response,
                };
                if response.clicked() {
                    self.shown.actions.push(Action::Edit(Edit::Connect {
                        from: (source.clone(), output.id.clone()),
                        to: (name.to_owned(), socket.id.clone()),
                    }));
                    ui.close();
                }
            }
        }
    }

    fn graph(&mut self, ui: &mut Ui) {
        let colours = theme::of(ui);
        let document = self.shown.session.document();
        let boxes = frames::all(self.shown.session);
        if document.nodes.is_empty() && boxes.is_empty() {
            ui.label(
                "Nothing here yet. Press Tab, or double-click the canvas, to add a node; or drop a picture or a graph.",
            );
            return;
        }
        let errors = self.shown.problems.values().flatten().count();
        if errors > 0 {
            title(ui, "Problems");
            let mut named: Vec<_> = self.shown.problems.iter().collect();
            named.sort_by_key(|(name, _)| document.nodes.get_index_of(*name));
            for problem in named.into_iter().flat_map(|(_, problems)| problems) {
                let colour = if problem.is_error() { colours.failed } else { colours.warning };
                let text = RichText::new(problem.to_string()).small().color(colour);
                if ui.add(Label::new(text).wrap().sense(Sense::click())).clicked() {
                    self.shown.actions.push(Action::GoTo(problem.node.clone()));
                }
            }
        }
        let mut take_keyboard = std::mem::take(&mut self.take_keyboard);
        let mut row = |ui: &mut Ui, selected: bool, name: &str, action: Action, actions: &mut Vec<Action>| {
            let go = ui.add(Button::selectable(selected, name).truncate());
            parameters::rename(&go, &format!("Go to {name}"));
            if std::mem::take(&mut take_keyboard) {
                go.request_focus();
            }
            if go.clicked() {
                actions.push(action);
            }
        };
        if !document.nodes.is_empty() {
            title(ui, "Nodes");
        }
        for name in document.nodes.keys() {
            let selected = self.shown.session.selection().contains(name);
            let (text, colour) = state_text(self.shown.runner.state(name), colours);
            // A long name gives way to how the node is doing.
            Sides::new().shrink_left().show(
                ui,
                |ui| row(ui, selected, name, Action::GoTo(name.clone()), self.shown.actions),
                |ui| ui.label(RichText::new(text).small().color(colour)),
            );
        }
        if !boxes.is_empty() {
            title(ui, "Frames and notes");
        }
        for placed in boxes {
            let selected = self.chosen == Some(placed.id);
            ui.push_id(placed.id, |ui| {
                row(ui, selected, &placed.name(), Action::GoToBox(placed.id), self.shown.actions);
            });
        }
    }
}

/// The outputs of a node, to choose one that is looked into.
fn outputs(ui: &mut Ui, name: &str, sockets: &Sockets, chosen: &mut Option<String>, actions: &mut Vec<Action>) {
    if sockets.outputs.is_empty() {
        return;
    }
    title(ui, "Outputs");
    let is_one = chosen.as_ref().is_some_and(|id| sockets.output(id).is_some());
    if !is_one {
        *chosen = sockets.outputs.first().map(|socket| socket.id.clone());
    }
    ui.horizontal_wrapped(|ui| {
        for socket in &sockets.outputs {
            let is_chosen = chosen.as_deref() == Some(&socket.id);
            let tab = ui.selectable_label(is_chosen, &socket.label).on_hover_text(&socket.summary);
            if tab.clicked() {
                *chosen = Some(socket.id.clone());
            }
        }
    });
    if let Some(output) = chosen.clone() {
        let output = Output { node: name.to_owned(), output };
        ui.horizontal(|ui| {
            if ui.small_button("View").on_hover_text("Show it in the viewer").clicked() {
                actions.push(Action::View(output.clone()));
            }
            if ui.small_button("Compare").on_hover_text("Show it beside what is in the viewer").clicked() {
                actions.push(Action::Compare(output.clone()));
            }
            if ui.small_button("Pin").on_hover_text("Keep its inspector open").clicked() {
                actions.push(Action::Pin(output.clone()));
            }
        });
    }
}

fn title(ui: &mut Ui, text: &str) {
    ui.add_space(6.0);
    ui.separator();
    ui.label(RichText::new(text).strong());
}
