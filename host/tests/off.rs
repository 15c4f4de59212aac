//! Nodes that are off: kept in the file, obeyed by validation and engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Bench, Diary, exists, graph, plugin};
use mgie_host::document::{Document, Off, json_schema};
use mgie_host::engine::{Outcome, Targets};
use mgie_host::plugins::Catalogue;
use mgie_host::validate::validate;
use serde_json::json;

/// one → sum ← two; sum → total → result.
fn sums() -> Document {
    graph(json!({
        "one": { "type": "test.number", "params": { "value": 1, "name": "one" } },
        "two": { "type": "test.number", "params": { "value": 2, "name": "two" } },
        "sum": { "type": "test.add", "params": { "name": "sum" }, "inputs": { "a": "one.number", "b": "two.number" } },
        "total": { "type": "test.add", "params": { "more": 10, "name": "total" }, "inputs": { "a": "sum.number" } },
        "result": { "type": "test.save", "params": { "path": "out.txt" }, "inputs": { "value": "total.number" } },
    }))
}

fn with(off: &[(&str, Off)]) -> Document {
    let mut document = sums();
    off.iter().for_each(|(node, off)| document.nodes[*node].off = Some(*off));
    document
}

fn problems(document: &Document) -> Vec<String> {
    validate(document, &Catalogue::of([plugin(&Diary::default())])).iter().map(ToString::to_string).collect()
}

#[test]
fn the_field_is_kept_in_the_file_and_goes_when_the_node_is_on_again() {
    let text = "{\n  \"mgie\": 1,\n  \"nodes\": {\n    \"a\": { \"type\": \"t\", \"off\": \"bypass\", \"extra\": 1 }\n  }\n}\n";
    let mut document = Document::parse(text).unwrap();
    assert_eq!(document.nodes["a"].off, Some(Off::Bypass));
    assert_eq!(document.nodes["a"].misspelt_fields().count(), 0);
    assert!(document.to_text().contains("\"off\": \"bypass\""));
    document.nodes["a"].off = None;
    assert!(!document.to_text().contains("off"), "{}", document.to_text());
    document.nodes["a"].off = Some(Off::Mute);
    assert_eq!(Document::parse(&document.to_text()).unwrap(), document);
    for (wrong, found) in [("true", "true"), ("\"muted\"", "the text \"muted\""), ("null", "null")] {
        let text = format!(r#"{{ "mgie": 1, "nodes": {{ "a": {{ "type": "t", "off": {wrong} }} }} }}"#);
        let error = Document::parse(&text).unwrap_err().to_string();
        assert_eq!(error, format!("node `a`: `off` is \"mute\" or \"bypass\", or left out; found {found}"));
    }
}

#[test]
fn the_schema_knows_the_field() {
    let schema = serde_json::to_value(json_schema()).unwrap().to_string();
    assert!(schema.contains("\"off\"") && schema.contains("\"bypass\"") && schema.contains("\"mute\""), "{schema}");
}

#[test]
fn a_muted_node_does_not_run_and_its_wires_count_as_not_connected() {
    let bench = Bench::new();
    assert_eq!(bench.number(&with(&[("two", Off::Mute)]), "total"), 11.0);
    assert_eq!(bench.diary.take(), ["one", "sum", "total"]);
    let report = bench.run(&with(&[("result", Off::Mute)]), &Targets::side_effects()).unwrap().report;
    assert_eq!(report.with(Outcome::NotNeeded), ["one", "two", "sum", "total", "result"]);
    assert!(!exists(bench.path("out.txt")));
}

#[test]
fn an_input_that_needs_a_muted_node_is_an_error_that_names_it() {
    assert_eq!(
        problems(&with(&[("sum", Off::Mute)])),
        ["node `total`, input `a`: expected `number`, found a wire from `sum`, which is muted; switch `sum` on, \
          bypass it, or wire in another output"]
    );
    let bench = Bench::new();
    let error = bench.run(&with(&[("sum", Off::Mute)]), &Targets::side_effects()).unwrap_err().to_string();
    assert!(error.contains("`sum`, which is muted"), "{error}");
    // What is muted as well needs nothing.
    assert_eq!(
        problems(&with(&[("sum", Off::Mute), ("total", Off::Mute), ("result", Off::Mute)])),
        Vec::<String>::new()
    );
}

#[test]
fn a_bypassed_node_passes_its_first_input_of_the_kind_on() {
    let bench = Bench::new();
    assert_eq!(bench.number(&with(&[("sum", Off::Bypass)]), "total"), 11.0);
    assert_eq!(bench.diary.take(), ["one", "total"]);
    // Through two of them, and past a muted first input to the second.
    assert_eq!(bench.number(&with(&[("sum", Off::Bypass), ("total", Off::Bypass)]), "total"), 1.0);
    let document = with(&[("sum", Off::Bypass), ("one", Off::Mute)]);
    assert_eq!(bench.number(&document, "total"), 12.0);
    assert_eq!(problems(&document), Vec::<String>::new());
}

#[test]
fn a_bypassed_node_that_finds_nothing_to_pass_on_is_as_if_muted() {
    let document = graph(json!({
        "text": { "type": "test.read", "params": { "path": "a.txt" } },
        "take": { "type": "test.take", "off": "bypass", "inputs": { "number": "text.text" } },
        "end": { "type": "test.add", "inputs": { "a": "take.number" } },
    }));
    assert_eq!(
        problems(&document),
        [
            "node `end`, input `a`: expected `number`, found a wire from `take`, which is bypassed; nothing of such a kind \
          is wired into `take`; switch it on, or wire in another output"
        ]
    );
}

#[test]
fn what_a_node_says_that_is_off_does_not_matter_yet() {
    let bench = Bench::new();
    let document = graph(json!({
        "one": { "type": "test.number" },
        "gone": { "type": "nobody.knows", "off": "mute", "inputs": { "x": "nobody.at_all" } },
        "wrong": { "type": "test.number", "off": "mute", "params": { "value": "text" } },
    }));
    let found = validate(&document, bench.engine.catalogue());
    assert!(found.iter().all(|problem| !problem.is_error()), "{found:?}");
    assert_eq!(found.len(), 1, "the missing plugin is worth a warning: {found:?}");
    assert_eq!(bench.number(&document, "one"), 1.0);
    bench.run(&document, &Targets::side_effects()).unwrap();
}

#[test]
fn asking_for_a_node_that_is_off_is_an_error_and_for_what_it_passes_on_is_not() {
    let bench = Bench::new();
    let document = with(&[("sum", Off::Bypass), ("two", Off::Mute)]);
    let error = |targets: Targets| bench.run(&document, &targets).unwrap_err().to_string();
    let muted =
        "node `two`, name: expected a node that is on, found one that is muted; switch it on, or ask for another one";
    assert_eq!(error(Targets::default().and_output("two", "number")), muted);
    assert_eq!(error(Targets::default().and_node("two")), muted);
    assert!(error(Targets::default().and_node("sum")).contains("one that is bypassed"));
    assert!(error(Targets::default().and_output("sum", "other")).contains("one that is bypassed"));
    assert_eq!(bench.number(&document, "sum"), 1.0);
}

#[test]
fn a_chain_of_ten_thousand_bypassed_nodes_needs_no_deep_stack() {
    let bench = Bench::new();
    let mut nodes = serde_json::Map::new();
    nodes.insert("n0".to_owned(), json!({ "type": "test.number", "params": { "value": 7 } }));
    for index in 1..10_000 {
        let wire = format!("n{}.number", index - 1);
        nodes.insert(format!("n{index}"), json!({ "type": "test.add", "off": "bypass", "inputs": { "a": wire } }));
    }
    nodes.insert("end".to_owned(), json!({ "type": "test.add", "inputs": { "a": "n9999.number" } }));
    assert_eq!(bench.number(&graph(nodes.into()), "end"), 7.0);
}

#[test]
fn a_cycle_through_a_node_that_is_off_is_still_one() {
    let document = graph(json!({
        "a": { "type": "test.add", "inputs": { "a": "b.number" } },
        "b": { "type": "test.add", "off": "bypass", "inputs": { "a": "a.number" } },
    }));
    assert!(problems(&document).iter().any(|problem| problem.contains("a cycle")), "{:?}", problems(&document));
}
