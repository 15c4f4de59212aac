//! Doing what was asked for: each [`Action`], and what the studio does by itself.

use super::action::{Action, Command, Output};
use super::app::Studio;
use super::canvas::Look;
use super::menu::Offers;
use super::palette::Palette;
use super::panels::dialogs::{Dialog, Then};
use crate::document::Off;
use crate::editing::{Edge, Edit};
use eframe::egui;
use egui::{Context, Vec2, vec2};

/// How far an arrow key moves or resizes what is selected, in points of the canvas.
const STEP: f32 = 20.0;

/// How much of what is seen of the canvas a key pans it by.
const PAN: f32 = 0.1;

/// Seconds for which a refusal is shown.
pub(super) const TOAST: f64 = 6.0;

impl Studio {
    /// Tells something in the status line.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.said = (text.into(), false);
    }

    /// Tells why something was not done.
    pub(super) fn refuse(&mut self, text: impl Into<String>, ctx: &Context) {
        let text = text.into();
        let now = ctx.input(|input| input.time);
        self.said = (text.clone(), true);
        self.toasts.retain(|(told, _)| *told != text);
        self.toasts.push((text, now + TOAST));
    }

    /// Does an action.
    pub(super) fn apply(&mut self, action: Action, ctx: &Context) {
        match action {
            Action::Do(command) => {
                if self.offer(command).enabled {
                    self.command(command, ctx);
                }
            }
            Action::Edit(edit @ Edit::Paste { .. }) => self.paste(edit, ctx),
            Action::Edit(edit) => self.edit(edit, ctx),
            Action::Settle => self.session.settle(),
            Action::Select(names) => {
                self.session.settle();
                self.session.select(names);
                self.canvas.mark(None);
            }
            Action::GoTo(node) => {
                self.canvas.mark(None);
                self.session.select([node.clone()]);
                self.canvas.look_at(Look::Node(node));
                ctx.memory_mut(|memory| memory.stop_text_input());
            }
            Action::GoToBox(id) => self.go_to_box(id, ctx),
            Action::Palette { at, wire } => {
                let screen = self.canvas.pointer(ctx);
                self.palette = Some(Palette::new(at, screen, wire));
            }
            Action::Open(path) => self.unless_unsaved(Then::Open(path), ctx),
            Action::SaveAs(path) => self.save_as(&path, ctx),
            Action::RunTo(nodes) => self.run_to(nodes, ctx),
            Action::Sweep { node, parameter } => self.sweeps.begin(&node, &parameter),
            Action::View(output) => {
                self.switches.viewer = true;
                self.looking.view(output);
            }
            Action::Compare(output) => {
                self.switches.viewer = true;
                self.looking.compare(output);
            }
            Action::Pin(output) => self.looking.pin(output),
            Action::Unpin(output) => self.looking.unpin(&output),
            Action::Write(id) => self.write(id),
            Action::Say { text, refused: true } => self.refuse(text, ctx),
            Action::Say { text, .. } => self.say(text),
        }
    }

    /// Makes an edit, or says why not.
    pub(super) fn edit(&mut self, edit: Edit, ctx: &Context) {
        let catalogue = self.catalogue();
        let before = self.session.revision();
        if let Err(refusal) = self.session.apply(edit, &catalogue) {
            self.refuse(refusal.reason, ctx);
            return;
        }
        if self.session.revision() != before {
            self.changed(ctx);
        }
    }

    fn edit_selected(&mut self, edit: impl FnOnce(Vec<String>) -> Edit, ctx: &Context) {
        let nodes: Vec<String> = self.session.selection().iter().cloned().collect();
        self.edit(edit(nodes), ctx);
        self.session.settle();
    }

    fn command(&mut self, command: Command, ctx: &Context) {
        match command {
            Command::New => self.unless_unsaved(Then::New, ctx),
            Command::Open => {
                self.dialog = Some(Dialog::Open { path: String::new() });
            }
            Command::Save => self.save(None, ctx),
            Command::SaveAs => self.ask_where_to_save(None),
            Command::Quit => self.unless_unsaved(Then::Quit, ctx),
            Command::Undo => {
                if let Some(label) = self.session.undo() {
                    self.say(format!("Undone: {label}"));
                    self.changed(ctx);
                }
            }
            Command::Redo => {
                if let Some(label) = self.session.redo() {
                    self.say(format!("Done again: {label}"));
                    self.changed(ctx);
                }
            }
            Command::Copy | Command::Cut => {
                if let Some(chosen) = self.chosen() {
                    return self.copy_chosen(&chosen, command == Command::Cut, ctx);
                }
                let nodes: Vec<String> = self.session.selection().iter().cloned().collect();
                ctx.copy_text(self.session.copy(&nodes));
                self.say(format!("Copied {}", count(nodes.len())));
                if command == Command::Cut {
                    self.edit(Edit::Delete { nodes }, ctx);
                }
            }
            Command::Paste => ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            Command::Duplicate => {
                if let Some(chosen) = self.chosen() {
                    return self.duplicate_chosen(&chosen, ctx);
                }
                self.edit_selected(|nodes| Edit::Duplicate { nodes, offset: [40.0, 40.0] }, ctx);
            }
            Command::Delete => self.delete(ctx),
            Command::SelectAll => {
                let all: Vec<String> = self.session.document().nodes.keys().cloned().collect();
                self.session.select(all);
            }
            Command::SelectNone => {
                self.canvas.choose(None);
                self.canvas.mark(None);
                self.switches.shortcuts = false;
                self.session.select([]);
            }
            Command::SelectNext => self.select_beside(1),
            Command::SelectPrevious => self.select_beside(-1),
            Command::MarkNext => self.mark_beside(1, ctx),
            Command::MarkPrevious => self.mark_beside(-1, ctx),
            Command::SelectMarked => self.select_marked(),
            Command::SelectNextBox => self.go_to_box_beside(1, ctx),
            Command::SelectPreviousBox => self.go_to_box_beside(-1, ctx),
            Command::FocusSide => {
                self.switches.side = true;
                self.switches.take_keyboard = true;
            }
            Command::AddNode => {
                let screen = self.canvas.pointer(ctx);
                self.palette = Some(Palette::new(self.canvas.at(screen), screen, None));
            }
            Command::Rename => {
                if let Some(chosen) = self.chosen() {
                    self.write(chosen.id);
                } else if let Some(node) = self.session.selection().first().cloned() {
                    self.dialog = Some(Dialog::Rename { name: node.clone(), node });
                }
            }
            Command::Mute => self.switch_off(Off::Mute, ctx),
            Command::Bypass => self.switch_off(Off::Bypass, ctx),
            Command::Collapse => {
                let collapsed = !self.session.selection().iter().all(|node| self.session.is_collapsed(node));
                self.edit_selected(|nodes| Edit::Collapse { nodes, collapsed }, ctx);
            }
            Command::Disconnect => self.disconnect(ctx),
            Command::AddFrame => self.add_frame(ctx),
            Command::AddNote => self.add_note(ctx),
            Command::AlignLeft => self.align(Edge::Left, ctx),
            Command::AlignRight => self.align(Edge::Right, ctx),
            Command::AlignTop => self.align(Edge::Top, ctx),
            Command::AlignBottom => self.align(Edge::Bottom, ctx),
            Command::AlignColumn => self.align(Edge::CentreX, ctx),
            Command::AlignRow => self.align(Edge::CentreY, ctx),
            Command::SpreadAcross => self.align(Edge::SpreadX, ctx),
            Command::SpreadDown => self.align(Edge::SpreadY, ctx),
            Command::Arrange => {
                let selected: Vec<String> = self.session.selection().iter().cloned().collect();
                let nodes = (selected.len() > 1).then_some(selected);
                let everything = nodes.is_none();
                self.edit(Edit::Arrange { sizes: self.canvas.sizes(), nodes }, ctx);
                if everything {
                    self.canvas.look_at_everything_anew();
                }
            }
            Command::MoveLeft => self.nudge(vec2(-STEP, 0.0), ctx),
            Command::MoveRight => self.nudge(vec2(STEP, 0.0), ctx),
            Command::MoveUp => self.nudge(vec2(0.0, -STEP), ctx),
            Command::MoveDown => self.nudge(vec2(0.0, STEP), ctx),
            Command::Narrower => self.resize_chosen(vec2(-STEP, 0.0), ctx),
            Command::Wider => self.resize_chosen(vec2(STEP, 0.0), ctx),
            Command::Shorter => self.resize_chosen(vec2(0.0, -STEP), ctx),
            Command::Taller => self.resize_chosen(vec2(0.0, STEP), ctx),
            Command::Run => self.run_to(Vec::new(), ctx),
            Command::RunSelected => {
                let nodes = self.session.selection().iter().cloned().collect();
                self.run_to(nodes, ctx);
            }
            Command::Cancel => {
                self.runner.cancel();
                self.say("Stopping…");
            }
            Command::AutoRun => {
                self.switches.auto_run = !self.switches.auto_run;
                let state = if self.switches.auto_run { "Runs on every change" } else { "Runs when asked to" };
                self.say(state);
            }
            Command::Sweep => self.sweeps.open = !self.sweeps.open,
            Command::ClearCache => {
                self.engine.clear_cache();
                self.say("The cache is empty");
            }
            Command::ZoomFit => self.canvas.look_at(Look::Everything),
            Command::ZoomSelection => {
                let look = self.chosen().map_or_else(
                    || Look::Nodes(self.session.selection().iter().cloned().collect()),
                    |chosen| Look::Area(chosen.area),
                );
                self.canvas.look_at(look);
            }
            Command::ZoomActual => self.canvas.look_at(Look::Actual),
            Command::ZoomIn => self.canvas.look_at(Look::Zoom(1.25)),
            Command::ZoomOut => self.canvas.look_at(Look::Zoom(0.8)),
            Command::PanLeft => self.canvas.look_at(Look::Pan(vec2(-PAN, 0.0))),
            Command::PanRight => self.canvas.look_at(Look::Pan(vec2(PAN, 0.0))),
            Command::PanUp => self.canvas.look_at(Look::Pan(vec2(0.0, -PAN))),
            Command::PanDown => self.canvas.look_at(Look::Pan(vec2(0.0, PAN))),
            Command::ShowViewer => self.switches.viewer = !self.switches.viewer,
            Command::ShowLog => self.switches.log = !self.switches.log,
            Command::ClearLog => self.runner.clear_log(),
            Command::ShowSide => self.switches.side = !self.switches.side,
            Command::ViewOutput => self.with_first_output(Action::View, ctx),
            Command::PinOutput => self.with_first_output(Action::Pin, ctx),
            Command::Theme => {
                let other = if ctx.theme() == egui::Theme::Dark { egui::Theme::Light } else { egui::Theme::Dark };
                ctx.set_theme(other);
            }
            Command::Shortcuts => self.switches.shortcuts = !self.switches.shortcuts,
        }
    }

    fn delete(&mut self, ctx: &Context) {
        if let Some(chosen) = self.chosen() {
            self.delete_chosen(&chosen, ctx);
        }
        if !self.session.selection().is_empty() {
            self.edit_selected(|nodes| Edit::Delete { nodes }, ctx);
        }
    }

    fn select_beside(&mut self, by: isize) {
        if let Some(name) = self.beside(by) {
            self.canvas.mark(None);
            self.session.select([name.clone()]);
            self.canvas.look_at(Look::Node(name));
        }
    }

    /// Goes to the next node without selecting it.
    fn mark_beside(&mut self, by: isize, ctx: &Context) {
        if let Some(name) = self.beside(by) {
            self.canvas.mark(Some(name.clone()));
            self.canvas.take_keyboard(&name, ctx);
            self.canvas.look_at(Look::Node(name));
        }
    }

    fn select_marked(&mut self) {
        let Some(marked) = self.canvas.marked() else { return };
        let mut names: Vec<String> = self.session.selection().iter().cloned().collect();
        let count = names.len();
        names.retain(|name| name != marked);
        if names.len() == count {
            names.push(marked.to_owned());
        }
        self.session.settle();
        self.session.select(names);
    }

    /// The node so many places further in the graph than the marked one, or else than the one that was selected last.
    fn beside(&self, by: isize) -> Option<String> {
        let nodes = &self.session.document().nodes;
        let count = nodes.len();
        let now = self.canvas.marked().or(self.session.selection().last().map(String::as_str));
        let next = match now.and_then(|name| nodes.get_index_of(name)) {
            Some(now) => (now + count).saturating_add_signed(by) % count,
            None if by > 0 => 0,
            None => count.checked_sub(1)?,
        };
        nodes.get_index(next).map(|(name, _)| name.clone())
    }

    fn switch_off(&mut self, wanted: Off, ctx: &Context) {
        let document = self.session.document();
        let is_off = |name: &String| document.nodes.get(name).is_some_and(|node| node.off == Some(wanted));
        let off = (!self.session.selection().iter().all(is_off)).then_some(wanted);
        self.edit_selected(|nodes| Edit::SetOff { nodes, off }, ctx);
    }

    fn disconnect(&mut self, ctx: &Context) {
        let document = self.session.document();
        let mut edits = Vec::new();
        for (name, node) in &document.nodes {
            for (input, wire) in &node.inputs {
                let from_selected = wire.source().is_some_and(|(source, _)| self.session.selection().contains(source));
                if from_selected || self.session.selection().contains(name) {
                    edits.push(Edit::Disconnect { to: (name.clone(), input.clone()) });
                }
            }
        }
        if !edits.is_empty() {
            self.edit(Edit::Several { label: "disconnect".to_owned(), edits }, ctx);
            self.session.settle();
        }
    }

    fn align(&mut self, edge: Edge, ctx: &Context) {
        let all = self.canvas.sizes();
        let sizes = self.session.selection().iter().map(|name| all.get(name).copied().unwrap_or([240.0, 120.0]));
        let sizes = sizes.collect();
        self.edit_selected(|nodes| Edit::Align { nodes, edge, sizes }, ctx);
    }

    fn nudge(&mut self, by: Vec2, ctx: &Context) {
        if let Some(chosen) = self.chosen() {
            return self.move_chosen(&chosen, by, ctx);
        }
        let moved = |name: &String| {
            let [x, y] = self.session.position(name);
            (name.clone(), [x + by.x, y + by.y])
        };
        let nodes = self.session.selection().iter().map(moved).collect();
        self.edit(Edit::Move { nodes }, ctx);
    }

    fn with_first_output(&mut self, action: fn(Output) -> Action, ctx: &Context) {
        let node = self.session.selection().last().cloned();
        let output = node.and_then(|node| {
            let sockets = self.sockets().get(&node)?;
            let is_picture = |output: &&super::sockets::Socket| {
                self.runner.value(&node, &output.id).is_some_and(|value| value.as_image().is_some())
            };
            let output = sockets.outputs.iter().find(is_picture).or_else(|| sockets.outputs.first())?.id.clone();
            Some(Output { node, output })
        });
        match output {
            Some(output) => self.apply(action(output), ctx),
            None => self.refuse("The selected node has no output", ctx),
        }
    }
}

/// So many nodes, in words.
pub(super) fn count(nodes: usize) -> String {
    if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") }
}
