//! What commands do to the frame or note that is selected. Nodes are selected by the session and these by the canvas, and
//! never both at once.

use super::action::BoxId;
use super::app::Studio;
use super::canvas::{self, Look};
use super::frames::{self, Placed};
use crate::editing::{Edit, Frame, Note, brought_to};
use eframe::egui;
use egui::{Context, Vec2};

/// How far a copy lies from what it is a copy of.
const BESIDE: Vec2 = Vec2::splat(40.0);

impl Studio {
    /// The frame or note that is selected.
    pub(super) fn chosen(&self) -> Option<Placed> {
        self.canvas.chosen().and_then(|id| frames::find(&self.session, id))
    }

    /// Whether the graph has nodes, frames or notes.
    pub(super) fn has_something(&self) -> bool {
        !self.session.document().nodes.is_empty() || !frames::all(&self.session).is_empty()
    }

    fn choose(&mut self, id: BoxId) {
        self.session.settle();
        self.session.select([]);
        self.canvas.choose(Some(id));
    }

    /// Selects a frame or note and shows it in the middle of the canvas, where the arrow keys move it from then on.
    pub(super) fn go_to_box(&mut self, id: BoxId, ctx: &Context) {
        let Some(placed) = frames::find(&self.session, id) else { return };
        self.choose(id);
        self.canvas.look_at(Look::Area(placed.area));
        ctx.memory_mut(|memory| memory.stop_text_input());
    }

    /// Goes to the frame or note so many places further in the list.
    pub(super) fn go_to_box_beside(&mut self, by: isize, ctx: &Context) {
        let all = frames::all(&self.session);
        let now = all.iter().position(|placed| Some(placed.id) == self.canvas.chosen());
        let next = match now {
            Some(now) => (now + all.len()).saturating_add_signed(by) % all.len(),
            None if by > 0 => 0,
            None => all.len().saturating_sub(1),
        };
        if let Some(placed) = all.get(next) {
            self.go_to_box(placed.id, ctx);
        }
    }

    /// Moves it, and with a frame what lies in it.
    pub(super) fn move_chosen(&mut self, chosen: &Placed, by: Vec2, ctx: &Context) {
        let edit = chosen.moved(by, &self.session, |node| self.canvas.rect(node));
        self.edit(edit, ctx);
    }

    pub(super) fn resize_chosen(&mut self, by: Vec2, ctx: &Context) {
        if let Some(chosen) = self.chosen() {
            self.edit(chosen.resized(by), ctx);
        }
    }

    /// Begins to rewrite a title or a text.
    pub(super) fn write(&mut self, id: BoxId) {
        let Some(placed) = frames::find(&self.session, id) else { return };
        // The drag or the keys that moved it before are a step of their own.
        self.choose(id);
        self.say(match id {
            BoxId::Frame(_) => "Enter keeps the title, Escape leaves it as it was",
            BoxId::Note(_) => "Tab keeps the text, Escape leaves it as it was",
        });
        self.canvas.write(id, placed.text);
    }

    pub(super) fn copy_chosen(&mut self, chosen: &Placed, cut: bool, ctx: &Context) {
        ctx.copy_text(chosen.copied());
        self.say(format!("Copied {}", chosen.name()));
        if cut {
            self.delete_chosen(chosen, ctx);
        }
    }

    pub(super) fn duplicate_chosen(&mut self, chosen: &Placed, ctx: &Context) {
        self.edit(chosen.duplicated(BESIDE), ctx);
        self.choose_newest(chosen.id);
    }

    pub(super) fn delete_chosen(&mut self, chosen: &Placed, ctx: &Context) {
        self.edit(chosen.removed(), ctx);
        self.canvas.choose(None);
    }

    /// A frame around the selected nodes, or an empty one where the pointer is; its title is asked for.
    pub(super) fn add_frame(&mut self, ctx: &Context) {
        let rects = self.session.selection().iter().filter_map(|name| self.canvas.rect(name));
        let (at, size) = canvas::around(rects).map_or_else(
            || (self.canvas.at(self.canvas.pointer(ctx)), [400.0, 260.0]),
            |(at, size)| ([at.x.round(), at.y.round()], [size.x.round(), size.y.round()]),
        );
        let index = self.session.frames().len();
        self.edit(Edit::AddFrame(Frame { title: "Frame".to_owned(), at, size }), ctx);
        self.write(BoxId::Frame(index));
    }

    /// A note where the pointer is; its text is asked for.
    pub(super) fn add_note(&mut self, ctx: &Context) {
        let at = self.canvas.at(self.canvas.pointer(ctx));
        let index = self.session.notes().len();
        self.edit(Edit::AddNote(Note { text: "Note".to_owned(), at, size: [220.0, 90.0] }), ctx);
        self.write(BoxId::Note(index));
        self.canvas.write(BoxId::Note(index), String::new());
    }

    /// Adds what was copied. Nodes select themselves; a frame or note that comes alone is selected here.
    pub(super) fn paste(&mut self, edit: Edit, ctx: &Context) {
        let before = frames::all(&self.session);
        let revision = self.session.revision();
        let edit = match edit {
            Edit::Paste { text, at } => {
                Edit::Paste { text: brought_to(self.session.folder(), text, &self.catalogue()), at }
            }
            other => other,
        };
        self.edit(edit, ctx);
        if self.session.revision() == revision || !self.session.selection().is_empty() {
            return;
        }
        let new = frames::all(&self.session).into_iter().find(|placed| !before.iter().any(|old| old.id == placed.id));
        if let Some(new) = new {
            self.choose(new.id);
        }
    }

    fn choose_newest(&mut self, like: BoxId) {
        let newest = match like {
            BoxId::Frame(_) => self.session.frames().len().checked_sub(1).map(BoxId::Frame),
            BoxId::Note(_) => self.session.notes().len().checked_sub(1).map(BoxId::Note),
        };
        if let Some(newest) = newest {
            self.choose(newest);
        }
    }
}
