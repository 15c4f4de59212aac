//! What has to run: from what was asked for backwards, as far as outputs are not kept.

use super::plan::Plan;
use super::value_cache::{NodeOutputs, ValueCache};
use std::collections::HashMap;
use std::sync::Arc;

/// The tasks that need not run, with their outputs, and those that must: what was asked for, and what they hang on and
/// is not kept.
pub(super) struct Selection {
    pub kept: HashMap<usize, Arc<NodeOutputs>>,
    pub to_run: Vec<usize>,
}

impl Selection {
    pub fn of(plan: &Plan, cache: &ValueCache) -> Self {
        let mut wanted = vec![false; plan.tasks.len()];
        let want = |task: usize, wanted: &mut Vec<bool>| {
            if let Some(wanted) = wanted.get_mut(task) {
                *wanted = true;
            }
        };
        plan.wanted.iter().for_each(|task| want(*task, &mut wanted));
        let mut selection = Self { kept: HashMap::new(), to_run: Vec::new() };
        for (at, task) in plan.tasks.iter().enumerate().rev() {
            if wanted.get(at) != Some(&true) {
                continue;
            }
            match cache.get(&task.key).filter(|_| task.keep) {
                Some(outputs) => {
                    selection.kept.insert(at, outputs);
                }
                None => {
                    selection.to_run.push(at);
                    task.sources().for_each(|from| want(from, &mut wanted));
                }
            }
        }
        selection
    }
}
