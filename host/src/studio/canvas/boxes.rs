//! Frames with a title behind nodes that belong together, and notes. They are painted below the nodes; what is done to
//! them goes through widgets of the canvas' own layer.

use super::{Shown, State};
use crate::editing::{Edit, Frame, Note, Session};
use crate::studio::action::{Action, Written};
use crate::studio::{menu, parameters, theme};
use eframe::egui;
use egui::{
    Align2, CornerRadius, CursorIcon, FontId, Id, Key, LayerId, Painter, Pos2, Rect, Response, Sense, Stroke,
    StrokeKind, Style, TextEdit, Ui, UiBuilder, Vec2, vec2,
};

/// Height of a frame's title.
const TITLE: f32 = 28.0;

/// The least side of a frame or note.
const LEAST: f32 = 60.0;

fn rect(at: [f32; 2], size: [f32; 2]) -> Rect {
    Rect::from_min_size(at.into(), size.into())
}

/// Paints them, below everything else.
pub(super) fn paint(painter: &Painter, style: &Style, state: &State, session: &Session) {
    let colours = theme::colours(style.visuals.dark_mode);
    let edge = |written: Written, colour: egui::Color32| {
        if state.chosen == Some(written) { Stroke::new(2.0, colours.selected) } else { Stroke::new(1.0, colour) }
    };
    for (index, frame) in session.frames().into_iter().enumerate() {
        let area = rect(frame.at, frame.size);
        if !area.intersects(state.viewport) {
            continue;
        }
        let fill = colours.frame.gamma_multiply(0.25);
        painter.rect(area, 8.0, fill, edge(Written::Frame(index), colours.frame), StrokeKind::Inside);
        let title = Rect::from_min_size(area.min, vec2(area.width(), TITLE));
        let rounding = CornerRadius { nw: 8, ne: 8, sw: 0, se: 0 };
        painter.rect_filled(title, rounding, colours.frame.gamma_multiply(0.7));
        let at = title.left_center() + vec2(10.0, 0.0);
        painter.with_clip_rect(title.intersect(painter.clip_rect())).text(
            at,
            Align2::LEFT_CENTER,
            &frame.title,
            FontId::proportional(16.0),
            colours.text,
        );
    }
    for (index, note) in session.notes().into_iter().enumerate() {
        let area = rect(note.at, note.size);
        if !area.intersects(state.viewport) || state.writing.as_ref().is_some_and(|(on, _)| *on == Written::Note(index))
        {
            continue;
        }
        painter.rect(area, 4.0, colours.note, edge(Written::Note(index), colours.edge), StrokeKind::Inside);
        let text = painter.layout(note.text, FontId::proportional(13.0), colours.text, area.width() - 16.0);
        painter.with_clip_rect(area.intersect(painter.clip_rect())).galley(
            area.min + vec2(8.0, 8.0),
            text,
            colours.text,
        );
    }
}

/// Moves, resizes and rewrites them.
pub(super) fn interact(ui: &mut Ui, layer: LayerId, state: &mut State, shown: &mut Shown<'_>) {
    let mut ui = ui.new_child(UiBuilder::new().layer_id(layer).max_rect(Rect::EVERYTHING).id_salt("boxes"));
    ui.set_clip_rect(state.viewport);
    super::view::place_for_readers(&ui, state.to_global);
    let session = shown.session;
    for (index, frame) in session.frames().into_iter().enumerate() {
        let area = rect(frame.at, frame.size);
        let written = Written::Frame(index);
        let title = Rect::from_min_size(area.min, vec2(area.width(), TITLE));
        if write(&mut ui, title.shrink2(vec2(6.0, 3.0)), written, false, state, shown, |text| Edit::SetFrame {
            index,
            frame: Frame { title: text, ..frame.clone() },
        }) {
            continue;
        }
        let response = ui.interact(title, Id::new(("frame", index)), Sense::click_and_drag());
        parameters::rename(&response, &format!("frame {}", frame.title));
        chosen(&response, written, &frame.title, state, shown);
        if response.dragged() && response.drag_delta() != Vec2::ZERO {
            move_frame(index, &frame, response.drag_delta(), state, shown);
        }
        let grown = resize(&mut ui, area, ("frame size", index), shown);
        if let Some(size) = grown {
            shown.actions.push(Action::Edit(Edit::SetFrame { index, frame: Frame { size, ..frame } }));
        }
    }
    for (index, note) in session.notes().into_iter().enumerate() {
        let area = rect(note.at, note.size);
        let written = Written::Note(index);
        if write(&mut ui, area, written, true, state, shown, |text| Edit::SetNote {
            index,
            note: Note { text, ..note.clone() },
        }) {
            continue;
        }
        let response = ui.interact(area, Id::new(("note", index)), Sense::click_and_drag());
        parameters::rename(&response, &format!("note {}", note.text));
        chosen(&response, written, &note.text, state, shown);
        let delta = response.drag_delta();
        if response.dragged() && delta != Vec2::ZERO {
            let at = [note.at[0] + delta.x, note.at[1] + delta.y];
            shown.actions.push(Action::Edit(Edit::SetNote { index, note: Note { at, ..note.clone() } }));
        }
        if let Some(size) = resize(&mut ui, area, ("note size", index), shown) {
            shown.actions.push(Action::Edit(Edit::SetNote { index, note: Note { size, ..note } }));
        }
    }
}

/// What a click, a double-click, the right button and the end of a drag do.
fn chosen(response: &Response, written: Written, text: &str, state: &mut State, shown: &mut Shown<'_>) {
    if response.clicked() || response.drag_started() || response.secondary_clicked() {
        state.chosen = Some(written);
        shown.actions.push(Action::Select(Vec::new()));
    }
    if response.double_clicked() {
        state.writing = Some((written, text.to_owned()));
    }
    if response.drag_stopped() {
        shown.actions.push(Action::Settle);
    }
    response.context_menu(|ui| menu::boxed(ui, written, shown.actions));
}

/// A frame takes the nodes with it that lie in it.
fn move_frame(index: usize, frame: &Frame, delta: Vec2, state: &State, shown: &mut Shown<'_>) {
    let area = rect(frame.at, frame.size);
    let moved = |[x, y]: [f32; 2]| [x + delta.x, y + delta.y];
    let session = shown.session;
    let within = session
        .document()
        .nodes
        .keys()
        .filter(|name| state.rects.get(*name).is_some_and(|node| area.contains(node.center())));
    let nodes: Vec<(String, [f32; 2])> = within.map(|name| (name.clone(), moved(session.position(name)))).collect();
    let mut edits = vec![Edit::SetFrame { index, frame: Frame { at: moved(frame.at), ..frame.clone() } }];
    if !nodes.is_empty() {
        edits.push(Edit::Move { nodes });
    }
    for (index, note) in session.notes().into_iter().enumerate() {
        if area.contains(rect(note.at, note.size).center()) {
            edits.push(Edit::SetNote { index, note: Note { at: moved(note.at), ..note } });
        }
    }
    shown.actions.push(Action::Edit(Edit::Several { label: "move frame".to_owned(), edits }));
}

/// The corner that is pulled to resize; the new size, where it was.
fn resize(ui: &mut Ui, area: Rect, id: (&str, usize), shown: &mut Shown<'_>) -> Option<[f32; 2]> {
    let corner = Rect::from_min_max(area.max - Vec2::splat(16.0), area.max);
    let response = ui.interact(corner, Id::new(id), Sense::drag()).on_hover_cursor(CursorIcon::ResizeNwSe);
    let colours = theme::of(ui);
    for inset in [4.0, 8.0, 12.0] {
        let (from, to) = (corner.max - vec2(inset, 3.0), corner.max - vec2(3.0, inset));
        ui.painter().line_segment([from, to], Stroke::new(1.0, colours.dim));
    }
    if response.drag_stopped() {
        shown.actions.push(Action::Settle);
    }
    let delta = response.drag_delta();
    (response.dragged() && delta != Vec2::ZERO).then(|| {
        let size = (area.size() + delta).max(Vec2::splat(LEAST));
        [size.x, size.y]
    })
}

/// The field of a text that is being rewritten; whether there is one.
fn write(
    ui: &mut Ui,
    place: Rect,
    written: Written,
    several_lines: bool,
    state: &mut State,
    shown: &mut Shown<'_>,
    edit: impl FnOnce(String) -> Edit,
) -> bool {
    let Some((on, text)) = &mut state.writing else { return false };
    if *on != written {
        return false;
    }
    let field = if several_lines { TextEdit::multiline(text) } else { TextEdit::singleline(text) };
    let response = ui.put(place, field.id(Id::new("write on canvas")).desired_width(place.width()));
    parameters::rename(&response, "text on the canvas");
    let given_up = ui.input(|input| input.key_pressed(Key::Escape));
    if response.lost_focus() || given_up {
        let text = text.clone();
        state.writing = None;
        if !given_up {
            shown.actions.extend([Action::Edit(edit(text)), Action::Settle]);
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
