//! `metrics.contact_sheet`.

use crate::goldens::run;
use crate::sets::{edits, scenes};
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Failure, Outputs, Value};
use mgie_training::dataset::Dataset;
use std::path::Path;

fn sheet(set: &Path, methods: &[&Path], count: usize) -> Result<Outputs, Failure> {
    let path = |path: &Path| Value::text(path.display().to_string());
    let sockets: Vec<String> = (1..=methods.len()).map(|number| format!("method_{number}")).collect();
    let mut inputs = vec![("dataset", path(set))];
    inputs.extend(sockets.iter().map(String::as_str).zip(methods.iter().map(|method| path(method))));
    run(
        "metrics.contact_sheet",
        json!({ "names": "InsPix2Pix, MGIE", "size": 128, "count": count, "cell": 128 }),
        inputs,
    )
}

#[test]
fn every_picture_of_the_first_pairs_is_on_the_sheet() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 4);
    let copy = edits(&folder.path().join("a"), &set, |source, _| source, |_, _| None);
    let perfect = edits(&folder.path().join("b"), &set, |_, goal| goal, |_, text| Some(text.to_owned()));
    let outputs = sheet(&set, &[&copy, &perfect], 3).unwrap();
    let image = outputs.get("image").and_then(Value::as_image).unwrap();
    assert_eq!((image.width, image.channels, image.bit_depth), (4 * 136 + 8, 3, 8));
    if let Some(path) = std::env::var_os("MGIE_SHEET") {
        let picture = mgie_image::picture::Picture::from_wire(&image);
        let png = mgie_image::encode::encode(picture, mgie_image::encode::Format::Png, None, 0, &[]).unwrap();
        std::fs::write(path, png).unwrap();
    }
    // The first row of each picture is looked for in its column.
    let opened = Dataset::open(&set).unwrap();
    for index in 0..4 {
        let pair = opened.pair(index, 128).unwrap();
        for (column, picture) in [&pair.source, &pair.source, &pair.goal, &pair.goal].into_iter().enumerate() {
            let left = (8 + column * 136) * 3;
            let mut rows = image.pixels().chunks_exact(image.width * 3);
            let found = rows.any(|row| row[left..left + 128 * 3] == picture.samples[..128 * 3]);
            assert_eq!(found, index < 3, "pair {index}, column {column}");
        }
    }
}

#[test]
fn more_pairs_than_the_set_has_are_all_of_them_and_a_missing_edit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let set = scenes(folder.path(), 2);
    sheet(&set, &[], 1000).unwrap();
    let method = edits(&folder.path().join("a"), &set, |source, _| source, |_, _| None);
    let name = Dataset::open(&set).unwrap().entries()[0].name.clone();
    std::fs::remove_file(method.join(format!("{name}.png"))).unwrap();
    let failure = sheet(&set, &[&method], 2).unwrap_err();
    assert!(failure.place.ends_with(&format!("{name}.png")) && failure.message.contains("InsPix2Pix"), "{failure}");
}
