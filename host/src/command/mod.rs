//! The command line: what was typed ([`typed`]), what it means ([`request`]), and doing it, a file a command.

mod check;
mod edit;
mod frames;
mod job;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod job_tests;
mod models;
mod nodes;
mod overwriting;
mod request;
mod run;
mod saving;
mod screen;
mod settings;
mod stop;
mod studio;
mod sweep;
mod telling;
mod tensor_file;
mod typed;

pub use screen::Lines;
pub use typed::Typed;

use mgie_host::engine::CancelToken;
use std::io::{self, Write};
use std::path::Path;
use stop::Stop;
use typed::Command;

/// Does what was typed.
///
/// # Errors
/// Why it ended early.
pub fn execute(typed: Typed, lines: &Lines, cancel: &CancelToken) -> Result<(), Stop> {
    match typed.command {
        Command::Edit(typed) => edit::edit(typed.try_into()?, lines, cancel),
        Command::Run(typed) => run::run(typed.try_into()?, lines, cancel),
        Command::Check(typed) => check::check(&typed, lines),
        Command::Nodes(typed) => nodes::nodes(&typed, lines),
        Command::Models(typed) => models::models(&typed, lines),
        Command::Studio(typed) => studio::studio(typed),
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// A path as people see it: from the current folder where it lies below it.
fn shown(path: &str) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| Path::new(path).strip_prefix(here).ok());
    below.map_or_else(|| path.to_owned(), |below| below.display().to_string())
}
