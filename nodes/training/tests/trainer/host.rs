//! A host for a training node: it remembers the log, and cancels after so many steps.

use mgie_plugin_api::extension::id;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, Message, Object, Outputs, Run, Value};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the host grants.
#[derive(Clone)]
pub struct Host {
    /// Threads of a run.
    pub threads: usize,
    /// The run is cancelled once it has told so many steps.
    pub patience: u64,
    told: Arc<AtomicU64>,
}

impl Host {
    /// One that never cancels.
    pub fn of(threads: usize) -> Self {
        Self { threads, patience: u64::MAX, told: Arc::default() }
    }

    /// One that cancels after `steps` steps of this run.
    pub fn that_stops_after(steps: u64) -> Self {
        Self { patience: steps, ..Self::of(1) }
    }

    /// A run of `parameters`, on the data set in `dataset`.
    pub fn run(&self, parameters: Json, dataset: &Path) -> Run {
        let inputs = vec![("dataset".to_owned(), Value::text(dataset.display().to_string()))];
        Run::new(parameters, inputs, &Object::new(self.clone()))
    }
}

impl Extensible for Host {
    fn extension(&self, wanted: &str) -> Option<Extension> {
        let host = self.clone();
        match wanted {
            id::CANCELLED => Some(Extension::new(move |_| {
                let cancelled = host.told.load(Ordering::Relaxed) >= host.patience;
                Ok(Message::json(json!({ "cancelled": cancelled })))
            })),
            id::THREADS => Some(Extension::new(move |_| Ok(Message::json(json!({ "threads": host.threads }))))),
            id::PROGRESS => Some(Extension::new(move |_| {
                host.told.fetch_add(1, Ordering::Relaxed);
                Ok(Message::json(json!({})))
            })),
            _ => None,
        }
    }
}

/// Runs a node of the plugin with its defaults, but for `changes`.
pub fn node(host: &Host, id: &str, dataset: &Path, changes: &Json) -> Result<Outputs, Failure> {
    let plugin = mgie_training::plugin();
    let definition = plugin.definition(id).unwrap();
    let defaults = definition.description().parameters.iter();
    let mut parameters: Json = Json::Object(defaults.map(|p| (p.id.clone(), p.domain.default_json())).collect());
    for (name, value) in changes.as_object().unwrap() {
        if let Some(place) = parameters.get_mut(name) {
            *place = value.clone();
        }
    }
    definition.run(&host.run(parameters, dataset))
}
