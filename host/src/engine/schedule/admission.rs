//! Which task may start, and how many threads it gets.

use super::{Rank, Schedule, State};
use crate::engine::plan::Task;
use crate::engine::thread_shares::shares;
use std::cmp::Reverse;
use std::sync::atomic::Ordering;

/// Leave to start.
#[derive(Clone, Copy)]
pub(super) struct Admission {
    /// Bytes of weights that it will load.
    pub load: u64,
    /// Whether plugins are asked to let go of weights first.
    pub release: bool,
}

impl Schedule<'_> {
    /// Splits the thread budget anew among the running tasks and those that start soon; gives the share of the first of
    /// these. A node that asks again learns its new share.
    pub(super) fn share_threads(&self, soon: &[usize]) -> usize {
        let running: Vec<usize> = self.given.keys().copied().collect();
        let tasks: Vec<usize> = soon.iter().chain(&running).copied().collect();
        let reaches: Vec<usize> = tasks.iter().map(|at| self.plan.tasks[*at].reach).collect();
        let shares = shares(self.manner.threads, &reaches);
        for (at, share) in tasks.iter().zip(&shares) {
            if let Some(given) = self.given.get(at) {
                given.threads.store(*share, Ordering::Relaxed);
            }
        }
        shares.first().copied().unwrap_or(1)
    }

    /// Whether a task that has its inputs may start: alone of its type where it must be, and its weights within the
    /// budget, or nothing running that could give way.
    pub(super) fn admit(&self, at: usize) -> Option<Admission> {
        let task = &self.plan.tasks[at];
        let description = &task.node_type.description;
        let same_type = |other: &usize| self.plan.tasks[*other].node_type.description.id == description.id;
        if !description.thread_safe && self.given.keys().any(same_type) {
            return None;
        }
        let load = self.to_load(task);
        if load == 0 {
            return Some(Admission { load, release: false });
        }
        if self.manner.tight && self.is_behind_other_weights(at) {
            return None;
        }
        let loading: u64 = self.given.values().map(|given| given.load).sum();
        if self.shared.ledger.fits(loading.saturating_add(load)) {
            return Some(Admission { load, release: false });
        }
        (loading == 0).then_some(Admission { load, release: true })
    }

    fn to_load(&self, task: &Task) -> u64 {
        task.weights.as_ref().map_or(0, |weights| self.shared.ledger.to_load(task.node_type.library.path(), weights))
    }

    /// Whether another task that loads weights, and that more hangs on, is not through yet.
    fn is_behind_other_weights(&self, at: usize) -> bool {
        (0..self.states.len())
            .filter(|other| matches!(self.states[*other], State::Waiting | State::Running))
            .any(|other| self.rank(other) < self.rank(at) && self.to_load(&self.plan.tasks[other]) > 0)
    }

    pub(super) fn rank(&self, at: usize) -> Rank {
        (Reverse(self.plan.tasks[at].reach), at)
    }
}
