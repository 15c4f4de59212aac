//! The nodes that make pictures out of pictures: resize, centre crop, constant and merge.

use crate::running::{noise, picture, run};
use mgie_image::picture::Picture;
use mgie_plugin_api::serde_json::{Value as Json, json};

fn changed(id: &str, parameters: Json, image: &Picture) -> Picture {
    picture(&run(id, parameters, vec![("image", image.clone().into_value().unwrap())]).unwrap(), "image")
}

fn refused(id: &str, parameters: Json, image: &Picture) -> String {
    run(id, parameters, vec![("image", image.clone().into_value().unwrap())]).unwrap_err().to_string()
}

#[test]
fn every_fit_gives_the_size_it_promises() {
    let image = noise(40, 30, 3, 8);
    for (fit, expected) in [("stretch", (16, 20)), ("inside", (16, 12)), ("cover", (16, 20)), ("short_side", (21, 16))]
    {
        let found = changed("image.resize", json!({ "width": 16, "height": 20, "fit": fit }), &image);
        assert_eq!((found.width, found.height), expected, "{fit}");
        assert_eq!(found.bit_depth, 8);
        assert!(found.samples.iter().all(|&v| v == (v * 255.0).round() / 255.0), "8 bits stay n/255");
    }
}

#[test]
fn a_resize_keeps_16_bits_in_range_and_floats_unclamped() {
    let checks = |bit_depth: u8| {
        let samples = (0..64 * 3).map(|i| if i / 24 % 2 == 0 { 0.0 } else { 1.0 }).collect();
        let image = Picture { width: 8, height: 8, channels: 3, bit_depth, samples };
        let found = changed("image.resize", json!({ "width": 8, "height": 19, "filter": "lanczos" }), &image);
        found.samples.iter().any(|v| !(0.0..=1.0).contains(v))
    };
    assert!(!checks(16));
    assert!(checks(32));
}

#[test]
fn one_pixel_and_one_column_of_4000_can_be_resized() {
    for (width, height) in [(1, 1), (1, 4000)] {
        let image = noise(width, height, 3, 8);
        let found = changed("image.resize", json!({ "width": 24, "height": 24 }), &image);
        assert_eq!((found.width, found.height), (24, 24));
    }
}

#[test]
fn sizes_beyond_the_limit_are_refused_by_name() {
    let thin = noise(1, 4000, 3, 8);
    let failure = refused("image.resize", json!({ "width": 224, "height": 224, "fit": "short_side" }), &thin);
    assert!(failure.contains("224×896000 is 200.7 megapixels, the limit is 100; ask for a smaller size"), "{failure}");
    let failure = refused("image.resize", json!({ "width": 1 << 24, "height": 4 }), &thin);
    assert!(failure.contains("samples at a time"), "{failure}");
    let failure = refused("image.resize", json!({ "width": 0 }), &thin);
    assert!(failure.contains("parameter `width`: expected at least 1, found 0"), "{failure}");
    let failure = refused("image.resize", json!({ "filter": "cubic" }), &thin);
    assert!(failure.contains("parameter `filter`: expected one of lanczos, bicubic"), "{failure}");
    let failure = run("image.constant", json!({ "width": 20_000, "height": 10_000 }), vec![]).unwrap_err().to_string();
    assert!(failure.contains("20000×10000 is 200 megapixels, the limit is 100"), "{failure}");
}

#[test]
fn a_centre_crop_takes_the_middle_and_refuses_more_than_there_is() {
    let image = noise(7, 6, 3, 8);
    let found = changed("image.center_crop", json!({ "width": 3, "height": 3 }), &image);
    // (7 - 3) / 2 = 2 columns, (6 - 3) / 2 = 1.5 → 2 rows.
    let rows = (2..5).flat_map(|y| image.samples[(y * 7 + 2) * 3..(y * 7 + 5) * 3].to_vec());
    assert_eq!(found.samples, rows.collect::<Vec<_>>());
    let failure = refused("image.center_crop", json!({ "width": 3, "height": 7 }), &image);
    assert!(failure.contains("parameter `height`: expected 1 to 6, the picture's height, found 7"), "{failure}");
}

#[test]
fn a_constant_has_its_colour_in_8_bits_and_alpha_only_where_asked_for() {
    let parameters = json!({ "width": 3, "height": 2, "r": 1.0, "g": 0.5, "b": 0.0 });
    let found = picture(&run("image.constant", parameters.clone(), vec![]).unwrap(), "image");
    assert_eq!((found.width, found.height, found.channels, found.bit_depth), (3, 2, 3, 8));
    assert_eq!(found.samples, [1.0, 128.0 / 255.0, 0.0].repeat(6));
    let mut parameters = parameters;
    parameters["a"] = json!(0.25);
    let found = picture(&run("image.constant", parameters, vec![]).unwrap(), "image");
    assert_eq!(found.samples, [1.0, 128.0 / 255.0, 0.0, 64.0 / 255.0].repeat(6));
}

fn merge(background: &Picture, foreground: &Picture, mask: &Picture, parameters: Json) -> Picture {
    let inputs = [("background", background), ("foreground", foreground), ("mask", mask)];
    let inputs = inputs.map(|(name, image)| (name, image.clone().into_value().unwrap())).to_vec();
    picture(&run("image.merge", parameters, inputs).unwrap(), "image")
}

/// A mask that is white in its right half.
fn half(width: usize, height: usize, channels: usize) -> Picture {
    let sample = |i: usize| {
        let alpha = channels == 4 && i % 4 == 3;
        f32::from(alpha || i / channels % width >= width / 2)
    };
    Picture { width, height, channels, bit_depth: 8, samples: (0..width * height * channels).map(sample).collect() }
}

#[test]
fn an_edit_that_is_a_few_pixels_smaller_is_kept_to_its_region() {
    let (photo, edit) = (noise(45, 37, 3, 8), noise(40, 32, 3, 8));
    let result = merge(&photo, &edit, &half(45, 37, 3), json!({}));
    assert_eq!((result.width, result.height, result.bit_depth), (45, 37, 8));
    let resized = changed("image.resize", json!({ "width": 45, "height": 37 }), &edit);
    for (i, &found) in result.samples.iter().enumerate() {
        let expected = if i / 3 % 45 < 22 { photo.samples[i] } else { resized.samples[i] };
        assert_eq!(found, expected, "sample {i}");
    }
    let swapped = merge(&photo, &edit, &half(45, 37, 4), json!({ "invert": true }));
    assert_eq!(swapped.samples[..22 * 3], resized.samples[..22 * 3]);
    assert_eq!(swapped.samples[22 * 3..45 * 3], photo.samples[22 * 3..45 * 3]);
    let whole = merge(&photo, &edit, &half(45, 37, 4), json!({ "mask_channel": "alpha" }));
    assert_eq!(whole, resized, "the mask's alpha is 1 everywhere");
}

#[test]
fn feathering_softens_the_edge_of_the_mask_and_nothing_far_from_it() {
    let black = Picture { samples: vec![0.0; 64 * 8], ..half(64, 8, 1) };
    let white = Picture { samples: vec![1.0; 64 * 8], ..black.clone() };
    let result = merge(&black, &white, &half(64, 8, 1), json!({ "feather": 3.0 }));
    let row = &result.samples[..64];
    assert!(row.windows(2).all(|pair| pair[0] <= pair[1]), "{row:?}");
    assert_eq!((row[16], row[48]), (0.0, 1.0));
    assert!((0.4..0.5).contains(&row[31]) && (0.5..0.6).contains(&row[32]), "{:?}", &row[28..36]);
}

#[test]
fn strict_refuses_sizes_that_differ_and_a_mask_with_nan_is_named() {
    let (photo, edit, mask) = (noise(16, 16, 3, 8), noise(8, 16, 3, 8), half(16, 16, 1));
    let wired = |edit: &Picture, mask: &Picture| {
        let inputs = [("background", &photo), ("foreground", edit), ("mask", mask)];
        inputs.map(|(name, image)| (name, image.clone().into_value().unwrap())).to_vec()
    };
    let failure = run("image.merge", json!({ "fit": "strict" }), wired(&edit, &mask)).unwrap_err().to_string();
    assert!(
        failure.contains("input `foreground`: expected the background's size, 16×16, found 8×16; set fit to"),
        "{failure}"
    );
    let mut broken = mask.clone();
    broken.samples[17] = f32::NAN;
    let failure = run("image.merge", json!({}), wired(&photo, &broken)).unwrap_err().to_string();
    assert!(failure.contains("input `mask`: expected numbers, found NaN at column 1, row 1"), "{failure}");
}

#[test]
fn keyed_and_merged_a_photo_keeps_its_own_pixels_where_the_edit_leaves_it_alone() {
    let photo = noise(64, 48, 3, 8);
    let mut edit = photo.clone();
    for (i, sample) in edit.samples.iter_mut().enumerate() {
        let (x, y) = (i / 3 % 64, i / 3 / 64);
        // The edit's own noise all over, and a white square.
        *sample += if (i / 3) % 2 == 0 { 0.02 } else { -0.02 };
        if (20..40).contains(&x) && (16..32).contains(&y) {
            *sample = 1.0;
        }
    }
    let wired = [("a", &photo), ("b", &edit)].map(|(name, image)| (name, image.clone().into_value().unwrap()));
    let mask = picture(&run("image.difference_key", json!({}), wired.to_vec()).unwrap(), "mask");
    assert_eq!((mask.width, mask.height, mask.channels), (64, 48, 1));
    let result = merge(&photo, &edit, &mask, json!({}));
    for (i, &found) in result.samples.iter().enumerate() {
        let (x, y) = (i / 3 % 64, i / 3 / 64);
        if (24..36).contains(&x) && (20..28).contains(&y) {
            assert!(found > 0.99, "column {x}, row {y}: {found} within the square");
        } else if !(10..50).contains(&x) || !(6..42).contains(&y) {
            assert_eq!(found, photo.samples[i], "column {x}, row {y}, far from it");
        }
    }
    let (small, mut broken) = (noise(8, 16, 3, 8), photo.clone());
    broken.samples[4] = f32::NAN;
    for (other, said) in
        [(small, "input `b`: expected the size of A, 64×48, found 8×16; bring one"), (broken, "found NaN at column 1")]
    {
        let wired = [("a", &photo), ("b", &other)].map(|(name, image)| (name, image.clone().into_value().unwrap()));
        let failure = run("image.difference_key", json!({}), wired.to_vec()).unwrap_err().to_string();
        assert!(failure.contains(said), "{failure}");
    }
}

#[test]
fn the_plugin_says_what_it_holds() {
    let manifest = mgie_image::plugin().manifest();
    let ids: Vec<_> = manifest.nodes.iter().map(|node| node.id.as_str()).collect();
    let expected = ["load", "save", "resize", "center_crop", "constant", "merge", "difference_key", "sheet"];
    assert_eq!(ids, expected.map(|name| format!("image.{name}")));
    let with_effects: Vec<_> = manifest.nodes.iter().filter(|node| node.side_effect).map(|node| &node.id).collect();
    assert_eq!(with_effects, ["image.save"]);
}
