//! Frames and notes, which are both a rectangle of the canvas with a text, and the edits that move, resize and rewrite
//! one. Pointer, keys and menus all make these same edits.

use super::action::BoxId;
use crate::editing::{Edit, Frame, Note, Session, copy_boxes};
use eframe::egui;
use egui::{Rect, Vec2};

/// The least side of a frame or note, in points of the canvas.
const LEAST: f32 = 60.0;

/// The most letters of a text that a list shows.
const BRIEF: usize = 40;

/// A frame or a note where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Which one.
    pub id: BoxId,
    /// A frame's title or a note's text.
    pub text: String,
    /// What it takes up of the canvas.
    pub area: Rect,
}

/// All of a graph: the frames, then the notes.
#[must_use]
pub fn all(session: &Session) -> Vec<Placed> {
    let placed = |id, text, at: [f32; 2], size: [f32; 2]| {
        let area = Rect::from_min_size(at.into(), size.into());
        Placed { id, text, area }
    };
    let frames = session.frames().into_iter().enumerate();
    let frames = frames.map(|(index, frame)| placed(BoxId::Frame(index), frame.title, frame.at, frame.size));
    let notes = session.notes().into_iter().enumerate();
    frames.chain(notes.map(|(index, note)| placed(BoxId::Note(index), note.text, note.at, note.size))).collect()
}

/// One of them; none where the graph has it no more.
#[must_use]
pub fn find(session: &Session, id: BoxId) -> Option<Placed> {
    all(session).into_iter().find(|placed| placed.id == id)
}

impl Placed {
    /// `frame` or `note`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.id {
            BoxId::Frame(_) => "frame",
            BoxId::Note(_) => "note",
        }
    }

    /// What a list calls it: `frame Encode`, or a note by the beginning of its first line.
    #[must_use]
    pub fn name(&self) -> String {
        let line = self.text.trim().lines().next().unwrap_or_default();
        let brief =
            line.char_indices().nth(BRIEF).map_or_else(|| line.to_owned(), |(end, _)| format!("{}…", &line[..end]));
        format!("{} {brief}", self.kind()).trim_end().to_owned()
    }

    /// Moves it. A frame takes the nodes and notes along whose middle lies in it, and the frames that lie in it wholly;
    /// `rect` tells where a node lies.
    #[must_use]
    pub fn moved(&self, by: Vec2, session: &Session, rect: impl Fn(&str) -> Option<Rect>) -> Edit {
        let mut edits = vec![self.changed(self.text.clone(), self.area.translate(by))];
        if let BoxId::Frame(_) = self.id {
            let within = |area: Rect| self.area.contains(area.center());
            let names = session.document().nodes.keys().filter(|name| rect(name).is_some_and(within));
            let nodes: Vec<(String, [f32; 2])> = names
                .map(|name| {
                    let [x, y] = session.position(name);
                    (name.clone(), [x + by.x, y + by.y])
                })
                .collect();
            if !nodes.is_empty() {
                edits.push(Edit::Move { nodes });
            }
            // Of two frames of the same place and size neither lies in the other.
            let is_within = |other: &Placed| match other.id {
                BoxId::Frame(_) => self.area.contains_rect(other.area) && other.area != self.area,
                BoxId::Note(_) => within(other.area),
            };
            let boxes = all(session).into_iter().filter(is_within);
            edits.extend(boxes.map(|other| other.changed(other.text.clone(), other.area.translate(by))));
        }
        // The label keeps a move and a resizing apart, which else were changes of one frame and so one step of undo.
        Edit::Several { label: format!("Move {}", self.name()), edits }
    }

    /// Makes it larger or smaller; its top left corner stays.
    #[must_use]
    pub fn resized(&self, by: Vec2) -> Edit {
        let size = (self.area.size() + by).max(Vec2::splat(LEAST));
        let edits = vec![self.changed(self.text.clone(), Rect::from_min_size(self.area.min, size))];
        Edit::Several { label: format!("Resize {}", self.name()), edits }
    }

    /// Gives it another title or text.
    #[must_use]
    pub fn rewritten(&self, text: String) -> Edit {
        self.changed(text, self.area)
    }

    /// Adds one like it, so far away.
    #[must_use]
    pub fn duplicated(&self, offset: Vec2) -> Edit {
        let (text, at, size) = (self.text.clone(), (self.area.min + offset).into(), self.area.size().into());
        match self.id {
            BoxId::Frame(_) => Edit::AddFrame(Frame { title: text, at, size }),
            BoxId::Note(_) => Edit::AddNote(Note { text, at, size }),
        }
    }

    /// Takes it away; what lies in a frame stays.
    #[must_use]
    pub fn removed(&self) -> Edit {
        match self.id {
            BoxId::Frame(index) => Edit::RemoveFrame { index },
            BoxId::Note(index) => Edit::RemoveNote { index },
        }
    }

    /// It alone, as the text of a graph.
    #[must_use]
    pub fn copied(&self) -> String {
        let (text, at, size) = (self.text.clone(), self.area.min.into(), self.area.size().into());
        match self.id {
            BoxId::Frame(_) => copy_boxes(&[Frame { title: text, at, size }], &[]),
            BoxId::Note(_) => copy_boxes(&[], &[Note { text, at, size }]),
        }
    }

    fn changed(&self, text: String, area: Rect) -> Edit {
        let (at, size) = (area.min.into(), area.size().into());
        match self.id {
            BoxId::Frame(index) => Edit::SetFrame { index, frame: Frame { title: text, at, size } },
            BoxId::Note(index) => Edit::SetNote { index, note: Note { text, at, size } },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_calls_a_note_by_the_beginning_of_its_first_line() {
        let note = |text: &str| Placed { id: BoxId::Note(0), text: text.to_owned(), area: Rect::ZERO }.name();
        assert_eq!(note("try 7.5 next\nor 10"), "note try 7.5 next");
        assert_eq!(note(&"é".repeat(41)), format!("note {}…", "é".repeat(40)));
        assert_eq!(note("\n"), "note");
    }
}
