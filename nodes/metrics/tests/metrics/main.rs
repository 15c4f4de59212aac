//! The metrics against numpy, scikit-image and transformers (`tests/reference/golden_metrics.py`), and the nodes around
//! them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clip;
mod contact_sheet;
mod goldens;
mod models;
mod pictures;
mod sets;
mod table;
