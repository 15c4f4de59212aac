//! `mgie run`: any graph, once, for each of several frames, or as a sweep.

use super::job::{self, Job};
use super::request::Run;
use super::screen::{Lines, Screen};
use super::stop::Stop;
use super::sweep::SweepJob;
use super::telling::{self, Done};
use mgie_host::document::Document;
use mgie_host::engine::{CancelToken, Targets};
use mgie_host::plugins::Catalogue;
use mgie_plugin_api::Domain;

/// Runs a graph.
///
/// # Errors
/// Why it ended early.
pub fn run(request: Run, lines: &Lines, cancel: &CancelToken) -> Result<(), Stop> {
    let telling = request.running.telling;
    let mut screen = Screen::new(lines.clone(), telling);
    let (mut rounds, mut swept) = (Vec::new(), None);
    let catalogue = job::catalogue();
    let mut models = None;
    let ended = (|| {
        let opened = Document::open(&request.graph)?;
        screen.make_room_for(opened.document.nodes.keys());
        let found = job::models(request.running.models.as_deref(), Some(&opened.folder))?;
        models = Some(found.clone());
        if uses_models(&opened.document, &catalogue) {
            job::announce(&found, &screen);
        }
        if let Some(sweep) = request.sweep {
            let job = SweepJob {
                document: opened.document,
                folder: opened.folder,
                graph: request.graph,
                nodes: request.only,
                sweep,
                running: request.running,
                models: found,
            };
            return job.run(&catalogue, cancel, &screen, swept.insert(Done::default()));
        }
        let mut targets = Targets { nodes: request.only, ..Targets::default() };
        targets.side_effects = targets.nodes.is_empty();
        let job = Job {
            document: opened.document,
            folder: opened.folder,
            graph: Some(request.graph),
            targets,
            frames: request.frames,
            running: request.running,
            models: found,
            told: Vec::new(),
        };
        job.run(&catalogue, cancel, &screen, &mut rounds)
    })();
    let done = swept.unwrap_or_else(|| job::done(&rounds));
    telling::tell(ended, done, models.as_ref(), Some(&catalogue), telling.json, &screen, |path| {
        screen.say(&format!("wrote {path}"));
    })
}

/// Whether any node of the graph reads from the models folder.
fn uses_models(document: &Document, catalogue: &Catalogue) -> bool {
    document.nodes.values().any(|node| {
        catalogue.node_type(&node.node_type).is_some_and(|known| {
            known.description.parameters.iter().any(|parameter| matches!(parameter.domain, Domain::Model { .. }))
        })
    })
}
