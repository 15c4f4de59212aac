//! What the studio's inspector asks, answered by the real plugin `inspect`: that both mean the same names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::{Catalogue, SearchPath};
use mgie_host::studio::look::{Answer, Question, Tools};
use mgie_plugin_api::{Tensor, Value, kind};
use mgie_tests::build_folder;
use serde_json::json;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn the_plugin_answers_all_that_the_inspector_asks() {
    let library = format!("{}mgie_inspect_plugin{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = build_folder().join(library);
    assert!(library.is_file(), "{} is not built", library.display());
    let catalogue = Catalogue::discover(&SearchPath::default().then(library), None);
    let engine = Arc::new(Engine::new(Arc::new(catalogue), Budgets::default()));
    let (sender, answers) = channel();
    let sender = Mutex::new(sender);
    let tools = Tools::new(engine, Arc::new(move || sender.lock().unwrap().send(()).unwrap_or_default()));

    let tensor = |kind: &str, shape: &[usize]| {
        let numbers = (0..shape.iter().product::<usize>()).map(|i| i as f32 - 7.0).collect();
        Value::tensor(kind, json!({}), Tensor::from_f32(shape, numbers).unwrap())
    };
    let (tokens, latents) = (tensor(kind::VISUAL_TOKENS, &[8, 16]), tensor(kind::LATENTS, &[4, 3, 2]));
    let picture = |light: f32| Value::image(Tensor::from_f32([2, 2, 3], vec![light; 12]).unwrap(), 8);
    let given = json!({ "range": "given", "low": -1.0, "high": 1.0, "colours": "diverging" });
    let questions = [
        (Question::statistics(&tokens), "statistics"),
        (Question::heat_map(&latents, &json!({ "index": 3, "outliers": 1.0 })), "range"),
        (Question::heat_map(&tokens, &given), "image"),
        (Question::row_norms(&tokens), "norms"),
        (Question::row_cosines(&tokens), "cosines"),
        (Question::latents_picture(&latents, "stable-diffusion"), "image"),
        (Question::latents_picture(&latents, "channels"), "image"),
        (Question::difference(&picture(0.0), &picture(1.0), 2.0), "largest"),
    ];
    for (question, _) in &questions {
        let _ = tools.ask(question);
    }
    for _ in &questions {
        answers.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    for (question, output) in &questions {
        let answer = tools.ask(question);
        assert!(answer.output(output).is_some(), "{question:?}: {answer:?}");
        assert!(matches!(answer, Answer::Known(_)));
    }
}
