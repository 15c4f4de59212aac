//! The nodes of the image plugin, run as a host runs them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_files;
mod files_round_trip;
mod pictures;
mod running;
mod sheets;
