//! An open graph and everything that one can do to it, without a window: edits with undo, copies, the layout on the
//! canvas, recovery. The studio is one user of it.
//!
//! Reading order: [`Edit`] (what can be done), [`Session`] (the open graph that it is done to); then how it is done:
//! `apply` (each edit), `wiring` (which sockets go together), `naming`, `clipboard`, `layout` (the graph file's field
//! `studio`), `arrange` and `align` (where nodes lie), `history`, `on_disk` (whether another program changed the file); and
//! what outlives a session, [`Recovery`] and [`Recent`].

mod align;
mod apply;
mod arrange;
mod clipboard;
mod edit;
mod history;
mod layout;
mod naming;
mod on_disk;
mod recent;
mod recovery;
mod session;
mod wiring;

pub use clipboard::{brought_to, copy, copy_boxes};
pub use edit::{Edge, Edit, NewWire, Refusal};
pub use layout::{Frame, Note};
pub use recent::Recent;
pub use recovery::{Recovered, Recovery};
pub use session::{SaveError, Session};
pub use wiring::{fits_input, fits_output, why_not};
