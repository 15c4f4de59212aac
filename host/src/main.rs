//! The `mgie` command.

mod command;

use clap::Parser;
use command::{Lines, Typed, execute};
use mgie_host::engine::CancelToken;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Exit code of a command that is interrupted a second time, and ends at once.
const INTERRUPTED: i32 = 130;

/// Read once by the tensor library in each plugin: threads for single operations, which spin while they wait.
const SPINNING_THREADS: &str = "CANDLE_NUM_THREADS";

fn main() -> ExitCode {
    keep_to_the_thread_budget();
    let typed = match Typed::try_parse() {
        Ok(typed) => typed,
        Err(error) => {
            // Help and version are no errors; a pipe that is closed on them is none either.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let lines = Lines::of_terminal();
    start_log(&lines);
    let cancel = CancelToken::new();
    stop_on_interrupt(&cancel, &lines);
    match execute(typed, &lines, &cancel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            let text: String = stop.lines().iter().map(|line| format!("{line}\n")).collect();
            lines.write(&text);
            stop.code()
        }
    }
}

/// Plugins keep to the threads that the host hands out; a pool of spinning threads beside them makes a training take three
/// times as long. Whoever sets the variable is obeyed.
fn keep_to_the_thread_budget() {
    if std::env::var_os(SPINNING_THREADS).is_none() {
        // SAFETY: no thread has been started yet, so nobody else reads or writes the environment.
        unsafe { std::env::set_var(SPINNING_THREADS, "1") };
    }
}

/// Logs to standard error what `MGIE_LOG` asks for: `info`, `mgie_host=debug`, …
fn start_log(lines: &Lines) {
    let Some(filter) = std::env::var("MGIE_LOG").ok().filter(|filter| !filter.is_empty()) else { return };
    match EnvFilter::try_new(&filter) {
        Ok(filter) => {
            let (lines, ansi) = (lines.clone(), lines.are_watched());
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(move || lines.clone()).init();
        }
        Err(error) => lines.write(&format!("warning: MGIE_LOG: {error}\n")),
    }
}

/// The first interrupt asks the run to stop, the second one ends the program.
fn stop_on_interrupt(cancel: &CancelToken, lines: &Lines) {
    let flag = cancel.clone();
    let handled = ctrlc::set_handler(move || {
        if flag.is_cancelled() {
            std::process::exit(INTERRUPTED);
        }
        flag.cancel();
    });
    if let Err(error) = handled {
        lines.write(&format!("warning: an interrupt will end the program at once ({error})\n"));
    }
}
