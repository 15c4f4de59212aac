//! Which commands can be done just now, and which switches are on.

use super::action::Command;
use super::app::Studio;
use super::frames;
use super::menu::{Offer, Offers};
use crate::document::Off;
use std::path::PathBuf;

impl Offers for Studio {
    fn offer(&self, command: Command) -> Offer {
        let document = self.session.document();
        let selected = self.session.selection();
        let off = |wanted: Off| {
            let mut nodes = selected.iter().filter_map(|name| document.nodes.get(name)).peekable();
            nodes.peek().is_some() && nodes.all(|node| node.off == Some(wanted))
        };
        let (enabled, on) = match command {
            Command::Undo => (self.session.undo_label().is_some(), None),
            Command::Redo => (self.session.redo_label().is_some(), None),
            Command::Collapse
            | Command::Disconnect
            | Command::RunSelected
            | Command::ViewOutput
            | Command::PinOutput => (!selected.is_empty(), None),
            Command::Cut
            | Command::Copy
            | Command::Duplicate
            | Command::Delete
            | Command::ZoomSelection
            | Command::MoveLeft
            | Command::MoveRight
            | Command::MoveUp
            | Command::MoveDown => (!selected.is_empty() || self.canvas.chosen().is_some(), None),
            Command::Narrower | Command::Wider | Command::Shorter | Command::Taller => {
                (self.canvas.chosen().is_some(), None)
            }
            Command::Rename => (selected.len() == 1 || self.canvas.chosen().is_some(), None),
            Command::SelectNextBox | Command::SelectPreviousBox => (!frames::all(&self.session).is_empty(), None),
            Command::AlignLeft
            | Command::AlignRight
            | Command::AlignTop
            | Command::AlignBottom
            | Command::AlignColumn
            | Command::AlignRow => (selected.len() > 1, None),
            // Between two there is one gap only.
            Command::SpreadAcross | Command::SpreadDown => (selected.len() > 2, None),
            Command::Mute => (!selected.is_empty(), Some(off(Off::Mute))),
            Command::Bypass => (!selected.is_empty(), Some(off(Off::Bypass))),
            Command::SelectMarked => (self.canvas.marked().is_some(), None),
            Command::ClearLog => (!self.runner.log().is_empty(), None),
            Command::SelectAll
            | Command::SelectNext
            | Command::SelectPrevious
            | Command::MarkNext
            | Command::MarkPrevious
            | Command::Arrange
            | Command::Run => (!document.nodes.is_empty(), None),
            Command::ZoomFit => (self.has_something(), None),
            Command::Sweep => (true, Some(self.sweeps.open)),
            Command::Cancel => (self.runner.is_running(), None),
            Command::AutoRun => (true, Some(self.switches.auto_run)),
            Command::ShowViewer => (true, Some(self.switches.viewer)),
            Command::ShowLog => (true, Some(self.switches.log)),
            Command::ShowSide => (true, Some(self.switches.side)),
            _ => (true, None),
        };
        let more = match command {
            Command::Undo => self.session.undo_label().unwrap_or_default().to_owned(),
            Command::Redo => self.session.redo_label().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        Offer { enabled, on, more }
    }

    fn recent(&self) -> Vec<PathBuf> {
        self.recent.files().to_vec()
    }
}
