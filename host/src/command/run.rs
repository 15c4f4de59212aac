//! `mgie run`: any graph.

use super::job::{self, Job};
use super::request::Run;
use super::screen::{Lines, Screen};
use super::stop::Stop;
use mgie_host::document::Document;
use mgie_host::engine::{CancelToken, Targets};

/// Runs a graph.
///
/// # Errors
/// Why it ended early.
pub fn run(request: Run, lines: &Lines, cancel: &CancelToken) -> Result<(), Stop> {
    let telling = request.running.telling;
    let mut screen = Screen::new(lines.clone(), telling);
    let mut rounds = Vec::new();
    let catalogue = job::catalogue();
    let mut models = None;
    let ended = (|| {
        let opened = Document::open(&request.graph)?;
        screen.make_room_for(opened.document.nodes.keys());
        let found = job::models(request.running.models.as_deref(), Some(&opened.folder))?;
        models = Some(found.clone());
        let mut targets = Targets { nodes: request.only, ..Targets::default() };
        targets.side_effects = targets.nodes.is_empty();
        let job = Job {
            document: opened.document,
            folder: opened.folder,
            targets,
            frames: request.frames,
            running: request.running,
            models: found,
        };
        job.run(&catalogue, cancel, &screen, &mut rounds)
    })();
    job::tell(ended, &rounds, models.as_ref(), Some(&catalogue), telling.json, &screen, |path| {
        screen.show(&format!("wrote {path}"));
    })
}
