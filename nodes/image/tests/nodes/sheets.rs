//! A contact sheet that fills cell by cell.

use crate::running::{noise, picture, run};
use mgie_image::lettering::Canvas;
use mgie_image::picture::Picture;
use mgie_plugin_api::Value;
use mgie_plugin_api::serde_json::{Value as Json, json};

const GROUND: f32 = 240.0 / 255.0;

fn fill(sheet: Option<&Picture>, image: Option<&Picture>, parameters: Json) -> Picture {
    picture(&run("image.sheet", parameters, inputs(sheet, image)).unwrap(), "sheet")
}

fn inputs(sheet: Option<&Picture>, image: Option<&Picture>) -> Vec<(&'static str, Value)> {
    let given = [("sheet", sheet), ("picture", image)];
    given.into_iter().filter_map(|(name, image)| Some((name, image?.clone().into_value().unwrap()))).collect()
}

/// The window of the sheet that is as large as `image`, from `left`, `top`.
fn window(sheet: &Picture, (left, top): (usize, usize), image: &Picture) -> Vec<f32> {
    sheet.cropped(left, top, image.width, image.height).unwrap().samples
}

#[test]
fn pictures_lie_in_their_cells_pixel_for_pixel_and_the_others_stay() {
    let labels = json!({ "columns": "guidance 5\nguidance 10", "rows": "seed 1\nseed 2" });
    let at = |column: u32, row: u32| {
        let mut parameters = labels.clone();
        (parameters["column"], parameters["row"]) = (json!(column), json!(row));
        parameters
    };
    let images: Vec<Picture> = (0..3).map(|more| noise(150 + more, 100, 3, 8)).collect();
    let first = fill(None, Some(&images[0]), at(1, 1));
    assert_eq!((first.channels, first.bit_depth), (3, 8));
    let sheet = fill(Some(&first), Some(&images[0]), at(2, 2));
    assert_eq!((sheet.width, sheet.height), (first.width, first.height));
    // Labels of rows: 6 letters of 12 pixels; of columns: one line of 18 pixels, as 11 letters of 12 pixels fit into 150.
    let (left, top) = (8 + 6 * 12 + 8, 8 + 18 + 4);
    assert_eq!(window(&sheet, (left, top), &images[0]), images[0].samples);
    assert_eq!(window(&sheet, (left + 150 + 8, top + 100 + 8), &images[0]), images[0].samples);
    assert!(window(&sheet, (left + 150 + 8, top), &images[0]).iter().all(|v| *v == GROUND), "an empty cell");
    assert_eq!((sheet.width, sheet.height), (left + 2 * 150 + 8 + 8, top + 2 * 100 + 8 + 8));

    // A picture that is larger than those before it makes every cell larger; the others keep their pixels.
    let grown = fill(Some(&sheet), Some(&images[2]), at(2, 1));
    assert_eq!((grown.width, grown.height), (left + 2 * 152 + 8 + 8, sheet.height));
    assert_eq!(window(&grown, (left + 1, top), &images[0]), images[0].samples);
    assert_eq!(window(&grown, (left + 152 + 8, top), &images[2]), images[2].samples);
    // A cell that is filled again forgets what it held.
    let again = fill(Some(&grown), Some(&images[1]), at(1, 1));
    assert_eq!(window(&again, (left, top), &images[1]), images[1].samples);
}

#[test]
fn large_pictures_are_made_smaller_and_small_ones_are_left_alone() {
    let sheet = |image: &Picture| {
        let sheet = fill(None, Some(image), json!({ "cell": 128 }));
        (sheet.width - 16, sheet.height - 16)
    };
    assert_eq!(sheet(&noise(400, 300, 3, 8)), (128, 96));
    assert_eq!(sheet(&noise(100, 3000, 3, 8)), (96, 256), "at most twice as high as `cell`, and never too narrow");
    assert_eq!(sheet(&noise(110, 70, 1, 8)), (110, 70));
    let small = fill(None, Some(&noise(10, 10, 1, 16)), json!({}));
    assert_eq!(small.samples.iter().filter(|v| **v != 1.0 && **v != GROUND).count() % 3, 0, "grey is repeated");
}

#[test]
fn alpha_shows_the_cells_ground_and_light_is_encoded_for_display() {
    let clear =
        Picture { width: 100, height: 70, channels: 4, bit_depth: 8, samples: [1.0, 0.0, 0.0, 0.0].repeat(7000) };
    let sheet = fill(None, Some(&clear), json!({}));
    assert!(window(&sheet, (8, 8), &clear).iter().all(|v| *v == GROUND));
    let bright = Picture { width: 100, height: 70, channels: 3, bit_depth: 32, samples: [9.0, 0.0, 0.25].repeat(7000) };
    let sheet = fill(None, Some(&bright), json!({}));
    // sRGB's curve at 0.25 is 0.5371 (IEC 61966-2-1), 137 of 255.
    assert_eq!(window(&sheet, (8, 8), &bright)[..3], [1.0, 0.0, 137.0 / 255.0]);
}

#[test]
fn a_missing_picture_says_why_and_a_caption_stands_under_one() {
    let missing = fill(None, None, json!({ "text": "node `denoise`: told to fail" }));
    assert!(missing.samples.as_chunks::<3>().0.contains(&[160.0 / 255.0, 32.0 / 255.0, 24.0 / 255.0]), "in red");
    let image = noise(100, 80, 3, 8);
    let captioned = fill(None, Some(&image), json!({ "text": "seed 7" }));
    assert_eq!(window(&captioned, (8, 8), &image), image.samples);
    let mut expected = Canvas::new(100, 21, [240; 3]).unwrap();
    expected.text(6, 6, 88, 1, "seed 7", [32; 3]);
    let expected = expected.to_picture();
    assert_eq!(window(&captioned, (8, 88), &expected), expected.samples);
    let empty = fill(None, None, json!({}));
    assert_eq!((empty.width, empty.height), (96 + 16, 64 + 16));
    // The words of a long text are cut off with its cell.
    let long = fill(None, None, json!({ "text": "and so on ".repeat(1000), "cell": 128 }));
    assert_eq!((long.width, long.height), (128 + 16, 256 + 16));
}

#[test]
fn a_place_or_a_sheet_that_does_not_fit_the_labels_is_refused() {
    let refused = |sheet: Option<&Picture>, parameters: Json| {
        run("image.sheet", parameters, inputs(sheet, None)).unwrap_err().to_string()
    };
    let told = refused(None, json!({ "columns": "a\nb", "column": 3 }));
    assert!(told.contains("parameter `column`: expected 1 to 2, found 3; `columns` has a line for each"), "{told}");
    let told = refused(None, json!({ "row": 0 }));
    assert!(told.contains("parameter `row`: expected 1 to 1, found 0"), "{told}");
    let other = fill(None, None, json!({ "columns": "a\nb" }));
    let told = refused(Some(&other), json!({ "columns": "a\nb\nc" }));
    assert!(told.contains("input `sheet`: expected a sheet that this node made"), "{told}");
    assert!(refused(Some(&noise(112, 80, 4, 8)), json!({})).contains("4 channels"));
    assert!(refused(None, json!({ "columns": "x\n".repeat(6000), "rows": "y\n".repeat(6000) })).contains("megapixels"));
}
