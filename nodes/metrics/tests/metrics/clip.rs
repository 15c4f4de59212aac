//! `metrics.cvs` and `metrics.cts` against transformers' `get_image_features` and `get_text_features` on the miniature.

use crate::goldens::{facts, image, landscape, number, picture, root, run};
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{FailureKind, Value};

fn parameters() -> Json {
    json!({ "model": root().join("tests/miniature/clip-vit-large-patch14"), "device": "cpu" })
}

#[test]
fn the_similarity_of_two_pictures_is_that_of_get_image_features() {
    let inputs = vec![("image", picture("pair.blurred.goal")), ("goal", picture("pair.equal.goal"))];
    let found = number(&run("metrics.cvs", parameters(), inputs).unwrap(), "similarity");
    let expected = facts()["cvs"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-5, "found {found}, expected {expected}");
}

#[test]
fn the_similarity_of_picture_and_text_is_that_of_get_text_features() {
    let facts = facts();
    for (text, expected) in facts["captions"].as_array().unwrap().iter().zip(facts["cts"].as_array().unwrap()) {
        let inputs = vec![("image", landscape()), ("text", Value::text(text.as_str().unwrap()))];
        let found = number(&run("metrics.cts", parameters(), inputs).unwrap(), "similarity");
        let expected = expected.as_f64().unwrap();
        assert!((found - expected).abs() < 1e-5, "{text}: found {found}, expected {expected}");
    }
}

#[test]
fn a_folder_of_one_tower_says_what_it_lacks() {
    let parameters = json!({ "model": root().join("tests/miniature/instruct-pix2pix/text_encoder"), "device": "cpu" });
    let grey = || image(&[8, 8, 3], vec![0.5; 192], 8);
    let failure = run("metrics.cvs", parameters, vec![("image", grey()), ("goal", grey())]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::File, "{failure}");
    assert!(failure.place.contains("text_encoder"), "{failure}");
}
