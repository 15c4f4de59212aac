//! A graph to run with all that was asked of it: its settings made, its frames numbered, its outputs written. What
//! `edit` and `run` share.

use super::frames::numbered;
use super::request::{Destination, Frames, Running, Save};
use super::screen::Screen;
use super::stop::{Complaint, Stop};
use super::telling::{Done, Saved};
use super::{overwriting, saving, settings};
use mgie_host::document::Document;
use mgie_host::engine::{
    Budgets, CancelToken, Carried, Engine, Event, Observer, Outcome, RunOptions, RunReport, RunResults, Targets, needed,
};
use mgie_host::models::{Models, Origin};
use mgie_host::overwriting::{PathText, named_by, paths};
use mgie_host::plugins::{Catalogue, SearchPath, default_cache_file};
use mgie_plugin_api::Domain;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What became of one run of the graph.
#[derive(Debug)]
pub struct Round {
    /// The frame, where there are some.
    pub frame: Option<u32>,
    /// What the engine did.
    pub report: RunReport,
    /// What was written.
    pub saved: Vec<Saved>,
    /// The texts of [`Job::told`], in its order.
    pub told: Vec<String>,
}

/// A graph to run.
pub struct Job {
    /// The graph.
    pub document: Document,
    /// The folder that its relative paths are relative to.
    pub folder: PathBuf,
    /// The file it was opened from, where there is one.
    pub graph: Option<PathBuf>,
    /// What runs.
    pub targets: Targets,
    /// Frames to run, one after the other.
    pub frames: Option<Frames>,
    /// What else was asked for.
    pub running: Running,
    /// The models that it runs with.
    pub models: Models,
    /// Outputs that are texts, by node and output, which are told at the end where their nodes run anyway.
    pub told: Vec<(String, String)>,
}

/// The plugins that this user has.
pub fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::discover(&SearchPath::of_user(), default_cache_file().as_deref()))
}

/// The models folder, or why it is wrong to name this one.
pub fn models(named: Option<&Path>, graph_folder: Option<&Path>) -> Result<Models, Stop> {
    let models = Models::find(named, graph_folder);
    match (&models, named) {
        (Models::Missing { looked }, Some(_)) => Err(Stop::wrong(format!(
            "--models: there is no folder {}; name the one that the weights lie in, or leave --models out",
            looked.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
        ))),
        _ => Ok(models),
    }
}

/// Says so where the models are the built-in ones, which have seen drawn scenes only.
pub fn announce(models: &Models, screen: &Screen) {
    if let Models::At { origin: Origin::BuiltIn, .. } = models {
        screen.say(
            "using the built-in small model, which knows drawn scenes such as graphs/photos/scene.png only; \
             name the folder of the released models with --models or MGIE_MODELS",
        );
    }
}

/// An engine with the budgets that were asked for, and how it runs a graph of that folder.
pub fn engine(
    running: &Running,
    folder: &Path,
    models: &Models,
    catalogue: &Arc<Catalogue>,
    cancel: &CancelToken,
) -> (Engine, RunOptions) {
    let mut budgets = Budgets { cache_bytes: running.cache_bytes, ..Budgets::default() };
    if let Some(bytes) = running.weights_bytes {
        budgets.weights_bytes = Some(bytes);
    }
    let mut options = RunOptions::new(folder, models.clone());
    options.cancel = cancel.clone();
    options.threads = running.threads.unwrap_or(options.threads);
    (Engine::new(Arc::clone(catalogue), budgets), options)
}

impl Job {
    /// Runs it, and adds to `rounds` what was done, also where it ends early.
    ///
    /// # Errors
    /// Why it ended early.
    pub fn run(
        mut self,
        catalogue: &Arc<Catalogue>,
        cancel: &CancelToken,
        screen: &Screen,
        rounds: &mut Vec<Round>,
    ) -> Result<(), Stop> {
        settings::apply(&self.running.settings, &mut self.document, catalogue).map_err(Stop::wrong_all)?;
        for save in &self.running.saves {
            self.targets = std::mem::take(&mut self.targets).and_output(&save.node, &save.output);
        }
        // Nothing runs for the sake of being told.
        let running = needed(&self.document, catalogue, &self.targets);
        self.told.retain(|(node, _)| running.contains(node));
        for (node, output) in &self.told {
            self.targets = std::mem::take(&mut self.targets).and_output(node, output);
        }
        self.check_that_something_runs(catalogue)?;
        let (engine, options) = engine(&self.running, &self.folder, &self.models, catalogue, cancel);
        let Some(frames) = self.frames else {
            return self.round(None, &engine, &options, screen, rounds);
        };
        self.check_frames(frames, catalogue)?;
        for frame in frames.first..=frames.last {
            screen.show(&format!("frame {frame} ({} to {})", frames.first, frames.last));
            self.of_frame(frame, catalogue)
                .round(Some(frame), &engine, &options, screen, rounds)
                .map_err(|stop| stop.at(&format!("frame {frame}")))?;
        }
        Ok(())
    }

    fn check_that_something_runs(&self, catalogue: &Catalogue) -> Result<(), Stop> {
        let unknown_or_saves =
            |node_type: &str| catalogue.node_type(node_type).is_none_or(|known| known.description.side_effect);
        let some = !self.targets.outputs.is_empty()
            || !self.targets.nodes.is_empty()
            || self.document.nodes.values().any(|node| node.off.is_none() && unknown_or_saves(&node.node_type));
        if some {
            return Ok(());
        }
        Err(Stop::wrong(
            "nothing to do: no node of this graph saves anything; add --save NODE.OUTPUT=FILE or --only NODE",
        ))
    }

    fn round(
        &self,
        frame: Option<u32>,
        engine: &Engine,
        options: &RunOptions,
        screen: &Screen,
        rounds: &mut Vec<Round>,
    ) -> Result<(), Stop> {
        let mut unwritable = saving::check(&self.running.saves, &self.document, engine);
        unwritable.extend(self.lost(engine.catalogue()));
        if !unwritable.is_empty() {
            // What is wrong with the graph is told along with it.
            let problems = engine.check(&self.document, &self.targets, options);
            let complaints = problems.iter().filter(|problem| problem.is_error()).map(Complaint::from);
            return Err(Stop::Wrong(complaints.chain(unwritable.into_iter().map(Complaint::plain)).collect()));
        }
        let written = WrittenBy { screen, document: &self.document, engine, options, saved: RefCell::default() };
        let ran = engine.run(&self.document, &self.targets, options, &written);
        let mut saved = written.saved.into_inner();
        let RunResults { values, report } = match ran {
            Ok(results) => results,
            Err(error) => {
                let stop = Stop::from(error);
                let report = stop.report().cloned().unwrap_or_default();
                rounds.push(Round { frame, report, saved, told: Vec::new() });
                return Err(stop);
            }
        };
        let carried =
            Arc::new(Carried { document: self.document.clone(), folder: self.folder.clone(), destination: None });
        let mut ended = Ok(());
        for save in &self.running.saves {
            let Some(value) = values.get(&(save.node.clone(), save.output.clone())) else { continue };
            if options.cancel.is_cancelled() {
                ended = Err(Stop::Interrupted(Some(report.clone())));
                break;
            }
            ended = saving::write(save, value, engine, options, &carried);
            if ended.is_err() {
                break;
            }
            saved.push(save.done());
        }
        let told = self.told.iter().filter_map(|output| Some(values.get(output)?.as_text()?.to_owned())).collect();
        rounds.push(Round { frame, report, saved, told });
        ended
    }

    /// What of the user's would be written over.
    fn lost(&self, catalogue: &Catalogue) -> Vec<String> {
        // What is not asked for writes nothing.
        let running = needed(&self.document, catalogue, &self.targets);
        let files = paths(&self.document, catalogue).into_iter().filter(|(_, _, path)| !path.text.is_empty());
        let (written, read): (Vec<_>, Vec<_>) = files.partition(|(_, _, path)| path.written);
        let named = |(node, parameter, path): (String, String, PathText)| overwriting::Named {
            path: self.folder.join(path.text),
            by: named_by(&node, &parameter),
        };
        let read: Vec<_> = read.into_iter().map(named).collect();
        let written: Vec<_> = written.into_iter().filter(|(node, _, _)| running.contains(node)).map(named).collect();
        overwriting::check(&read, &written, &self.running.saves, self.graph.as_deref())
    }

    /// The graph of one frame: its number in every path that has a place for one.
    fn of_frame(&self, frame: u32, catalogue: &Catalogue) -> Self {
        let mut document = self.document.clone();
        for (node, parameter, path) in paths(&self.document, catalogue) {
            if let (Some(numbered), Some(node)) = (numbered(&path.text, frame), document.nodes.get_mut(&node)) {
                node.params.insert(parameter, numbered.into());
            }
        }
        let mut running = self.running.clone();
        for save in &mut running.saves {
            if let Destination::File(path) = &save.to
                && let Some(numbered) = numbered(&path.to_string_lossy(), frame)
            {
                save.to = Destination::File(numbered.into());
            }
        }
        Self {
            document,
            running,
            folder: self.folder.clone(),
            graph: self.graph.clone(),
            targets: self.targets.clone(),
            frames: None,
            models: self.models.clone(),
            told: self.told.clone(),
        }
    }

    /// Every path must have a place for the frame's number where one frame would overwrite another, and every frame's
    /// input must be there.
    fn check_frames(&self, frames: Frames, catalogue: &Catalogue) -> Result<(), Stop> {
        const TOLD: usize = 5;
        let needs_number = |text: &str| numbered(text, frames.first).is_none() && frames.first != frames.last;
        let mut wrong = Vec::new();
        let mut places = 0usize;
        for (node, parameter, path) in paths(&self.document, catalogue) {
            places += usize::from(numbered(&path.text, frames.first).is_some());
            if path.written && self.targets.side_effects && needs_number(&path.text) {
                wrong.push(format!(
                    "node `{node}`, parameter `{parameter}`: every frame would be written to {}; put #### into its name",
                    path.text
                ));
            }
            // A path without a place for the number is one file, which the run itself looks at.
            if path.written || numbered(&path.text, frames.first).is_none() {
                continue;
            }
            let missing: Vec<String> = (frames.first..=frames.last)
                .filter_map(|frame| numbered(&path.text, frame))
                .filter(|path| !self.folder.join(path).is_file())
                .take(TOLD)
                .collect();
            if !missing.is_empty() {
                wrong.push(format!(
                    "node `{node}`, parameter `{parameter}`: there is no file {}",
                    missing.join(", nor ")
                ));
            }
        }
        for Save { node, output, to } in &self.running.saves {
            if let Destination::File(path) = to
                && needs_number(&path.to_string_lossy())
            {
                wrong.push(format!(
                    "--save {node}.{output}: every frame would be written to {}; put #### into its name",
                    path.display()
                ));
            }
        }
        if places == 0 && wrong.is_empty() {
            wrong.push(
                "--frames: no path of the graph has a place for the frame's number; put #### into one".to_owned(),
            );
        }
        if wrong.is_empty() { Ok(()) } else { Err(Stop::wrong_all(wrong)) }
    }
}

/// Passes events on to the screen and notes which nodes wrote which files.
struct WrittenBy<'r> {
    screen: &'r Screen,
    document: &'r Document,
    engine: &'r Engine,
    options: &'r RunOptions,
    saved: RefCell<Vec<Saved>>,
}

impl Observer for WrittenBy<'_> {
    fn observe(&self, node: &str, event: &Event) {
        self.screen.observe(node, event);
        if !matches!(event, Event::Finished(report) if report.outcome == Outcome::Ran) {
            return;
        }
        let Some(of_graph) = self.document.nodes.get(node) else { return };
        let Some(node_type) = self.engine.catalogue().node_type(&of_graph.node_type) else { return };
        for parameter in &node_type.description.parameters {
            if let (Domain::SaveFile { .. }, Some(Value::String(path))) =
                (&parameter.domain, of_graph.params.get(&parameter.id))
            {
                let path = self.options.folder.join(path);
                let path = std::path::absolute(&path).unwrap_or(path).display().to_string();
                self.saved.borrow_mut().push(Saved { node: node.to_owned(), output: None, path });
            }
        }
    }
}

/// What the rounds did, to be told.
pub fn done(rounds: &[Round]) -> Done {
    let of_round = |round: &Round| {
        let mut parts = Map::new();
        parts.insert("seconds".to_owned(), round.report.seconds.into());
        parts.insert("nodes".to_owned(), json!(round.report.nodes));
        parts.insert("saved".to_owned(), json!(round.saved));
        parts
    };
    let parts = match rounds {
        [only] if only.frame.is_none() => of_round(only),
        rounds => {
            let frames: Value = rounds
                .iter()
                .map(|round| {
                    let mut parts = of_round(round);
                    parts.insert("frame".to_owned(), round.frame.into());
                    Value::Object(parts)
                })
                .collect();
            Map::from_iter([("frames".to_owned(), frames)])
        }
    };
    Done {
        warnings: rounds.iter().flat_map(|round| round.report.warnings.iter().cloned()).collect(),
        saved: rounds.iter().flat_map(|round| round.saved.iter().cloned()).collect(),
        parts,
    }
}
