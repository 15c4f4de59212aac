//! The parameters of one node, made ready: defaults filled in, paths absolute, files looked at, and what all of it says
//! about the node's result.

use super::RunOptions;
use super::fingerprint::{FileHashes, Stamp, listing};
use super::weights::WeightsUse;
use crate::models::Models;
use crate::plugins::NodeType;
use crate::validate::{Place, Problem, canonical};
use mgie_plugin_api::description::Domain;
use mgie_plugin_api::file::check_writable;
use serde_json::Map;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Parameters made ready for a node.
pub(super) struct Prepared {
    /// An object by parameter, as the node gets it.
    pub values: serde_json::Value,
    /// What of them goes into the node's key.
    pub key: Vec<u8>,
    /// The input files, as they were when their contents were read.
    pub files: Vec<(PathBuf, Stamp)>,
    pub weights: Option<WeightsUse>,
    /// The folder that the node writes to.
    pub destination: Option<PathBuf>,
}

/// Prepares the nodes of a graph, one after the other, and collects what is wrong with them.
pub(super) struct Preparation<'r> {
    options: &'r RunOptions,
    hashes: &'r FileHashes,
    pub problems: Vec<Problem>,
    /// Which node writes which file.
    written: HashMap<PathBuf, String>,
}

impl<'r> Preparation<'r> {
    pub fn new(options: &'r RunOptions, hashes: &'r FileHashes) -> Self {
        Self { options, hashes, problems: Vec::new(), written: HashMap::new() }
    }

    /// Makes the parameters of one node ready; what is wrong with the files that they name is added to the problems.
    pub fn parameters(&mut self, node: &str, given: &Map<String, serde_json::Value>, node_type: &NodeType) -> Prepared {
        let mut values = Map::new();
        let mut key = Vec::new();
        let mut files = Vec::new();
        let mut weights = blake3::Hasher::new();
        let mut weight_bytes = 0u64;
        let mut destination = None;
        for parameter in &node_type.description.parameters {
            let value = given.get(&parameter.id).cloned().unwrap_or_else(|| parameter.domain.default_json());
            let place = || Place::Parameter(parameter.id.clone());
            // Validation has told of a value that is none of the parameter's.
            let Ok(mut value) = canonical(&parameter.domain, &value) else { continue };
            let mut identity = value.to_string().into_bytes();
            let text = value.as_str().unwrap_or_default().to_owned();
            match &parameter.domain {
                Domain::File { .. } if !text.is_empty() => {
                    let path = absolute(&self.options.folder, &text);
                    match self.hashes.contents(&path, &self.options.cancel) {
                        Ok((hash, stamp)) => {
                            // What a file holds may be told by its ending; its place makes no difference.
                            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
                            identity = [hash.as_bytes().as_slice(), ending.as_bytes()].concat();
                            files.push((path.clone(), stamp));
                        }
                        Err(found) => self.problems.push(
                            Problem::error(node, place(), "a file that can be read")
                                .found(format!("{found}: {}", path.display()))
                                .remedy(if text.contains("####") {
                                    "run it with --frames A-B, which puts numbers there"
                                } else {
                                    "check the path; in a graph file it is relative to that file, on the command line to the \
                                     current folder"
                                }),
                        ),
                    }
                    value = self.path_value(node, &place(), &path);
                }
                Domain::SaveFile { .. } => {
                    let path = absolute(&self.options.folder, &text);
                    if let Err(failure) = check_writable(&path) {
                        let expected = format!("a file that can be written: {}", path.display());
                        let problem = Problem::error(node, place(), expected);
                        self.problems.push(problem.found(&failure.message).remedy(&failure.remedy));
                    }
                    if let Some(other) = self.written.insert(path.clone(), node.to_owned()) {
                        self.problems.push(
                            Problem::error(node, place(), "a file of its own")
                                .found(format!("{}, which node `{other}` writes too", path.display()))
                                .remedy("name another file"),
                        );
                    }
                    destination = path.parent().map(Path::to_owned);
                    value = self.path_value(node, &place(), &path);
                }
                Domain::Folder { .. } if !text.is_empty() => {
                    let path = absolute(&self.options.folder, &text);
                    value = self.path_value(node, &place(), &path);
                }
                Domain::Model { .. } if !text.is_empty() => {
                    let Some(path) = self.model(node, &place(), &text) else { continue };
                    match listing(&path) {
                        Ok((hash, bytes)) => {
                            identity = hash.as_bytes().to_vec();
                            weight_bytes = weight_bytes.saturating_add(bytes);
                        }
                        Err(found) => self.problems.push(
                            Problem::error(node, place(), format!("weights at {}", path.display()))
                                .found(found)
                                .remedy("put them there, or name the folder that holds the models with --models or MGIE_MODELS"),
                        ),
                    }
                    value = self.path_value(node, &place(), &path);
                }
                _ => {}
            }
            let loads = matches!(parameter.domain, Domain::Model { .. } | Domain::Choice { .. } | Domain::Text { .. });
            if loads {
                weights.update(&identity);
                weights.update(&[0]);
            }
            key.extend((parameter.id.len() as u64).to_le_bytes());
            key.extend(parameter.id.as_bytes());
            key.extend((identity.len() as u64).to_le_bytes());
            key.extend(identity);
            values.insert(parameter.id.clone(), value);
        }
        let weights = (weight_bytes > 0).then(|| WeightsUse { key: weights.finalize(), file_bytes: weight_bytes });
        Prepared { values: serde_json::Value::Object(values), key, files, weights, destination }
    }

    /// A path as a node gets it: text.
    fn path_value(&mut self, node: &str, place: &Place, path: &Path) -> serde_json::Value {
        if path.to_str().is_none() {
            self.problems.push(
                Problem::error(node, place.clone(), "a path that is Unicode text")
                    .found(path.display().to_string())
                    .remedy("give the folder another name"),
            );
        }
        path.to_string_lossy().into_owned().into()
    }

    /// The path of a model, or a problem: one for all models where there is no models folder.
    fn model(&mut self, node: &str, place: &Place, text: &str) -> Option<PathBuf> {
        if Path::new(text).is_absolute() {
            return Some(PathBuf::from(text));
        }
        match &self.options.models {
            Models::At { folder, .. } => Some(absolute(folder, text)),
            Models::Missing { looked } => {
                const EXPECTED: &str = "a models folder";
                if !self.problems.iter().any(|problem| problem.expected == EXPECTED) {
                    let looked: Vec<String> = looked.iter().map(|place| place.display().to_string()).collect();
                    self.problems.push(
                        Problem::error(node, place.clone(), EXPECTED)
                            .found(format!("no such folder; looked at {}", looked.join(", ")))
                            .remedy("name the folder that holds the models with --models or MGIE_MODELS"),
                    );
                }
                None
            }
        }
    }
}

fn absolute(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join(text);
    std::path::absolute(&path).unwrap_or(path)
}
