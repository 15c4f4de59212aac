//! Graph files: what is read is written back byte for byte, what is unknown is kept, what is hostile is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_host::document::{Document, DocumentProblem, MAX_FILE_BYTES, Node, PNG_KEYWORD, Wire, json_schema};
use std::fs;
use std::path::Path;

/// A graph in the style that is written, with everything that must be kept: an unknown type, unknown fields in every
/// place, keys in an order of their own, the studio's layout.
const CANONICAL: &str = r#"{
  "mgie": 1,
  "title": "A graph: \"é\" 🌩",
  "nodes": {
    "photo": {
      "type": "image.load",
      "params": { "path": "photo.png" }
    },
    "glow": {
      "inputs": { "image": "photo.image" },
      "note": {
        "by": ["me", 2],
        "nested": [
          [1, 2],
          {}
        ]
      },
      "type": "org.example.glow",
      "params": {
        "strength": 7.0,
        "seed": 18446744073709551615,
        "small": 1e-7,
        "list": [],
        "off": null
      }
    },
    "empty": {
      "type": "text.constant",
      "params": {},
      "inputs": {}
    }
  },
  "studio": {
    "photo": [40, 120],
    "glow": [320, 120.5]
  }
}
"#;

fn complaint(text: &str) -> String {
    Document::parse(text).unwrap_err().to_string()
}

#[test]
fn a_canonical_file_is_written_back_byte_for_byte() {
    let document = Document::parse(CANONICAL).unwrap();
    assert_eq!(document.to_text(), CANONICAL);
    assert_eq!(document.field("title").unwrap(), "A graph: \"é\" 🌩");
    assert_eq!(document.nodes["glow"].node_type, "org.example.glow");
    assert_eq!(document.nodes["glow"].inputs["image"].source(), Some(("photo", "image")));
}

#[test]
fn the_graphs_of_this_repository_are_written_in_the_style_that_is_saved() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            assert_eq!(Document::open(&path).unwrap().document.to_text(), fs::read_to_string(&path).unwrap());
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} graphs were seen");
}

#[test]
fn an_object_that_is_too_long_for_a_line_has_a_line_for_each_entry() {
    let text = "x".repeat(90);
    let node = |text: &str| format!(r#"{{"mgie":1,"nodes":{{"a":{{"type":"t","params":{{"text":"{text}"}}}}}}}}"#);
    let written = |text: &str| Document::parse(&node(text)).unwrap().to_text();
    assert!(written(&text).contains("\"params\": { \"text\": \"x"));
    assert_eq!(written(&text).lines().map(|line| line.chars().count()).max(), Some(120));
    assert!(written(&format!("{text}x")).contains("\"params\": {\n        \"text\": \"x"));
}

#[test]
fn saving_brings_any_layout_into_the_one_style_and_is_stable_from_then_on() {
    let compact: String = serde_json::from_str::<serde_json::Value>(CANONICAL).unwrap().to_string();
    assert_eq!(Document::parse(&compact).unwrap().to_text(), CANONICAL);
    let windows = format!("\u{feff}{}", CANONICAL.replace('\n', "\r\n"));
    assert_eq!(Document::parse(&windows).unwrap().to_text(), CANONICAL);
}

#[test]
fn a_change_changes_its_own_line_only() {
    let mut document = Document::parse(CANONICAL).unwrap();
    document.nodes["glow"].params.insert("strength".to_owned(), 7.5.into());
    assert_eq!(document.to_text(), CANONICAL.replace("7.0", "7.5"));
    let mut node = Node::new("image.save");
    node.inputs.insert("image".to_owned(), Wire::new("glow", "image"));
    document.nodes.insert("result".to_owned(), node);
    let text = document.to_text();
    let expected =
        "    \"result\": {\n      \"type\": \"image.save\",\n      \"inputs\": { \"image\": \"glow.image\" }\n";
    assert!(text.contains(expected), "{text}");
    assert!(document.set_field("studio", serde_json::json!({})).is_ok());
    assert!(document.set_field("mgie", serde_json::json!(7)).is_err());
    assert_eq!(Document::parse(&document.to_text()).unwrap().to_text(), document.to_text());
}

#[test]
fn everything_of_a_wrong_form_is_listed_at_once() {
    let text = r#"{"mgie":1,"nodes":{"a":7,"b":{},"c":{"type":"x","params":[1],"inputs":{"image":["p.image","q.image"],"mask":3}},
        "d":{"type":5,"inputs":"p.image"}}}"#;
    let complaint = complaint(text);
    for expected in [
        "node `a`: a node is an object with a `type`; found the number 7",
        "node `b`: `type` is missing",
        "node `c`: `params` is an object of parameters by name; found a list of 1",
        "node `c`, input `image`: 2 wires go into it (\"p.image\", \"q.image\"); an input takes one wire",
        "node `c`, input `mask`: a wire is the text \"NODE.OUTPUT\"; found the number 3",
        "node `d`: `type` is the id of a node type; found the number 5",
        "node `d`: `inputs` is an object of wires by input; found the text \"p.image\"",
    ] {
        assert!(complaint.contains(expected), "expected {expected:?} in\n{complaint}");
    }
    assert_eq!(complaint.lines().count(), 7, "{complaint}");
}

#[test]
fn what_is_no_graph_is_said_in_one_line() {
    assert!(complaint("[]").contains("a graph is an object"));
    assert!(complaint("{}").contains("the key `mgie` is missing"));
    assert!(complaint(r#"{"mgie":"1","nodes":{}}"#).contains("whole number; found \"1\""));
    assert!(complaint(r#"{"mgie":2,"nodes":{}}"#).contains("use a newer mgie"));
    assert!(complaint(r#"{"mgie":0,"nodes":{}}"#).contains("there is no format version 0"));
    assert!(complaint(r#"{"mgie":1}"#).contains("`nodes` is missing"));
    assert!(complaint(r#"{"mgie":1,"nodes":[]}"#).contains("found a list of 0"));
    assert!(complaint("{\n  \"mgie\": 1,\n  nodes: {}\n}").starts_with("line 3, column 3: "));
}

#[test]
fn hostile_files_are_refused_without_reading_them_whole() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Document::open(path).unwrap_err();

    let huge = folder.path().join("huge.json");
    let file = fs::File::create(&huge).unwrap();
    file.set_len(1 << 40).or_else(|_| file.set_len(MAX_FILE_BYTES + 1)).unwrap();
    assert!(matches!(open(&huge).problem, DocumentProblem::TooLarge { .. }));

    let deep = folder.path().join("deep.json");
    fs::write(&deep, format!("{{\"mgie\":1,\"nodes\":{}", "{\"a\":".repeat(500_000))).unwrap();
    assert!(open(&deep).to_string().contains("nested deeper than 128 levels"));

    let binary = folder.path().join("binary.json");
    fs::write(&binary, b"{\n\"mgie\": \xff}").unwrap();
    let complaint = open(&binary).to_string();
    assert!(complaint.contains("binary.json: line 2: the text is not UTF-8"), "{complaint}");

    assert!(matches!(open(folder.path()).problem, DocumentProblem::Folder | DocumentProblem::Read(_)));
    assert!(matches!(open(&folder.path().join("none.json")).problem, DocumentProblem::Read(_)));
    fs::write(&binary, "").unwrap();
    assert!(open(&binary).to_string().contains("the file ends too early"));
}

#[test]
fn a_graph_is_saved_whole_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.json");
    let document = Document::parse(CANONICAL).unwrap();
    document.save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), CANONICAL);
    let opened = Document::open(&path).unwrap();
    assert_eq!(opened.document, document);
    assert_eq!(opened.folder, std::path::absolute(folder.path()).unwrap());
    assert!(document.save(&folder.path().join("none/graph.json")).is_err());
}

enum Chunk {
    Latin1,
    Compressed,
    International,
    Behind,
}

fn picture(path: &Path, chunk: Chunk, text: &str) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, 2, 1);
    encoder.set_color(png::ColorType::Grayscale);
    match chunk {
        Chunk::Latin1 => encoder.add_text_chunk(PNG_KEYWORD.to_owned(), text.to_owned()).unwrap(),
        Chunk::Compressed => encoder.add_ztxt_chunk(PNG_KEYWORD.to_owned(), text.to_owned()).unwrap(),
        Chunk::International => encoder.add_itxt_chunk(PNG_KEYWORD.to_owned(), text.to_owned()).unwrap(),
        Chunk::Behind => {}
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0, 255]).unwrap();
    if let Chunk::Behind = chunk {
        writer.write_text_chunk(&png::text_metadata::ITXtChunk::new(PNG_KEYWORD, text)).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_picture_that_carries_a_graph_opens_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edited.png");
    let plain = CANONICAL.replace(" 🌩", "");
    for (chunk, text) in [
        (Chunk::Latin1, plain.as_str()),
        (Chunk::Compressed, plain.as_str()),
        (Chunk::International, CANONICAL),
        (Chunk::Behind, CANONICAL),
    ] {
        picture(&path, chunk, text);
        assert_eq!(Document::open(&path).unwrap().document.to_text(), text);
    }
    picture(&path, Chunk::Latin1, "{\"mgie\": ");
    assert!(Document::open(&path).unwrap_err().to_string().contains("line 1"));
}

#[test]
fn a_picture_without_a_graph_or_cut_short_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    picture(&path, Chunk::International, CANONICAL);
    let whole = fs::read(&path).unwrap();
    for length in 8..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        // Cut behind the text chunk the graph is still whole; before it, there is an error and no panic.
        if let Err(error) = Document::open(&path) {
            assert!(matches!(error.problem, DocumentProblem::NoGraphInPng | DocumentProblem::Png(_)), "{error}");
        }
    }
    // A text that grows to 64 MiB when it is unpacked.
    picture(&path, Chunk::Compressed, &" ".repeat(64 << 20));
    assert!(matches!(Document::open(&path).unwrap_err().problem, DocumentProblem::Png(_)));
}

#[test]
fn the_schema_describes_graphs_and_refuses_what_the_reader_refuses() {
    let schema = serde_json::to_value(json_schema()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["required"], serde_json::json!(["mgie", "nodes"]));
    assert_eq!(schema["properties"]["mgie"]["maximum"], 1);
    let node = &schema["$defs"]["NodeEntry"];
    assert_eq!(node["required"], serde_json::json!(["type"]));
    assert_eq!(node["properties"]["type"]["minLength"], 1);
    assert!(schema["$defs"]["WireText"]["pattern"].is_string(), "{schema:#}");
}
