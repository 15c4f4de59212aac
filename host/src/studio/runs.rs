//! Runs as the studio starts and follows them: what runs, what a change runs again, what is shown when a run is over.

use super::action::Output;
use super::app::Studio;
use super::canvas::seconds_text;
use crate::engine::{RunOptions, Targets};
use crate::running::Ending;
use eframe::egui;
use egui::Context;

/// Seconds between the last change and the run that it leads to: a slider that is dragged runs when it rests.
const REST: f64 = 0.35;

/// Seconds between two looks at the input files.
const LOOK_EVERY: f64 = 1.0;

impl Studio {
    /// Every node that saves, or where there is none, every node that nothing hangs on.
    pub(super) fn all_results(&self) -> Targets {
        let document = self.session.document();
        let catalogue = self.engine.catalogue();
        let saves = |node_type: &str| catalogue.node_type(node_type).is_some_and(|known| known.description.side_effect);
        if document.nodes.values().any(|node| node.off.is_none() && saves(&node.node_type)) {
            return Targets::side_effects();
        }
        let is_source = |name: &String| {
            let wires = document.nodes.values().flat_map(|node| node.inputs.values());
            wires.filter_map(|wire| wire.source()).any(|(source, _)| source == name)
        };
        let last = document.nodes.iter().filter(|(name, node)| node.off.is_none() && !is_source(name));
        Targets { nodes: last.map(|(name, _)| name.clone()).collect(), ..Targets::default() }
    }

    /// How runs go here.
    pub(super) fn options(&self) -> RunOptions {
        let mut options = RunOptions::new(self.session.folder(), self.models.clone());
        options.threads = self.threads.unwrap_or(options.threads);
        options
    }

    /// Runs to these nodes, or to all results where there are none, and remembers which for a change to run again.
    pub(super) fn run_to(&mut self, nodes: Vec<String>, ctx: &Context) {
        self.run_again.clone_from(&nodes);
        self.run(nodes, ctx);
    }

    /// Runs to what was run to last, of which nodes that are gone or off by now are not wanted.
    fn run_once_more(&mut self, ctx: &Context) {
        let there = &self.session.document().nodes;
        let is_wanted = |name: &&String| there.get(*name).is_some_and(|node| node.off.is_none());
        self.run(self.run_again.iter().filter(is_wanted).cloned().collect(), ctx);
    }

    /// Runs, in the place of what is running.
    fn run(&mut self, nodes: Vec<String>, ctx: &Context) {
        self.session.settle();
        let options = self.options();
        let targets = if nodes.is_empty() { self.all_results() } else { Targets { nodes, ..Targets::default() } };
        self.run_at = None;
        self.was_running = true;
        self.said = (String::new(), false);
        self.runner.start(self.session.document().clone(), targets, options);
        ctx.request_repaint();
    }

    /// The graph has changed.
    pub(super) fn changed(&mut self, ctx: &Context) {
        for (from, to) in self.session.take_renames() {
            self.run_again.iter_mut().filter(|name| **name == from).for_each(|name| name.clone_from(&to));
            self.looking.rename(&from, &to);
            self.sweeps.rename(&from, &to);
        }
        // What only moves nodes changes no result.
        if self.runner.edited(self.session.document()) && self.switches.auto_run {
            self.run_at = Some(ctx.input(|input| input.time) + REST);
        }
    }

    /// Notices input files that another program changed: when the window is come back to, and about once a second while
    /// it is drawn anyway. Nothing is drawn for it, so that a window at rest stays at rest.
    pub(super) fn look_at_files(&mut self, ctx: &Context) {
        let (now, came_back) = ctx.input(|input| {
            let came_back = |event: &egui::Event| matches!(event, egui::Event::WindowFocused(true));
            (input.time, input.events.iter().any(came_back))
        });
        if !came_back && now - self.files_at < LOOK_EVERY {
            return;
        }
        self.files_at = now;
        // It shows what is stale and starts nothing: a graph may save over the very file that it loads, and would run for ever.
        self.runner.look_at_files(self.session.document());
    }

    /// Tells how a run ended, once.
    pub(super) fn follow_run(&mut self, ctx: &Context) {
        if !self.was_running || self.runner.is_running() {
            return;
        }
        self.was_running = false;
        let failed = self.runner.failure().map(|failed| {
            // The remedy stands on the node.
            let mut told = failed.failure.clone();
            told.remedy.clear();
            format!("{}: {told}", failed.node)
        });
        match self.runner.ending() {
            Some(Ending::Done) => {
                let seconds = self.runner.report().map_or(0.0, |report| report.seconds);
                self.say(format!("Done in {}", seconds_text(seconds)));
            }
            Some(Ending::Cancelled) => self.say("Stopped"),
            Some(Ending::Failed) => {
                self.refuse(failed.unwrap_or_else(|| "The run failed; the log says why".into()), ctx)
            }
            Some(Ending::Wrong) => {
                let first = self.runner.problems().iter().find(|problem| problem.is_error()).map(ToString::to_string);
                self.refuse(first.or(failed).unwrap_or_else(|| "The graph cannot run".into()), ctx);
            }
            None => {}
        }
        if self.looking.views_nothing()
            && let Some(output) = self.last_picture()
        {
            self.switches.viewer = true;
            self.looking.view(output);
        }
    }

    /// The picture that was made last along the graph: of the nodes with a picture, the last of the document.
    fn last_picture(&self) -> Option<Output> {
        self.session.document().nodes.keys().rev().find_map(|name| {
            let sockets = self.sockets().get(name)?;
            let is_picture = |output: &&super::sockets::Socket| {
                self.runner.value(name, &output.id).is_some_and(|value| value.as_image().is_some())
            };
            let output = sockets.outputs.iter().find(is_picture)?;
            Some(Output { node: name.clone(), output: output.id.clone() })
        })
    }

    /// How the run is going, for the status bar.
    pub(super) fn run_text(&self) -> String {
        match self.runner.status().progress {
            Some((through, needed)) => format!("running, {through} of {needed} nodes done"),
            None => String::new(),
        }
    }

    /// What happens without being asked for: a change that is run, work that is kept.
    pub(super) fn by_itself(&mut self, ctx: &Context) {
        let now = ctx.input(|input| input.time);
        if let Some(at) = self.run_at {
            let held = ctx.input(|input| input.pointer.any_down());
            if now >= at && !held {
                self.run_once_more(ctx);
            } else {
                ctx.request_repaint_after_secs((at - now).max(0.05) as f32);
            }
        }
        self.keep(ctx);
        self.closing(ctx);
    }
}
