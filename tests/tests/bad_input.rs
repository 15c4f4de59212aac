//! What bad input gets, through the real binary: one clear error that names the thing, exit code 2 for a wrong request
//! and 1 for a failed run, never a panic, never a partial output.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{mgie, miniature, repository, stderr};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A fresh folder to run the binary in.
struct Place(TempDir);

/// How a run ended: exit code and what was said.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Ended {
    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(!self.said.contains("panicked"), "a panic: {}", self.said);
        let said = self.said.to_lowercase();
        for word in words {
            assert!(said.contains(&word.to_lowercase()), "does not say `{word}`: {}", self.said);
        }
        self
    }
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Ended {
        let output = mgie(self.0.path()).args(args).output().unwrap();
        Ended { code: output.status.code(), said: stderr(&output) }
    }

    /// Edits `photo` in two steps.
    fn edit(&self, photo: &str, instruction: &str) -> Ended {
        let ended = self.run(&["edit", photo, instruction, "-o", "out.png", "--steps", "2"]);
        if ended.code != Some(0) {
            assert!(!self.path("out.png").exists(), "a failed edit left a picture");
        }
        ended
    }

    /// Runs `graph`, written to a file.
    fn graph(&self, graph: &Value) -> Ended {
        fs::write(self.path("graph.json"), serde_json::to_string_pretty(graph).unwrap()).unwrap();
        self.run(&["run", "graph.json"])
    }

    /// The miniature in a folder of its own, to be spoilt.
    fn models(&self) -> PathBuf {
        let to = self.path("models");
        copy_folder(&miniature(), &to);
        to
    }

    fn edit_with(&self, models: &Path) -> Ended {
        let models = models.display().to_string();
        let ended =
            self.run(&["edit", &photo(), "make it night", "-o", "out.png", "--steps", "2", "--models", &models]);
        if ended.code != Some(0) {
            assert!(!self.path("out.png").exists(), "a failed edit left a picture");
        }
        ended
    }
}

fn photo() -> String {
    repository().join("graphs/photos/landscape.png").display().to_string()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_missing_photo_is_named() {
    Place::new().edit("nowhere.png", "x").says(2, &["nowhere.png"]);
}

#[test]
fn a_folder_is_no_photo() {
    let place = Place::new();
    fs::create_dir(place.path("folder.png")).unwrap();
    place.edit("folder.png", "x").says(2, &["folder.png", "folder"]);
}

#[test]
fn a_truncated_png_is_refused() {
    let place = Place::new();
    let whole = fs::read(photo()).unwrap();
    fs::write(place.path("half.png"), &whole[..whole.len() / 2]).unwrap();
    place.edit("half.png", "x").says(1, &["photo", "half.png"]);
}

#[test]
fn text_that_is_named_png_is_refused() {
    let place = Place::new();
    fs::write(place.path("text.png"), "this is text").unwrap();
    place.edit("text.png", "x").says(1, &["photo", "text.png"]);
}

#[test]
fn pictures_of_odd_sizes_are_edited_or_refused_with_a_remedy() {
    let place = Place::new();
    for (width, height) in [(1, 1), (1, 4000)] {
        let graph = json!({ "mgie": 1, "nodes": {
            "c": { "type": "image.constant", "params": { "width": width, "height": height } },
            "s": { "type": "image.save", "params": { "path": "thin.png" }, "inputs": { "image": "c.image" } } } });
        place.graph(&graph).says(0, &[]);
        place.edit("thin.png", "x").says(1, &["vae_encode", "8"]);
    }
}

#[test]
fn a_header_of_200_megapixels_over_a_tiny_file_is_refused_before_decoding() {
    let place = Place::new();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = b"IHDR".to_vec();
    header.extend(20_000u32.to_be_bytes());
    header.extend(10_000u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    png.extend(13u32.to_be_bytes());
    png.extend(&header);
    png.extend(crc32(&header).to_be_bytes());
    png.extend([0, 0, 0, 0, b'I', b'D', b'A', b'T', 0x35, 0xaf, 0x06, 0x1e]);
    fs::write(place.path("huge.png"), png).unwrap();
    place.edit("huge.png", "x").says(1, &["photo", "huge.png", "20000"]);
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn an_empty_instruction_and_a_very_long_one() {
    Place::new().edit(&photo(), "").says(0, &[]);
    let long = "make the sky a little darker and ".repeat(10_000 / 33 + 1);
    Place::new().edit(&photo(), &long[..10_000]).says(1, &["mllm", "tokens"]);
}

#[test]
fn a_truncated_checkpoint_is_named() {
    for file in ["mgie_7b/mllm.pt", "mgie_7b/unet.pt", "LLaVA-7B-v1/pytorch_model-00001-of-00002.bin"] {
        let place = Place::new();
        let models = place.models();
        let whole = fs::read(models.join(file)).unwrap();
        fs::write(models.join(file), &whole[..whole.len() * 2 / 3]).unwrap();
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        place.edit_with(&models).says(1, &[name]);
    }
}

#[test]
fn a_shuffled_checkpoint_is_refused_or_at_least_never_a_panic() {
    let place = Place::new();
    let models = place.models();
    let file = models.join("mgie_7b/mllm.pt");
    let whole = fs::read(&file).unwrap();
    let third = whole.len() / 3;
    let shuffled = [&whole[third..2 * third], &whole[2 * third..], &whole[..third]].concat();
    fs::write(&file, shuffled).unwrap();
    place.edit_with(&models).says(1, &["mllm.pt"]);
}

#[test]
fn a_pickle_with_code_in_it_is_refused_by_name() {
    let place = Place::new();
    let models = place.models();
    // What `pickle.dumps` gives for an object whose __reduce__ is (os.system, ("touch owned",)).
    let pickle = b"\x80\x02cposix\nsystem\nq\x00X\x0b\x00\x00\x00touch ownedq\x01\x85q\x02Rq\x03.";
    fs::write(models.join("mgie_7b/mllm.pt"), stored_zip("archive/data.pkl", pickle)).unwrap();
    place.edit_with(&models).says(1, &["mllm.pt", "posix.system"]);
    assert!(!place.path("owned").exists());
}

/// A zip of one stored entry.
fn stored_zip(name: &str, data: &[u8]) -> Vec<u8> {
    let mut zip = Vec::new();
    let (crc, size, length) = (crc32(data), data.len() as u32, name.len() as u16);
    let fields = |out: &mut Vec<u8>| {
        out.extend([0u8; 8]);
        out.extend(crc.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(length.to_le_bytes());
    };
    zip.extend(b"PK\x03\x04\x14\x00");
    fields(&mut zip);
    zip.extend([0, 0]);
    zip.extend(name.as_bytes());
    zip.extend(data);
    let directory = zip.len() as u32;
    zip.extend(b"PK\x01\x02\x14\x00\x14\x00");
    fields(&mut zip);
    zip.extend([0u8; 16]);
    zip.extend(name.as_bytes());
    let end = zip.len() as u32;
    zip.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    zip.extend((end - directory).to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

#[test]
fn weights_that_are_not_numbers_are_named() {
    let place = Place::new();
    let models = place.models();
    let file = models.join("instruct-pix2pix/unet/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    // All bits set is NaN in f16 and in f32.
    bytes[start..].iter_mut().take(64).for_each(|byte| *byte = 0xff);
    fs::write(&file, bytes).unwrap();
    fs::remove_file(models.join("mgie_7b/unet.pt")).unwrap();
    let models = models.display().to_string();
    let graph = repository().join("graphs/instruct-pix2pix.json").display().to_string();
    place
        .run(&["run", &graph, "--models", &models, "--set", "denoise.steps=2", "--set", "result.path=o.png"])
        .says(1, &["unet", "diffusion_pytorch_model.safetensors", "NaN"]);
    assert!(!place.path("o.png").exists());
}

#[test]
fn a_missing_model_folder_says_where_it_was_looked_for() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let ended = place.edit_with(&place.path("empty"));
    assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.said);
    ended.says(ended.code.unwrap(), &["LLaVA-7B-v1", "empty"]);
}

#[test]
fn a_cycle_names_its_nodes() {
    let merge =
        |a: &str, b: &str| json!({ "type": "image.merge", "inputs": { "background": a, "foreground": b, "mask": b } });
    let graph = json!({ "mgie": 1, "nodes": {
        "first": merge("second.image", "second.image"), "second": merge("first.image", "first.image"),
        "save": { "type": "image.save", "params": { "path": "o.png" }, "inputs": { "image": "first.image" } } } });
    Place::new().graph(&graph).says(2, &["cycle", "first", "second"]);
}

#[test]
fn two_wires_into_one_socket_are_refused() {
    let place = Place::new();
    let text = r#"{ "mgie": 1, "nodes": {
        "a": { "type": "image.constant" }, "b": { "type": "image.constant" },
        "save": { "type": "image.save", "params": { "path": "o.png" }, "inputs": { "image": "a.image", "image": "b.image" } } } }"#;
    fs::write(place.path("graph.json"), text).unwrap();
    place.run(&["run", "graph.json"]).says(2, &["save", "image"]);
}

#[test]
fn every_error_of_a_graph_is_told_at_once() {
    let graph = json!({ "mgie": 1, "nodes": {
        "mystery": { "type": "image.lod", "params": { "path": "x.png" } },
        "c": { "type": "image.constant", "params": { "widht": 8, "width": "wide", "height": -5 } },
        "save": { "type": "image.save", "params": { "path": "o.png" }, "inputs": { "image": "c.picture" } } } });
    Place::new()
        .graph(&graph)
        .says(2, &["mystery", "image.lod", "image.load", "widht", "width", "height", "-5", "save", "c.picture"]);
}

#[test]
fn a_wire_of_another_kind_says_both_kinds() {
    let graph = json!({ "mgie": 1, "nodes": {
        "t": { "type": "text.constant", "params": { "text": "hello" } },
        "save": { "type": "image.save", "params": { "path": "o.png" }, "inputs": { "image": "t.text" } } } });
    Place::new().graph(&graph).says(2, &["save", "image", "text"]);
}

#[test]
fn a_parameter_out_of_range_says_the_range() {
    let graph = repository().join("graphs/mgie.json").display().to_string();
    Place::new().run(&["run", &graph, "--set", "denoise.steps=0"]).says(2, &["denoise", "steps", "1"]);
    Place::new().run(&["run", &graph, "--set", "denoise.setps=3"]).says(2, &["denoise", "setps", "steps"]);
    Place::new().run(&["run", &graph, "--set", "dneoise.steps=3"]).says(2, &["dneoise", "denoise"]);
    Place::new().run(&["run", &graph, "--save", "mllm.txet=o.txt"]).says(2, &["mllm", "txet", "text"]);
}

#[test]
fn an_unwritable_output_is_refused_before_anything_runs() {
    let place = Place::new();
    place.run(&["edit", &photo(), "x", "-o", "no/such/folder/out.png", "--steps", "2"]).says(2, &["no/such/folder"]);
    fs::create_dir(place.path("taken.png")).unwrap();
    place.run(&["edit", &photo(), "x", "-o", "taken.png", "--steps", "2"]).says(2, &["taken.png"]);
    place.run(&["edit", &photo(), "x", "-o", "out.xyz", "--steps", "2"]).says(2, &["xyz"]);
}

#[test]
fn graphs_that_are_none_are_refused_with_a_place() {
    let place = Place::new();
    fs::write(place.path("graph.json"), "{ \"mgie\": 1,\n  \"nodes\": { ").unwrap();
    place.run(&["run", "graph.json"]).says(2, &["graph.json", "line 2"]);
    fs::write(place.path("graph.json"), "[".repeat(100_000)).unwrap();
    place.run(&["run", "graph.json"]).says(2, &["graph.json"]);
    fs::write(place.path("graph.json"), r#"{ "mgie": 99, "nodes": {} }"#).unwrap();
    place.run(&["run", "graph.json"]).says(2, &["99"]);
    place.run(&["run", "nothing.json"]).says(2, &["nothing.json"]);
    place.run(&["check", &photo()]).says(2, &["landscape.png"]);
    let mut file = fs::File::create(place.path("bytes.json")).unwrap();
    file.write_all(&[0xff, 0xfe, 0x00]).unwrap();
    place.run(&["check", "bytes.json"]).says(2, &["bytes.json"]);
}
