//! The door itself, through libraries that were really built and opened: an older plugin, one of another major version,
//! a file that is no plugin, and one that breaks every rule.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_plugin_api::host::{NodeHost, OpenError, OpenPlugin};
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{FailureKind, Level, Tensor, Value, kind};
use mgie_tests::test_plugin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
struct QuietHost {
    cancelled: AtomicBool,
}

impl NodeHost for QuietHost {
    fn progress(&self, _done: u64, _total: u64, _label: &str) {
        // The first sign of life is answered by a cancellation.
        self.cancelled.store(true, Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
    fn log(&self, _level: Level, _message: &str) {}
    fn threads(&self) -> usize {
        1
    }
}

#[test]
fn a_plugin_of_an_older_plugin_api_loads_and_runs() {
    let plugin = OpenPlugin::open(&test_plugin("older")).unwrap();
    assert_eq!(plugin.manifest().unwrap().nodes[0].id, "older.pass");
    let node = plugin.create("older.pass", Arc::new(QuietHost::default())).unwrap();
    let tensor = Tensor::from_f32([2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    let address = tensor.f32().unwrap().as_ptr();
    let outputs = node.run(json!({}), vec![("value".into(), Value::tensor(kind::TENSOR, json!({}), tensor))]).unwrap();
    let passed = outputs[0].1.as_tensor().unwrap();
    assert_eq!(passed.f32().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(passed.f32().unwrap().as_ptr(), address, "the tensor was copied on its way through the plugin");
    assert_eq!(outputs[1].1.as_text(), Some("plugin-api 1.0"));
}

#[test]
fn a_wrong_major_version_is_refused_in_one_readable_line() {
    let path = test_plugin("wrong_major");
    let error = OpenPlugin::open(&path).unwrap_err();
    assert_eq!(error, OpenError::Version { path: path.display().to_string(), found: [2, 0] });
    let line = error.to_string();
    assert!(line.ends_with("built for plugin-api 2.0, this host speaks 1.2; update mgie"), "found: {line}");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn a_file_that_is_no_library_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libnot_plugin.so");
    std::fs::write(&path, b"this is text").unwrap();
    let line = OpenPlugin::open(&path).unwrap_err().to_string();
    assert!(line.contains("libnot_plugin.so") && line.lines().count() == 1, "found: {line}");
}

#[test]
fn a_panic_in_a_node_is_a_fault_with_its_place_and_the_plugin_goes_on() {
    let plugin = OpenPlugin::open(&test_plugin("faulty")).unwrap();
    let run = |how: &str| {
        plugin.create("test.faulty", Arc::new(QuietHost::default())).unwrap().run(json!({ "how": how }), vec![])
    };
    let failure = run("panic").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Fault);
    assert!(
        failure.message.contains("faulty/src/lib.rs") && failure.message.contains("the node lost its nerve"),
        "found: {failure}"
    );
    assert!(run("none").is_ok());
    assert_eq!(run("error").unwrap_err().to_string(), "it cannot be done; ask for something else");
    assert!(run("wait").unwrap_err().is_cancelled());
}

#[test]
fn an_unknown_node_type_is_an_error_and_not_a_panic() {
    let plugin = OpenPlugin::open(&test_plugin("faulty")).unwrap();
    let error = plugin.create("test.nobody", Arc::new(QuietHost::default())).unwrap_err();
    assert_eq!(error.to_string(), "plugin `faulty` has no node `test.nobody`");
}
