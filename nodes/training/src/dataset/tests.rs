//! Sets as they come: the authors' layout, ours, MagicBrush's, and every way in which one can be broken.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use image::{ImageFormat, Rgb, RgbImage};

use super::Dataset;
use crate::scenes::set::SceneSet;
use crate::scenes::{SIDE, sample};

/// A set of two pairs of one instruction and one of another, laid out by hand as the authors' example data is.
struct Set(tempfile::TempDir);

impl Set {
    fn new() -> Self {
        let set = Self(tempfile::tempdir().unwrap());
        for (id, edit, seeds) in [("0000132", "make it snowy", &["12", "7"][..]), ("0000145", "add a boat", &["9"])] {
            fs::create_dir(set.path(id)).unwrap();
            let prompt = format!(r#"{{"input": "a lake", "edit": "{edit}", "output": "a lake with it", "url": ""}}"#);
            fs::write(set.path(id).join("prompt.json"), prompt).unwrap();
            for seed in seeds {
                for which in 0..2 {
                    picture(&set.path(&format!("{id}/{seed}_{which}.jpg")), 24, 16, ImageFormat::Jpeg);
                }
            }
        }
        set
    }

    fn with_seeds(seeds: &str) -> Self {
        let set = Self::new();
        fs::write(set.path("seeds.json"), seeds).unwrap();
        set
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> Dataset {
        Dataset::open(self.0.path()).unwrap()
    }

    /// What is told when it is opened; it has to name `place` and a remedy.
    fn refused(&self, place: &str) -> String {
        let failure = Dataset::open(self.0.path()).unwrap_err();
        assert_eq!(failure.place, self.path(place).display().to_string(), "{failure}");
        assert!(!failure.remedy.is_empty(), "{failure}");
        failure.to_string()
    }
}

fn picture(path: &Path, width: u32, height: u32, format: ImageFormat) {
    let pixels = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 9) as u8, 128]));
    pixels.save_with_format(path, format).unwrap();
}

fn names(set: &Dataset) -> Vec<&str> {
    set.entries().iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn without_a_list_every_pair_counts_in_the_order_of_the_names() {
    let set = Set::new();
    fs::create_dir(set.path("not a pair")).unwrap();
    let set = set.open();
    assert_eq!(names(&set), ["0000132_12", "0000132_7", "0000145_9"]);
    let entry = &set.entries()[2];
    assert_eq!(entry.instruction, "add a boat");
    assert_eq!(
        (entry.source_caption.as_deref(), entry.goal_caption.as_deref()),
        (Some("a lake"), Some("a lake with it"))
    );
    assert_eq!((&entry.expressive, &entry.notes), (&None, &None));
}

#[test]
fn a_list_says_which_pairs_count_in_its_order_with_seeds_as_texts_or_numbers() {
    let set = Set::with_seeds(r#"[["0000145", ["9"]], ["0000132", [7]]]"#);
    assert_eq!(names(&set.open()), ["0000145_9", "0000132_7"]);
}

#[test]
fn expressive_instructions_are_found_under_the_name_of_the_source() {
    let set = Set::new();
    let text = r#"{"0000132_7_0": {"instruction": "make it snowy", "expressive": "snow lies on the shore."}}"#;
    fs::write(set.path("ipr2pr_expressive.json"), text).unwrap();
    let found: Vec<_> = set.open().entries().iter().map(|entry| entry.expressive.clone()).collect();
    assert_eq!(found, [None, Some("snow lies on the shore.".to_owned()), None]);
    fs::write(set.path("ipr2pr_expressive.json"), r#"{"0000132_7_0": {"expressive": " "}}"#).unwrap();
    assert!(set.refused("ipr2pr_expressive.json").contains("0000132_7_0 is empty"));
}

#[test]
fn pictures_are_cropped_to_the_middle_and_resized() {
    let pair = Set::new().open().pair(0, 16).unwrap();
    assert_eq!((pair.source.width, pair.source.height, pair.source.channels), (16, 16, 3));
    // The window begins at column (24 − 16) / 2, where red is 4 × 7.
    let red = pair.source.samples[0] * 255.0;
    assert!((red - 28.0).abs() < 8.0, "expected about 28, found {red}");
    let pair = Set::new().open().pair(0, 8).unwrap();
    assert_eq!((pair.goal.width, pair.goal.height), (8, 8));
}

#[test]
fn a_png_with_alpha_or_in_grey_is_taken_as_rgb() {
    let set = Set::new();
    for which in 0..2 {
        fs::remove_file(set.path(&format!("0000145/9_{which}.jpg"))).unwrap();
    }
    image::GrayImage::from_pixel(8, 8, image::Luma([51])).save(set.path("0000145/9_0.png")).unwrap();
    image::RgbaImage::from_pixel(8, 8, image::Rgba([51, 102, 0, 10])).save(set.path("0000145/9_1.png")).unwrap();
    let pair = set.open().pair(2, 8).unwrap();
    assert_eq!(pair.source.samples[..3], [0.2, 0.2, 0.2]);
    assert_eq!(pair.goal.samples[..3], [0.2, 0.4, 0.0]);
}

#[test]
fn a_missing_goal_is_named() {
    let set = Set::new();
    fs::remove_file(set.path("0000132/7_1.jpg")).unwrap();
    assert!(set.refused("0000132/7_1.jpg").contains("the goal of this pair is missing"));
}

#[test]
fn a_missing_source_is_named() {
    let set = Set::with_seeds(r#"[["0000145", ["9", "10"]]]"#);
    assert!(set.refused("0000145/10_0.jpg").contains("the source of this pair is missing"));
}

#[test]
fn a_folder_that_is_listed_and_not_there_is_named() {
    let set = Set::with_seeds(r#"[["0000999", ["9"]]]"#);
    assert!(set.refused("0000999").contains("listed and not there"));
}

#[test]
fn a_cut_off_jpeg_is_named_when_it_is_read() {
    let set = Set::new();
    let path = set.path("0000145/9_1.jpg");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let failure = set.open().pair(2, 16).unwrap_err();
    assert_eq!(failure.place, path.display().to_string());
    assert!(failure.message.contains("end-of-image"), "{failure}");
    assert!(!failure.remedy.is_empty(), "{failure}");
    fs::write(&path, "no picture").unwrap();
    assert_eq!(set.open().pair(2, 16).unwrap_err().place, path.display().to_string());
    fs::write(&path, &bytes[..200]).unwrap();
    let told = set.open().pair(2, 16).unwrap_err().to_string();
    assert!(told.starts_with(&path.display().to_string()) && !told.contains('\n'), "{told:?}");
}

#[test]
fn an_empty_prompt_is_named() {
    let set = Set::new();
    fs::write(set.path("0000145/prompt.json"), r#"{"edit": "  "}"#).unwrap();
    assert!(set.refused("0000145/prompt.json").contains("the instruction (`edit`) is empty"));
}

#[test]
fn a_prompt_that_is_missing_or_malformed_is_named() {
    let set = Set::with_seeds(r#"[["0000145", ["9"]]]"#);
    fs::write(set.path("0000145/prompt.json"), r#"{"caption": "a lake"}"#).unwrap();
    assert!(set.refused("0000145/prompt.json").contains("missing field `edit`"));
    fs::remove_file(set.path("0000145/prompt.json")).unwrap();
    assert!(set.refused("0000145/prompt.json").contains("no such file"));
}

#[test]
fn a_source_and_a_goal_of_different_sizes_are_told_with_both_sizes() {
    let set = Set::new();
    picture(&set.path("0000145/9_1.jpg"), 32, 16, ImageFormat::Jpeg);
    let failure = set.open().pair(2, 16).unwrap_err();
    assert_eq!(failure.place, set.path("0000145/9_1.jpg").display().to_string());
    assert!(failure.expected.starts_with("24×16"), "{failure}");
    assert_eq!(failure.found, "32×16");
}

#[test]
fn two_pictures_of_one_name_are_refused() {
    let set = Set::new();
    picture(&set.path("0000145/9_0.png"), 24, 16, ImageFormat::Png);
    assert!(set.refused("0000145/9_0.jpg").contains("9_0.png lies beside it"));
}

#[test]
fn an_id_or_a_seed_that_is_listed_twice_is_refused() {
    let set = Set::with_seeds(r#"[["0000145", ["9"]], ["0000145", ["9"]]]"#);
    assert!(set.refused("seeds.json").contains("id 0000145 is listed twice"));
    let set = Set::with_seeds(r#"[["0000145", ["9", 9]]]"#);
    assert!(set.refused("seeds.json").contains("seed 9 of id 0000145 is listed twice"));
}

#[test]
fn a_list_that_leads_out_of_the_folder_or_is_malformed_is_refused() {
    assert!(Set::with_seeds(r#"[["../else", ["9"]]]"#).refused("seeds.json").contains("no plain name"));
    assert!(Set::with_seeds(r#"{"0000145": 9}"#).refused("seeds.json").contains("malformed"));
}

#[test]
fn a_folder_without_a_set_says_what_belongs_there() {
    let empty = tempfile::tempdir().unwrap();
    let told = Dataset::open(empty.path()).unwrap_err().to_string();
    assert!(told.contains("there is no data set in this folder") && told.contains("prompt.json"), "{told}");
    let told = Dataset::open(&empty.path().join("nowhere")).unwrap_err().to_string();
    assert!(told.contains("there is no such folder"), "{told}");
}

#[test]
fn magic_brush_turns_are_read_and_a_lost_picture_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("images/42")).unwrap();
    let turns = r#"[{"input": "42-input.png", "output": "42-output1.png", "instruction": "add a cat"}]"#;
    fs::write(at("edit_turns.json"), turns).unwrap();
    fs::write(at("global_descriptions.json"), r#"{"42": {"42-output1.png": "a cat"}}"#).unwrap();
    picture(&at("images/42/42-input.png"), 8, 8, ImageFormat::Png);
    let failure = Dataset::open(folder.path()).unwrap_err();
    assert_eq!(failure.place, at("images/42/42-output1.png").display().to_string());
    picture(&at("images/42/42-output1.png"), 8, 8, ImageFormat::Png);
    let set = Dataset::open(folder.path()).unwrap();
    let entry = &set.entries()[0];
    assert_eq!((entry.name.as_str(), entry.instruction.as_str()), ("42-output1", "add a cat"));
    assert_eq!((entry.source_caption.as_deref(), entry.goal_caption.as_deref()), (None, Some("a cat")));
    set.pair(0, 8).unwrap();
}

#[test]
fn scenes_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let scenes = SceneSet { seed: 3, first: 40, count: 5, family: None };
    assert!(scenes.write(&path, 2, |_| Ok(())).unwrap());
    let set = Dataset::open(&path).unwrap();
    assert_eq!(set.len(), 5);
    for (index, entry) in set.entries().iter().enumerate() {
        let example = sample(3, 40 + index as u64);
        assert_eq!(entry.name, format!("{:07}_3", 40 + index));
        assert_eq!(entry.instruction, example.instruction);
        assert_eq!(entry.expressive.as_ref(), Some(&example.expressive));
        assert_eq!(entry.source_caption.as_ref(), Some(&example.source_caption));
        assert_eq!(entry.goal_caption.as_ref(), Some(&example.goal_caption));
        let notes = entry.notes.as_ref().unwrap();
        assert_eq!((notes.family.as_str(), notes.edit.as_str()), (example.family.name(), example.edit));
        assert_eq!((&notes.key, &notes.questions), (&example.key, &example.questions));
        let pair = set.pair(index, SIDE).unwrap();
        for (found, drawn) in [(pair.source, example.source), (pair.goal, example.goal)] {
            let off: f32 = found.samples.iter().zip(&drawn).map(|(a, &b)| (a * 255.0 - f32::from(b)).abs()).sum();
            let mean = off / drawn.len() as f32;
            assert!(mean < 1.5, "JPEG is off by {mean} of 255 in the mean");
        }
    }
}
