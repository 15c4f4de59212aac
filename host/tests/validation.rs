//! Validation: every problem at once, each with node, place, expected, found and remedy.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Bench, Diary, graph, plugin};
use mgie_host::document::Document;
use mgie_host::engine::{RunError, Targets};
use mgie_host::models::Models;
use mgie_host::plugins::Catalogue;
use mgie_host::validate::{Severity, validate};
use serde_json::json;

fn problems(document: &Document) -> Vec<String> {
    validate(document, &Catalogue::of([plugin(&Diary::default())])).iter().map(ToString::to_string).collect()
}

/// The only problem of a graph of these nodes.
fn problem(nodes: serde_json::Value) -> String {
    let found = problems(&graph(nodes));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn a_good_graph_has_no_problem() {
    let document = graph(json!({
        "größe-1": { "type": "test.number", "params": { "value": 10, "name": "" } },
        "sum_2": { "type": "test.add", "inputs": { "a": "größe-1.number" } },
    }));
    assert_eq!(problems(&document), Vec::<String>::new());
}

#[test]
fn every_problem_of_a_graph_is_told_at_once_and_in_its_order() {
    let document = graph(json!({
        "one": { "type": "test.number", "params": { "valeu": 3, "value": "three" } },
        "two": { "type": "test.nmuber" },
        "sum": { "type": "test.add", "params": { "more": 2000 }, "inputs": { "a": "one.numbr", "b": "twoo.number", "c": "one.number" } },
        "x": { "type": "test.add", "inputs": { "a": "y.number" } },
        "y": { "type": "test.add", "inputs": { "a": "x.number" } },
    }));
    assert_eq!(
        problems(&document),
        [
            "node `one`, parameter `valeu`: expected a parameter of `test.number`; did you mean `value`?",
            "node `one`, parameter `value`: expected a number, found the text \"three\"",
            "node `two`, type: expected a node type that a plugin here offers, found `test.nmuber`; did you mean `test.number`? (`mgie nodes` lists them all)",
            "node `sum`, parameter `more`: expected a number from -1000 to 1000, found the number 2000",
            "node `sum`, input `a`: expected an output of node `one` (test.number), found \"one.numbr\"; did you mean `number`?",
            "node `sum`, input `b`: expected a wire from a node of this graph, found \"twoo.number\"; did you mean `two`?",
            "node `sum`, input `c`: expected an input of `test.add`; there is `a`, `b`",
            "node `x`: expected wires that lead forward only, found a cycle: `x` → `y` → `x`; remove one of these wires",
        ]
    );
}

#[test]
fn an_unknown_type_names_the_plugin_that_is_missing() {
    let found = problem(json!({ "blur": { "type": "org.example.blur" } }));
    assert!(
        found.contains("no plugin with `org.example.*` nodes is here") && found.contains("MGIE_PLUGIN_PATH"),
        "{found}"
    );
    let found = problem(json!({ "blur": { "type": "test.zzzzzzzz" } }));
    assert!(found.contains("there is `test.add`, `test.alone`"), "{found}");
}

#[test]
fn parameters_are_held_to_their_type_and_range() {
    let number =
        |value: serde_json::Value| problem(json!({ "n": { "type": "test.number", "params": { "value": value } } }));
    assert!(number(json!(null)).ends_with("expected a number, found null"));
    assert!(number(json!([1, 2])).ends_with("expected a number, found a list of 2"));
    assert!(number(json!(-1000.5)).ends_with("expected a number from -1000 to 1000, found the number -1000.5"));
    let big = |value: serde_json::Value| problem(json!({ "n": { "type": "test.big", "params": { "floats": value } } }));
    assert!(big(json!(2.5)).ends_with("expected a whole number, found the number 2.5"));
    assert!(big(json!(18446744073709551615u64)).contains("expected a whole number, found"));
    let bad = |value: serde_json::Value| problem(json!({ "n": { "type": "test.bad", "params": { "how": value } } }));
    assert!(bad(json!("nann")).ends_with("found the text \"nann\"; did you mean `nan`?"), "{}", bad(json!("nann")));
    assert!(bad(json!(true)).contains("expected one of `fail`, `panic`"));
    let long = problem(json!({ "n": { "type": "test.number", "params": { "name": "x".repeat(2_000_000) } } }));
    assert!(long.contains("at most 1048576 bytes, found a text of 2000000 characters") && long.len() < 300, "{long}");
}

#[test]
fn outside_of_the_soft_range_is_a_warning_and_no_error() {
    let document = graph(json!({ "n": { "type": "test.number", "params": { "value": 11 } } }));
    let found = validate(&document, &Catalogue::of([plugin(&Diary::default())]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Warning);
    assert_eq!(
        found[0].to_string(),
        "node `n`, parameter `value`: expected a number that is usually from 0 to 10, found 11.0"
    );
    assert!(serde_json::to_value(&found).unwrap()[0]["place"] == "parameter");
}

#[test]
fn a_required_input_that_nothing_is_wired_into_is_told_with_what_would_fit() {
    let document = graph(json!({
        "sum": { "type": "test.add" },
        "one": { "type": "test.number" },
        "take": { "type": "test.take", "inputs": { "number": "read.text" } },
        "read": { "type": "test.read", "params": { "path": "a.txt" } },
    }));
    assert_eq!(
        problems(&document),
        ["node `sum`, input `a`: expected `number`, found no wire; wire in \"one.number\" or \"take.number\""]
    );
}

#[test]
fn a_kind_that_does_not_fit_is_told_with_what_would() {
    let found = problem(json!({
        "big": { "type": "test.big" },
        "take": { "type": "test.take", "inputs": { "number": "big.tensor" } },
    }));
    assert!(
        found.contains("input `number`: expected `number` or `text`, found `tensor` from \"big.tensor\""),
        "{found}"
    );
    // `any` takes all, and what is known only at run time is let through.
    let document = graph(json!({
        "bad": { "type": "test.bad" },
        "save": { "type": "test.save", "params": { "path": "a.txt" }, "inputs": { "value": "bad.tensor" } },
        "take": { "type": "test.take", "inputs": { "number": "bad.other" } },
    }));
    assert_eq!(problems(&document), Vec::<String>::new());
}

#[test]
fn a_wire_that_is_none_is_told_with_the_form_of_one() {
    let nodes = |wire: &str| json!({ "one": { "type": "test.number" }, "sum": { "type": "test.add", "inputs": { "a": wire } } });
    assert!(problem(nodes("one")).ends_with("found \"one\"; did you mean \"one.number\"?"));
    for wire in ["", ".", "one.", ".number"] {
        assert!(problem(nodes(wire)).contains("expected a wire \"NODE.OUTPUT\""), "{wire}");
    }
    assert!(problem(nodes("one.number.x")).contains("found \"one.number.x\""));
}

#[test]
fn confusing_an_input_with_a_parameter_is_explained() {
    let found = problems(&graph(json!({
        "one": { "type": "test.number" },
        "sum": { "type": "test.add", "params": { "a": "one.number" }, "inputs": { "a": "one.number", "more": "one.number" } },
    })));
    assert!(found[0].contains("`a` is an input; write it under `inputs`"), "{found:?}");
    assert!(found[1].contains("`more` is a parameter; write its value under `params`"), "{found:?}");
}

#[test]
fn names_that_wires_and_the_command_line_cannot_write_are_refused() {
    for (name, expected) in [("a.b", "'.'"), ("a b", "' '"), ("a=b", "'='"), ("", "nothing"), ("a\nb", "'\\n'")] {
        let found = problem(json!({ name: { "type": "test.number" } }));
        assert!(found.contains(&format!("found {expected}")), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    assert!(problem(json!({ "x".repeat(200): { "type": "test.number" } })).contains("at most 128 characters"));
}

#[test]
fn cycles_are_named_node_by_node_in_the_order_of_the_wires() {
    let document = graph(json!({
        "start": { "type": "test.number" },
        "a": { "type": "test.add", "inputs": { "a": "c.number", "b": "start.number" } },
        "b": { "type": "test.add", "inputs": { "a": "a.number" } },
        "c": { "type": "test.add", "inputs": { "a": "b.number" } },
        "self": { "type": "test.add", "inputs": { "a": "self.number" } },
        "end": { "type": "test.add", "inputs": { "a": "c.number" } },
    }));
    let mut found = problems(&document);
    found.sort();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("a cycle: `a` → `b` → `c` → `a`"), "{found:?}");
    assert!(found[1].contains("a cycle: `self` → `self`"), "{found:?}");
}

#[test]
fn a_cycle_of_thousands_is_one_short_line() {
    let mut nodes = serde_json::Map::new();
    for index in 0..20_000 {
        let wire = format!("n{}.number", (index + 19_999) % 20_000);
        nodes.insert(format!("n{index}"), json!({ "type": "test.add", "inputs": { "a": wire } }));
    }
    let found = problem(nodes.into());
    assert!(found.contains("`n0` → `n1`") && found.contains("19988 more") && found.len() < 400, "{found}");
}

#[test]
fn tens_of_thousands_of_wrong_wires_are_told_within_seconds() {
    let nodes = (0..30_000).map(|at| {
        let inputs = if at % 2 == 0 { json!({}) } else { json!({ "a": format!("stranger-{at}.number") }) };
        (format!("node-{at}"), json!({ "type": "test.add", "inputs": inputs }))
    });
    let document = graph(nodes.collect::<serde_json::Map<_, _>>().into());
    let began = std::time::Instant::now();
    let found = problems(&document);
    assert!(found.len() >= 30_000, "{}", found.len());
    // Looking for every remedy among all the nodes took minutes.
    assert!(began.elapsed().as_secs() < 20, "it took {:?}", began.elapsed());
}

#[test]
fn a_run_is_refused_with_all_problems_before_anything_runs() {
    let bench = Bench::new();
    let mut document = graph(json!({
        "one": { "type": "test.number", "params": { "value": 5000 } },
        "read": { "type": "test.read", "params": { "path": "none.txt" } },
        "folder": { "type": "test.read", "params": { "path": "." } },
        "save": { "type": "test.save", "params": { "path": "none/a.txt" }, "inputs": { "value": "read.text" } },
        "again": { "type": "test.save", "params": { "path": "b.txt" }, "inputs": { "value": "folder.text" } },
        "twice": { "type": "test.save", "params": { "path": "./b.txt" }, "inputs": { "value": "folder.text" } },
    }));
    let refused = |document: &Document| match bench.run(document, &Targets::side_effects()) {
        Err(RunError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert!(refused(&document)[0].contains("node `one`, parameter `value`: expected a number from -1000 to 1000"));
    assert_eq!(refused(&document).len(), 6, "what the graph says and what the disk says is told at once");
    document.nodes["one"].params.clear();
    let found = refused(&document);
    for expected in [
        "node `read`, parameter `path`: expected a file that can be read, found no such file: ",
        "node `folder`, parameter `path`: expected a file that can be read, found a folder: ",
        "node `save`, parameter `path`: expected a file that can be written: ",
        "node `twice`, parameter `path`: expected a file of its own, found ",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\n{found:#?}");
    }
    // The ending `.` of the folder is a warning of its own.
    assert_eq!(found.iter().filter(|problem| !problem.contains("usually")).count(), 4, "{found:#?}");
    assert!(bench.diary.take().is_empty());
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 0);
}

#[test]
fn targets_that_are_not_there_are_named() {
    let bench = Bench::new();
    let document = graph(json!({ "one": { "type": "test.number" } }));
    let refused = |targets: Targets| bench.run(&document, &targets).unwrap_err().to_string();
    assert!(refused(Targets::default().and_node("on")).contains("did you mean `one`?"));
    assert!(
        refused(Targets::default().and_output("one", "numbr"))
            .contains("output `numbr`: expected an output of `test.number`; did you mean `number`?")
    );
    assert!(refused(Targets::default().and_output("x", "y")).contains("node `x`, name: expected a node of this graph"));
}

#[test]
fn what_is_wrong_elsewhere_does_not_stop_what_was_asked_for() {
    let bench = Bench::new();
    let document = graph(json!({
        "one": { "type": "test.number" },
        "ghost": { "type": "org.example.ghost" },
        "loop": { "type": "test.add", "inputs": { "a": "loop.number" } },
    }));
    let report = bench.run(&document, &Targets::default().and_node("one")).unwrap().report;
    assert!(report.warnings.iter().any(|warning| warning.contains("ghost")), "{:?}", report.warnings);
    assert!(matches!(bench.run(&document, &Targets::side_effects()), Err(RunError::Invalid(_))));
}

#[test]
fn models_that_are_not_there_are_named_and_a_missing_folder_is_named_once() {
    let mut bench = Bench::with(mgie_host::engine::Budgets { cache_bytes: 1 << 20, weights_bytes: None }, |diary| {
        vec![fakes::weights_plugin("llm", 10, diary)]
    });
    let document = graph(json!({ "a": { "type": "llm.load" }, "b": { "type": "llm.use" } }));
    let targets = Targets::default().and_node("a").and_node("b");
    let error = bench.run(&document, &targets).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(
        error.contains("node `a`, parameter `model`: expected weights at ")
            && error.contains("llm.bin, found no such file")
    );
    bench.options.models = Models::Missing { looked: vec!["/x/small".into(), "/y/small".into()] };
    let error = bench.run(&document, &targets).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.contains(
            "looked at /x/small, /y/small; name the folder that holds the models with --models or MGIE_MODELS"
        )
    );
}

#[test]
fn a_field_that_is_nearly_one_of_ours_is_kept_with_a_warning() {
    let document = graph(json!({
        "slip": { "type": "test.number", "param": { "value": 7 } },
        "own": { "type": "test.number", "org.example.note": "mine" },
    }));
    let found = problems(&document);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("node `slip`, field `param`") && found[0].ends_with("did you mean `params`?"));
}
