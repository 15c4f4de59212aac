//! The real binary where no plugin is installed: exit codes, what goes to which stream, files that are none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A folder with the binary alone in it, and the user's folders out of the way.
struct Bare {
    folder: TempDir,
    program: PathBuf,
}

impl Bare {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let program = folder.path().join("bin").join(format!("mgie{}", std::env::consts::EXE_SUFFIX));
        fs::copy(env!("CARGO_BIN_EXE_mgie"), &program).unwrap();
        Self { folder, program }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for name in ["MGIE_MODELS", "MGIE_PLUGIN_PATH", "MGIE_LOG"] {
            command.env_remove(name);
        }
        let home = self.folder.path();
        command.env("HOME", home).env("XDG_DATA_HOME", home.join("data")).env("XDG_CACHE_HOME", home.join("cache"));
        command.current_dir(home);
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command();
        let child = started(command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()));
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }
}

/// Starts a copy of the program that was just made. Another test that starts its own at that moment holds the copy open
/// for writing for as long as it takes, and the system runs no such file.
fn started(command: &mut Command) -> Child {
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::sleep(Duration::from_millis(5)),
            spawned => return spawned.unwrap(),
        }
    }
}

#[test]
fn what_cannot_be_understood_ends_with_2_and_help_with_0() {
    let bare = Bare::new();
    bare.write("g.json", r#"{ "mgie": 1, "nodes": {} }"#);
    for args in [
        &["frobnicate"][..],
        &["run"],
        &["edit", "photo.png"],
        &["run", "g.json", "--set", "a=b"],
        &["run", "g.json", "--save", "a.b="],
        &["run", "g.json", "--frames", "9-1"],
        &["run", "g.json", "--threads", "0"],
        &["run", "g.json", "--save", "a.b=-", "--json"],
        &["run", "g.json", "--save", "a.b=x.txt", "--save", "a.c=x.txt"],
        &["run", "g.json"],
        &["run", "g.json", "--only", "nobody"],
        &["run", "g.json", "--set", "nobody.x=1", "--only", "y"],
        &["edit", "photo.png", "x", "--graph", "g.json"],
        &["run", "g.json", "--models", "nowhere"],
        &["check", "nowhere.json"],
        &["nodes", "image.load"],
    ] {
        let (code, said, complained) = bare.run(args);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{args:?}: {complained}");
        assert!(complained.contains("error"), "{args:?}: {complained}");
    }
    for args in [&["--help"][..], &["--version"], &["help", "edit"], &["nodes"], &["check", "g.json"], &["models"]] {
        let (code, said, complained) = bare.run(args);
        assert_eq!((code, complained.as_str()), (Some(0), ""), "{args:?}");
        assert!(!said.is_empty(), "{args:?}");
    }
}

#[test]
fn an_edit_without_plugins_names_the_nodes_that_are_missing() {
    let bare = Bare::new();
    let (code, _, said) = bare.run(&["edit", "photo.png", "make it night", "--seed", "7"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no plugin with `clip.*` nodes is here") && said.contains("MGIE_PLUGIN_PATH"), "{said}");
    assert_eq!(fs::read_dir(bare.folder.path()).unwrap().count(), 2, "only bin and the cache are there");
}

#[test]
fn every_problem_goes_to_standard_error_and_with_json_as_objects_to_standard_output() {
    let bare = Bare::new();
    bare.write("g.json", r#"{ "mgie": 1, "nodes": { "a.b": { "type": "x.y" }, "c": { "type": "x.z" } } }"#);
    let (code, said, complained) = bare.run(&["check", "g.json", "--json"]);
    assert_eq!((code, complained.lines().count()), (Some(2), 3), "{complained}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["status"], "wrong");
    assert_eq!(report["errors"].as_array().unwrap().len(), 3);
    assert_eq!(report["errors"][0]["node"], "a.b");
    assert_eq!(report["errors"][0]["place"], "name");
    let (code, said, _) = bare.run(&["run", "g.json", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["status"]), (Some(2), &Value::from("wrong")));
    assert!(report["errors"][0]["message"].is_string());
}

#[test]
fn hundreds_of_problems_are_cut_short() {
    let bare = Bare::new();
    let nodes: Vec<String> = (0..3000).map(|index| format!(r#""n{index}": {{ "type": "x.y" }}"#)).collect();
    bare.write("g.json", &format!(r#"{{ "mgie": 1, "nodes": {{ {} }} }}"#, nodes.join(",")));
    let (code, _, complained) = bare.run(&["check", "g.json"]);
    assert_eq!((code, complained.lines().count()), (Some(2), 51));
    assert!(complained.ends_with("error: and 2950 more\n"));
}

#[test]
fn a_reader_that_has_had_enough_is_success() {
    let bare = Bare::new();
    let mut child = started(bare.command().args(["check", "--schema"]).stdout(Stdio::piped()));
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_had_enough_makes_no_success_of_a_failure() {
    let bare = Bare::new();
    bare.write("g.json", r#"{ "mgie": 1, "nodes": { "a": { "type": "x.y" } } }"#);
    for args in [["check", "g.json", "--json"], ["run", "g.json", "--json"]] {
        let mut command = bare.command();
        let mut child = started(command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()));
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("x.y"), "{args:?}");
    }
}

#[test]
fn the_schema_is_json_and_needs_no_graph() {
    let bare = Bare::new();
    let (code, said, _) = bare.run(&["check", "--schema"]);
    let schema: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &schema["title"]), (Some(0), &Value::from("mgie graph")));
}

#[test]
fn a_library_that_is_none_is_a_warning_and_not_the_end() {
    let bare = Bare::new();
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let name = format!("{prefix}mgie_clip_plugin{suffix}");
    bare.write(&format!("bin/{name}"), "no library");
    let (code, _, complained) = bare.run(&["nodes"]);
    assert_eq!((code, complained.lines().count()), (Some(0), 1), "{complained}");
    assert!(complained.starts_with("warning: the plugin ") && complained.contains(&name), "{complained}");
    bare.write("g.json", r#"{ "mgie": 1, "nodes": { "c": { "type": "clip.encode_image" } } }"#);
    let (code, _, complained) = bare.run(&["check", "-q", "g.json"]);
    assert_eq!((code, complained.lines().count()), (Some(2), 1), "{complained}");
    assert!(complained.contains(&name) && complained.contains("was refused"), "{complained}");
}

#[test]
fn a_damaged_memory_of_manifests_does_no_harm() {
    let bare = Bare::new();
    fs::create_dir_all(bare.folder.path().join("cache/mgie")).unwrap();
    bare.write("cache/mgie/plugins.json", "{ half");
    assert_eq!(bare.run(&["nodes"]).0, Some(0));
    fs::remove_dir_all(bare.folder.path().join("cache")).unwrap();
    bare.write("cache", "a file where a folder should be");
    assert_eq!(bare.run(&["nodes"]).0, Some(0));
}

#[test]
fn models_says_where_it_looked_and_what_the_environment_names() {
    let bare = Bare::new();
    let (_, said, _) = bare.run(&["models"]);
    assert!(said.contains("there is no models folder") && said.contains("share/mgie/small"), "{said}");
    fs::create_dir(bare.folder.path().join("weights")).unwrap();
    let mut command = bare.command();
    let output = started(command.args(["models", "--json"]).env("MGIE_MODELS", "weights").stdout(Stdio::piped()));
    let output = output.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["origin"], "environment");
    assert!(report["folder"].as_str().unwrap().ends_with("weights"));
}

#[test]
fn what_is_muted_is_left_alone_and_what_needs_it_is_told_its_name() {
    let bare = Bare::new();
    bare.write("g.json", r#"{ "mgie": 1, "nodes": { "a": { "type": "x.y", "off": "mute" } } }"#);
    let (code, said, complained) = bare.run(&["check", "g.json"]);
    assert_eq!((code, complained.lines().count()), (Some(0), 1), "{said}{complained}");
    assert!(complained.starts_with("warning: node `a`, type: "), "{complained}");
    let (code, _, complained) = bare.run(&["run", "g.json"]);
    assert_eq!(code, Some(2));
    assert!(complained.contains("nothing to do"), "{complained}");
    let (code, _, complained) = bare.run(&["run", "g.json", "--only", "a"]);
    assert_eq!(code, Some(2));
    assert!(complained.contains("node `a`, name: expected a node that is on, found one that is muted"), "{complained}");
    bare.write("g.json", r#"{ "mgie": 1, "nodes": { "a": { "type": "x.y", "off": "perhaps" } } }"#);
    let (code, _, complained) = bare.run(&["check", "g.json"]);
    assert_eq!(code, Some(2));
    assert!(complained.contains("node `a`: `off` is \"mute\" or \"bypass\", or left out"), "{complained}");
}
