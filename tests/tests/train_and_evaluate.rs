//! graphs/train-small.json and graphs/evaluate.json through the real binary: as they are in a new clone, and whole, every stage
//! with a few steps, so that what one stage writes is what the next ones read, and what is trained edits pictures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{repository, stderr};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Weights of the small model, as it is shipped.
const WEIGHTS: [&str; 7] = [
    "LLaVA-7B-v1/model.safetensors",
    "clip-vit-large-patch14/model.safetensors",
    "instruct-pix2pix/unet/diffusion_pytorch_model.safetensors",
    "instruct-pix2pix/vae/diffusion_pytorch_model.safetensors",
    "instruct-pix2pix/text_encoder/model.safetensors",
    "mgie_7b/mllm.pt",
    "mgie_7b/unet.pt",
];

/// Copies a folder and what is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}

/// Copies what these graphs need, as it lies in a clone.
fn graphs(folder: &Path) {
    let graphs = repository().join("graphs");
    copy(&graphs.join("small"), &folder.join("small"));
    copy(&graphs.join("photos"), &folder.join("photos"));
    for graph in ["train-small.json", "evaluate.json"] {
        std::fs::copy(graphs.join(graph), folder.join(graph)).unwrap();
    }
}

/// The real `mgie`, which finds the models in `small` beside the graph.
fn mgie(folder: &Path) -> Command {
    let mut command = mgie_tests::mgie(folder);
    command.env_remove("MGIE_MODELS");
    command
}

/// Runs a graph of `folder` with the same values for all nodes that have such parameters, and with `more` arguments; gives
/// what it logs.
fn run(folder: &Path, graph: &str, values: &[(&str, u32)], more: &[&str]) -> String {
    let text = std::fs::read_to_string(folder.join(graph)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut command = mgie(folder);
    command.args(["run", graph]);
    for (name, node) in document["nodes"].as_object().unwrap() {
        for (parameter, value) in values.iter().filter(|(parameter, _)| node["params"].get(*parameter).is_some()) {
            command.args(["--set", &format!("{name}.{parameter}={value}")]);
        }
    }
    let output = command.args(more).env("MGIE_LOG", "info").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{graph}: {}", stderr(&output));
    stderr(&output)
}

/// The methods that the table has rows of.
fn methods(folder: &Path) -> Vec<String> {
    let table = std::fs::read_to_string(folder.join("evaluation.csv")).unwrap();
    let all = table.lines().filter(|row| row.starts_with("all,"));
    all.filter_map(|row| Some(row.split(',').nth(1)?.to_owned())).collect()
}

#[test]
fn in_a_new_clone_what_is_shipped_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    graphs(folder.path());
    run(folder.path(), "evaluate.json", &[("count", 4)], &[]);
    assert_eq!(methods(folder.path()), ["copy the input", "InsPix2Pix", "MGIE"]);
    for file in ["evaluation.md", "evaluation.png"] {
        assert!(folder.path().join(file).is_file(), "{file} is missing");
    }
}

#[test]
fn a_small_mgie_and_its_baselines_are_trained_compared_and_edit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    graphs(folder);
    // Two stages go on where the one before them ended: they end later.
    let few = [("count", 32), ("steps", 2), ("batch", 4), ("part", 4), ("every", 2)];
    let more = ["--set", "vae.steps=4", "--set", "denoiser.steps=4"];
    let logged = run(folder, "train-small.json", &few, &more);
    assert!(logged.contains("vae: goes on after step 2") && logged.contains("vae: step 4 of 4"), "{logged}");
    for sheet in [
        "vae-0000002",
        "vae-0000004",
        "decoder/vae-0000002",
        "denoiser-0000002",
        "denoiser-0000004",
        "mgie-0000002",
        "mgie-without-instruction-0000002",
    ] {
        assert!(folder.join(format!("training/work/{sheet}.png")).is_file(), "no samples {sheet}");
    }
    let read = |models: &Path, file: &str| std::fs::read(models.join(file)).unwrap();
    let (small, trained) = (folder.join("small"), folder.join("training/small"));
    for file in WEIGHTS {
        let shipped = read(&repository().join("graphs/small"), file);
        assert!(read(&small, file) == shipped, "{file} of the model that training began from was touched");
        // A header of another length is all that may differ in size: the same tensors, in the same precision.
        let trained = read(&trained, file);
        assert!(trained != shipped, "{file} is the one that is shipped");
        assert!(trained.len().abs_diff(shipped.len()) < 4096, "{file}: {} and {} bytes", trained.len(), shipped.len());
    }

    // As README says: LGIE and the ablation are there now, so that they are compared, too.
    let graph = folder.join("evaluate.json");
    let muted = std::fs::read_to_string(&graph).unwrap();
    assert_eq!(muted.matches("\"off\": \"mute\",").count(), 2);
    std::fs::write(&graph, muted.replace("\"off\": \"mute\",", "")).unwrap();
    run(folder, "evaluate.json", &[("count", 4)], &["--models", "training/small"]);
    assert_eq!(methods(folder), ["copy the input", "InsPix2Pix", "LGIE", "MGIE", "MGIE without L_instruction"]);

    let edit = mgie(folder)
        .args(["edit", "photos/scene.png", "make it snow", "--models", "training/small", "-o", "edited.png"])
        .output()
        .unwrap();
    assert_eq!(edit.status.code(), Some(0), "{}", stderr(&edit));
    assert!(folder.join("edited.png").is_file());
}
