//! The resampling against results that Pillow computed (`goldens/make.py`): 8-bit pictures bit for bit.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_image::resample::{Filter, Resize, Window, resize_f32, resize_u8};
use serde_json::Value;

const GOLDENS: &[u8] = include_bytes!("goldens/resample.bin");

/// The same bytes as `samples` in `goldens/make.py`.
fn samples(count: usize) -> Vec<u8> {
    let mut state = 12345_u64;
    let mut byte = |index: usize| {
        state = (state * 1_103_515_245 + 12345) % (1 << 31);
        let byte = (state >> 16) as u8;
        if index / 64 % 4 == 0 {
            (byte >> 7) * 255
        } else {
            byte
        }
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
        let size = if about["result"].is_null() {
            pair("to")
        } else {
            pair("result")
        };
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
        let pixels: Vec<f32> = samples(width * height * 3)
            .chunks(3)
            .map(|p| f32::from(p[0]) / 100.0 - 0.5)
            .collect();
        let found = resize_f32(
            &pixels,
            width,
            height,
            1,
            new_width,
            new_height,
            case.filter,
        )
        .unwrap();
        let expected: Vec<f32> = case
            .bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect();
        assert_eq!(found, expected, "{}", case.about);
    }
}

#[test]
fn a_window_of_a_resize_equals_the_whole_resize_cropped() {
    let (width, height) = (37, 29);
    let pixels = samples(width * height * 3);
    let window = Window {
        left: 3,
        top: 9,
        width: 8,
        height: 5,
    };
    let crop = |whole: &[u8], row: usize| -> Vec<u8> {
        let rows = whole.chunks(row * 3).skip(window.top).take(window.height);
        rows.flat_map(|row| row[window.left * 3..(window.left + window.width) * 3].to_vec())
            .collect()
    };
    for (_, filter) in Filter::NAMED {
        for (new_width, new_height) in [(17, 19), (61, 50), (37, 17), (17, 29), (37, 29)] {
            let whole =
                resize_u8(&pixels, width, height, 3, new_width, new_height, filter).unwrap();
            let resize = Resize::new(new_width, new_height, filter).window(window);
            let found = resize.u8(&pixels, width, height, 3).unwrap();
            assert_eq!(
                found,
                crop(&whole, new_width),
                "{filter:?} to {new_width}×{new_height}"
            );
        }
    }
}
