//! A run in the background, as a window sees it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Bench, Diary, graph, plugin, weights_plugin};
use mgie_host::document::{Document, Off};
use mgie_host::engine::{Budgets, Engine, RunOptions, Targets};
use mgie_host::plugins::Catalogue;
use mgie_host::running::{Ending, NodeState, Runner};
use mgie_plugin_api::{Level, Value};
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

struct Window {
    runner: Runner,
    woken: Receiver<()>,
    diary: Diary,
    bench: Bench,
}

impl Window {
    fn new() -> Self {
        let bench = Bench::new();
        let diary = Diary::default();
        let catalogue = Arc::new(Catalogue::of([plugin(&diary), weights_plugin("model", 8, &diary)]));
        let engine = Arc::new(Engine::new(catalogue, Budgets { cache_bytes: 1 << 24, weights_bytes: None }));
        let (wake, woken) = channel();
        let runner = Runner::new(engine, Arc::new(move || wake.send(()).unwrap_or_default()));
        Self { runner, woken, diary, bench }
    }

    fn options(&self) -> RunOptions {
        self.bench.options.clone()
    }

    fn start(&mut self, document: &Document, targets: Targets) {
        self.runner.start(document.clone(), targets, self.options());
    }

    /// Lets the window sleep until it is woken, until that holds.
    fn until(&mut self, holds: impl Fn(&Runner) -> bool) {
        let began = Instant::now();
        loop {
            self.runner.poll();
            if holds(&self.runner) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "nobody woke the window");
            self.woken.recv_timeout(Duration::from_secs(20)).unwrap_or_default();
        }
    }

    fn finish(&mut self) -> Ending {
        self.until(|runner| !runner.is_running());
        self.runner.ending().unwrap()
    }

    fn number(&self, node: &str) -> Option<f64> {
        self.runner.value(node, "number").and_then(Value::as_number)
    }
}

fn sums() -> Document {
    graph(json!({
        "one": { "type": "test.number", "params": { "value": 1 } },
        "sum": { "type": "test.add", "inputs": { "a": "one.number" } },
        "total": { "type": "test.add", "params": { "more": 10 }, "inputs": { "a": "sum.number" } },
        "other": { "type": "test.number", "params": { "value": 5 } },
    }))
}

fn total() -> Targets {
    Targets::default().and_node("total")
}

#[test]
fn every_value_that_flowed_can_be_looked_at_and_nodes_say_what_they_did() {
    let mut window = Window::new();
    assert!(!window.runner.is_running() && !window.runner.poll());
    window.start(&sums(), total());
    assert!(window.runner.is_running());
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(
        (window.number("one"), window.number("sum"), window.number("total")),
        (Some(1.0), Some(1.0), Some(11.0))
    );
    assert_eq!(window.number("other"), None);
    assert!(matches!(window.runner.state("total"), NodeState::Done { .. }));
    assert_eq!(window.runner.state("other"), &NodeState::Idle);
    assert_eq!(window.runner.report().unwrap().nodes.len(), 4);
    window.start(&sums(), total());
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(window.runner.state("total"), &NodeState::Cached);
    assert!(matches!(window.runner.state("sum"), NodeState::Done { .. }), "it was not needed, and is as it was");
    assert_eq!(window.number("sum"), Some(1.0));
    assert!(window.runner.status().cached_bytes > 0 && window.runner.status().progress.is_none());
}

#[test]
fn what_the_document_changes_is_stale_until_the_change_is_taken_back() {
    let mut window = Window::new();
    window.start(&sums(), total());
    window.finish();
    let mut edited = sums();
    edited.nodes["sum"].params.insert("more".into(), json!(3));
    window.runner.edited(&edited);
    assert_eq!(window.runner.state("sum"), &NodeState::Stale);
    assert_eq!(window.runner.state("total"), &NodeState::Stale);
    assert!(matches!(window.runner.state("one"), NodeState::Done { .. }));
    assert_eq!(window.number("total"), Some(11.0), "it can still be looked at");
    window.runner.edited(&sums());
    assert!(matches!(window.runner.state("total"), NodeState::Done { .. }));
    // A default that is given is the same as one that is not.
    edited.nodes["sum"].params.insert("more".into(), json!(0));
    window.runner.edited(&edited);
    assert!(matches!(window.runner.state("total"), NodeState::Done { .. }));
}

#[test]
fn what_a_file_led_to_is_stale_once_the_file_changes_and_not_when_another_one_does() {
    let mut window = Window::new();
    window.bench.write("a.txt", "one");
    window.bench.write("b.txt", "one");
    let document = graph(json!({
        "a": { "type": "test.read", "params": { "path": "a.txt" } },
        "b": { "type": "test.read", "params": { "path": "b.txt" } },
        "after": { "type": "test.take", "inputs": { "number": "a.text" } },
    }));
    let all = Targets::default().and_node("after").and_node("b");
    window.start(&document, all.clone());
    assert_eq!(window.finish(), Ending::Done);
    assert!(!window.runner.look_at_files(&document), "nothing has changed");
    window.bench.write("a.txt", "three");
    assert!(window.runner.look_at_files(&document));
    let stale = |window: &Window| ["a", "b", "after"].map(|node| *window.runner.state(node) == NodeState::Stale);
    assert_eq!(stale(&window), [true, false, true]);
    assert!(!window.runner.look_at_files(&document), "it is told once");
    assert_eq!(stale(&window), [true, false, true]);
    // What is not run again is still of the old file, also where nobody looked before the run did.
    window.bench.write("a.txt", "fourteen");
    window.start(&document, Targets::default().and_node("a"));
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(stale(&window), [false, false, true]);
    window.start(&document, all);
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(stale(&window), [false, false, false]);
    std::fs::remove_file(window.bench.path("b.txt")).unwrap();
    assert!(window.runner.look_at_files(&document));
    assert_eq!(stale(&window), [false, true, false]);
}

#[test]
fn what_weights_led_to_is_stale_once_they_change() {
    let mut window = Window::new();
    window.bench.write("model.bin", "weights");
    let inner = window.bench.path("big/unet");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join("a.bin"), "one").unwrap();
    let document = graph(json!({
        "small": { "type": "model.use" },
        "big": { "type": "model.use", "params": { "model": "big" } },
        "after": { "type": "test.add", "inputs": { "a": "big.number" } },
    }));
    let all = Targets::default().and_node("small").and_node("after");
    window.start(&document, all.clone());
    assert_eq!(window.finish(), Ending::Done);
    assert!(!window.runner.look_at_files(&document), "nothing has changed");
    let stale = |window: &Window| ["small", "big", "after"].map(|node| *window.runner.state(node) == NodeState::Stale);
    std::fs::write(inner.join("a.bin"), "three").unwrap();
    assert!(window.runner.look_at_files(&document));
    assert_eq!(stale(&window), [false, true, true]);
    window.start(&document, all.clone());
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(stale(&window), [false; 3]);
    // A file more, and one less.
    std::fs::write(inner.join("b.bin"), "more").unwrap();
    std::fs::remove_file(window.bench.path("model.bin")).unwrap();
    assert!(window.runner.look_at_files(&document));
    assert_eq!(stale(&window), [true; 3]);
    assert!(!window.runner.look_at_files(&document), "it is told once");
}

#[test]
fn a_run_that_would_write_over_what_the_graph_reads_is_refused_with_all_else_that_is_wrong() {
    let mut window = Window::new();
    window.bench.write("a.txt", "one");
    let graph = |saved: &str, read: &str| {
        graph(json!({
            "read": { "type": "test.read", "params": { "path": "a.txt" } },
            "other": { "type": "test.read", "params": { "path": read } },
            "save": { "type": "test.save", "params": { "path": saved }, "inputs": { "value": "read.text" } },
            "more": { "type": "test.save", "params": { "path": "b.txt" }, "inputs": { "value": "other.text" } },
        }))
    };
    window.start(&graph("./a.txt", "none.txt"), Targets::side_effects());
    assert_eq!(window.finish(), Ending::Wrong);
    let NodeState::Failed { message, remedy } = window.runner.state("save") else { panic!() };
    assert!(message.contains("is read by node `read`, parameter `path` and would be lost"), "{message}");
    assert_eq!(remedy, "name another file");
    assert!(matches!(window.runner.state("other"), NodeState::Failed { .. }), "there is no such file");
    assert_eq!(std::fs::read_to_string(window.bench.path("a.txt")).unwrap(), "one");
    // The node alone is refused, too; what it hangs on is not, nor is another file.
    window.start(&graph("a.txt", "a.txt"), Targets::default().and_node("save"));
    assert_eq!(window.finish(), Ending::Wrong);
    window.start(&graph("a.txt", "a.txt"), Targets::default().and_node("read"));
    assert_eq!(window.finish(), Ending::Done);
    // Two that write to one file are told of once.
    window.start(&graph("b.txt", "a.txt"), Targets::side_effects());
    assert_eq!((window.finish(), window.runner.problems().len()), (Ending::Wrong, 1));
    window.start(&graph("c.txt", "a.txt"), Targets::side_effects());
    assert_eq!(window.finish(), Ending::Done);
}

#[test]
fn what_was_edited_while_it_ran_is_stale_when_it_is_through() {
    let mut window = Window::new();
    window.start(&sums(), total());
    let mut edited = sums();
    edited.nodes["total"].params.insert("more".into(), json!(3));
    window.runner.edited(&edited);
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(window.runner.state("total"), &NodeState::Stale);
    assert!(matches!(window.runner.state("sum"), NodeState::Done { .. }));
}

#[test]
fn what_is_known_of_a_node_follows_it_to_another_name() {
    let mut window = Window::new();
    window.start(&sums(), total());
    window.finish();
    let renamed = graph(json!({
        "eins": { "type": "test.number", "params": { "value": 1 } },
        "sum": { "type": "test.add", "inputs": { "a": "eins.number" } },
        "total": { "type": "test.add", "params": { "more": 10 }, "inputs": { "a": "sum.number" } },
    }));
    window.runner.edited(&renamed);
    assert_eq!(window.number("eins"), Some(1.0));
    assert!(matches!(window.runner.state("total"), NodeState::Done { .. }));
}

#[test]
fn a_run_is_cancelled_and_the_window_never_waits() {
    let mut window = Window::new();
    let document = graph(json!({
        "one": { "type": "test.number" },
        "stuck": { "type": "test.stuck", "inputs": { "after": "one.number" } },
        "after": { "type": "test.add", "inputs": { "a": "stuck.number" } },
    }));
    window.start(&document, Targets::default().and_node("after"));
    window.until(|runner| matches!(runner.state("stuck"), NodeState::Running { label, .. } if label == "waiting"));
    assert_eq!(window.runner.state("after"), &NodeState::Waiting);
    assert_eq!(window.runner.status().progress, Some((1, 3)));
    let began = Instant::now();
    window.runner.cancel();
    assert!(began.elapsed() < Duration::from_millis(100));
    assert_eq!(window.finish(), Ending::Cancelled);
    assert_eq!(window.runner.state("stuck"), &NodeState::Idle);
    assert_eq!(window.number("one"), Some(1.0), "what ran before is there");
}

#[test]
fn a_new_run_replaces_the_one_that_goes_on() {
    let mut window = Window::new();
    let document = graph(json!({ "stuck": { "type": "test.stuck" }, "one": { "type": "test.number" } }));
    window.start(&document, Targets::default().and_node("stuck"));
    window.until(|runner| runner.state("stuck").is_busy());
    window.start(&document, Targets::default().and_node("one"));
    assert!(!window.runner.state("stuck").is_busy());
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!((window.number("one"), window.runner.state("stuck")), (Some(1.0), &NodeState::Idle));
    for _ in 0..20 {
        window.start(&document, Targets::default().and_node("stuck"));
    }
    window.start(&document, Targets::default().and_node("one"));
    assert_eq!(window.finish(), Ending::Done);
}

#[test]
fn a_node_that_fails_says_why_and_what_to_do_and_what_ran_before_it_is_there() {
    let mut window = Window::new();
    let document = graph(json!({
        "one": { "type": "test.number" },
        "bad": { "type": "test.bad", "params": { "how": "fail" }, "inputs": { "after": "one.number" } },
    }));
    window.start(&document, Targets::default().and_node("bad"));
    assert_eq!(window.finish(), Ending::Failed);
    let expected = NodeState::Failed {
        message: "input `after`: expected [n, 1024], found [256, 768]".into(),
        remedy: "wire in another".into(),
    };
    assert_eq!(window.runner.state("bad"), &expected);
    assert_eq!(window.number("one"), Some(1.0));
    let line = window.runner.log().iter().find(|line| line.node.as_deref() == Some("bad")).unwrap();
    assert_eq!(line.level, Level::Error);
    assert!(line.message.contains("wire in another"));
    // Once the node is another one, its failure is out of date.
    let mut edited = document.clone();
    edited.nodes["bad"].params.insert("how".into(), json!("any"));
    window.runner.edited(&edited);
    assert_eq!(window.runner.state("bad"), &NodeState::Stale);
}

#[test]
fn a_graph_that_cannot_run_marks_the_nodes_that_are_wrong() {
    let mut window = Window::new();
    let document = graph(json!({ "sum": { "type": "test.add" }, "one": { "type": "test.number" } }));
    window.start(&document, Targets::default().and_node("sum"));
    assert_eq!(window.finish(), Ending::Wrong);
    let NodeState::Failed { message, remedy } = window.runner.state("sum") else { panic!() };
    assert_eq!(message, "input `a`: expected `number`, found no wire");
    assert_eq!(remedy, "wire in \"one.number\"");
    assert_eq!(window.runner.problems().len(), 1);
    assert!(window.runner.report().is_none());
}

#[test]
fn previews_show_while_a_node_works_and_lines_are_logged() {
    let mut window = Window::new();
    let document = graph(json!({ "chat": { "type": "test.chat" },
        "stuck": { "type": "test.stuck", "inputs": { "after": "chat.number" } } }));
    window.start(&document, Targets::default().and_node("stuck"));
    window.until(|runner| runner.state("stuck").is_busy() && runner.value("chat", "number").is_some());
    assert!(window.runner.preview("chat").is_none(), "its output has taken the preview's place");
    assert!(window.runner.log().iter().any(|line| line.message == "the weights are old" && line.level == Level::Warn));
    window.runner.forget();
    assert!(!window.runner.is_running() && window.number("chat").is_none());
}

#[test]
fn the_wire_from_a_bypassed_node_can_be_looked_at() {
    let mut window = Window::new();
    let mut document = sums();
    document.nodes["sum"].off = Some(Off::Bypass);
    window.start(&document, total());
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!((window.number("sum"), window.number("total")), (Some(1.0), Some(11.0)));
    assert_eq!(window.runner.state("sum"), &NodeState::Idle);
}

#[test]
fn a_node_that_panics_leaves_the_window_running() {
    let mut window = Window::new();
    let document = graph(json!({ "bad": { "type": "test.bad", "params": { "how": "panic" } } }));
    window.start(&document, Targets::default().and_node("bad"));
    assert_eq!(window.finish(), Ending::Failed);
    window.start(&sums(), total());
    assert_eq!(window.finish(), Ending::Done);
    assert_eq!(window.diary.take().len(), 3);
}
