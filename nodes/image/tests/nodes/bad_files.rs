//! Files that are no picture, or a broken, cut-off or lying one: one clear error each, and never a half picture.

use crate::running::{noise, run};
use mgie_image::decode::decode;
use mgie_image::encode::{Format, encode};
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{FailureKind, Tensor, Value};
use std::fs;
use std::path::Path;

const FORMATS: [Format; 5] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff, Format::OpenExr];

fn file(format: Format, width: usize, height: usize) -> Vec<u8> {
    encode(noise(width, height, 3, 8), format, None, 90, &[]).unwrap()
}

/// What `image.load` says of a path.
fn told(path: &Path) -> String {
    let failure = run("image.load", json!({ "path": path }), vec![]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::File);
    assert_eq!(failure.place, path.display().to_string());
    assert!(!failure.remedy.is_empty(), "has a remedy: {failure}");
    failure.to_string()
}

#[test]
fn what_is_no_picture_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    assert!(told(&path).ends_with("photo.png: there is no such file; check the path"));
    assert!(told(folder.path()).contains("this is a folder; name a file in it"));
    fs::write(&path, "a shopping list").unwrap();
    assert!(told(&path).contains("this is not a PNG, JPEG, WebP, TIFF or OpenEXR picture but text; name a picture"));
    fs::write(&path, [0x00, 0xFF, 0x13]).unwrap();
    assert!(told(&path).contains("but something else"));
    fs::write(&path, b"GIF89a\x01\x00\x01\x00").unwrap();
    assert!(told(&path).contains("but a Gif file; name a picture, or convert this one to PNG"));
    fs::write(&path, "").unwrap();
    assert!(told(&path).contains("the file is empty"));
}

#[test]
fn the_content_counts_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    fs::write(&path, file(Format::Tiff, 5, 3)).unwrap();
    run("image.load", json!({ "path": path }), vec![]).unwrap();
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_still_the_whole_picture() {
    for format in FORMATS {
        let whole = file(format, 19, 11);
        let expected = decode(&whole).unwrap();
        let mut read = 0;
        for length in 0..whole.len() {
            match decode(&whole[..length]) {
                Ok(found) => {
                    assert_eq!(found, expected, "{format:?} cut to {length} of {} bytes", whole.len());
                    read += 1;
                }
                Err(error) => assert!(!error.message.is_empty() && !error.remedy.is_empty()),
            }
        }
        assert!(read <= 8, "{format:?} was read {read} times without its end");
    }
}

#[test]
fn a_truncated_png_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    let whole = file(Format::Png, 64, 64);
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let told = told(&path);
    assert!(told.contains("the PNG cannot be read") && told.contains("cut off or damaged"), "{told}");
}

#[test]
fn a_tiny_file_whose_header_promises_200_megapixels_is_refused_before_decoding() {
    let (width, height) = (20_000_u32, 10_000_u32);
    let mut png = file(Format::Png, 4, 4);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());

    let mut jpeg = file(Format::Jpeg, 4, 4);
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&(height as u16).to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&(width as u16).to_be_bytes());

    let mut tiff = file(Format::Tiff, 4, 4);
    let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    for entry in (directory + 2..).step_by(12).take(usize::from(tiff[directory])) {
        // Tag, type (LONG is 4), count, value.
        let side = match u16::from_le_bytes([tiff[entry], tiff[entry + 1]]) {
            256 => width,
            257 => height,
            _ => continue,
        };
        tiff[entry + 2..entry + 4].copy_from_slice(&4_u16.to_le_bytes());
        tiff[entry + 8..entry + 12].copy_from_slice(&side.to_le_bytes());
    }

    let mut exr = file(Format::OpenExr, 4, 4);
    for name in ["dataWindow", "displayWindow"] {
        let name = format!("{name}\0box2i\0");
        let at = exr.windows(name.len()).position(|bytes| bytes == name.as_bytes()).unwrap() + name.len() + 4;
        exr[at + 8..at + 12].copy_from_slice(&(width - 1).to_le_bytes());
        exr[at + 12..at + 16].copy_from_slice(&(height - 1).to_le_bytes());
    }
    // A file of one part need not say how many chunks it has.
    let at = exr.windows(11).position(|bytes| bytes == b"chunkCount\0").unwrap();
    exr[at] = b'x';
    for (format, file) in [("PNG", png), ("JPEG", jpeg), ("TIFF", tiff), ("OpenEXR", exr)] {
        let error = decode(&file).unwrap_err();
        let expected = format!("the {format} cannot be read: 20000×10000 is 200 megapixels, the limit is 100");
        assert_eq!(error.message, expected);
        assert!(error.remedy.contains("scale the picture down"));
    }
}

/// Measured by what the process held at most, so only where the system tells it.
#[cfg(target_os = "linux")]
#[test]
fn a_colour_profile_that_unfolds_to_half_a_gigabyte_does_not_take_it() {
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    };
    let mut chunk = b"iCCPname\0\0".to_vec();
    chunk.extend(zeros_packed(2_000_000));
    let sum = crc32(&chunk);
    let plain = file(Format::Png, 4, 4);
    // Signature and header come first.
    let mut png = plain[..33].to_vec();
    png.extend((chunk.len() as u32 - 4).to_be_bytes());
    png.extend(&chunk);
    png.extend(sum.to_be_bytes());
    png.extend(&plain[33..]);

    let before = peak();
    assert_eq!(decode(&png).unwrap(), decode(&plain).unwrap());
    let rise = peak() - before;
    assert!(rise < 300, "the profile of {} bytes took {rise} MB", chunk.len());
}

/// A zlib stream of one zero, and `copies` times 258 more (RFC 1951, fixed codes).
#[cfg(target_os = "linux")]
fn zeros_packed(copies: usize) -> Vec<u8> {
    let mut bits: Vec<bool> = [true, true, false].to_vec();
    let mut code = |code: u32, length: u32| bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    code(0b0011_0000, 8);
    for _ in 0..copies {
        // The last length code, which stands for 258, and a distance of 1.
        code(0b1100_0101, 8);
        code(0, 5);
    }
    code(0, 7);
    let mut packed = vec![0x78, 0x01];
    packed.extend(bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))));
    packed.extend(((((1 + copies * 258) % 65_521) as u32) << 16 | 1).to_be_bytes());
    packed
}

/// PNG's checksum of a chunk's type and data.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[test]
fn damaged_files_never_do_more_than_fail() {
    let mut state = 99_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for format in FORMATS {
        let whole = file(format, 19, 11);
        for _ in 0..300 {
            let mut damaged = whole.clone();
            for _ in 0..1 + random(4) {
                let at = random(damaged.len());
                damaged[at] = random(256) as u8;
            }
            if let Ok(picture) = decode(&damaged) {
                assert_eq!(picture.samples.len(), picture.width * picture.height * picture.channels);
            }
        }
    }
}

/// What `image.save` says, given a picture that can be saved.
fn refused(parameters: Json) -> String {
    let inputs = vec![("image", noise(4, 4, 3, 8).into_value().unwrap())];
    run("image.save", parameters, inputs).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_saved_is_told_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(refused(json!({ "path": "" })).contains("parameter `path`"));
    assert!(refused(json!({ "path": path("a.bmp") })).contains("ends in one of .png, .jpg"));
    assert!(refused(json!({ "path": path("a") })).contains("ends in one of .png, .jpg"));
    assert!(refused(json!({ "path": path("none/a.png") })).contains("none is not there; make it first"));
    fs::create_dir(path("b.png")).unwrap();
    assert!(refused(json!({ "path": path("b.png") })).contains("this is a folder"));
    let sixteen = refused(json!({ "path": path("a.jpg"), "bit_depth": "16" }));
    assert!(sixteen.contains("JPEG holds [8] bits a sample, not 16; leave it at auto"), "{sixteen}");
    assert!(refused(json!({ "path": path("a.png"), "bit_depth": "12" })).contains("one of auto, 8, 16, 32"));
    assert!(refused(json!({ "path": path("a.jpg"), "quality": 0 })).contains("expected 1 to 100, found 0"));
    fs::write(path("c.png"), "before").unwrap();
    let mut permissions = fs::metadata(path("c.png")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path("c.png"), permissions).unwrap();
    assert!(refused(json!({ "path": path("c.png") })).contains("read-only"));
    if cfg!(target_os = "linux") {
        assert!(refused(json!({ "path": "/proc/a.png" })).contains("the folder /proc cannot be written to"));
    }
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["b.png", "c.png"]);
}

#[test]
fn nan_and_pictures_that_the_format_cannot_hold_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let mut image = noise(4, 4, 3, 16);
    image.samples[3 * (4 * 2 + 1) + 2] = f32::NAN;
    let inputs = vec![("image", image.into_value().unwrap())];
    let failure = run("image.save", json!({ "path": path }), inputs).unwrap_err().to_string();
    assert!(failure.contains("input `image`: expected numbers, found NaN at column 1, row 2, channel 2"), "{failure}");

    let long = folder.path().join("a.webp");
    let inputs = vec![("image", noise(20_000, 1, 3, 8).into_value().unwrap())];
    let failure = run("image.save", json!({ "path": long }), inputs).unwrap_err().to_string();
    assert!(failure.contains("WebP holds sides of at most 16383 pixels, this picture has 20000×1"), "{failure}");

    let empty = Value::image(Tensor::from_f32([0, 4, 3], vec![]).unwrap(), 8);
    let failure = run("image.save", json!({ "path": path }), vec![("image", empty)]).unwrap_err().to_string();
    assert!(failure.contains("at least one pixel, found 4×0"), "{failure}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
