//! Pictures that go into files and come out again, through the nodes.

use crate::running::{Host, noise, picture, run, run_on};
use mgie_image::picture::Picture;
use mgie_plugin_api::Value;
use mgie_plugin_api::serde_json::json;
use std::fs;
use std::path::Path;

fn save(image: &Picture, path: &Path, bit_depth: &str) {
    let inputs = vec![("image", image.clone().into_value().unwrap())];
    let outputs = run("image.save", json!({ "path": path, "bit_depth": bit_depth }), inputs).unwrap();
    assert_eq!(outputs.get("path").unwrap().as_text(), path.to_str());
}

fn load(path: &Path) -> Picture {
    picture(&run("image.load", json!({ "path": path }), vec![]).unwrap(), "image")
}

#[test]
fn formats_without_loss_give_back_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bit_depth) in [("a.png", 8), ("b.PNG", 16), ("c.webp", 8), ("d.tif", 8), ("e.tiff", 16), ("f.tif", 32)] {
        for channels in [1, 3, 4] {
            let image = noise(13, 7, channels, bit_depth);
            let path = folder.path().join(name);
            save(&image, &path, "auto");
            assert_eq!(load(&path), image.widened(3), "{name} with {channels} channels");
        }
    }
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 6, "no part file stays behind");
}

#[test]
fn openexr_keeps_floats_beyond_0_and_1_and_alpha() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.exr");
    let image = noise(13, 7, 3, 32);
    save(&image, &path, "auto");
    assert_eq!(load(&path), image);
    let image = noise(13, 7, 4, 32);
    save(&image, &path, "auto");
    let found = load(&path);
    assert_eq!((found.channels, found.bit_depth), (4, 32));
    // Multiplied by alpha and divided again: two roundings.
    let off = |(a, b): (&f32, &f32)| (a - b).abs() / b.abs().max(1e-6);
    let worst = found.samples.iter().zip(&image.samples).map(off).fold(0.0, f32::max);
    assert!(worst < 3e-7, "off by {worst}");
}

#[test]
fn a_picture_that_went_through_linear_light_looks_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (exr, png) = (folder.path().join("a.exr"), folder.path().join("b.png"));
    let image = noise(16, 16, 3, 8);
    save(&image, &exr, "auto");
    let linear = load(&exr);
    let middle = image.samples.iter().position(|&v| (0.45..0.55).contains(&v)).unwrap();
    assert!(linear.samples[middle] < 0.27, "linear light is darker: {}", linear.samples[middle]);
    save(&linear, &png, "8");
    assert_eq!(load(&png), image);
    let loaded = run("image.load", json!({ "path": exr, "encoding": "display" }), vec![]).unwrap();
    let display = picture(&loaded, "image");
    assert_eq!(display.bit_depth, 16);
    assert!(display.samples.iter().zip(&image.samples).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn samples_are_clamped_and_rounded_half_to_even() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let samples = vec![-3.0, 7.0, f32::INFINITY, f32::NEG_INFINITY, 0.5 / 255.0, 1.5 / 255.0];
    save(&Picture { width: 2, height: 1, channels: 3, bit_depth: 16, samples }, &path, "8");
    assert_eq!(load(&path).samples.iter().map(|v| v * 255.0).collect::<Vec<_>>(), [0.0, 255.0, 255.0, 0.0, 0.0, 2.0]);
}

#[test]
fn a_jpeg_is_close_and_smaller_with_less_quality_and_its_alpha_becomes_white() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    let ramp = |i: usize| ((i / 3 % 32 * 8) as f32 / 255.0).min(1.0);
    let image = Picture { width: 32, height: 32, channels: 3, bit_depth: 8, samples: (0..3072).map(ramp).collect() };
    let size = |quality: i64| {
        let inputs = vec![("image", image.clone().into_value().unwrap())];
        run("image.save", json!({ "path": path, "quality": quality }), inputs).unwrap();
        let found = load(&path);
        (fs::metadata(&path).unwrap().len(), found)
    };
    let (small, _) = size(20);
    let (large, found) = size(95);
    assert!(small < large, "{small} and {large} bytes");
    assert!(found.samples.iter().zip(&image.samples).all(|(a, b)| (a - b).abs() < 0.04));

    let clear = Picture { width: 8, height: 8, channels: 4, bit_depth: 8, samples: [0.0, 0.0, 0.0, 0.0].repeat(64) };
    let host = Host::default();
    let inputs = vec![("image", clear.into_value().unwrap())];
    run_on(&host, "image.save", json!({ "path": path }), inputs).unwrap();
    assert_eq!(load(&path).samples, [1.0; 192]);
    assert!(host.logged.lock().unwrap()[0].contains("no alpha"));
}

#[test]
fn a_png_carries_the_graph_and_stays_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let graph = r#"{"mgie":1,"nodes":{"t":{"type":"text.constant","params":{"text":"mach den Himmel düster 🌩"}}}}"#;
    let host = Host { graph: Some(graph), ..Host::default() };
    for channels in [1, 3, 4] {
        let image = noise(9, 5, channels, 8);
        let inputs = vec![("image", image.clone().into_value().unwrap())];
        run_on(&host, "image.save", json!({ "path": path }), inputs).unwrap();
        let reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(&path).unwrap())).read_info().unwrap();
        let chunk = reader.info().utf8_text.iter().find(|chunk| chunk.keyword == "mgie").unwrap();
        assert_eq!(chunk.get_text().unwrap(), graph);
        assert_eq!(load(&path), image.widened(3));
    }
    let path = folder.path().join("a.webp");
    let inputs = vec![("image", noise(9, 5, 3, 8).into_value().unwrap())];
    run_on(&host, "image.save", json!({ "path": path }), inputs).unwrap();
    assert!(!fs::read(&path).unwrap().windows(4).any(|bytes| bytes == b"mgie"));
}

#[test]
fn a_png_carries_the_texts_of_the_picture_that_a_png_can_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let picture = noise(9, 5, 3, 8).into_value().unwrap();
    let mut header = picture.header().clone();
    header["texts"] = json!({ "mgie_sweep": "über alles", "mgie": "no graph", "": "x", "number": 7 });
    let picture = Value::new(picture.kind(), header, picture.body().clone());
    run("image.save", json!({ "path": path }), vec![("image", picture)]).unwrap();
    let reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(&path).unwrap())).read_info().unwrap();
    let found: Vec<_> = reader.info().utf8_text.iter().map(|it| (it.keyword.clone(), it.get_text().unwrap())).collect();
    assert_eq!(found, [("mgie_sweep".to_owned(), "über alles".to_owned())]);
}

#[test]
fn loading_gives_size_and_opacity_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let image = noise(6, 4, 4, 8);
    save(&image, &path, "auto");
    let outputs = run("image.load", json!({ "path": path }), vec![]).unwrap();
    assert_eq!(outputs.get("width").unwrap().as_number(), Some(6.0));
    assert_eq!(outputs.get("height").unwrap().as_number(), Some(4.0));
    let alpha: Vec<f32> = image.samples.iter().skip(3).step_by(4).copied().collect();
    assert_eq!(picture(&outputs, "alpha").samples, alpha);
    save(&noise(6, 4, 3, 8), &path, "auto");
    let outputs = run("image.load", json!({ "path": path }), vec![]).unwrap();
    assert_eq!(picture(&outputs, "alpha").samples, [1.0; 24]);
}

#[test]
fn one_pixel_and_one_column_of_4000_load_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for extension in ["png", "jpg", "webp", "tif", "exr"] {
        for (width, height) in [(1, 1), (1, 4000), (4000, 1)] {
            let path = folder.path().join(format!("a.{extension}"));
            save(&noise(width, height, 3, 8), &path, "auto");
            let found = load(&path);
            assert_eq!((found.width, found.height), (width, height), "{extension}");
        }
    }
}

/// A JPEG with an EXIF block that says its orientation, in the given byte order.
fn with_orientation(jpeg: &[u8], orientation: u8, little_endian: bool) -> Vec<u8> {
    let word = |v: u16| if little_endian { v.to_le_bytes() } else { v.to_be_bytes() };
    let long = |v: u32| if little_endian { v.to_le_bytes() } else { v.to_be_bytes() };
    let mut exif = b"Exif\0\0".to_vec();
    exif.extend(if little_endian { b"II" } else { b"MM" });
    exif.extend(word(42));
    exif.extend(long(8));
    exif.extend(word(1));
    for part in [word(0x112), word(3)] {
        exif.extend(part);
    }
    exif.extend(long(1));
    exif.extend(word(orientation.into()));
    exif.extend(word(0));
    exif.extend(long(0));
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn every_exif_orientation_is_turned_upright() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    save(&noise(24, 8, 3, 8), &path, "auto");
    let jpeg = fs::read(&path).unwrap();
    let stored = load(&path);
    let (w, h) = (stored.width, stored.height);
    for orientation in 1..=8_u8 {
        for little_endian in [true, false] {
            fs::write(&path, with_orientation(&jpeg, orientation, little_endian)).unwrap();
            let found = load(&path);
            let turned = orientation >= 5;
            assert_eq!((found.width, found.height), if turned { (h, w) } else { (w, h) });
            for y in 0..found.height {
                for x in 0..found.width {
                    // Where the file keeps what is seen at (x, y): EXIF 2.3, tag 0x0112, "row 0 is at …, column 0 at …".
                    let (sx, sy) = match orientation {
                        1 => (x, y),
                        2 => (w - 1 - x, y),
                        3 => (w - 1 - x, h - 1 - y),
                        4 => (x, h - 1 - y),
                        5 => (y, x),
                        6 => (y, h - 1 - x),
                        7 => (w - 1 - y, h - 1 - x),
                        _ => (w - 1 - y, x),
                    };
                    let at = |picture: &Picture, x: usize, y: usize| {
                        let index = (y * picture.width + x) * 3;
                        picture.samples[index..index + 3].to_vec()
                    };
                    assert_eq!(at(&found, x, y), at(&stored, sx, sy), "orientation {orientation} at {x}, {y}");
                }
            }
        }
    }
}
