//! Training as it is run: stops and goes on, meets bad files and bad numbers, writes what the plugins read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_checkpoints;
mod bad_models;
mod bad_numbers;
mod blueprint;
mod disk;
mod host;
mod models;
mod optimizer;
mod resume;
mod toy;
mod written;
