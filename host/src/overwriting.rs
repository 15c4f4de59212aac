//! What a run would lose: a file that the graph reads, written over by a result, or one result by another. Told before
//! anything runs, by the command line and by a run in the background.

use crate::document::Document;
use crate::engine::{Targets, needed};
use crate::plugins::Catalogue;
use crate::validate::{Place, Problem};
use mgie_plugin_api::Domain;
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A path in a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathText {
    /// The path, as it is written in the graph.
    pub text: String,
    /// Whether the node writes to it.
    pub written: bool,
}

/// Every path of a graph that a file is read from or written to, by node and parameter.
#[must_use]
pub fn paths(document: &Document, catalogue: &Catalogue) -> Vec<(String, String, PathText)> {
    let mut paths = Vec::new();
    // A node that is off neither reads nor writes.
    for (name, node) in document.nodes.iter().filter(|(_, node)| node.off.is_none()) {
        let Some(node_type) = catalogue.node_type(&node.node_type) else { continue };
        for parameter in &node_type.description.parameters {
            let written = match &parameter.domain {
                Domain::File { .. } => false,
                Domain::SaveFile { .. } => true,
                _ => continue,
            };
            if let Some(text) = node.params.get(&parameter.id).and_then(Value::as_str) {
                paths.push((name.clone(), parameter.id.clone(), PathText { text: text.to_owned(), written }));
            }
        }
    }
    paths
}

/// The files of a run, and who has each. Two names of one file are one.
#[derive(Debug, Default)]
pub struct Taken(HashMap<PathBuf, String>);

impl Taken {
    /// A file that is read by somebody: ``node `photo`, parameter `path` ``.
    pub fn read(&mut self, file: &Path, by: &str) {
        self.0.insert(place(file), format!("is read by {by}"));
    }

    /// The file that a graph was opened from.
    pub fn graph(&mut self, file: &Path) {
        self.0.insert(place(file), "carries this graph".to_owned());
    }

    /// Takes in what others have.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Why a file must not be written, for people; none where it may be.
    #[must_use]
    pub fn refusal(&self, file: &Path) -> Option<String> {
        let why = self.0.get(&place(file))?;
        Some(format!("{}, which {why} and would be lost; name another file", file.display()))
    }

    /// Takes a file to write it.
    ///
    /// # Errors
    /// Who has it already, in words that follow the path: it would be lost.
    pub fn write(&mut self, file: &Path, by: &str) -> Result<(), String> {
        let at = place(file);
        if let Some(why) = self.0.get(&at) {
            return Err(why.clone());
        }
        self.0.insert(at, format!("is written by {by}"));
        Ok(())
    }
}

/// The files that a graph reads.
#[must_use]
pub fn read(document: &Document, catalogue: &Catalogue, folder: &Path) -> Taken {
    let mut taken = Taken::default();
    for (node, parameter, path) in paths(document, catalogue) {
        if !path.written && !path.text.is_empty() {
            taken.read(&folder.join(&path.text), &named_by(&node, &parameter));
        }
    }
    taken
}

/// Whether two paths name one file.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    place(one) == place(other)
}

/// The file's one name: links followed as far as it or its folder is there.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        folder.map_or(path.clone(), |folder| folder.join(path.file_name().unwrap_or(OsStr::new(""))))
    })
}

/// Who names a path of a graph.
#[must_use]
pub fn named_by(node: &str, parameter: &str) -> String {
    format!("node `{node}`, parameter `{parameter}`")
}

/// One problem for each node that would write over a file that the graph reads, or that another node writes, where that is
/// asked of it. `folder` is what the graph's relative paths are relative to.
#[must_use]
pub fn problems(document: &Document, catalogue: &Catalogue, folder: &Path, targets: &Targets) -> Vec<Problem> {
    let running = needed(document, catalogue, targets);
    let mut taken = read(document, catalogue, folder);
    let mut problems = Vec::new();
    let paths = paths(document, catalogue);
    let written = paths.iter().filter(|(_, _, path)| path.written && !path.text.is_empty());
    for (node, parameter, path) in written.filter(|(node, _, _)| running.contains(node)) {
        let file = folder.join(&path.text);
        if let Err(why) = taken.write(&file, &named_by(node, parameter)) {
            let problem = Problem::error(node, Place::Parameter(parameter.clone()), "a file of its own");
            let found = format!("{}, which {why} and would be lost", file.display());
            problems.push(problem.found(found).remedy("name another file"));
        }
    }
    problems
}
