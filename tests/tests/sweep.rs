//! `mgie run --sweep` through the real binary: parameters side by side on one sheet.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_tests::{Begun, mgie, repository, stderr, stdout};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;

fn graph() -> String {
    repository().join("graphs/mgie.json").display().to_string()
}

/// Width and height, from the header of a PNG.
fn size(png: &Path) -> (u32, u32) {
    let bytes = std::fs::read(png).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

fn names(nodes: &Value, outcome: &str) -> Vec<String> {
    let nodes = nodes.as_array().unwrap().iter().filter(|node| node["outcome"] == outcome);
    nodes.map(|node| node["node"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn guidance_against_image_guidance_on_one_sheet_runs_the_shared_stages_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = mgie(folder.path())
        .args(["run", &graph(), "--set", "denoise.steps=2", "--json", "--save-sheet", "sheet.png"])
        .args(["--sweep", "denoise.guidance=5,7.5,10", "--sweep", "denoise.image_guidance=1.2,1.8"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["status"], &report["output"]), (&json!("done"), &json!("vae_decode.image")));
    assert_eq!(report["rows"], json!({ "node": "denoise", "parameter": "image_guidance", "values": [1.2, 1.8] }));
    let cells = report["cells"].as_array().unwrap();
    let places: Vec<_> = cells.iter().map(|cell| (cell["column"].as_u64(), cell["row"].as_u64())).collect();
    let expected = [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)];
    assert_eq!(places, expected.map(|(column, row)| (Some(column), Some(row))));
    assert_eq!(cells[4]["labels"], json!(["guidance 7.5", "image guidance 1.8"]));
    assert_eq!(cells[4]["settings"], json!({ "denoise.guidance": 7.5, "denoise.image_guidance": 1.8 }));
    assert_eq!(names(&cells[0]["nodes"], "ran").len(), 9, "every node but the one that saves: {}", cells[0]);
    for cell in &cells[1..] {
        assert_eq!(names(&cell["nodes"], "ran"), ["denoise", "vae_decode"], "{}", cell["labels"]);
    }
    // Nothing is written but the sheet; edited.png would lie beside the graph.
    assert_eq!(report["saved"].as_array().unwrap().len(), 1);
    let (width, height) = size(&folder.path().join("sheet.png"));
    assert!(width > 3 * 96 && height > 2 * 64, "found {width}×{height}");

    // It tells what it shows.
    let checked = mgie(folder.path()).args(["check", "sheet.png", "--json"]).output().unwrap();
    let checked: Value = serde_json::from_str(&stdout(&checked)).unwrap();
    let axis = |parameter: &str, values: Value| json!({ "node": "denoise", "parameter": parameter, "values": values });
    let (columns, rows) = (axis("guidance", json!([5.0, 7.5, 10.0])), axis("image_guidance", json!([1.2, 1.8])));
    let expected = json!({ "output": "vae_decode.image", "per_row": 3, "columns": columns, "rows": rows });
    assert_eq!(checked["sweep"], expected);

    // The sheet carries the graph that was swept, and opens as it.
    let again = mgie(folder.path())
        .args(["run", "sheet.png", "--sweep", "denoise.guidance=5", "--save-sheet", "again.png"])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(stderr(&again).contains("wrote again.png"), "{}", stderr(&again));
}

#[test]
fn a_cell_that_fails_is_named_and_the_sheet_is_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let graph = json!({ "mgie": 1, "nodes": {
        "colour": { "type": "image.constant", "params": { "width": 100, "height": 80 } },
        "crop": { "type": "image.center_crop", "params": { "width": 64, "height": 64 }, "inputs": { "image": "colour.image" } },
    } });
    std::fs::write(folder.path().join("g.json"), graph.to_string()).unwrap();
    let run = |arguments: &[&str]| {
        let output = mgie(folder.path()).args(["run", "g.json"]).args(arguments).output().unwrap();
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, told, said) =
        run(&["--sweep", "crop.width=64,101,100", "--save-sheet", "sheet.png", "--sheet-cell", "120", "--json"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: width 101: node `crop` (image.center_crop)"), "{said}");
    let report: Value = serde_json::from_str(&told).unwrap();
    let states: Vec<_> = report["cells"].as_array().unwrap().iter().map(|cell| cell["status"].as_str()).collect();
    assert_eq!(states, [Some("done"), Some("failed"), Some("done")]);
    assert_eq!(report["status"], "failed");
    assert_eq!(report["cells"][1]["errors"][0]["node"], "crop");
    // Three cells as wide as may be, for the words of the one that failed, with space around them.
    assert_eq!(size(&folder.path().join("sheet.png")).0, 8 + 3 * (120 + 8));
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_writes_the_sheet_of_what_is_done_and_ends_with_130() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", &graph(), "--json", "--save-sheet", "sheet.png", "--sweep", "denoise.steps=1,1000,2"];
    let mut run = Begun::new(mgie(folder.path()).args(arguments).stdout(Stdio::piped()));
    // Once for the first cell, once for the second.
    run.denoises();
    run.denoises();
    run.interrupt();
    let (code, said) = run.end();
    assert_eq!(code, Some(130), "{said:?}");
    let report: Value = serde_json::from_reader(run.child.stdout.take().unwrap()).unwrap();
    assert_eq!((&report["status"], said.last().map(String::as_str)), (&json!("interrupted"), Some("interrupted")));
    let told = "interrupted after 1 of 3 cells; the sheet marks the others as not run";
    assert!(report["warnings"].as_array().unwrap().contains(&json!(told)), "{}", report["warnings"]);
    assert!(report["saved"][0]["path"].as_str().unwrap().ends_with("sheet.png"), "{}", report["saved"]);
    let states: Vec<_> = report["cells"].as_array().unwrap().iter().map(|cell| cell["status"].as_str()).collect();
    assert_eq!(states, [Some("done"), Some("interrupted"), Some("not_run")]);
    assert_eq!(report["cells"][2]["settings"], json!({ "denoise.steps": 2 }));
    let (width, _) = size(&folder.path().join("sheet.png"));
    assert!(width > 3 * 96, "there is room for every cell: {width}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_leaves_the_sheet_of_an_earlier_one_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("sheet.png");
    std::fs::write(&sheet, "an earlier sheet").unwrap();
    let arguments = ["run", &graph(), "--save-sheet", "sheet.png", "--sweep", "denoise.steps=1,1000"];
    let mut run = Begun::new(mgie(folder.path()).args(arguments));
    run.denoises();
    run.denoises();
    run.interrupt();
    let (code, said) = run.end();
    assert_eq!(code, Some(130), "{said:?}");
    assert_eq!(std::fs::read_to_string(&sheet).unwrap(), "an earlier sheet");
    assert!(size(&folder.path().join("sheet-partial.png")).0 > 96, "{said:?}");
    assert!(said.iter().any(|line| line.contains("sheet-partial.png")), "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_sweep_that_is_interrupted_before_its_first_cell_is_done_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", &graph(), "--save-sheet", "sheet.png", "--sweep", "denoise.steps=1000,2"];
    let mut run = Begun::new(mgie(folder.path()).args(arguments));
    run.denoises();
    run.interrupt();
    let (code, said) = run.end();
    assert_eq!(code, Some(130), "{said:?}");
    assert!(said.iter().any(|line| line.contains("after 0 of 2 cells; no sheet was written")), "{said:?}");
    assert!(!folder.path().join("sheet.png").exists());
}

#[test]
fn a_sweep_that_means_nothing_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let output = mgie(folder.path()).args(["run", &graph()]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        stderr(&output)
    };
    let sheet = ["--save-sheet", "sheet.png"];
    for (arguments, expected) in [
        (vec!["--sweep", "denoise.guidance=1,2"], "add --save-sheet FILE"),
        (vec!["--sweep", "denoise.guidnce=1,2"], "did you mean `guidance`?"),
        (vec!["--sweep", "denoise.steps=1,many"], "expected a whole number"),
        (vec!["--sweep", "denoise.seed=1..1000"], "more than the 400"),
        (vec!["--sweep", "denoise.seed=1,2", "--sweep", "denoise.seed=3"], "swept twice"),
        (vec!["--sweep", "denoise.seed=1,2", "--sweep-output", "clip.features"], "expected a picture"),
        (vec!["--sweep", "denoise.seed=1,2", "--only", "result"], "and would be lost"),
        (vec!["--sweep", "denoise.seed=1,2", "--set", "unet.model=none"], "node `unet`"),
    ] {
        let sheet = if expected.contains("--save-sheet") { &[][..] } else { &sheet[..] };
        let said = told(&[&arguments[..], sheet].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let photo = repository().join("graphs/photos/landscape.png").display().to_string();
    let said = told(&["--sweep", "denoise.seed=1,2", "--save-sheet", &photo]);
    assert!(said.contains("is read by node `photo`"), "{said}");
    assert!(!folder.path().join("sheet.png").exists());
}
