//! Several checkpoints, one above the other: a name is looked up from the top, as MGIE's `mllm.pt` lies over LLaVA and
//! its `unet.pt` over InstructPix2Pix' UNet. Each may have its tensors renamed to the names that the model uses.

use crate::checkpoint::{Checkpoint, StoredTensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Checkpoints in the order in which they are asked.
///
/// ```no_run
/// # use mgie_weights::{Checkpoint, Overlay, Rename};
/// # fn example() -> Result<(), mgie_weights::WeightsError> {
/// let weights = Overlay::new()
///     .then(Checkpoint::open("mgie_7b/unet.pt")?)
///     .then_renamed(Checkpoint::open("unet")?, &[Rename::prefix("unet.", "")]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    layers: Vec<Checkpoint>,
    /// The model's name → layer and name in the layer's file.
    found: HashMap<String, (usize, String)>,
}

/// A rule that turns a file's tensor name into the model's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rename {
    /// A leading `from` becomes `to`; either may be empty. Names without the prefix are left alone.
    Prefix {
        /// What the file's name starts with.
        from: String,
        /// What stands there instead.
        to: String,
    },
    /// A dotted part of the name, wherever it occurs whole, becomes another: `query` → `to_q`, `proj_attn` →
    /// `to_out.0`.
    Part {
        /// One part, without dots.
        from: String,
        /// One or more parts.
        to: String,
    },
}

impl Rename {
    /// A leading `from` becomes `to`.
    pub fn prefix(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self::Prefix { from: from.into(), to: to.into() }
    }

    /// The dotted part `from` becomes `to`.
    pub fn part(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self::Part { from: from.into(), to: to.into() }
    }

    /// The name after this rule; the same name where the rule does not apply.
    pub fn apply(&self, name: &str) -> String {
        match self {
            Self::Prefix { from, to } => match name.strip_prefix(from.as_str()) {
                Some(rest) => format!("{to}{rest}"),
                None => name.to_string(),
            },
            Self::Part { from, to } => {
                let mut parts: Vec<&str> = name.split('.').collect();
                for part in &mut parts {
                    if *part == from {
                        *part = to;
                    }
                }
                parts.join(".")
            }
        }
    }
}

impl Overlay {
    /// No checkpoints yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a checkpoint below those that are there.
    #[must_use]
    pub fn then(self, checkpoint: Checkpoint) -> Self {
        self.then_renamed(checkpoint, &[])
    }

    /// Adds a checkpoint below those that are there, its names changed by every rule in turn.
    ///
    /// Where two names of the file become one, the one that needed no change wins, then the first in alphabetical
    /// order.
    #[must_use]
    pub fn then_renamed(mut self, checkpoint: Checkpoint, rules: &[Rename]) -> Self {
        let layer = self.layers.len();
        let mut stored: Vec<&str> = checkpoint.names().collect();
        stored.sort_unstable();
        let mut renamed: Vec<(String, &str)> = stored
            .into_iter()
            .map(|name| (rules.iter().fold(name.to_string(), |n, rule| rule.apply(&n)), name))
            .collect();
        renamed.sort_by_key(|(new, old)| new != old);
        for (new, old) in renamed {
            self.found.entry(new).or_insert_with(|| (layer, old.to_string()));
        }
        self.layers.push(checkpoint);
        self
    }

    /// The tensor that the model calls `name`, from the topmost checkpoint that has it.
    pub fn get(&self, name: &str) -> Option<StoredTensor<'_>> {
        let (layer, stored) = self.found.get(name)?;
        self.layers.get(*layer)?.get(stored)
    }

    /// Every name that some checkpoint answers to, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// What was opened (files or folders), the first asked first.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.layers.iter().map(Checkpoint::path).map(Path::to_path_buf).collect()
    }
}

impl From<Checkpoint> for Overlay {
    fn from(checkpoint: Checkpoint) -> Self {
        Self::new().then(checkpoint)
    }
}
