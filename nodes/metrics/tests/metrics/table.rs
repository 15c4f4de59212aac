//! `metrics.table`.

use crate::goldens::{image, number, root, run};
use crate::sets::{edits, scenes};
use mgie_image::picture::Picture;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Failure, FailureKind, Outputs, Value};
use mgie_training::dataset::Dataset;
use std::collections::HashMap;
use std::path::Path;

fn parameters(changes: Json) -> Json {
    let mut all = json!({
        "names": "", "size": 128, "count": 0, "clip": "", "dino": "", "lpips": "", "csv": "", "markdown": "",
        "device": "cpu"
    });
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

fn table(set: &Path, methods: &[&Path], changes: Json) -> Result<Outputs, Failure> {
    let path = |path: &Path| Value::text(path.display().to_string());
    let sockets: Vec<String> = (1..=methods.len()).map(|number| format!("method_{number}")).collect();
    let mut inputs = vec![("dataset", path(set))];
    inputs.extend(sockets.iter().map(String::as_str).zip(methods.iter().map(|method| path(method))));
    run("metrics.table", parameters(changes), inputs)
}

/// The numbers of the CSV: (family, method) → column → what stands there.
fn cells(outputs: &Outputs) -> HashMap<(String, String), HashMap<String, String>> {
    let text = outputs.get("csv").and_then(Value::as_text).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let heading = lines.next().unwrap();
    let row = |fields: Vec<String>| {
        let key = (fields[0].clone(), fields[1].clone());
        (key, heading.iter().cloned().zip(fields).collect())
    };
    lines.map(row).collect()
}

fn half_way(source: Picture, goal: Picture) -> Picture {
    let samples = source.samples.iter().zip(&goal.samples).map(|(a, b)| ((a + b) * 127.5).round() / 255.0).collect();
    Picture { samples, bit_depth: 8, ..source }
}

#[test]
fn the_means_are_those_of_the_single_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 11);
    let half = edits(&folder.path().join("half"), &set, half_way, |_, _| None);
    let clip = root().join("tests/miniature/clip-vit-large-patch14");
    let found = cells(&table(&set, &[&half], json!({ "clip": clip })).unwrap());

    let opened = Dataset::open(&set).unwrap();
    let mut sums: HashMap<(&str, &str), f64> = HashMap::new();
    for (index, entry) in opened.entries().iter().enumerate() {
        let pair = opened.pair(index, 128).unwrap();
        let on_wire = |picture: &Picture| image(&[128, 128, 3], picture.samples.clone(), 8);
        let goal = || on_wire(&pair.goal);
        let half = half_way(pair.source.clone(), pair.goal.clone());
        for (method, picture) in [("copy the input", &pair.source), ("half", &half)] {
            let inputs = || vec![("image", on_wire(picture)), ("goal", goal())];
            let compared = run("metrics.compare", json!({}), inputs()).unwrap();
            for metric in ["l1", "l2", "psnr", "ssim"] {
                *sums.entry((method, metric)).or_default() += number(&compared, metric);
            }
            let model = || json!({ "model": clip, "device": "cpu" });
            let cvs = number(&run("metrics.cvs", model(), inputs()).unwrap(), "similarity");
            *sums.entry((method, "cvs")).or_default() += cvs;
            let caption = Value::text(entry.goal_caption.clone().unwrap());
            let cts = run("metrics.cts", model(), vec![("image", on_wire(picture)), ("text", caption)]).unwrap();
            *sums.entry((method, "cts")).or_default() += number(&cts, "similarity");
        }
    }
    for ((method, metric), sum) in sums {
        let expected = sum / 11.0;
        let found: f64 = found[&("all".to_owned(), method.to_owned())][metric].parse().unwrap();
        assert!((found - expected).abs() < 1e-5, "{method}: {metric} is {found}, expected {expected}");
    }
}

#[test]
fn a_perfect_method_has_no_distance_and_a_copy_the_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 5);
    let perfect = edits(&folder.path().join("perfect"), &set, |_, goal| goal, |_, _| None);
    let copy = edits(&folder.path().join("lazy"), &set, |source, _| source, |_, _| None);
    let (csv, markdown) = (folder.path().join("out.csv"), folder.path().join("out.md"));
    let outputs =
        table(&set, &[&perfect, &copy], json!({ "names": "MGIE", "csv": csv, "markdown": markdown })).unwrap();
    let found = cells(&outputs);
    let of = |method: &str| found[&("all".to_owned(), method.to_owned())].clone();
    assert_eq!(
        (of("MGIE")["l1"].as_str(), of("MGIE")["ssim"].as_str(), of("MGIE")["psnr"].as_str()),
        ("0", "1", "100")
    );
    assert_eq!((of("MGIE")["pairs"].as_str(), of("MGIE")["l1_of_copy"].as_str()), ("5", "0"));
    let (mut lazy, mut input) = (of("lazy"), of("copy the input"));
    lazy.remove("method");
    input.remove("method");
    assert_eq!(lazy, input);
    assert_eq!(of("lazy")["named"], "");
    for (file, socket) in [(csv, "csv"), (markdown, "markdown")] {
        let text = outputs.get(socket).and_then(Value::as_text).unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    }
    let means = outputs.get("markdown").and_then(Value::as_text).unwrap();
    assert!(means.contains("| MGIE | 0.0000 | 0 % |"), "{means}");
}

#[test]
fn texts_that_name_what_only_the_picture_shows_are_counted_and_missing_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 24);
    let asked: Vec<bool> = Dataset::open(&set)
        .unwrap()
        .entries()
        .iter()
        .map(|entry| entry.notes.as_ref().is_some_and(|notes| !notes.key.is_empty()))
        .collect();
    let must_see: Vec<usize> = (0..24).filter(|index| asked[*index]).collect();
    assert!(must_see.len() >= 3, "the set has scenes with key words");
    let method = |name: &str, texts: &dyn Fn(usize, &str) -> Option<String>| {
        edits(&folder.path().join(name), &set, |source, _| source, texts)
    };
    let right = method("right", &|_, expressive| Some(expressive.to_uppercase()));
    let vague = method("vague", &|_, _| Some("something changes".into()));
    let first = method("first", &|index, expressive| (index == must_see[0]).then(|| expressive.to_owned()));
    let found = cells(&table(&set, &[&right, &vague, &first], json!({})).unwrap());
    let named = |family: &str, method: &str| found[&(family.to_owned(), method.to_owned())]["named"].clone();
    assert_eq!((named("must_see", "right"), named("must_see", "vague")), ("1".into(), "0".into()));
    let share: f64 = named("must_see", "first").parse().unwrap();
    assert!((share - 1.0 / must_see.len() as f64).abs() < 1e-12, "{share} of {}", must_see.len());
    assert_eq!(named("global", "right"), "");
}

#[test]
fn what_is_wrong_with_an_edit_is_told_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 3);
    let method = edits(&folder.path().join("m"), &set, |source, _| source, |_, _| None);
    let name = Dataset::open(&set).unwrap().entries()[1].name.clone();
    let file = method.join(format!("{name}.png"));
    let told = |changes: Json| {
        let failure = table(&set, &[&method], changes).unwrap_err();
        assert!(failure.kind == FailureKind::File && !failure.remedy.is_empty(), "{failure}");
        failure
    };
    let whole = std::fs::read(&file).unwrap();
    for (bytes, words) in [(&whole[..whole.len() / 2], "PNG"), (b"not a picture".as_slice(), "not a PNG")] {
        std::fs::write(&file, bytes).unwrap();
        let failure = told(json!({}));
        assert!(failure.place == file.display().to_string() && failure.message.contains(words), "{failure}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(told(json!({})).message.contains("missing"));
    table(&set, &[&method], json!({ "count": 1 })).unwrap();
    std::fs::write(&file, whole).unwrap();
    let failure = told(json!({ "size": 64 }));
    assert!(failure.found == "128×128" && failure.remedy.contains("size"), "{failure}");
    std::fs::write(method.join("edits.json"), "{").unwrap();
    assert!(told(json!({})).place.ends_with("edits.json"));
    std::fs::remove_file(method.join("edits.json")).unwrap();
    table(&set, &[&method], json!({})).unwrap();
}

#[test]
fn what_is_wrong_with_the_folders_is_told_before_anything_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 2);
    let method = edits(&folder.path().join("m"), &set, |source, _| source, |_, _| None);
    let failure = table(&set, &[&folder.path().join("none")], json!({})).unwrap_err();
    assert!(failure.place.ends_with("none") && failure.message.contains("no such folder"), "{failure}");
    let failure = table(&set, &[&method, &method], json!({})).unwrap_err();
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Parameter, "names"), "{failure}");
    table(&set, &[&method, &method], json!({ "names": "a, b" })).unwrap();
    let nowhere = folder.path().join("none/out.csv");
    let failure = table(&set, &[&method], json!({ "csv": nowhere })).unwrap_err();
    assert!(failure.kind == FailureKind::File && failure.place.contains("none"), "{failure}");
    assert!(table(folder.path().join("nothing").as_path(), &[], json!({})).is_err());
}

#[test]
fn a_cancelled_table_ends_as_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 2);
    let inputs = vec![("dataset".to_owned(), Value::text(set.display().to_string()))];
    let run = crate::goldens::cancelled(parameters(json!({})), inputs);
    assert!(mgie_metrics::plugin().definition("metrics.table").unwrap().run(&run).unwrap_err().is_cancelled());
}
