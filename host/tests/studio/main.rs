//! The studio, driven through its accessibility tree, without a window, a display or a GPU. The plugins are fakes of this
//! process, so that a run takes no time.

#![cfg(feature = "studio")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod boxes;
mod canvas;
mod desk;
mod desktop;
mod editing;
#[path = "../fakes/mod.rs"]
mod fakes;
mod files;
mod keyboard;
mod pictures;
mod pointing;
mod refusals;
mod rows;
mod running;
mod snapshots;
mod speed;
mod sweeps;
mod whole;
mod window;
mod x11;
