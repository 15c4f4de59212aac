//! The whole pipeline through the real binary and its plugins, compared with the goldens that diffusers'
//! `StableDiffusionInstructPix2PixPipeline` and transformers made: every stage within 1e-4 relative RMS, the picture
//! within 2/255 anywhere, the text equal. The latents after twenty steps are held to the pipeline run in f64: there,
//! PyTorch's own f32 rounding has grown to 1.4e-4 in one of the runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{golden, mgie, relative_rms, repository, stderr};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

fn floats(file: &Path, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap_or_else(|_| panic!("{} has no {name}", file.display()));
    let values = match tensor.dtype() {
        Dtype::U8 => tensor.data().iter().map(|&v| f32::from(v)).collect(),
        _ => tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
    };
    (tensor.shape().to_vec(), values)
}

/// Writes the golden `tall` picture as a captured value that `tensor.load` hands on as an image.
fn write_tall(folder: &Path) {
    let (shape, values) = floats(&golden("vae.safetensors"), "tall.picture");
    let bytes: Vec<u8> = values.iter().flat_map(|v| (v / 255.0).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    let metadata = [("mgie.kind", "image"), ("mgie.header", r#"{"bit_depth":8}"#)];
    let metadata: HashMap<String, String> = metadata.map(|(k, v)| (k.into(), v.into())).into();
    safetensors::serialize_to_file([("value", view)], Some(metadata), &folder.join("tall.safetensors")).unwrap();
}

/// One of `pipeline.json`'s runs as a graph that captures conditioning, latents and picture.
fn graph_of(run: &Value) -> Value {
    let of_text = run["conditioning_from"] == "text";
    let name = if of_text { "instruct-pix2pix.json" } else { "mgie.json" };
    let text = std::fs::read_to_string(repository().join("graphs").join(name)).unwrap();
    let mut graph: Value = serde_json::from_str(&text).unwrap();
    let nodes = graph["nodes"].as_object_mut().unwrap();
    let photo = repository().join("graphs/photos/landscape.png");
    nodes["photo"]["params"]["path"] = photo.display().to_string().into();
    if run["picture"] == "tall" {
        // The recorded visual tokens are those of the landscape; only the VAE sees the other picture.
        nodes.insert("tall".into(), json!({ "type": "tensor.load", "params": { "path": "tall.safetensors" } }));
        nodes["vae_encode"]["inputs"]["image"] = "tall.value".into();
    }
    nodes["instruction"]["params"]["text"] = run["instruction"].clone();
    for parameter in ["seed", "steps", "guidance", "image_guidance"] {
        nodes["denoise"]["params"][parameter] = run[parameter].clone();
    }
    nodes.remove("result");
    let head = if of_text { "text_conditioning" } else { "edit_head" };
    for (file, from) in [
        ("conditioning", format!("{head}.conditioning")),
        ("null_conditioning", format!("{head}.null_conditioning")),
        ("latents", "denoise.latents".to_owned()),
        ("image", "vae_decode.image".to_owned()),
    ] {
        let params = json!({ "path": format!("{file}.safetensors") });
        let save = json!({ "type": "tensor.save", "params": params, "inputs": { "value": from } });
        nodes.insert(format!("save_{file}"), save);
    }
    graph
}

#[test]
fn every_recorded_run_of_the_pipeline_gives_the_same_picture() {
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(golden("pipeline.json")).unwrap()).unwrap();
    let expected = golden("pipeline.safetensors");
    for run in recorded["runs"].as_array().unwrap() {
        let name = run["name"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_tall(folder.path());
        std::fs::write(folder.path().join("graph.json"), graph_of(run).to_string()).unwrap();
        let output = mgie(folder.path()).args(["run", "graph.json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        for (stage, recorded) in [
            ("conditioning", "conditioning"),
            ("null_conditioning", "null_conditioning"),
            ("latents", "latents_of_f64"),
        ] {
            let (shape, found) = floats(&folder.path().join(format!("{stage}.safetensors")), "value");
            let (expected_shape, expected) = floats(&expected, &format!("{name}.{recorded}"));
            assert_eq!(shape, expected_shape, "{name}.{stage}");
            let error = relative_rms(&found, &expected);
            eprintln!("{name}.{stage}: relative RMS {error:.1e}");
            assert!(error <= 1e-4, "{name}.{stage}: relative RMS {error:.2e}, expected at most 1e-4");
        }
        let (shape, found) = floats(&folder.path().join("image.safetensors"), "value");
        let (expected_shape, expected) = floats(&expected, &format!("{name}.image"));
        assert_eq!(shape, expected_shape, "{name}.image");
        let worst = found.iter().zip(&expected).map(|(f, e)| (f * 255.0 - e).abs()).fold(0.0, f32::max);
        eprintln!("{name}.image: at most {worst:.2}/255 off");
        assert!(worst <= 2.0, "{name}.image: {worst}/255 off, expected at most 2/255");
    }
}

#[test]
fn the_text_and_tokens_of_the_recorded_instructions_are_equal() {
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(golden("mllm.json")).unwrap()).unwrap();
    let graph = repository().join("graphs/mgie.json").display().to_string();
    for case in recorded["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let instruction = format!("instruction.text={}", case["instruction"].as_str().unwrap());
        let output = mgie(folder.path())
            .args(["run", &graph, "--only", "mllm", "--set", &instruction])
            .args(["--save", "mllm.text=text.txt", "--save", "mllm.visual_tokens=tokens.safetensors"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        let text = std::fs::read_to_string(folder.path().join("text.txt")).unwrap();
        assert_eq!(text, case["text"].as_str().unwrap(), "{name}");
        let (_, found) = floats(&folder.path().join("tokens.safetensors"), "value");
        let (_, expected) = floats(&golden("mllm.safetensors"), &format!("{name}.visual_tokens"));
        let error = relative_rms(&found, &expected);
        assert!(error <= 1e-4, "{name}: visual tokens' relative RMS {error:.2e}, expected at most 1e-4");
    }
}
