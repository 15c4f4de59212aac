//! The studio: the node editor in a window, on top of [`crate::editing`] (the open graph), [`crate::running`] (a run in the
//! background) and [`crate::engine`].
//!
//! Reading order: [`action`] (what can be done), [`app`] (a frame from input to what is done), `apply`, `files` and `runs`
//! (doing it); `canvas` (the nodes and wires, over egui-snarl), `parameters` (their widgets), `palette`, `panels`, `look`
//! (what flows on the wires); `theme` and `kinds` (how all of it looks).

pub mod action;
mod app;
mod apply;
mod canvas;
mod chosen;
mod files;
mod frames;
mod fuzzy;
pub mod kinds;
pub mod look;
mod looking;
mod menu;
mod offers;
mod palette;
mod panels;
mod parameters;
mod problems;
mod runs;
mod shown;
mod sockets;
mod sweeps;
pub mod theme;
mod window;

pub use app::{Setup, Studio};
pub use canvas::Canvas;
pub use sweeps::Sweeps;
pub use window::open;
