//! Everything that one can do to an open graph, and that all of it can be undone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod edits;
#[path = "../fakes/mod.rs"]
mod fakes;
mod files;
