//! The main job through the real binary: `mgie edit`, what it writes, what it says, and what it leaves behind when it
//! is interrupted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{Begun, mgie, repository, stderr, stdout, test_plugin};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

fn photo() -> String {
    repository().join("graphs/photos/landscape.png").display().to_string()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != "cache" && name != "data").collect();
    names.sort();
    names
}

#[test]
fn an_edit_writes_the_picture_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let output = mgie(folder.path())
        .args(["edit", &photo(), "make the sky stormy", "-o", "out.png", "--steps", "2"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("out.png") && !said.contains("built-in"), "found: {said}");
    assert_eq!(files(folder.path()), ["out.png"]);
}

#[test]
fn where_no_models_are_named_it_says_that_the_built_in_ones_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let output = mgie(folder.path())
        .env_remove("MGIE_MODELS")
        .args(["edit", &photo(), "make the sky stormy", "-o", "out.png", "--steps", "2"])
        .output()
        .unwrap();
    assert!(stderr(&output).contains("built-in"), "found: {}", stderr(&output));
}

#[test]
fn the_built_in_model_brings_the_graph_that_fits_it() {
    let folder = tempfile::tempdir().unwrap();
    let edit = |graph: &[&str]| {
        let mut command = mgie(folder.path());
        command.env_remove("MGIE_MODELS").args(["edit", &photo(), "make it look like night", "-o", "out.png"]);
        let output = command.args(graph).args(["--steps", "2"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let header = std::fs::read(folder.path().join("out.png")).unwrap();
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        (number(16), number(20))
    };
    assert_eq!(edit(&[]), (128, 128), "its own graph brings the photo to the size that it was trained on");
    let other = repository().join("graphs/small/edit.json").display().to_string();
    assert_eq!(edit(&["--graph", &other]), (128, 128), "as a graph that is named");
}

/// README's own command: of four things, the one that is yellow becomes white as the others are, and all else stays.
#[test]
fn the_built_in_model_edits_what_only_the_picture_tells() {
    let folder = tempfile::tempdir().unwrap();
    let scene = repository().join("graphs/photos/scene.png");
    let output = mgie(folder.path())
        .env_remove("MGIE_MODELS")
        .args(["edit", &scene.display().to_string(), "the odd one should match the others", "-o", "out.png"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
    let told = stderr(&output);
    let understood = told.lines().find_map(|line| line.strip_prefix("as the language model put it: "));
    assert!(understood.is_some_and(|text| text.contains("circle") && text.contains("white")), "{told}");
    let colours = |path: &Path| {
        let picture = image::open(path).unwrap().to_rgb8();
        // The middles of the circle, the square, the triangle, the cross, the sky and the ground.
        [(97, 99), (36, 32), (97, 33), (30, 94), (64, 12), (64, 120)].map(|(x, y)| {
            let square = (0..100).map(|at| picture.get_pixel(x - 5 + at % 10, y - 5 + at / 10).0.map(f64::from));
            square.fold([0.0; 3], |sum, pixel| std::array::from_fn(|c| sum[c] + pixel[c] / 100.0))
        })
    };
    let (before, after) = (colours(&scene), colours(&folder.path().join("out.png")));
    assert!(before[0][2] < 60.0 && after[0].iter().all(|part| *part > 200.0), "{:?} → {:?}", before[0], after[0]);
    for (before, after) in before.iter().zip(&after).skip(1) {
        assert_eq!(before, after, "what is left alone keeps its own pixels");
    }
}

/// The instructions that README names, as the language model puts them: each says what is to become of what.
#[test]
fn the_built_in_model_understands_what_readme_says_that_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let scene = repository().join("graphs/photos/scene.png").display().to_string();
    let readme: Vec<String> = std::fs::read_to_string(repository().join("README.md"))
        .unwrap()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let readme = readme.join(" ");
    for (instruction, words) in [
        ("make it night", ["night", "darker"].as_slice()),
        ("make it warmer", &["whole picture", "warmer"]),
        ("make it black and white", &["whole picture", "black and white"]),
        ("change the background to a desert", &["background", "sunset", "desert"]),
        ("paint the triangle green", &["white triangle", "top right", "green"]),
        ("make the biggest one blue", &["yellow circle", "bottom right", "blue"]),
        ("make the circle match the square", &["yellow circle", "bottom right", "white"]),
    ] {
        assert!(readme.contains(&format!("\"{instruction}\"")), "README does not name {instruction:?}");
        let output = mgie(folder.path())
            .env_remove("MGIE_MODELS")
            .args(["edit", &scene, instruction, "-o", "out.png"])
            .output()
            .unwrap();
        let told = stderr(&output);
        let understood = told.lines().find_map(|line| line.strip_prefix("as the language model put it: "));
        assert!(understood.is_some_and(|text| words.iter().all(|word| text.contains(word))), "{instruction}: {told}");
    }
}

#[test]
fn a_saved_picture_carries_its_graph_and_opens_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| mgie(folder.path()).args(args).output().unwrap();
    let first = run(&["edit", &photo(), "add snow", "-o", "first.png", "--steps", "2", "--seed", "7"]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let again = run(&["run", "first.png", "--set", "result.path=second.png"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    let checked = run(&["run", "second.png", "--save", "vae_decode.image=a.png", "--save", "instruction.text=-"]);
    assert!(stdout(&checked).contains("add snow"), "found: {} {}", stdout(&checked), stderr(&checked));
    let pixels = |name: &str| {
        let saved = run(&["run", name, "--only", "vae_decode", "--save", "vae_decode.image=same.tiff"]);
        assert_eq!(saved.status.code(), Some(0), "{}", stderr(&saved));
        std::fs::read(folder.path().join("same.tiff")).unwrap()
    };
    assert_eq!(pixels("first.png"), pixels("second.png"));
}

#[test]
fn every_stage_can_be_captured_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let graph = repository().join("graphs/mgie.json").display().to_string();
    let output = mgie(folder.path())
        .args(["run", &graph, "--set", "denoise.steps=2", "--set", "result.path=r.png"])
        .args(["--save", "clip.features=a.safetensors", "--save", "mllm.text=b.txt"])
        .args(["--save", "mllm.visual_tokens=c.safetensors", "--save", "edit_head.conditioning=d.safetensors"])
        .args(["--save", "vae_decode.image=e.png"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for name in ["a.safetensors", "b.txt", "c.safetensors", "d.safetensors", "e.png"] {
        assert!(folder.path().join(name).is_file(), "{name} was not written; {}", stderr(&output));
    }
    for name in ["a", "c", "d"] {
        let bytes = std::fs::read(folder.path().join(format!("{name}.safetensors"))).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.names(), ["value"]);
    }
}

#[test]
fn a_captured_tensor_feeds_a_later_stage() {
    let folder = tempfile::tempdir().unwrap();
    let graph = repository().join("graphs/mgie.json");
    let run = |args: &[&str]| {
        let output = mgie(folder.path()).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    };
    let path = graph.display().to_string();
    run(&["run", &path, "--set", "denoise.steps=2", "--set", "result.path=whole.png"]);
    run(&["run", &path, "--only", "denoise", "--set", "denoise.steps=2", "--save", "denoise.latents=l.safetensors"]);
    let fed = serde_json::json!({
        "mgie": 1,
        "nodes": {
            "latents": { "type": "tensor.load", "params": { "path": "l.safetensors" } },
            "decode": { "type": "diffusion.vae_decode", "inputs": { "latents": "latents.value" } },
            "result": { "type": "image.save", "params": { "path": "fed.png" }, "inputs": { "image": "decode.image" } }
        }
    });
    std::fs::write(folder.path().join("fed.json"), fed.to_string()).unwrap();
    run(&["run", "fed.json"]);
    run(&["run", "fed.json", "--save", "decode.image=b.tiff"]);
    run(&["run", &path, "--only", "vae_decode", "--set", "denoise.steps=2", "--save", "vae_decode.image=a.tiff"]);
    assert_eq!(
        std::fs::read(folder.path().join("a.tiff")).unwrap(),
        std::fs::read(folder.path().join("b.tiff")).unwrap()
    );
}

#[test]
fn all_three_graphs_run() {
    for name in ["mgie", "instruct-pix2pix", "masked"] {
        let folder = tempfile::tempdir().unwrap();
        let graph = repository().join(format!("graphs/{name}.json")).display().to_string();
        let output = mgie(folder.path())
            .args(["run", &graph, "--json", "--set", "denoise.steps=2", "--set", "result.path=out.png"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(report.get("nodes").is_some(), "{name}: found {report}");
        assert_eq!(files(folder.path()), ["out.png"], "{name}");
    }
}

#[test]
fn nothing_but_the_report_is_said_where_nobody_watches() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        mgie(folder.path()).args(["edit", &photo(), "x", "-o", "o.png", "--steps", "2", "-q"]).output().unwrap();
    assert_eq!((stdout(&output), stderr(&output)), (String::new(), String::new()));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_run_with_130_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["edit", &photo(), "make it night", "-o", "out.png", "--steps", "1000"];
    let mut run = Begun::new(mgie(folder.path()).args(arguments));
    run.denoises();
    std::thread::sleep(Duration::from_millis(200));
    assert!(run.child.try_wait().unwrap().is_none(), "1000 steps were over in 0.2 s");
    let interrupted = Instant::now();
    run.interrupt();
    let (code, said) = run.end();
    assert_eq!((code, said.last().map(String::as_str)), (Some(130), Some("interrupted")));
    assert!(interrupted.elapsed() < Duration::from_secs(5), "it took {:?}", interrupted.elapsed());
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn a_node_that_breaks_the_rules_is_an_error_that_names_it() {
    let plugin = test_plugin("faulty");
    let folder = tempfile::tempdir().unwrap();
    let run = |how: &str| {
        let graph = serde_json::json!({ "mgie": 1, "nodes": { "culprit": { "type": "test.faulty", "params": { "how": how } } } });
        std::fs::write(folder.path().join("g.json"), graph.to_string()).unwrap();
        let output = mgie(folder.path())
            .env("MGIE_PLUGIN_PATH", plugin.parent().unwrap())
            .args(["run", "g.json", "--only", "culprit"])
            .output()
            .unwrap();
        (output.status.code(), stderr(&output))
    };
    for (how, words) in [
        ("panic", vec!["panicked", "faulty/src/lib.rs", "lost its nerve"]),
        ("shape", vec!["tokens", "[8, ", "[7, 4]"]),
        ("kind", vec!["tokens", "mgie.visual_tokens", "text"]),
        ("missing", vec!["tokens"]),
        ("unknown", vec!["surprise"]),
        ("nan", vec!["tokens", "finite"]),
        ("error", vec!["it cannot be done", "ask for something else"]),
    ] {
        let (code, said) = run(how);
        assert_eq!(code, Some(1), "{how}: {said}");
        assert!(said.contains("culprit"), "{how} does not name the node: {said}");
        for word in words {
            assert!(said.contains(word), "{how} does not say `{word}`: {said}");
        }
    }
    assert_eq!(run("none").0, Some(0));
}

#[test]
fn the_template_is_a_plugin_that_loads_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let graph = serde_json::json!({ "mgie": 1, "nodes": {
        "colour": { "type": "image.constant", "params": { "width": 2, "height": 1, "r": 1.0, "g": 0.0, "b": 0.0 } },
        "invert": { "type": "template.invert", "inputs": { "image": "colour.image" } } } });
    std::fs::write(folder.path().join("g.json"), graph.to_string()).unwrap();
    let output = mgie(folder.path()).args(["run", "g.json", "--save", "invert.image=i.safetensors"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let bytes = std::fs::read(folder.path().join("i.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = tensors.tensor("value").unwrap().data().chunks_exact(4);
    let values: Vec<f32> = values.map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect();
    assert_eq!(values.iter().take(3).copied().collect::<Vec<_>>(), [0.0, 1.0, 1.0]);
}

#[test]
fn a_plugin_of_another_major_version_is_named_and_the_others_go_on() {
    let plugin = test_plugin("wrong_major");
    let folder = tempfile::tempdir().unwrap();
    let output = mgie(folder.path()).env("MGIE_PLUGIN_PATH", plugin.parent().unwrap()).arg("nodes").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("built for plugin-api 2.0"), "found: {}", stderr(&output));
    assert!(stdout(&output).contains("older.pass") && stdout(&output).contains("image.load"));
}
