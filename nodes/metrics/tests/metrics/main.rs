//! The metrics against numpy, scikit-image and transformers (`tests/reference/golden_metrics.py`), and the nodes around
//! them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod goldens;
mod models;
mod pictures;
