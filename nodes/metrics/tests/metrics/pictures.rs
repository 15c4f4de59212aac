//! `metrics.compare`.

use crate::goldens::{facts, image, number, picture, run};
use mgie_metrics::pixels::MOST_PSNR;
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Failure, FailureKind, Outputs, Value};

fn compare(a: Value, b: Value) -> Result<Outputs, Failure> {
    run("metrics.compare", json!({}), vec![("image", a), ("goal", b)])
}

#[test]
fn every_distance_of_every_pair_is_numpys_and_scikit_images() {
    let facts = facts();
    for (name, expected) in facts["pairs"].as_object().unwrap() {
        let found = compare(picture(&format!("pair.{name}.image")), picture(&format!("pair.{name}.goal"))).unwrap();
        for metric in ["l1", "l2", "psnr", "ssim"] {
            // scikit-image's PSNR of equal pictures is infinite.
            let expected = expected[metric].as_f64().unwrap_or(MOST_PSNR);
            let found = number(&found, metric);
            let off = (found - expected).abs();
            assert!(off <= 1e-6 * expected.abs().max(1e-2), "{name}: {metric} is {found}, expected {expected}");
        }
    }
}

#[test]
fn grey_is_repeated_and_alpha_not_looked_at() {
    let samples: Vec<f32> = (0..64).map(|n| (n as f32 * 3.0) / 255.0).collect();
    let grey = image(&[8, 8, 1], samples.clone(), 8);
    let rgba = image(&[8, 8, 4], samples.iter().flat_map(|&v| [v, v, v, 0.2]).collect(), 8);
    let found = compare(grey, rgba).unwrap();
    assert_eq!((number(&found, "l1"), number(&found, "ssim")), (0.0, 1.0));
}

#[test]
fn linear_light_is_encoded_for_display_first() {
    let linear = image(&[8, 8, 3], vec![0.214_041_14; 192], 32);
    let found = compare(linear, image(&[8, 8, 3], vec![0.5; 192], 16)).unwrap();
    assert!(number(&found, "l1") < 1e-6, "sRGB's 0.5, found {} off", number(&found, "l1"));
}

#[test]
fn pictures_of_other_sizes_are_refused_with_both_sizes() {
    let failure = compare(image(&[9, 8, 3], vec![0.0; 216], 8), image(&[8, 9, 3], vec![0.0; 216], 8)).unwrap_err();
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Input, "image"));
    assert!(failure.found.contains("8×9 against 9×8") && !failure.remedy.is_empty(), "{failure}");
}

#[test]
fn pictures_smaller_than_the_window_and_numbers_that_are_none_are_refused() {
    let small = || image(&[6, 9, 3], vec![0.0; 162], 8);
    assert!(compare(small(), small()).unwrap_err().found.contains("9×6"));
    let mut samples = vec![0.0; 192];
    samples[5] = f32::NAN;
    let failure = compare(image(&[8, 8, 3], vec![0.0; 192], 16), image(&[8, 8, 3], samples, 16)).unwrap_err();
    assert_eq!(failure.place, "goal");
    assert!(failure.found.contains("NaN at column 1, row 0, channel 2"), "{failure}");
}
