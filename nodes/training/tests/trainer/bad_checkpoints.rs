//! A checkpoint that is not this run's is told in one error that names file and remedy, and stays as it is.

use crate::host::Host;
use crate::toy::{Toy, files, train_toy};
use mgie_plugin_api::{Failure, FailureKind};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::path::{Path, PathBuf};

/// A run of five steps, and its checkpoint.
fn begun() -> (tempfile::TempDir, PathBuf) {
    let work = tempfile::tempdir().unwrap();
    train_toy(&Toy::default(), &Host::of(1), work.path(), 5, |_| ()).unwrap();
    let checkpoint = work.path().join("toy.safetensors");
    (work, checkpoint)
}

fn refused(toy: &Toy, work: &Path, said: &[&str]) -> Failure {
    let before = files(work);
    let failure = train_toy(toy, &Host::of(1), work, 10, |_| ()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::File, "{failure}");
    assert_eq!(Path::new(&failure.place), work.join("toy.safetensors"), "{failure}");
    assert!(failure.remedy.contains("`work`"), "{failure}");
    let text = failure.to_string();
    for part in said {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
    assert!(files(work) == before, "the checkpoint was changed");
    failure
}

#[test]
fn a_checkpoint_of_another_model_is_refused_and_kept() {
    let (work, _) = begun();
    let toy = Toy::default();
    refused(&Toy { width: 4, ..toy }, work.path(), &["line.weight", "[3, 4]", "[4, 4]"]);
    refused(&Toy { name: "other.weight", ..toy }, work.path(), &["other.weight", "another model"]);
    refused(&Toy { second: Some("second"), ..toy }, work.path(), &["second", "another model"]);
    let (work, _) = {
        let work = tempfile::tempdir().unwrap();
        train_toy(&Toy { second: Some("second"), ..toy }, &Host::of(1), work.path(), 5, |_| ()).unwrap();
        (work, ())
    };
    refused(&toy, work.path(), &["2 parameters", "knows 1"]);
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_and_tells_both() {
    let (work, _) = begun();
    refused(&Toy { batch: 4, ..Toy::default() }, work.path(), &["other settings", r#""batch":4"#, r#""batch":5"#]);
}

#[test]
fn learning_rate_and_steps_may_change_on_the_way() {
    let (work, _) = begun();
    train_toy(&Toy::default(), &Host::of(1), work.path(), 8, |plan| plan.rate = 0.01).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_refused_and_kept() {
    let (work, checkpoint) = begun();
    let good = std::fs::read(&checkpoint).unwrap();
    let random: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let zeros = vec![0; 4096];
    for (what, bytes) in [
        ("empty", &[][..]),
        ("of a few bytes", &good[..7]),
        ("cut off in its header", &good[..100]),
        ("cut off at its end", &good[..good.len() - 1]),
        ("of random bytes", &random),
        ("of zeros", &zeros),
    ] {
        std::fs::write(&checkpoint, bytes).unwrap();
        let failure = refused(&Toy::default(), work.path(), &[]);
        assert!(!failure.message.contains('\n'), "{what}: {failure}");
    }
}

/// The checkpoint with other tensors, and what it says of itself changed.
fn rewritten(bytes: &[u8], keep: impl Fn(&str) -> bool, change: impl Fn(String) -> String) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let about = header.metadata().clone().unwrap();
    let about = about.into_iter().map(|(key, value)| (key, change(value))).collect();
    let stored = SafeTensors::deserialize(bytes).unwrap();
    let views: Vec<(String, TensorView<'_>)> = stored.tensors().into_iter().filter(|(name, _)| keep(name)).collect();
    safetensors::serialize(views, Some(about)).unwrap()
}

#[test]
fn a_checkpoint_from_a_newer_version_is_refused_and_kept() {
    let (work, checkpoint) = begun();
    let good = std::fs::read(&checkpoint).unwrap();
    let newer = rewritten(&good, |_| true, |about| about.replace(r#""version":1"#, r#""version":2"#));
    std::fs::write(&checkpoint, newer).unwrap();
    refused(&Toy::default(), work.path(), &["newer", "form 2"]);
}

#[test]
fn a_checkpoint_that_lacks_the_optimisers_state_the_averages_or_the_step_is_refused() {
    let (work, checkpoint) = begun();
    let good = std::fs::read(&checkpoint).unwrap();
    for (part, said) in [("m/", "optimiser's state"), ("v/", "optimiser's state"), ("ema/", "moving average")] {
        std::fs::write(&checkpoint, rewritten(&good, |name| !name.starts_with(part), |about| about)).unwrap();
        refused(&Toy::default(), work.path(), &[said, "line.weight"]);
    }
    let nowhere = rewritten(&good, |_| true, |about| about.replace(r#""step":5"#, r#""stop":5"#));
    std::fs::write(&checkpoint, nowhere).unwrap();
    refused(&Toy::default(), work.path(), &["which step"]);
    let nobodys = rewritten(&good, |_| true, |_| "{".to_owned());
    std::fs::write(&checkpoint, nobodys).unwrap();
    refused(&Toy::default(), work.path(), &["no training checkpoint"]);
}
