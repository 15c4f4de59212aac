//! A set of scenes on disk, named by its numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mgie_plugin_api::{Failure, file};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Family, SIDE, VERSION, sample_of};
use crate::dataset::notes::{self, Notes};
use crate::dataset::write::{NewSet, Record, Written};

/// Examples written between two looks at whether to go on.
const BATCH: u64 = 64;

/// Which scenes a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SceneSet {
    /// Seed of all of them.
    pub seed: u64,
    /// Index of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The one family, or all in their shares.
    pub family: Option<Family>,
}

/// The beginning of `scenes.json`: enough to know a set again.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    scenes: u32,
    seed: u64,
    first: u64,
    count: u64,
    families: String,
}

#[derive(Serialize)]
struct File<'f> {
    #[serde(flatten)]
    head: &'f Head,
    examples: BTreeMap<String, Notes>,
}

impl SceneSet {
    /// The name of its families in files and parameters.
    fn families(&self) -> &'static str {
        self.family.map_or("all", Family::name)
    }

    fn head(&self) -> Head {
        let &Self { seed, first, count, .. } = self;
        Head { scenes: VERSION, seed, first, count, families: self.families().to_owned() }
    }

    /// Whether `folder` holds exactly this set. A set is put in its place whole, so that its head stands for all of it.
    pub fn is_in(&self, folder: &Path) -> bool {
        let head = file::read_whole(&folder.join(notes::FILE), u64::MAX).ok();
        head.and_then(|bytes| serde_json::from_slice::<Head>(&bytes).ok()).is_some_and(|head| head == self.head())
    }

    /// Writes the set into `folder` on `threads` threads, and tells `done` after every few examples how many there are;
    /// a failure of `done` ends it and leaves nothing behind. Where the folder holds exactly this set, it stays as it
    /// is. Answers whether anything was written.
    ///
    /// # Errors
    /// That of `done`, and a failure that names the folder where something else is in it or it cannot be written.
    pub fn write(
        &self,
        folder: &Path,
        threads: usize,
        done: impl Fn(u64) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        if self.is_in(folder) {
            return Ok(false);
        }
        let new = NewSet::begin(folder).map_err(|failure| self.other_set(folder, failure))?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Failure::failed(format!("no threads can be started: {error}")))?;
        let mut written = Vec::new();
        let mut examples = BTreeMap::new();
        for batch in (0..self.count).step_by(BATCH as usize) {
            done(batch)?;
            let indices = batch..self.count.min(batch + BATCH);
            let of_batch: Vec<Result<(Written, String, Notes), Failure>> = pool.install(|| {
                indices.into_par_iter().map(|index| self.write_one(&new, self.first.saturating_add(index))).collect()
            });
            for of_one in of_batch {
                let (lists, name, notes) = of_one?;
                written.push(lists);
                examples.insert(name, notes);
            }
        }
        done(self.count)?;
        let file = serde_json::to_string(&File { head: &self.head(), examples });
        let file = file.map_err(|error| Failure::fault(format!("scenes are no JSON: {error}")))?;
        new.publish(written, &[(notes::FILE, file)])?;
        Ok(true)
    }

    fn write_one(&self, set: &NewSet, index: u64) -> Result<(Written, String, Notes), Failure> {
        let example = sample_of(self.seed, index, self.family);
        let (id, seed) = (format!("{index:07}"), self.seed.to_string());
        let lists = set.add(&Record {
            id: &id,
            seed: &seed,
            instruction: &example.instruction,
            expressive: &example.expressive,
            source_caption: &example.source_caption,
            goal_caption: &example.goal_caption,
            side: SIDE as u32,
            source: &example.source,
            goal: &example.goal,
        })?;
        let notes = Notes {
            family: example.family.name().to_owned(),
            edit: example.edit.to_owned(),
            key: example.key,
            questions: example.questions,
        };
        Ok((lists, format!("{id}_{seed}"), notes))
    }

    /// Says which set of scenes is in the way, where it is one.
    fn other_set(&self, folder: &Path, failure: Failure) -> Failure {
        let head = fs::read(folder.join(notes::FILE)).ok();
        let Some(found) = head.and_then(|bytes| serde_json::from_slice::<Head>(&bytes).ok()) else { return failure };
        let told = |head: &Head| {
            let Head { scenes, seed, first, count, families } = head;
            format!("{count} scenes (version {scenes}) from {first} of seed {seed}, families {families}")
        };
        failure.expected(told(&self.head())).found(told(&found))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const SET: SceneSet = SceneSet { seed: 1, first: 0, count: 3, family: Some(Family::MustSee) };

    #[test]
    fn a_set_that_is_there_is_kept_and_another_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(SET.write(folder.path(), 1, |_| Ok(())).unwrap(), "an empty folder is taken");
        let prompt = folder.path().join("0000000/prompt.json");
        let written = fs::metadata(&prompt).unwrap().modified().unwrap();
        assert!(!SET.write(folder.path(), 1, |_| Ok(())).unwrap());
        assert_eq!(fs::metadata(&prompt).unwrap().modified().unwrap(), written);
        let other = SceneSet { count: 4, ..SET }.write(folder.path(), 1, |_| Ok(())).unwrap_err();
        assert_eq!(other.place, folder.path().display().to_string());
        assert!(other.expected.starts_with("4 scenes") && other.found.starts_with("3 scenes"), "{other}");
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
        let failure = SET.write(folder.path(), 1, |_| Ok(())).unwrap_err();
        assert!(failure.message.contains("not empty"), "{failure}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn cancelling_leaves_no_half_set() {
        let parent = tempfile::tempdir().unwrap();
        let set = SceneSet { count: 2 * BATCH, ..SET };
        let stop = |done| if done >= BATCH { Err(Failure::cancelled()) } else { Ok(()) };
        assert!(set.write(&parent.path().join("set"), 1, stop).unwrap_err().is_cancelled());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_number_of_threads_changes_no_byte() {
        let parent = tempfile::tempdir().unwrap();
        let set = SceneSet { count: 9, ..SET };
        for (name, threads) in [("a", 1), ("b", 3)] {
            set.write(&parent.path().join(name), threads, |_| Ok(())).unwrap();
        }
        for name in ["seeds.json", "ipr2pr_expressive.json", "scenes.json", "0000008/1_1.jpg", "0000008/prompt.json"] {
            let [a, b] = ["a", "b"].map(|set| fs::read(parent.path().join(set).join(name)).unwrap());
            assert!(a == b, "{name} differs");
        }
    }
}
