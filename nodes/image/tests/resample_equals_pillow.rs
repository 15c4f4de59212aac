//! The resampling and the blur against results that Pillow computed (`goldens/make.py`): 8-bit pictures bit for bit.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_image::fit::{Fit, fit};
use mgie_image::resample::{Filter, Resize, Window, resize_f32, resize_u8};
use mgie_plugin_api::serde_json::{self, Value};

const GOLDENS: &[u8] = include_bytes!("goldens/resample.bin");

/// The same bytes as `samples` in `goldens/make.py`.
fn samples(count: usize) -> Vec<u8> {
    let mut state = 12345_u64;
    let mut byte = |index: usize| {
        state = (state * 1_103_515_245 + 12345) % (1 << 31);
        let byte = (state >> 16) as u8;
        if (index / 64).is_multiple_of(4) { (byte >> 7) * 255 } else { byte }
    };
    (0..count).map(&mut byte).collect()
}

struct Case {
    about: Value,
    from: [usize; 2],
    to: [usize; 2],
    channels: usize,
    filter: Filter,
    bytes: Vec<u8>,
}

fn cases(kind: &str) -> Vec<Case> {
    let length = u64::from_le_bytes(GOLDENS[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&GOLDENS[8..8 + length]).unwrap();
    let mut rest = &GOLDENS[8 + length..];
    let mut found = Vec::new();
    for about in header["cases"].as_array().unwrap() {
        let pair = |name: &str| [0, 1].map(|i| about[name][i].as_u64().unwrap() as usize);
        let channels = about["channels"].as_u64().unwrap() as usize;
        let size = if about["result"].is_null() { pair("to") } else { pair("result") };
        let width = if about["kind"] == "f32" { 4 } else { 1 };
        let (bytes, behind) = rest.split_at(size[0] * size[1] * channels * width);
        rest = behind;
        if about["kind"] == kind {
            let filter = Filter::from_name(about["filter"].as_str().unwrap()).unwrap();
            found.push(Case {
                about: about.clone(),
                from: pair("from"),
                to: pair("to"),
                channels,
                filter,
                bytes: bytes.to_vec(),
            });
        }
    }
    assert!(rest.is_empty() && !found.is_empty());
    found
}

#[test]
fn every_filter_equals_pillow_bit_for_bit_in_8_bits() {
    for case in cases("u8") {
        let ([width, height], [new_width, new_height]) = (case.from, case.to);
        let mut resize = Resize::new(new_width, new_height, case.filter);
        if let Some(part) = case.about["part"].as_array() {
            resize = resize.of_part([0, 1, 2, 3].map(|i| part[i].as_f64().unwrap() as f32));
        }
        let pixels = samples(width * height * case.channels);
        let found = resize.u8(&pixels, width, height, case.channels).unwrap();
        assert_eq!(found, case.bytes, "{}", case.about);
    }
}

#[test]
fn every_filter_equals_pillow_in_f32() {
    for case in cases("f32") {
        let ([width, height], [new_width, new_height]) = (case.from, case.to);
        let pixels: Vec<f32> = samples(width * height * 3).chunks(3).map(|p| f32::from(p[0]) / 100.0 - 0.5).collect();
        let found = resize_f32(&pixels, width, height, 1, new_width, new_height, case.filter).unwrap();
        let expected: Vec<f32> = case.bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        assert_eq!(found, expected, "{}", case.about);
    }
}

#[test]
fn inside_and_cover_equal_pillows_contain_and_fit() {
    for case in cases("fit") {
        let ([width, height], to) = (case.from, case.to);
        let how = Fit::from_name(case.about["fit"].as_str().unwrap()).unwrap();
        let resize = fit((width, height), (to[0], to[1]), how, case.filter);
        let found = resize.u8(&samples(width * height * 3), width, height, 3).unwrap();
        let size = [0, 1].map(|i| case.about["result"][i].as_u64().unwrap() as usize);
        assert_eq!(resize.result_size(), (size[0], size[1]), "{}", case.about);
        assert_eq!(found, case.bytes, "{}", case.about);
    }
}

#[test]
fn feathering_equals_pillows_gaussian_blur_within_its_rounding() {
    for case in cases("blur") {
        let mut mask = vec![0.0; 64 * 48];
        (10..30).for_each(|y| mask[y * 64 + 12..y * 64 + 50].fill(1.0));
        let found = mask_blurred(&mask, case.about["sigma"].as_f64().unwrap());
        let off = found.iter().zip(&case.bytes).map(|(a, &b)| (a * 255.0 - f32::from(b)).abs()).fold(0.0, f32::max);
        assert!(off < 1.5, "{}: off by {off} of 255", case.about);
    }
}

fn mask_blurred(mask: &[f32], sigma: f64) -> Vec<f32> {
    mgie_image::blur::gaussian(mask, 64, 48, sigma)
}

#[test]
fn the_short_side_is_rounded_as_torchvision_and_clips_processor_do() {
    // int(size * long / short)
    let size = |from, to| fit(from, (to, 1), Fit::ShortSide, Filter::Bicubic).result_size();
    let found = [size((100, 75), 32), size((75, 100), 32), size((64, 64), 7), size((1, 4000), 224)];
    assert_eq!(found, [(42, 32), (32, 42), (7, 7), (224, 896_000)]);
}

#[test]
fn sizes_and_lengths_that_cannot_be_are_refused_in_words() {
    let refused = |resize: Resize, samples: usize, width, height, channels| {
        resize.u8(&vec![0; samples], width, height, channels).unwrap_err().to_string()
    };
    let small = Resize::new(2, 2, Filter::Box);
    assert_eq!(refused(small, 5, 2, 1, 3), "5 samples given for a picture of 2×1 with 3 channels");
    assert_eq!(refused(small, 4, 2, 1, 2), "a picture has 1, 3 or 4 channels, not 2");
    assert!(refused(small, 0, 0, 4, 1).contains("from 0×4 to 2×2"));
    assert!(refused(Resize::new(0, 1, Filter::Box), 4, 2, 2, 1).contains("from 2×2 to 0×1"));
    assert!(refused(Resize::new(1 << 20, 1, Filter::Box), 4096, 1, 4096, 1).contains("more than 1073741824 samples"));
    assert!(refused(small.of_part([0.0, 0.0, 3.0, 1.0]), 4, 2, 2, 1).contains("does not lie within the picture"));
    let window = Window { left: 1, top: 0, width: usize::MAX, height: 1 };
    assert!(refused(small.window(window), 4, 2, 2, 1).contains("does not lie within the resized picture"));
}

#[test]
fn a_window_of_a_resize_equals_the_whole_resize_cropped() {
    let (width, height) = (37, 29);
    let pixels = samples(width * height * 3);
    let window = Window { left: 3, top: 9, width: 8, height: 5 };
    let crop = |whole: &[u8], row: usize| -> Vec<u8> {
        let rows = whole.chunks(row * 3).skip(window.top).take(window.height);
        rows.flat_map(|row| row[window.left * 3..(window.left + window.width) * 3].to_vec()).collect()
    };
    for (_, filter) in Filter::NAMED {
        for (new_width, new_height) in [(17, 19), (61, 50), (37, 17), (17, 29), (37, 29)] {
            let whole = resize_u8(&pixels, width, height, 3, new_width, new_height, filter).unwrap();
            let resize = Resize::new(new_width, new_height, filter).window(window);
            let found = resize.u8(&pixels, width, height, 3).unwrap();
            assert_eq!(found, crop(&whole, new_width), "{filter:?} to {new_width}×{new_height}");
        }
    }
}
