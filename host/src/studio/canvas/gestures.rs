//! What is done to the canvas itself: the selection by a box, the palette, the wire that is being dragged, the wheel.

use super::{Shown, State};
use crate::editing::why_not;
use crate::studio::action::{Action, Dangling};
use crate::studio::sockets::Sockets;
use crate::studio::theme;
use eframe::egui;
use egui::emath::TSTransform;
use egui::{Event, Modifiers, MouseWheelUnit, PointerButton, Rect, Response, Stroke, StrokeKind, Ui};
use std::collections::HashMap;

/// How much larger one notch of the wheel makes the canvas.
const NOTCH: f32 = 1.15;

/// Clicks and drags beside the nodes.
pub(super) fn background(
    ui: &Ui,
    background: &Response,
    modifiers: Modifiers,
    state: &mut State,
    shown: &mut Shown<'_>,
) {
    state.wheel = wheel(ui, state);
    if let Some(wire) = state.dropped.take() {
        let pointer = ui.input(|input| input.pointer.latest_pos()).unwrap_or_else(|| state.screen.center());
        let at = state.to_global.inverse() * pointer;
        shown.actions.push(Action::Palette { at: [at.x, at.y], wire: Some(wire) });
        return;
    }
    let pointer = ui.input(|input| input.pointer.interact_pos());
    let at = pointer.map(|at| state.to_global.inverse() * at);
    if background.double_clicked_by(PointerButton::Primary) {
        if let Some(at) = at {
            shown.actions.push(Action::Palette { at: [at.x.round(), at.y.round()], wire: None });
        }
    } else if background.clicked_by(PointerButton::Primary) {
        state.chosen = None;
        state.marked = None;
        // A click beside everything takes the keyboard out of a field, too.
        ui.memory_mut(|memory| memory.stop_text_input());
        if !shown.session.selection().is_empty() && !modifiers.any() {
            shown.actions.push(Action::Select(Vec::new()));
        }
    }
    selection_box(ui, background, modifiers, state, shown);
}

fn selection_box(ui: &Ui, background: &Response, modifiers: Modifiers, state: &mut State, shown: &mut Shown<'_>) {
    let inverse = state.to_global.inverse();
    if background.drag_started_by(PointerButton::Primary) && modifiers.shift {
        state.box_from = ui.input(|input| input.pointer.press_origin()).map(|at| inverse * at);
    }
    let Some(from) = state.box_from else { return };
    let Some(to) = ui.input(|input| input.pointer.latest_pos()).map(|at| inverse * at) else { return };
    let chosen = Rect::from_two_pos(from, to);
    if background.drag_stopped() || !ui.input(|input| input.pointer.any_down()) {
        state.box_from = None;
        let within = shown
            .session
            .document()
            .nodes
            .keys()
            .filter(|name| state.rects.get(*name).is_some_and(|rect| rect.intersects(chosen)));
        let within: Vec<String> = within.cloned().collect();
        let before = shown.session.selection().iter().filter(|_| modifiers.command).cloned();
        let all: Vec<String> = before.chain(within).collect();
        shown.actions.push(Action::Select(all));
        return;
    }
    let colours = theme::of(ui);
    let painter = ui.painter().with_clip_rect(state.screen);
    let shown_box = state.to_global * chosen;
    painter.rect(
        shown_box,
        2.0,
        colours.selected.gamma_multiply(0.12),
        Stroke::new(1.0, colours.selected),
        StrokeKind::Inside,
    );
    ui.ctx().request_repaint();
}

/// Notches of a mouse wheel over the canvas; a touch pad's smooth scrolling pans, as snarl does it.
fn wheel(ui: &Ui, state: &mut State) -> Option<(f32, egui::Pos2)> {
    let pointer = ui.input(|input| input.pointer.latest_pos()).filter(|at| state.screen.contains(*at))?;
    let over = ui.ctx().layer_id_at(pointer).is_none_or(|layer| layer.order == egui::Order::Background);
    if !over {
        return None;
    }
    let notches = ui.input(|input| {
        let turned = input.events.iter().filter_map(|event| match event {
            Event::MouseWheel { unit: MouseWheelUnit::Line, delta, modifiers, .. } if modifiers.is_none() => {
                Some(delta.y)
            }
            _ => None,
        });
        turned.sum::<f32>()
    });
    if notches != 0.0 {
        state.wheel_until = ui.input(|input| input.time) + 0.4;
        ui.ctx().request_repaint();
    }
    let turning = ui.input(|input| input.time) < state.wheel_until;
    turning.then_some((notches, pointer))
}

/// Why the socket under the pointer does not take the wire that is being dragged.
pub(super) fn say_why(ui: &Ui, state: &State, shown: &Shown<'_>) {
    let (Some(wire), Some((node, socket))) = (&state.wire, &state.refusing) else { return };
    let here = (wire.node.as_str(), wire.socket.as_str());
    let there = (node.as_str(), socket.as_str());
    let why = if wire.is_output {
        why_not(shown.session.document(), shown.catalogue, here, there)
    } else {
        why_not(shown.session.document(), shown.catalogue, there, here)
    };
    let why = why.unwrap_or_else(|| "a wire leads from an output to an input".to_owned());
    let Some(pointer) = ui.input(|input| input.pointer.latest_pos()) else { return };
    let area = egui::Area::new(egui::Id::new("why not")).order(egui::Order::Tooltip).interactable(false);
    area.fixed_pos(pointer + egui::vec2(16.0, 12.0)).show(ui.ctx(), |ui| {
        egui::Frame::popup(ui.style()).show(ui, |ui| {
            ui.set_max_width(320.0);
            ui.colored_label(theme::of(ui).failed, why);
        });
    });
}

impl State {
    /// Where the wheel brings the canvas; the frame before, while it is only coming to rest.
    pub(super) fn wheel_zoom(&mut self, before: TSTransform) -> Option<TSTransform> {
        let (notches, pointer) = self.wheel.take()?;
        let scaling = (before.scaling * NOTCH.powf(notches)).clamp(super::ZOOM[0], super::ZOOM[1]);
        let fixed = before.inverse() * pointer;
        Some(TSTransform::new(pointer.to_vec2() - fixed.to_vec2() * scaling, scaling))
    }

    /// Takes note of the wire that is being dragged; the sockets that it may end in are found once a drag.
    pub(super) fn follow_wire(&mut self, shown: &Shown<'_>) {
        if self.wire == self.wire_now {
            return;
        }
        self.wire = self.wire_now.take();
        self.wire_from = self.wire.as_ref().and_then(|wire| place_of(wire, shown.sockets));
        self.fits = self.wire.as_ref().map_or_else(HashMap::new, |wire| fitting(wire, shown));
    }
}

/// The place of the socket that a wire hangs from among the node's inputs or outputs; none where it is gone.
pub(super) fn place_of(wire: &Dangling, sockets: &HashMap<String, Sockets>) -> Option<usize> {
    let sockets = sockets.get(&wire.node)?;
    if wire.is_output { sockets.output(&wire.socket) } else { sockets.input(&wire.socket) }
}

/// The sockets that a dangling wire may end in, by node.
fn fitting(wire: &Dangling, shown: &Shown<'_>) -> HashMap<String, Vec<String>> {
    let document = shown.session.document();
    let mut fits: HashMap<String, Vec<String>> = HashMap::new();
    for (node, sockets) in shown.sockets {
        let others = if wire.is_output { &sockets.inputs } else { &sockets.outputs };
        for socket in others {
            let (here, there) = ((wire.node.as_str(), wire.socket.as_str()), (node.as_str(), socket.id.as_str()));
            let (from, to) = if wire.is_output { (here, there) } else { (there, here) };
            if why_not(document, shown.catalogue, from, to).is_none() {
                fits.entry(node.clone()).or_default().push(socket.id.clone());
            }
        }
    }
    fits
}
