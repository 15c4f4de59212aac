//! Frames with a title behind nodes that belong together, and notes. They are painted below the nodes; what is done to
//! them goes through widgets of the canvas' own layer.

use super::{Shown, State};
use crate::editing::Session;
use crate::studio::action::{Action, BoxId};
use crate::studio::frames::{self, Placed};
use crate::studio::{menu, parameters, theme};
use eframe::egui;
use egui::{
    Align2, CornerRadius, CursorIcon, FontId, Id, Key, LayerId, Modifiers, Painter, Pos2, Rect, Response, Sense,
    Stroke, StrokeKind, Style, TextEdit, Ui, UiBuilder, Vec2, vec2,
};

/// Height of a frame's title.
const TITLE: f32 = 28.0;

/// Paints them, below everything else.
pub(super) fn paint(painter: &Painter, style: &Style, state: &State, session: &Session) {
    let colours = theme::colours(style.visuals.dark_mode);
    for Placed { id, text, area } in frames::all(session) {
        let is_written = state.writing.as_ref().is_some_and(|(on, _)| *on == id);
        if !area.intersects(state.viewport) {
            continue;
        }
        let edge = |colour: egui::Color32| {
            if state.chosen == Some(id) { Stroke::new(2.0, colours.selected) } else { Stroke::new(1.0, colour) }
        };
        match id {
            BoxId::Frame(_) => {
                let fill = colours.frame.gamma_multiply(0.25);
                painter.rect(area, 8.0, fill, edge(colours.frame), StrokeKind::Inside);
                let title = title(area);
                let rounding = CornerRadius { nw: 8, ne: 8, sw: 0, se: 0 };
                painter.rect_filled(title, rounding, colours.frame.gamma_multiply(0.7));
                let at = title.left_center() + vec2(10.0, 0.0);
                let painter = painter.with_clip_rect(title.intersect(painter.clip_rect()));
                painter.text(at, Align2::LEFT_CENTER, text, FontId::proportional(16.0), colours.text);
            }
            BoxId::Note(_) if !is_written => {
                painter.rect(area, 4.0, colours.note, edge(colours.edge), StrokeKind::Inside);
                let text = painter.layout(text, FontId::proportional(13.0), colours.text, area.width() - 16.0);
                let painter = painter.with_clip_rect(area.intersect(painter.clip_rect()));
                painter.galley(area.min + vec2(8.0, 8.0), text, colours.text);
            }
            BoxId::Note(_) => {}
        }
    }
}

fn title(frame: Rect) -> Rect {
    Rect::from_min_size(frame.min, vec2(frame.width(), TITLE))
}

/// Moves, resizes and rewrites them.
pub(super) fn interact(ui: &mut Ui, layer: LayerId, state: &mut State, shown: &mut Shown<'_>) {
    let mut ui = ui.new_child(UiBuilder::new().layer_id(layer).max_rect(Rect::EVERYTHING).id_salt("boxes"));
    ui.set_clip_rect(state.viewport);
    super::view::place_for_readers(&ui, state.to_global);
    for placed in frames::all(shown.session) {
        // A frame is held by its title: what lies in it stays within reach.
        let (handle, field) = match placed.id {
            BoxId::Frame(_) => (title(placed.area), title(placed.area).shrink2(vec2(6.0, 3.0))),
            BoxId::Note(_) => (placed.area, placed.area),
        };
        if write(&mut ui, field, &placed, state, shown) {
            continue;
        }
        let response = ui.interact(handle, Id::new(placed.id), Sense::click_and_drag());
        parameters::rename(&response, &format!("{} {}", placed.kind(), placed.text));
        chosen(&response, placed.id, state, shown);
        let delta = response.drag_delta();
        if response.dragged() && delta != Vec2::ZERO {
            let edit = placed.moved(delta, shown.session, |node| state.rects.get(node).copied());
            shown.actions.push(Action::Edit(edit));
        }
        if let Some(by) = resize(&mut ui, &placed, shown) {
            shown.actions.push(Action::Edit(placed.resized(by)));
        }
    }
}

/// What a click, a double-click, the right button and the end of a drag do.
fn chosen(response: &Response, id: BoxId, state: &mut State, shown: &mut Shown<'_>) {
    if response.clicked() || response.drag_started() || response.secondary_clicked() {
        state.chosen = Some(id);
        shown.actions.push(Action::Select(Vec::new()));
    }
    if response.double_clicked() {
        shown.actions.push(Action::Write(id));
    }
    if response.drag_stopped() {
        shown.actions.push(Action::Settle);
    }
    response.context_menu(|ui| menu::boxed(ui, shown.actions));
}

/// The corner that is pulled to resize; how far it was.
fn resize(ui: &mut Ui, placed: &Placed, shown: &mut Shown<'_>) -> Option<Vec2> {
    let corner = Rect::from_min_max(placed.area.max - Vec2::splat(16.0), placed.area.max);
    let id = Id::new(placed.id).with("size");
    let response = ui.interact(corner, id, Sense::drag()).on_hover_cursor(CursorIcon::ResizeNwSe);
    let colours = theme::of(ui);
    for inset in [4.0, 8.0, 12.0] {
        let (from, to) = (corner.max - vec2(inset, 3.0), corner.max - vec2(3.0, inset));
        ui.painter().line_segment([from, to], Stroke::new(1.0, colours.dim));
    }
    if response.drag_stopped() {
        shown.actions.push(Action::Settle);
    }
    let delta = response.drag_delta();
    (response.dragged() && delta != Vec2::ZERO).then_some(delta)
}

/// The field of a text that is being rewritten; whether there is one.
fn write(ui: &mut Ui, place: Rect, placed: &Placed, state: &mut State, shown: &mut Shown<'_>) -> bool {
    let Some((_, text)) = state.writing.as_mut().filter(|(on, _)| *on == placed.id) else { return false };
    // In a note Enter begins a line; Tab ends the writing, and does not go on to some other widget.
    let done = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Tab));
    let field = match placed.id {
        BoxId::Frame(_) => TextEdit::singleline(text),
        BoxId::Note(_) => TextEdit::multiline(text),
    };
    let field = field.id(Id::new("write on canvas")).desired_width(place.width()).lock_focus(true);
    let response = ui.put(place, field);
    parameters::rename(&response, "text on the canvas");
    let given_up = ui.input(|input| input.key_pressed(Key::Escape));
    if done || response.lost_focus() || given_up {
        let text = text.clone();
        state.writing = None;
        response.surrender_focus();
        if !given_up {
            shown.actions.extend([Action::Edit(placed.rewritten(text)), Action::Settle]);
        }
    } else {
        response.request_focus();
    }
    true
}

/// The rectangle of a frame around nodes, with room for its title.
#[must_use]
pub fn around(rects: impl Iterator<Item = Rect>) -> Option<(Pos2, Vec2)> {
    let all = rects.fold(Rect::NOTHING, Rect::union);
    all.is_finite().then(|| {
        let all = Rect::from_min_max(all.min - vec2(20.0, 20.0 + TITLE), all.max + Vec2::splat(20.0));
        (all.min, all.size())
    })
}
