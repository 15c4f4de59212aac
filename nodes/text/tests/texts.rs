//! Texts in the graph and in files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, Object, Outputs, Run, Value};
use std::fs;
use std::path::Path;

struct NoHost;
impl Extensible for NoHost {
    fn extension(&self, _id: &str) -> Option<Extension> {
        None
    }
}

/// Runs the node `id` with `parameters` over its defaults.
fn run(id: &str, parameters: Json, inputs: Vec<(&str, Value)>) -> Result<Outputs, Failure> {
    let plugin = mgie_text_plugin::plugin();
    let definition = plugin.definition(id).unwrap();
    let mut all = Json::Object(Default::default());
    for parameter in &definition.description().parameters {
        all[&parameter.id] = parameter.domain.default_json();
    }
    all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    definition.run(&Run::new(all, inputs, &Object::new(NoHost)))
}

fn text(outputs: &Outputs) -> String {
    outputs.get("text").unwrap().as_text().unwrap().to_owned()
}

fn load(path: &Path, trim: bool) -> String {
    text(&run("text.load", json!({ "path": path, "trim": trim }), vec![]).unwrap())
}

#[test]
fn a_constant_is_the_text_as_it_is() {
    let written = "  mach den Himmel \"düster\" 🌩\nund still  ";
    assert_eq!(text(&run("text.constant", json!({ "text": written }), vec![]).unwrap()), written);
    assert_eq!(text(&run("text.constant", json!({}), vec![]).unwrap()), "");
    let long = "sky ".repeat(2500);
    assert_eq!(text(&run("text.constant", json!({ "text": long }), vec![]).unwrap()), long);
}

#[test]
fn what_is_saved_is_loaded_again_to_the_letter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    for written in ["", "make it stormy", " zwei  Leerzeichen,\nein Zeilenende\n", "🌩\u{0}ü"] {
        let outputs = run("text.save", json!({ "path": path }), vec![("text", Value::text(written))]).unwrap();
        assert_eq!(outputs.get("path").unwrap().as_text(), path.to_str());
        assert_eq!(fs::read(&path).unwrap(), written.as_bytes());
        assert_eq!(load(&path, false), written);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_editors_add_is_no_part_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "\u{FEFF}make it\r\nstormy\r\n").unwrap();
    assert_eq!(load(&path, true), "make it\nstormy");
    assert_eq!(load(&path, false), "make it\nstormy\n");
}

#[test]
fn files_that_are_no_text_are_told_with_their_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    let told = |path: &Path| run("text.load", json!({ "path": path }), vec![]).unwrap_err().to_string();
    assert!(told(&path).contains("there is no such file; check the path"));
    assert!(told(folder.path()).contains("this is a folder"));
    fs::write(&path, [b'a', 0xE9, b'b']).unwrap();
    assert!(told(&path).contains("not UTF-8 from byte 1 on; name a text file, or save it as UTF-8"));
    fs::write(&path, [0xFF, 0xFE, b'a', 0]).unwrap();
    assert!(told(&path).contains("UTF-16; save it as UTF-8"));
    fs::write(&path, vec![b'a'; (1 << 20) + 1]).unwrap();
    assert!(told(&path).contains("1048577 bytes, the limit is 1048576"));
}

#[test]
fn a_text_that_cannot_be_saved_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path, value: Value| {
        run("text.save", json!({ "path": path }), vec![("text", value)]).unwrap_err().to_string()
    };
    assert!(refused(&folder.path().join("none/a.txt"), Value::text("a")).contains("none is not there; make it first"));
    assert!(refused(folder.path(), Value::text("a")).contains("this is a folder"));
    let failure = refused(&folder.path().join("a.txt"), Value::number(1.0));
    assert!(failure.contains("input `text`: expected text, found number"), "{failure}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
