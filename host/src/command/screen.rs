//! What people see while a graph runs: a bar for each node that works, on standard error, on a terminal only; and lines
//! that are worth saying anywhere, unless they asked for quiet.

use super::typed::Telling;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mgie_host::engine::{Event, NodeReport, Observer};
use mgie_plugin_api::Level;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(100);

/// Standard error, shared by bars, lines and the log.
#[derive(Clone, Default)]
pub struct Lines {
    bars: Option<MultiProgress>,
}

impl Lines {
    /// Bars where standard error is a terminal, else only lines.
    pub fn of_terminal() -> Self {
        let bars = io::stderr().is_terminal();
        Self { bars: bars.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())) }
    }

    /// Whether standard error is a terminal.
    pub fn are_watched(&self) -> bool {
        self.bars.is_some()
    }

    /// Writes whole lines between the bars. Where nobody reads them, they are lost.
    pub fn write(&self, text: &str) {
        let write = || {
            let mut stderr = io::stderr().lock();
            drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// The log's way to standard error.
impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, &String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What people see.
pub struct Screen {
    lines: Lines,
    /// Whether lines are said.
    speaks: bool,
    /// Whether bars are shown.
    shows: bool,
    width: usize,
    bars: RefCell<HashMap<String, ProgressBar>>,
}

impl Screen {
    /// A screen for a command that was asked to tell that way.
    pub fn new(lines: Lines, telling: Telling) -> Self {
        let speaks = !telling.quiet && !telling.json;
        Self { shows: speaks && lines.bars.is_some(), lines, speaks, width: 0, bars: RefCell::default() }
    }

    /// Makes room for the longest of these names.
    pub fn make_room_for<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        const WIDEST: usize = 24;
        self.width = names.map(|name| name.chars().count()).max().unwrap_or(0).min(WIDEST);
    }

    /// Says a line, unless quiet was asked for.
    pub fn say(&self, line: &str) {
        if self.speaks {
            self.lines.write(&format!("{line}\n"));
        }
    }

    /// Says a line where somebody watches.
    pub fn show(&self, line: &str) {
        if self.shows {
            self.lines.write(&format!("{line}\n"));
        }
    }

    fn bar(&self, node: &str) -> Option<ProgressBar> {
        let bars = self.lines.bars.as_ref().filter(|_| self.shows)?;
        let mut shown = self.bars.borrow_mut();
        let bar = shown.entry(node.to_owned()).or_insert_with(|| {
            let prefix = format!("{node:<width$}", width = self.width);
            let bar = ProgressBar::no_length().with_style(style("  {spinner} {prefix}  {msg}")).with_prefix(prefix);
            let bar = bars.add(bar);
            bar.enable_steady_tick(TICK);
            bar
        });
        Some(bar.clone())
    }

    fn clear(&self, node: &str) {
        if let Some(bar) = self.bars.borrow_mut().remove(node) {
            bar.finish_and_clear();
        }
    }

    fn summary(&self, report: &NodeReport) -> String {
        let mut line = format!("  {:<width$}  {:>8.2} s", report.node, report.seconds, width = self.width);
        if let Some(bytes) = report.peak_memory_bytes {
            line.push_str(&format!("  {:>11}", format!("+{}", HumanBytes(bytes))));
        }
        if let Some(device) = &report.device {
            line.push_str(&format!("  {device}"));
        }
        line
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Observer for Screen {
    fn observe(&self, node: &str, event: &Event) {
        match event {
            Event::Queued | Event::Preview(_) => {}
            Event::Started { threads } => {
                tracing::info!(node, threads, "started");
                drop(self.bar(node));
            }
            Event::Progress { done, total, label } => {
                if let Some(bar) = self.bar(node) {
                    if *total > 0 && bar.length() != Some(*total) {
                        bar.set_length(*total);
                        // More than can be counted by eye is bytes, most likely.
                        let done = if *total < 10_000 { "{pos}/{len}" } else { "{percent:>3} %" };
                        bar.set_style(style(&format!("  {{spinner}} {{prefix}}  {{bar:30}} {done}  {{msg}}  {{eta}}")));
                    }
                    bar.set_position(*done);
                    bar.set_message(label.clone());
                }
            }
            Event::Log { level, message } => match level {
                Level::Error => tracing::error!(node, "{message}"),
                Level::Warn => tracing::warn!(node, "{message}"),
                Level::Info => tracing::info!(node, "{message}"),
                Level::Debug => tracing::debug!(node, "{message}"),
            },
            Event::Cached => tracing::info!(node, "kept from before"),
            Event::Finished(report) => {
                tracing::info!(node, seconds = report.seconds, device = report.device, "finished");
                self.clear(node);
                self.show(&self.summary(report));
            }
            Event::Failed(failure) => {
                tracing::info!(node, "failed: {}", failure.failure);
                self.clear(node);
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.bars.borrow_mut().drain().for_each(|(_, bar)| bar.finish_and_clear());
    }
}
