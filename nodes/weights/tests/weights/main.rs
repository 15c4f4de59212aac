//! The crate from outside: files as users have them, files as nobody should have them, tokenizers against the
//! reference's ids.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caching;
mod files;
mod hostile;
mod large_files;
mod loading;
mod tokenizers;
mod torch_writer;

use std::path::PathBuf;

/// A path within the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
