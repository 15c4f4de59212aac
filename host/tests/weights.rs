//! The budget of loaded weights: plugins are asked to let go of what nobody uses before it would be passed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Bench, graph, weights_plugin};
use mgie_host::document::Document;
use mgie_host::engine::{Budgets, Outcome, Targets};
use serde_json::json;

fn bench(weights_bytes: u64) -> Bench {
    let budgets = Budgets { cache_bytes: 1 << 20, weights_bytes: Some(weights_bytes) };
    let bench =
        Bench::with(budgets, |diary| vec![weights_plugin("llm", 1000, diary), weights_plugin("unet", 400, diary)]);
    bench.write("llm.bin", [0; 1000]);
    bench.write("unet.bin", [0; 400]);
    bench
}

/// As an edit is: a language model far from the end, and a UNet that is loaded from nothing and used at the end.
fn edit(more: f64) -> Document {
    graph(json!({
        "unet": { "type": "unet.load" },
        "mllm": { "type": "llm.use" },
        "head": { "type": "test.add", "inputs": { "a": "mllm.number" } },
        "denoise": { "type": "unet.use", "params": { "more": more }, "inputs": { "value": "unet.object", "other": "head.number" } },
    }))
}

fn run(bench: &Bench, more: f64) -> Vec<String> {
    bench.run(&edit(more), &Targets::default().and_node("denoise")).unwrap();
    bench.diary.take_in_order().into_iter().filter(|note| note != "add").collect()
}

#[test]
fn with_room_for_both_each_is_loaded_once_and_kept() {
    let bench = bench(2000);
    let mut first = run(&bench, 1.0);
    first.sort();
    assert_eq!(first, ["llm loads", "unet loads"]);
    assert_eq!(run(&bench, 2.0), Vec::<String>::new());
}

#[test]
fn where_both_do_not_fit_the_language_model_goes_before_the_unet_comes() {
    let bench = bench(1200);
    assert_eq!(run(&bench, 1.0), ["llm loads", "llm lets go", "unet loads"]);
    // What a tweak needs is loaded: nothing is let go, nothing is loaded.
    assert_eq!(run(&bench, 2.0), Vec::<String>::new());
}

#[test]
fn a_kept_object_gives_way_where_its_weights_are_in_the_way() {
    let bench = bench(1200);
    run(&bench, 1.0);
    let mut document = edit(2.0);
    // The language model has to run again: the UNet, kept as an object, goes, and comes back behind it.
    document.nodes["mllm"].params.insert("more".to_owned(), json!(5.0));
    bench.run(&document, &Targets::default().and_node("denoise")).unwrap();
    let notes: Vec<String> = bench.diary.take_in_order().into_iter().filter(|note| note != "add").collect();
    assert_eq!(notes, ["unet lets go", "llm loads", "llm lets go", "unet loads"]);
}

#[test]
fn what_does_not_fit_at_all_runs_regardless() {
    let bench = bench(100);
    assert_eq!(run(&bench, 1.0), ["llm loads", "llm lets go", "unet loads"]);
}

#[test]
fn weights_that_were_replaced_run_their_nodes_again_and_no_others() {
    let bench = bench(2000);
    let ran = || {
        let results = bench.run(&edit(1.0), &Targets::default().and_node("denoise")).unwrap();
        results.report.with(Outcome::Ran).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ran(), ["unet", "mllm", "head", "denoise"]);
    assert_eq!(ran(), Vec::<String>::new());
    bench.write("unet.bin", [1; 401]);
    assert_eq!(ran(), ["unet", "denoise"]);
}
