//! What a run's thread told, taken in: the states of nodes, what flowed, and how the run ended.

use super::super::inbox::{End, News, Step};
use super::super::log::{self, LogLine};
use super::super::state::{Ending, NodeState};
use super::{Run, Runner};
use crate::engine::{Outcome, RunReport};
use crate::validate::Problem;
use mgie_plugin_api::Level;
use std::collections::HashSet;

impl Runner {
    /// Whether that was the end of the run.
    pub(super) fn take_in(&mut self, run: &mut Run, news: News) -> bool {
        log::add(&mut self.log, news.log);
        for (node, preview) in news.previews {
            self.nodes.entry(node).or_default().preview = Some(preview);
        }
        for (node, step) in news.states {
            self.step(run, node, step);
        }
        for (node, values) in news.values {
            let seen = self.nodes.entry(node).or_default();
            seen.values = values;
            seen.preview = None;
        }
        match news.end {
            Some(end) => self.end(run, end),
            None => return false,
        }
        true
    }

    fn step(&mut self, run: &mut Run, node: String, step: Step) {
        run.needed.insert(node.clone());
        let (content, now) = (run.contents.get(&node).copied(), self.contents.get(&node));
        let seen = self.nodes.entry(node.clone()).or_default();
        let state = match step {
            Step::Queued => NodeState::Waiting,
            Step::Running { done, total, label } => NodeState::Running { done, total, label },
            Step::Cached => NodeState::Cached,
            Step::Done { seconds } => NodeState::Done { seconds },
            Step::Failed { message, remedy } => {
                seen.values.clear();
                NodeState::Failed { message, remedy }
            }
        };
        if !state.is_busy() {
            run.through.insert(node);
            if !matches!(state, NodeState::Failed { .. }) {
                seen.preview = None;
            }
        }
        seen.set(state, content, now);
    }

    fn end(&mut self, run: &mut Run, end: End) {
        let (ending, report) = match end {
            End::Done(report) => (Ending::Done, report),
            End::Failed(report, failure) => {
                self.failure = failure;
                (Ending::Failed, report)
            }
            End::Cancelled(report) => (Ending::Cancelled, report),
            End::Wrong(problems) => {
                self.wrong(run, problems);
                (Ending::Wrong, RunReport::default())
            }
        };
        self.stop_busy();
        for ((node, output), (source, of_source)) in &run.stand_ins {
            let value = self.value(source, of_source).cloned();
            let seen = self.nodes.entry(node.clone()).or_default();
            seen.values.retain(|(name, _)| name != output);
            seen.values.extend(value.map(|value| (output.clone(), value)));
        }
        let (level, line) = match ending {
            Ending::Done => {
                let (ran, cached) = (report.with(Outcome::Ran).len(), report.with(Outcome::Cached).len());
                (Level::Info, format!("done in {:.1} s: {ran} ran, {cached} were kept", report.seconds))
            }
            Ending::Failed => (Level::Error, "the run failed".to_owned()),
            Ending::Cancelled => (Level::Info, "cancelled".to_owned()),
            Ending::Wrong => (Level::Error, "the graph cannot run".to_owned()),
        };
        log::add(&mut self.log, report.warnings.iter().map(|line| LogLine::now(None, Level::Warn, line.as_str())));
        log::add(&mut self.log, [LogLine::now(None, level, line)]);
        self.ending = Some(ending);
        self.report = (ending != Ending::Wrong).then_some(report);
    }

    /// Marks the nodes that kept the run from beginning.
    fn wrong(&mut self, run: &Run, problems: Vec<Problem>) {
        let mut marked: HashSet<&str> = HashSet::new();
        for problem in problems.iter().filter(|problem| problem.is_error()) {
            log::add(&mut self.log, [LogLine::now(Some(&problem.node), Level::Error, problem.to_string())]);
            if !run.contents.contains_key(&problem.node) || !marked.insert(&problem.node) {
                continue;
            }
            let told = Problem { remedy: String::new(), ..problem.clone() }.to_string();
            // The node shows it; its name need not be said once more.
            let start = format!("node `{}`", problem.node.escape_debug());
            let message =
                told.strip_prefix(&start).map_or(told.as_str(), |rest| rest.trim_start_matches([',', ':', ' ']));
            let state = NodeState::Failed { message: message.to_owned(), remedy: problem.remedy.clone() };
            let (content, now) = (run.contents.get(&problem.node).copied(), self.contents.get(&problem.node));
            self.nodes.entry(problem.node.clone()).or_default().set(state, content, now);
        }
        self.problems = problems;
    }

    /// Nodes that a run was at, or would have come to, when it ended: what they gave before is out of date.
    pub(super) fn stop_busy(&mut self) {
        for seen in self.nodes.values_mut().filter(|seen| seen.state.is_busy()) {
            let state = if seen.values.is_empty() { NodeState::Idle } else { NodeState::Stale };
            seen.set(state, None, None);
            seen.preview = None;
        }
    }
}
