//! graphs/train-small.json and graphs/evaluate.json through the real binary, every stage of them with a few steps: what one
//! stage writes is what the next ones read, and what is trained edits pictures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{repository, stderr};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Copies a folder and what is in it, but no weights: a stage that reads those of one before it fails where that has not run.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &there);
        } else if there.extension().is_none_or(|end| end != "safetensors" && end != "pt") {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}

/// The real `mgie`, which finds the models in `small` beside the graph.
fn mgie(folder: &Path) -> Command {
    let mut command = mgie_tests::mgie(folder);
    command.env_remove("MGIE_MODELS");
    command
}

/// Runs a graph of `folder` with the same values for all nodes that have such parameters, and then some of its own.
fn run(folder: &Path, graph: &str, values: &[(&str, u32)], more: &[&str]) {
    let text = std::fs::read_to_string(folder.join(graph)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut command = mgie(folder);
    command.args(["run", graph]);
    for (name, node) in document["nodes"].as_object().unwrap() {
        for (parameter, value) in values.iter().filter(|(parameter, _)| node["params"].get(*parameter).is_some()) {
            command.args(["--set", &format!("{name}.{parameter}={value}")]);
        }
    }
    more.iter().for_each(|setting| drop(command.args(["--set", setting])));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{graph}: {}", stderr(&output));
}

#[test]
fn a_small_mgie_and_its_baselines_are_trained_compared_and_edit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graphs = repository().join("graphs");
    copy(&graphs.join("small"), &folder.join("small"));
    copy(&graphs.join("photos"), &folder.join("photos"));
    for graph in ["train-small.json", "evaluate.json"] {
        std::fs::copy(graphs.join(graph), folder.join(graph)).unwrap();
    }
    // Two stages go on where the one before them ended: they end later.
    let few = [("count", 32), ("steps", 2), ("batch", 4), ("part", 4), ("every", 2)];
    run(folder, "train-small.json", &few, &["vae.steps=4", "denoiser.steps=4"]);
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
    for file in [
        "LLaVA-7B-v1/model.safetensors",
        "clip-vit-large-patch14/model.safetensors",
        "instruct-pix2pix/unet/diffusion_pytorch_model.safetensors",
        "instruct-pix2pix/vae/diffusion_pytorch_model.safetensors",
        "instruct-pix2pix/text_encoder/model.safetensors",
        "mgie_7b/mllm.pt",
        "mgie_7b/unet.pt",
    ] {
        let [trained, shipped] =
            [&folder.join("small"), &graphs.join("small")].map(|models| std::fs::read(models.join(file)).unwrap());
        // A header of another length is all that may differ: the same tensors, in the same precision.
        assert!(trained != shipped, "{file} is the one that is shipped");
        assert!(trained.len().abs_diff(shipped.len()) < 4096, "{file}: {} and {} bytes", trained.len(), shipped.len());
    }
    for file in ["lgie/model.safetensors", "without_instruction/mllm.pt", "without_instruction/unet.pt"] {
        assert!(folder.join("small").join(file).is_file(), "{file} is missing");
    }

    run(folder, "evaluate.json", &[("count", 4)], &[]);
    let table = std::fs::read_to_string(folder.join("training/table.csv")).unwrap();
    for method in ["copy the input", "InsPix2Pix", "LGIE", "MGIE", "MGIE without L_instruction"] {
        let rows = table.lines().filter(|row| row.split(',').any(|field| field == method)).count();
        assert!(rows >= 2, "a family and all edits: {method} in\n{table}");
    }
    assert!(folder.join("training/sheet.png").is_file());

    let edit = mgie(folder)
        .args(["edit", "photos/scene.png", "make it snow", "--models", "small", "-o", "edited.png"])
        .output()
        .unwrap();
    assert_eq!(edit.status.code(), Some(0), "{}", stderr(&edit));
    assert!(folder.join("edited.png").is_file());
}
