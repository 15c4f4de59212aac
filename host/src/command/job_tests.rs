//! Jobs with small nodes of this process: frames, settings, outputs.

use super::job::{Job, Round};
use super::request::{Destination, Frames, Running, Save, Setting};
use super::screen::{Lines, Screen};
use super::stop::Stop;
use super::typed::Telling;
use mgie_host::document::Document;
use mgie_host::engine::{CancelToken, Outcome, Targets};
use mgie_host::models::Models;
use mgie_host::plugins::Catalogue;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Plugin, Run, Value, file, kind};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn read(run: &Run) -> Result<Outputs, Failure> {
    let bytes = file::read_whole(&run.path("path")?, 1000)?;
    Ok(Outputs::new().with("text", Value::text(String::from_utf8_lossy(&bytes))))
}

fn shout(run: &Run) -> Result<Outputs, Failure> {
    let text = run.text("text")?.to_uppercase();
    if text.contains("FAIL") {
        return Err(Failure::failed("told to fail"));
    }
    Ok(Outputs::new().with("text", Value::text(text + run.string("mark")?)))
}

fn write(run: &Run) -> Result<Outputs, Failure> {
    file::write_whole(&run.path("path")?, &[run.text("text")?.as_bytes()])?;
    Ok(Outputs::new())
}

fn catalogue() -> Arc<Catalogue> {
    let node = |id: &str| NodeDescription::new(id, id, "Test", "A node.");
    let path = Domain::File { default: String::new(), extensions: Vec::new(), optional: false };
    let target = Domain::SaveFile { default: String::new(), extensions: vec!["txt".into()] };
    let mark = Domain::Text { default: "!".into(), multiline: false };
    let plugin = Plugin::new("words", "1")
        .node(NodeDefinition::new(
            node("words.read").parameter("path", "Path", path, "").output("text", "Text", kind::TEXT, ""),
            read,
        ))
        .node(NodeDefinition::new(
            node("words.shout").input("text", "Text", kind::TEXT, "").parameter("mark", "Mark", mark, "").output(
                "text",
                "Text",
                kind::TEXT,
                "",
            ),
            shout,
        ))
        .node(NodeDefinition::new(
            node("words.write")
                .input("text", "Text", kind::TEXT, "")
                .parameter("path", "Path", target, "")
                .with_side_effect(),
            write,
        ));
    Arc::new(Catalogue::of([plugin]))
}

struct Desk {
    folder: tempfile::TempDir,
    catalogue: Arc<Catalogue>,
}

impl Desk {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, catalogue: catalogue() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    fn job(&self, input: &str, output: &str) -> Job {
        let document = json!({ "mgie": 1, "nodes": {
            "in": { "type": "words.read", "params": { "path": input } },
            "fixed": { "type": "words.read", "params": { "path": "fixed.txt" } },
            "loud": { "type": "words.shout", "inputs": { "text": "in.text" } },
            "still": { "type": "words.shout", "inputs": { "text": "fixed.text" } },
            "out": { "type": "words.write", "params": { "path": output }, "inputs": { "text": "loud.text" } },
        } });
        Job {
            graph: None,
            document: Document::parse(&document.to_string()).unwrap(),
            folder: self.folder.path().to_owned(),
            targets: Targets::side_effects(),
            frames: None,
            running: Running {
                settings: Vec::new(),
                saves: Vec::new(),
                models: None,
                threads: Some(2),
                cache_bytes: 1 << 20,
                weights_bytes: None,
                telling: Telling { json: false, quiet: true },
            },
            models: Models::Missing { looked: Vec::new() },
            told: Vec::new(),
        }
    }

    fn run(&self, job: Job) -> (Result<(), Stop>, Vec<Round>) {
        let mut rounds = Vec::new();
        let screen = Screen::new(Lines::default(), Telling { json: false, quiet: true });
        let ended = job.run(&self.catalogue, &CancelToken::new(), &screen, &mut rounds);
        (ended, rounds)
    }
}

fn save(node: &str, to: &Path) -> Save {
    Save { node: node.into(), output: "text".into(), to: Destination::File(to.to_owned()) }
}

fn complaint(ended: Result<(), Stop>) -> String {
    let stop = ended.unwrap_err();
    assert!(matches!(stop, Stop::Wrong(_)), "{stop:?}");
    stop.lines().join("\n")
}

#[test]
fn frames_are_numbered_in_every_path_and_share_one_engine() {
    let desk = Desk::new(&[("f.01.txt", "one"), ("f.02.txt", "two"), ("f.03.txt", "three"), ("fixed.txt", "same")]);
    let mut job = desk.job("f.##.txt", "out_%03d.txt");
    job.frames = Some(Frames { first: 1, last: 3 });
    job.running.saves = vec![save("loud", &desk.path("loud####.txt")), save("still", &desk.path("still#.txt"))];
    let (ended, rounds) = desk.run(job);
    ended.unwrap();
    assert_eq!(desk.text("out_002.txt").as_deref(), Some("TWO!"));
    assert_eq!(desk.text("loud0003.txt").as_deref(), Some("THREE!"));
    assert_eq!(desk.text("still1.txt").as_deref(), Some("SAME!"));
    assert_eq!(rounds.iter().map(|round| round.frame).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert_eq!(rounds[0].report.with(Outcome::Ran), ["in", "fixed", "loud", "still", "out"]);
    assert_eq!(rounds[1].report.with(Outcome::Ran), ["in", "loud", "out"], "what is the same is kept");
    assert_eq!(rounds[1].saved.len(), 3);
}

#[test]
fn frames_that_would_overwrite_each_other_or_are_not_there_are_refused_before_anything_runs() {
    let desk = Desk::new(&[("f.1.txt", "one"), ("f.3.txt", "three"), ("fixed.txt", "same")]);
    let frames = Some(Frames { first: 1, last: 3 });
    let job = Job { frames, ..desk.job("f.#.txt", "out.txt") };
    let told = complaint(desk.run(job).0);
    assert!(told.contains("node `in`, parameter `path`: there is no file f.2.txt"), "{told}");
    assert!(told.contains("node `out`, parameter `path`: every frame would be written to out.txt"), "{told}");
    let job = Job { frames, targets: Targets::default().and_node("still"), ..desk.job("f.1.txt", "out.txt") };
    assert!(complaint(desk.run(job).0).contains("no path of the graph has a place"));
    assert_eq!(desk.text("out.txt"), None);
}

#[test]
fn billions_of_frames_are_refused_at_once_where_they_would_be_one_file() {
    let desk = Desk::new(&[("f.1.txt", "one"), ("fixed.txt", "same")]);
    let frames = Some(Frames { first: 0, last: u32::MAX });
    let began = std::time::Instant::now();
    let told = complaint(desk.run(Job { frames, ..desk.job("f.1.txt", "out.txt") }).0);
    assert!(told.contains("every frame would be written to out.txt"), "{told}");
    // Each frame was looked for in each path, which took minutes.
    assert!(began.elapsed().as_secs() < 20, "it took {:?}", began.elapsed());
}

#[test]
fn a_frame_that_fails_is_named_and_those_before_it_stay() {
    let desk = Desk::new(&[("f.1.txt", "one"), ("f.2.txt", "fail"), ("f.3.txt", "three"), ("fixed.txt", "same")]);
    let job = Job { frames: Some(Frames { first: 1, last: 3 }), ..desk.job("f.#.txt", "out#.txt") };
    let (ended, rounds) = desk.run(job);
    let stop = ended.unwrap_err();
    assert_eq!(stop.lines(), ["error: frame 2: node `loud` (words.shout): told to fail"]);
    assert!(matches!(stop, Stop::Failed(..)));
    assert_eq!((rounds.len(), desk.text("out1.txt").as_deref(), desk.text("out3.txt")), (2, Some("ONE!"), None));
}

#[test]
fn settings_are_made_and_what_is_written_is_told() {
    let desk = Desk::new(&[("a.txt", "a"), ("fixed.txt", "same")]);
    let set = |node: &str, parameter: &str, text: &str| Setting {
        node: node.into(),
        parameter: parameter.into(),
        text: text.into(),
    };
    let mut job = desk.job("a.txt", "out.txt");
    job.running.settings = vec![set("loud", "mark", "?"), set("in", "path", desk.path("fixed.txt").to_str().unwrap())];
    let (ended, rounds) = desk.run(job);
    ended.unwrap();
    assert_eq!(desk.text("out.txt").as_deref(), Some("SAME?"));
    assert_eq!(rounds[0].saved[0].path, desk.path("out.txt").display().to_string());
    let mut job = desk.job("a.txt", "out.txt");
    job.running.settings = vec![set("luod", "mark", "?"), set("nobody", "mark", "?")];
    let told = complaint(desk.run(job).0);
    assert!(told.contains("--set luod.mark: the graph has no node `luod`; did you mean `loud`?"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn outputs_that_cannot_be_written_are_refused_with_all_that_is_wrong_with_the_graph() {
    let desk = Desk::new(&[("fixed.txt", "same")]);
    let mut job = desk.job("none.txt", "out.txt");
    job.running.saves = vec![save("still", &desk.path("none/a.txt")), save("loud", &desk.path("a.png"))];
    let told = complaint(desk.run(job).0);
    for expected in ["no such file", "is not there; make it first", "a `text` is written as .txt or .json"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(desk.text("out.txt"), None);
}

#[test]
fn a_graph_that_saves_nothing_says_how_to_get_something_out_of_it() {
    let desk = Desk::new(&[("fixed.txt", "same")]);
    let mut job = desk.job("fixed.txt", "out.txt");
    job.document.nodes.shift_remove("out");
    assert!(complaint(desk.run(job).0).contains("nothing to do"));
    let mut job = desk.job("fixed.txt", "out.txt");
    job.document.nodes.shift_remove("out");
    job.running.saves = vec![save("still", &desk.path("still.txt"))];
    desk.run(job).0.unwrap();
    assert_eq!(desk.text("still.txt").as_deref(), Some("SAME!"));
}

#[test]
fn a_node_that_is_asked_for_alone_writes_over_nothing_that_is_read() {
    let desk = Desk::new(&[("a.txt", "a"), ("fixed.txt", "same")]);
    let job = Job { targets: Targets::default().and_node("out"), ..desk.job("a.txt", "fixed.txt") };
    let told = complaint(desk.run(job).0);
    assert!(told.contains("is read by node `fixed`, parameter `path`, and would be lost"), "{told}");
    assert_eq!(desk.text("fixed.txt").as_deref(), Some("same"));
    // What does not run writes nothing.
    let job = Job { targets: Targets::default().and_node("still"), ..desk.job("a.txt", "fixed.txt") };
    desk.run(job).0.unwrap();
}

#[test]
fn texts_are_told_of_nodes_that_run_anyway_and_no_other_runs_for_it() {
    let desk = Desk::new(&[("a.txt", "a"), ("fixed.txt", "same")]);
    let told = ["loud", "still"].map(|node| (node.to_owned(), "text".to_owned())).to_vec();
    let (ended, rounds) = desk.run(Job { told, ..desk.job("a.txt", "out.txt") });
    ended.unwrap();
    assert_eq!(rounds[0].told, ["A!"]);
    let still = rounds[0].report.nodes.iter().find(|node| node.node == "still").unwrap();
    assert_eq!(still.outcome, Outcome::NotNeeded);
}
