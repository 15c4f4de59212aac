//! The engine: pull, keeping, side by side, cancelling, failing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Bench, Notes, exists, graph};
use mgie_host::document::Document;
use mgie_host::engine::{Budgets, CancelToken, Outcome, RunError, Targets};
use serde_json::json;
use std::time::{Duration, Instant};

/// one → sum ← two; sum → total; three hangs on nothing.
fn sums() -> Document {
    graph(json!({
        "one": { "type": "test.number", "params": { "value": 1, "name": "one" } },
        "two": { "type": "test.number", "params": { "value": 2, "name": "two" } },
        "three": { "type": "test.number", "params": { "value": 3, "name": "three" } },
        "sum": { "type": "test.add", "params": { "name": "sum" }, "inputs": { "a": "one.number", "b": "two.number" } },
        "total": { "type": "test.add", "params": { "more": 10, "name": "total" }, "inputs": { "a": "sum.number" } },
    }))
}

fn set(document: &mut Document, node: &str, parameter: &str, value: serde_json::Value) {
    document.nodes[node].params.insert(parameter.to_owned(), value);
}

#[test]
fn only_what_was_asked_for_and_what_it_hangs_on_runs() {
    let bench = Bench::new();
    assert_eq!(bench.number(&sums(), "sum"), 3.0);
    assert_eq!(bench.diary.take(), ["one", "sum", "two"]);
    let results = bench.run(&sums(), &Targets::default().and_node("three")).unwrap();
    assert_eq!(bench.diary.take(), ["three"]);
    assert_eq!(results.report.with(Outcome::Ran), ["three"]);
    assert_eq!(results.report.with(Outcome::NotNeeded), ["one", "two", "sum", "total"]);
    assert!(bench.run(&sums(), &Targets::side_effects()).unwrap().report.with(Outcome::Ran).is_empty());
}

#[test]
fn a_tweak_runs_its_node_and_what_hangs_on_it_and_taking_it_back_runs_nothing() {
    let bench = Bench::new();
    let mut document = sums();
    assert_eq!(bench.number(&document, "total"), 13.0);
    assert_eq!(bench.diary.take(), ["one", "sum", "total", "two"]);
    assert_eq!(bench.number(&document, "total"), 13.0);
    assert_eq!(bench.diary.take(), Vec::<String>::new());

    set(&mut document, "total", "more", json!(20));
    assert_eq!(bench.number(&document, "total"), 23.0);
    assert_eq!(bench.diary.take(), ["total"]);
    set(&mut document, "two", "value", json!(5));
    assert_eq!(bench.number(&document, "total"), 26.0);
    assert_eq!(bench.diary.take(), ["sum", "total", "two"]);

    set(&mut document, "two", "value", json!(2));
    set(&mut document, "total", "more", json!(10.0));
    let results = bench.run(&document, &Targets::default().and_output("total", "number")).unwrap();
    assert_eq!(bench.diary.take(), Vec::<String>::new(), "10 and 10.0 are one value; the undone tweak is kept");
    assert_eq!(results.report.with(Outcome::Cached), ["total"]);
    assert_eq!(results.report.with(Outcome::NotNeeded), ["one", "two", "three", "sum"]);
}

#[test]
fn a_node_is_known_by_what_it_computes_and_not_by_its_name() {
    let bench = Bench::new();
    let document = graph(json!({
        "a": { "type": "test.number", "params": { "value": 4 } },
        "b": { "type": "test.number", "params": { "value": 4.0, "name": "number" } },
        "sum": { "type": "test.add", "inputs": { "a": "a.number", "b": "b.number" } },
    }));
    assert_eq!(bench.number(&document, "sum"), 8.0);
    assert_eq!(bench.diary.take(), ["add", "number"], "one run serves both");
    // The sockets that a wire goes into are part of what is computed.
    let swapped = graph(json!({
        "a": { "type": "test.number", "params": { "value": 4 } },
        "b": { "type": "test.number", "params": { "value": 4, "name": "b" } },
        "sum": { "type": "test.add", "inputs": { "b": "a.number", "a": "b.number" } },
    }));
    assert_eq!(bench.number(&swapped, "sum"), 8.0);
    assert_eq!(bench.diary.take(), ["add", "b"]);
}

#[test]
fn a_node_with_a_side_effect_runs_each_time_and_nothing_before_it_does() {
    let bench = Bench::new();
    let document = graph(json!({
        "one": { "type": "test.number" },
        "result": { "type": "test.save", "params": { "path": "out.txt" }, "inputs": { "value": "one.number" } },
    }));
    bench.run(&document, &Targets::side_effects()).unwrap();
    assert_eq!(bench.diary.take(), ["number", "save"]);
    std::fs::remove_file(bench.path("out.txt")).unwrap();
    bench.run(&document, &Targets::side_effects()).unwrap();
    assert_eq!(bench.diary.take(), ["save"]);
    assert!(exists(bench.path("out.txt")));
}

#[test]
fn an_input_file_is_known_by_its_contents() {
    let bench = Bench::new();
    bench.write("a.txt", "one");
    bench.write("b.txt", "one");
    let mut document = graph(json!({ "read": { "type": "test.read", "params": { "path": "a.txt" } } }));
    let read = |document: &Document| {
        let results = bench.run(document, &Targets::default().and_output("read", "text")).unwrap();
        results.values[&("read".to_owned(), "text".to_owned())].as_text().unwrap().to_owned()
    };
    assert_eq!((read(&document), bench.diary.take().len()), ("one".to_owned(), 1));
    set(&mut document, "read", "path", json!("b.txt"));
    assert_eq!((read(&document), bench.diary.take().len()), ("one".to_owned(), 0), "the same contents elsewhere");
    bench.write("b.txt", "two");
    assert_eq!((read(&document), bench.diary.take().len()), ("two".to_owned(), 1));
}

#[test]
fn outputs_are_kept_within_the_budget_and_one_above_it_is_passed_on() {
    let bench = Bench::with(Budgets { cache_bytes: 1 << 20, weights_bytes: None }, |_| Vec::new());
    let big = |floats: usize| graph(json!({ "big": { "type": "test.big", "params": { "floats": floats } } }));
    let run = |floats: usize| {
        let results = bench.run(&big(floats), &Targets::default().and_output("big", "tensor")).unwrap();
        assert_eq!(results.values[&("big".to_owned(), "tensor".to_owned())].as_tensor().unwrap().len(), floats);
        bench.diary.take().len()
    };
    assert_eq!((run(1000), run(1000)), (1, 0));
    assert_eq!((run(1 << 20), run(1 << 20)), (1, 1), "4 MiB are not kept in 1 MiB");
    assert_eq!(run(1000), 0, "what was kept stays");
    for more in 0..50 {
        run(20_000 + more);
    }
    assert!(bench.engine.cached_bytes() <= 1 << 20);
    bench.engine.clear_cache();
    assert_eq!(run(1000), 1);
}

#[test]
fn independent_nodes_run_side_by_side_and_share_the_threads() {
    let bench = Bench::new();
    let document = graph(json!({
        "left": { "type": "test.meet", "params": { "name": "left" } },
        "right": { "type": "test.meet", "params": { "name": "right" } },
        "sum": { "type": "test.add", "inputs": { "a": "left.number", "b": "right.number" } },
    }));
    assert_eq!(bench.number(&document, "sum"), 0.0);
    assert_eq!(bench.diary.take(), ["add", "left threads 2", "right threads 2"]);
}

#[test]
fn a_single_thread_runs_one_node_at_a_time() {
    let mut bench = Bench::new();
    bench.options.threads = 1;
    let notes = Notes::default();
    let targets = Targets::default().and_output("total", "number");
    bench.engine.run(&sums(), &targets, &bench.options, &notes).unwrap();
    let told: Vec<String> = notes
        .told
        .borrow()
        .iter()
        .filter(|(_, what)| what != "queued")
        .map(|(node, what)| format!("{node} {what}"))
        .collect();
    let expected: Vec<String> = ["one", "two", "sum", "total"]
        .iter()
        .flat_map(|node| [format!("{node} started 1"), format!("{node} finished")])
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn a_node_type_that_is_not_thread_safe_runs_one_at_a_time_also_across_runs() {
    let bench = Bench::new();
    let alone = |name: &str| json!({ "type": "test.alone", "params": { "name": name } });
    let run = |names: [&str; 2]| {
        let document = graph(json!({ "a": alone(names[0]), "b": alone(names[1]) }));
        bench.run(&document, &Targets::default().and_node("a").and_node("b")).unwrap();
    };
    std::thread::scope(|scope| {
        let run = &run;
        scope.spawn(move || run(["p", "q"]));
        scope.spawn(move || run(["r", "s"]));
    });
    assert_eq!(bench.diary.take(), ["p with 1", "q with 1", "r with 1", "s with 1"]);
}

#[test]
fn cancelling_stops_what_runs_and_begins_nothing_more() {
    let mut bench = Bench::new();
    bench.options.cancel = CancelToken::new();
    let document = graph(json!({
        "stuck": { "type": "test.stuck" },
        "after": { "type": "test.add", "inputs": { "a": "stuck.number" } },
    }));
    let notes = Notes { stop_on: Some(("stuck", "waiting", bench.options.cancel.clone())), ..Notes::default() };
    let began = Instant::now();
    let error = bench.engine.run(&document, &Targets::default().and_node("after"), &bench.options, &notes).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    let RunError::Cancelled { report } = error else { panic!("{error}") };
    assert_eq!(report.with(Outcome::Stopped), ["stuck", "after"]);
    assert_eq!(bench.diary.take(), ["stuck"]);
    let error = bench.run(&document, &Targets::default().and_node("after")).unwrap_err();
    assert!(matches!(error, RunError::Cancelled { .. }), "a raised token stops a run before it begins");
}

#[test]
fn a_failing_node_is_named_with_place_and_remedy_and_stops_the_others() {
    let bench = Bench::new();
    let document = graph(json!({
        "stuck": { "type": "test.stuck" },
        "bad": { "type": "test.bad", "params": { "how": "fail" } },
        "end": { "type": "test.take", "inputs": { "number": "stuck.number" } },
    }));
    let error = bench.run(&document, &Targets::default().and_node("end").and_node("bad")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "node `bad` (test.bad): input `after`: expected [n, 1024], found [256, 768]; wire in another"
    );
    let RunError::Failed { failures, report } = error else { panic!("{error}") };
    assert_eq!(failures.len(), 1, "a node that was stopped has not failed");
    assert_eq!((report.with(Outcome::Failed), report.with(Outcome::Stopped)), (vec!["bad"], vec!["stuck", "end"]));
}

#[test]
fn what_a_node_does_wrong_names_the_node_and_leaves_the_host_running() {
    let bench = Bench::new();
    for (how, expected) in [
        ("panic", "the node fell over"),
        ("cancelled", "nobody asked"),
        ("nothing", "output `tensor`, expected a value, found nothing"),
        ("kind", "output `tensor`, expected `mgie.visual_tokens`, found `text`"),
        ("shape", "output `tensor`, expected shape [2, any], found mgie.visual_tokens f32 [3, 2]"),
        ("nan", "output `tensor`, expected finite numbers, found NaN or infinity"),
        ("extra", "output `more`, expected an output that the node has"),
    ] {
        let document = graph(json!({ "bad": { "type": "test.bad", "params": { "how": how } } }));
        let error = bench.run(&document, &Targets::default().and_node("bad")).unwrap_err().to_string();
        assert!(error.starts_with("node `bad` (test.bad): ") && error.contains(expected), "{how}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(bench.number(&sums(), "sum"), 3.0);
}

#[test]
fn a_kind_that_is_known_only_at_run_time_is_checked_at_run_time() {
    let bench = Bench::new();
    let document = graph(json!({
        "bad": { "type": "test.bad", "params": { "how": "any" } },
        "take": { "type": "test.add", "inputs": { "a": "bad.other" } },
    }));
    let error = bench.run(&document, &Targets::default().and_node("take")).unwrap_err().to_string();
    assert_eq!(error, "node `take` (test.add): input `a`: expected number, found text");
}

#[test]
fn what_failed_is_not_kept_and_what_ran_before_it_is() {
    let bench = Bench::new();
    let mut document = graph(json!({
        "one": { "type": "test.number" },
        "bad": { "type": "test.bad", "params": { "how": "fail" }, "inputs": { "after": "one.number" } },
    }));
    bench.run(&document, &Targets::default().and_node("bad")).unwrap_err();
    set(&mut document, "bad", "how", json!("any"));
    let report = bench.run(&document, &Targets::default().and_node("bad")).unwrap().report;
    assert_eq!((report.with(Outcome::Ran), report.with(Outcome::Cached)), (vec!["bad"], vec!["one"]));
}

#[test]
fn the_report_tells_time_device_memory_and_what_nodes_warned_of() {
    let bench = Bench::new();
    let document = graph(json!({
        "chat": { "type": "test.chat" },
        "far": { "type": "test.number", "params": { "value": 500 } },
    }));
    let notes = Notes { previews: true, ..Notes::default() };
    let targets = Targets::default().and_node("chat").and_node("far");
    let report = bench.engine.run(&document, &targets, &bench.options, &notes).unwrap().report;
    let chat = &report.nodes[0];
    assert_eq!((chat.node.as_str(), chat.outcome, chat.device.as_deref()), ("chat", Outcome::Ran, Some("cuda:7")));
    assert!(chat.seconds > 0.0 && chat.output_bytes.unwrap() > 0);
    assert_eq!(chat.peak_memory_bytes.is_some(), cfg!(target_os = "linux"));
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(
        report.warnings[0]
            .contains("node `far`, parameter `value`: expected a number that is usually from 0 to 10, found 500")
    );
    assert_eq!(report.warnings[1], "node `chat`: the weights are old");
    let told = notes.told.borrow();
    let of_chat: Vec<&str> = told.iter().filter(|(node, _)| node == "chat").map(|(_, what)| what.as_str()).collect();
    assert_eq!(of_chat[0], "queued");
    assert!(of_chat[1].starts_with("started "));
    assert_eq!(of_chat[2..], ["log the weights are old", "half way 1/2", "preview number", "finished"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["nodes"][0]["type"], "test.chat");
    assert_eq!(json["nodes"][0]["outcome"], "ran");
}

#[test]
fn a_file_carries_the_graph_with_paths_as_seen_from_where_it_lies() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.write("photo.txt", "a");
    let document = graph(json!({
        "photo": { "type": "test.read", "params": { "path": "photo.txt" } },
        "result": { "type": "test.save", "params": { "path": "out/r.txt" }, "inputs": { "value": "photo.text" } },
    }));
    bench.run(&document, &Targets::side_effects()).unwrap();
    let written = std::fs::read_to_string(bench.path("out/r.txt")).unwrap();
    let carried = Document::parse(written.splitn(3, '\n').nth(2).unwrap()).unwrap();
    assert_eq!(carried.nodes["photo"].params["path"], "../photo.txt");
    assert_eq!(carried.nodes["result"].params["path"], "r.txt");
}

#[test]
fn one_node_can_be_called_with_values_at_hand() {
    let bench = Bench::new();
    let results = bench.run(&sums(), &Targets::default().and_output("sum", "number")).unwrap();
    let value = results.values[&("sum".to_owned(), "number".to_owned())].clone();
    let params = json!({ "path": "sum.txt" });
    let call = |node_type: &str, params: &serde_json::Value| {
        let inputs = vec![("value".to_owned(), value.clone())];
        bench.engine.call(node_type, params.as_object().unwrap(), inputs, &bench.options, &mgie_host::engine::Silent)
    };
    call("test.save", &params).unwrap();
    assert!(std::fs::read_to_string(bench.path("sum.txt")).unwrap().contains("3.0"));
    let error = call("test.save", &json!({ "path": "sum.gif" })).unwrap_err().to_string();
    assert!(error.contains("expected a file name that ends in .txt, found the text \"sum.gif\""), "{error}");
    assert!(matches!(call("test.nothing", &params), Err(RunError::Invalid(_))));
}

#[test]
fn a_chain_of_ten_thousand_nodes_runs_without_a_deep_stack() {
    let bench = Bench::new();
    let mut nodes = serde_json::Map::new();
    nodes.insert("n0".to_owned(), json!({ "type": "test.number", "params": { "value": 0 } }));
    for index in 1..10_000 {
        let wire = format!("n{}.number", index - 1);
        nodes.insert(
            format!("n{index}"),
            json!({ "type": "test.add", "params": { "more": 1 }, "inputs": { "a": wire } }),
        );
    }
    assert_eq!(bench.number(&graph(nodes.into()), "n9999"), 9999.0);
}
