//! A plugin of this process with small nodes that do what a test needs, and remember that they ran.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod pictures;

use mgie_host::document::Document;
use mgie_host::engine::{Budgets, CancelToken, Engine, Event, Observer, RunError, RunOptions, RunResults, Targets};
use mgie_host::models::{Models, Origin};
use mgie_host::plugins::Catalogue;
use mgie_plugin_api::extension::{Extensible, Extension, Message};
use mgie_plugin_api::{
    Domain, Failure, Level, Memory, NodeDefinition, NodeDescription, Object, Outputs, Plugin, Run, Tensor, Value, kind,
};
use serde_json::json;
use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

/// The nodes that ran, by what they were asked to call themselves.
#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    /// What was noted since the last time, sorted.
    pub fn take(&self) -> Vec<String> {
        let mut notes = std::mem::take(&mut *self.0.lock().unwrap());
        notes.sort();
        notes
    }

    /// What was noted since the last time, in the order in which it was.
    pub fn take_in_order(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

pub fn float(default: f64) -> Domain {
    Domain::Float { default, hard: [-1000.0, 1000.0], soft: [0.0, 10.0] }
}

fn text(default: &str) -> Domain {
    Domain::Text { default: default.into(), multiline: false }
}

fn choice(words: &[&str]) -> Domain {
    Domain::Choice { default: words[0].into(), choices: words.iter().map(ToString::to_string).collect() }
}

fn node(id: &str) -> NodeDescription {
    NodeDescription::new(id, id, "Test", "A node for tests.")
}

fn number(value: f64) -> Result<Outputs, Failure> {
    Ok(Outputs::new().with("number", Value::number(value)))
}

struct Weights(#[allow(dead_code, reason = "its life is what counts")] Arc<()>);

impl Extensible for Weights {
    fn extension(&self, id: &str) -> Option<Extension> {
        (id == "test.weigh/1").then(|| Extension::new(|_| Ok(Message::json(json!({ "weight": 7 })))))
    }
}

/// The plugin: `name` is its own, `diary` remembers what ran.
pub fn plugin(diary: &Diary) -> Plugin {
    let noted = |diary: &Diary, what: &'static str| {
        let diary = diary.clone();
        move |run: &Run| diary.note(run.string("name").map_or(what.to_owned(), ToOwned::to_owned))
    };
    let (meeting, together, most) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)), diary.clone());
    let (note_number, note_add, note_read) = (noted(diary, "number"), noted(diary, "add"), noted(diary, "read"));
    let (note_save, note_big, note_threads) = (noted(diary, "save"), noted(diary, "big"), diary.clone());
    let note_stuck = diary.clone();
    Plugin::new("test", "1.0.0")
        .node(NodeDefinition::new(
            node("test.number")
                .parameter("value", "Value", float(1.0), "")
                .parameter("name", "Name", text("number"), "")
                .output("number", "Number", kind::NUMBER, ""),
            move |run| {
                note_number(run);
                number(run.float("value")?)
            },
        ))
        .node(NodeDefinition::new(
            node("test.add")
                .input("a", "A", kind::NUMBER, "")
                .optional_input("b", "B", kind::NUMBER, "")
                .parameter("more", "More", float(0.0), "")
                .parameter("name", "Name", text("add"), "")
                .output("number", "Number", kind::NUMBER, ""),
            move |run| {
                note_add(run);
                let b = run.optional("b").and_then(Value::as_number).unwrap_or(0.0);
                number(run.number("a")? + b + run.float("more")?)
            },
        ))
        .node(NodeDefinition::new(
            node("test.read")
                .parameter(
                    "path",
                    "Path",
                    Domain::File { default: String::new(), extensions: vec!["txt".into()], optional: false },
                    "",
                )
                .parameter("name", "Name", text("read"), "")
                .output("text", "Text", kind::TEXT, ""),
            move |run| {
                note_read(run);
                let text = std::fs::read_to_string(run.path("path")?).map_err(|e| Failure::failed(e.to_string()))?;
                Ok(Outputs::new().with("text", Value::text(text)))
            },
        ))
        .node(NodeDefinition::new(
            node("test.save")
                .input_of("value", "Value", &[kind::ANY], false, "")
                .parameter(
                    "path",
                    "Path",
                    Domain::SaveFile { default: String::new(), extensions: vec!["txt".into()] },
                    "",
                )
                .parameter("name", "Name", text("save"), "")
                .output("path", "Path", kind::TEXT, "")
                .with_side_effect(),
            move |run| {
                note_save(run);
                let path = run.path("path")?;
                let graph = run.graph_json().unwrap_or_default();
                let text = format!("{}\n{}\n{graph}", run.value("value")?, run.value("value")?.header());
                mgie_plugin_api::file::write_whole(&path, &[text.as_bytes()])?;
                Ok(Outputs::new().with("path", Value::text(path.display().to_string())))
            },
        ))
        .node(NodeDefinition::new(
            node("test.big")
                .parameter(
                    "floats",
                    "Floats",
                    Domain::Integer { default: 8, hard: [0, 1 << 24], soft: [0, 1 << 24] },
                    "",
                )
                .parameter("name", "Name", text("big"), "")
                .output("tensor", "Tensor", kind::TENSOR, ""),
            move |run| {
                note_big(run);
                let floats = run.count("floats")?;
                let tensor = Tensor::from_f32([floats], vec![1.0; floats])?;
                Ok(Outputs::new().with("tensor", Value::tensor(kind::TENSOR, json!({}), tensor)))
            },
        ))
        .node(NodeDefinition::new(
            // Two of these end only if they run at the same time.
            node("test.meet").parameter("name", "Name", text("meet"), "").output("number", "Number", kind::NUMBER, ""),
            move |run| {
                note_threads.note(format!("{} threads {}", run.string("name")?, run.threads()));
                meeting.wait();
                number(0.0)
            },
        ))
        .node(NodeDefinition::new(
            node("test.alone")
                .parameter("name", "Name", text("alone"), "")
                .output("number", "Number", kind::NUMBER, "")
                .one_at_a_time(),
            move |run| {
                let now = together.fetch_add(1, Ordering::SeqCst) + 1;
                most.note(format!("{} with {now}", run.string("name")?));
                std::thread::sleep(std::time::Duration::from_millis(20));
                together.fetch_sub(1, Ordering::SeqCst);
                number(now as f64)
            },
        ))
        .node(NodeDefinition::new(
            // Runs until it is asked to stop.
            node("test.stuck").optional_input("after", "After", kind::ANY, "").output(
                "number",
                "Number",
                kind::NUMBER,
                "",
            ),
            move |run| {
                note_stuck.note("stuck");
                for step in 0.. {
                    run.progress(step, 0, "waiting");
                    run.check_cancelled()?;
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                number(0.0)
            },
        ))
        .node(NodeDefinition::new(
            node("test.bad")
                .optional_input("after", "After", kind::ANY, "")
                .parameter(
                    "how",
                    "How",
                    choice(&["fail", "panic", "cancelled", "nothing", "kind", "shape", "nan", "extra", "any"]),
                    "",
                )
                .output("tensor", "Tensor", kind::VISUAL_TOKENS, "")
                .shaped(&[Some(2), None])
                .output("other", "Other", kind::ANY, ""),
            bad,
        ))
        .node(NodeDefinition::new(node("test.chat").output("number", "Number", kind::NUMBER, ""), |run| {
            run.ran_on("cuda:7");
            run.log(Level::Warn, "the weights are old");
            run.progress(1, 2, "half way");
            if run.wants_preview() {
                run.preview(Value::number(0.5));
            }
            number(1.0)
        }))
        .node(NodeDefinition::new(
            node("test.take").input_of("number", "Number", &[kind::NUMBER, kind::TEXT], false, "").output(
                "number",
                "Number",
                kind::NUMBER,
                "",
            ),
            |run| number(run.number("number").unwrap_or(0.0)),
        ))
}

fn bad(run: &Run) -> Result<Outputs, Failure> {
    let tensor = |shape: [usize; 2], value: f32| -> Result<Value, Failure> {
        let tensor = Tensor::from_f32(shape, vec![value; shape[0] * shape[1]])?;
        Ok(Value::tensor(kind::VISUAL_TOKENS, json!({}), tensor))
    };
    let with = |value: Value| Ok(Outputs::new().with("tensor", value).with("other", Value::text("a")));
    match run.string("how")? {
        "fail" => Err(Failure::input("after", "[n, 1024]", "[256, 768]").remedy("wire in another")),
        "panic" => panic!("the node fell over"),
        "cancelled" => Err(Failure::cancelled()),
        "nothing" => Ok(Outputs::new()),
        "kind" => with(Value::text("a")),
        "shape" => with(tensor([3, 2], 1.0)?),
        "nan" => with(tensor([2, 2], f32::NAN)?),
        "extra" => Ok(with(tensor([2, 2], 1.0)?)?.with("more", Value::text("b"))),
        _ => with(tensor([2, 2], 1.0)?),
    }
}

/// A plugin of its own with a node that loads weights and gives them on as an object, and one that only uses them
/// while it runs. It says what it holds and lets go of what nobody uses.
pub fn weights_plugin(name: &'static str, bytes: u64, diary: &Diary) -> Plugin {
    let kept: Arc<Mutex<Option<Arc<()>>>> = Arc::default();
    let load = {
        let (kept, diary) = (Arc::clone(&kept), diary.clone());
        move || {
            let mut kept = kept.lock().unwrap();
            if kept.is_none() {
                diary.note(format!("{name} loads"));
            }
            Arc::clone(kept.get_or_insert_with(Arc::default))
        }
    };
    let load_object = load.clone();
    let model = Domain::Model { default: format!("{name}.bin"), optional: false };
    let released = diary.clone();
    Plugin::new(name, "1.0.0")
        .node(NodeDefinition::new(
            node(&format!("{name}.load")).parameter("model", "Model", model.clone(), "").output(
                "object",
                "Object",
                "test.object",
                "",
            ),
            move |_| {
                let object = Object::new(Weights(load_object()));
                Ok(Outputs::new().with("object", Value::object("test.object", json!({}), object)))
            },
        ))
        .node(NodeDefinition::new(
            node(&format!("{name}.use"))
                .input_of("value", "Value", &[kind::ANY], true, "")
                .input_of("other", "Other", &[kind::ANY], true, "")
                .parameter("model", "Model", model, "")
                .parameter("more", "More", float(0.0), "")
                .output("number", "Number", kind::NUMBER, ""),
            move |run| {
                drop(load());
                number(run.float("more")?)
            },
        ))
        .memory(move |release| {
            let mut kept = kept.lock().unwrap();
            let unused = kept.as_ref().is_some_and(|weights| Arc::strong_count(weights) == 1);
            let freed = if release && unused { bytes } else { 0 };
            if freed > 0 {
                *kept = None;
                released.note(format!("{name} lets go"));
            }
            Memory { held: if kept.is_some() { bytes } else { 0 }, freed }
        })
}

/// An observer that remembers what it was told, and may stop the run.
#[derive(Default)]
pub struct Notes {
    pub told: RefCell<Vec<(String, String)>>,
    pub previews: bool,
    pub stop_on: Option<(&'static str, &'static str, CancelToken)>,
}

impl Observer for Notes {
    fn observe(&self, node: &str, event: &Event) {
        let text = match event {
            Event::Queued => "queued".to_owned(),
            Event::Started { threads } => format!("started {threads}"),
            Event::Progress { done, total, label } => format!("{label} {done}/{total}"),
            Event::Preview(value) => format!("preview {value}"),
            Event::Log { message, .. } => format!("log {message}"),
            Event::Cached => "cached".to_owned(),
            Event::Finished(_) => "finished".to_owned(),
            Event::Failed(failure) => format!("failed {}", failure.failure),
        };
        if let Some((at, what, cancel)) = &self.stop_on
            && *at == node
            && text.starts_with(what)
        {
            cancel.cancel();
        }
        self.told.borrow_mut().push((node.to_owned(), text));
    }

    fn wants_previews(&self) -> bool {
        self.previews
    }
}

/// An engine with the test plugin, a folder to work in, and the diary of what ran.
pub struct Bench {
    pub engine: Engine,
    pub diary: Diary,
    pub folder: tempfile::TempDir,
    pub options: RunOptions,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Budgets { cache_bytes: 1 << 30, weights_bytes: None }, |_| Vec::new())
    }

    pub fn with(budgets: Budgets, more: impl FnOnce(&Diary) -> Vec<Plugin>) -> Self {
        let diary = Diary::default();
        let mut plugins = vec![plugin(&diary)];
        plugins.extend(more(&diary));
        let folder = tempfile::tempdir().unwrap();
        let models = Models::At { folder: folder.path().to_owned(), origin: Origin::Named };
        let mut options = RunOptions::new(folder.path(), models);
        options.threads = 4;
        Self { engine: Engine::new(Arc::new(Catalogue::of(plugins)), budgets), diary, folder, options }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn run(&self, graph: &Document, targets: &Targets) -> Result<RunResults, RunError> {
        self.engine.run(graph, targets, &self.options, &mgie_host::engine::Silent)
    }

    /// The number that an output gives.
    pub fn number(&self, graph: &Document, node: &str) -> f64 {
        let results = self.run(graph, &Targets::default().and_output(node, "number")).unwrap();
        results.values[&(node.to_owned(), "number".to_owned())].as_number().unwrap()
    }
}

/// A graph of nodes, written as the inside of `nodes`.
pub fn graph(nodes: serde_json::Value) -> Document {
    Document::parse(&json!({ "mgie": 1, "nodes": nodes }).to_string()).unwrap()
}

pub fn exists(path: impl AsRef<Path>) -> bool {
    path.as_ref().exists()
}
