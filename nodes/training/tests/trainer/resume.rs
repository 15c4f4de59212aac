//! A training that stopped ends as one that did not, to the bit: parameters, optimiser, moving averages and curve.

use crate::host::{Host, node};
use crate::models;
use crate::toy::{Event, Toy, files, train_toy};
use mgie_plugin_api::serde_json::json;
use mgie_training::parameters::Parameters;
use std::path::Path;

const STEPS: u64 = 23;

fn numbers(parameters: &Parameters) -> Vec<f32> {
    let all = parameters.below("line").into_iter();
    all.flat_map(|(_, tensor)| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

fn unbroken(threads: usize) -> (Vec<f32>, [Vec<u8>; 2]) {
    let work = tempfile::tempdir().unwrap();
    let trained = train_toy(&Toy::default(), &Host::of(threads), work.path(), STEPS, |_| ()).unwrap();
    (numbers(&trained), files(work.path()))
}

fn go_on(work: &Path) -> (Vec<f32>, [Vec<u8>; 2]) {
    let trained = train_toy(&Toy::default(), &Host::of(1), work, STEPS, |_| ()).unwrap();
    (numbers(&trained), files(work))
}

#[test]
fn a_run_that_was_cancelled_ends_as_one_that_was_not() {
    let expected = unbroken(1);
    for stop in [1, 5, 9, 10, 22] {
        let work = tempfile::tempdir().unwrap();
        let stopped = train_toy(&Toy::default(), &Host::that_stops_after(stop), work.path(), STEPS, |_| ());
        assert!(stopped.unwrap_err().is_cancelled());
        assert!(go_on(work.path()) == expected, "stopped after step {stop}");
    }
}

#[test]
fn a_run_that_is_cancelled_after_every_step_ends_as_one_that_was_not() {
    let work = tempfile::tempdir().unwrap();
    let before = train_toy(&Toy::default(), &Host::that_stops_after(0), work.path(), STEPS, |_| ());
    assert!(before.unwrap_err().is_cancelled());
    for _ in 1..STEPS {
        let stopped = train_toy(&Toy::default(), &Host::that_stops_after(1), work.path(), STEPS, |_| ());
        assert!(stopped.unwrap_err().is_cancelled());
    }
    assert!(go_on(work.path()) == unbroken(1));
}

#[test]
fn a_run_that_was_killed_goes_on_from_its_last_checkpoint_and_ends_the_same() {
    let expected = unbroken(1);
    for crash in [3, 5, 8, 14, 22] {
        let work = tempfile::tempdir().unwrap();
        let toy = Toy::default().with(crash, Event::Crash);
        train_toy(&toy, &Host::of(1), work.path(), STEPS, |_| ()).unwrap_err();
        assert_eq!(work.path().join("toy.safetensors").exists(), crash >= 5, "a checkpoint every five steps");
        assert!(go_on(work.path()) == expected, "killed in step {crash}");
    }
}

#[test]
fn parts_side_by_side_end_as_parts_one_after_the_other() {
    assert!(unbroken(2) == unbroken(1));
    assert!(unbroken(4) == unbroken(1));
}

#[test]
fn a_finished_run_is_not_trained_again_and_gives_the_same() {
    let work = tempfile::tempdir().unwrap();
    let trained = train_toy(&Toy::default(), &Host::of(1), work.path(), STEPS, |_| ()).unwrap();
    let toy = Toy::default().with(STEPS, Event::Crash);
    let again = train_toy(&toy, &Host::of(1), work.path(), STEPS, |_| ()).unwrap();
    assert_eq!(numbers(&again), numbers(&trained));
}

#[test]
fn the_autoencoders_node_ends_the_same_stopped_and_in_two_threads() {
    let models = models::with_tiny_vae();
    let dataset = models::scenes(6);
    let vae = |host: &Host, work: &Path| {
        let changes = json!({
            "models": models.path(), "work": work, "steps": 12, "batch": 4, "part": 2, "every": 5, "side": 16,
            "device": "cpu",
        });
        let done = node(host, "training.vae", dataset.path(), &changes)?;
        assert_eq!(done.get("models").unwrap().as_text(), models.path().to_str());
        let model = models.path().join("instruct-pix2pix/vae/diffusion_pytorch_model.safetensors");
        let files = [work.join("vae.safetensors"), work.join("vae.csv"), work.join("vae-0000012.png"), model];
        Ok(files.map(|path| std::fs::read(path).unwrap()))
    };
    let works: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let expected = vae(&Host::of(1), works[0].path()).unwrap();
    let stopped: Result<[Vec<u8>; 4], mgie_plugin_api::Failure> = vae(&Host::that_stops_after(5), works[1].path());
    assert!(stopped.unwrap_err().is_cancelled());
    let resumed = vae(&Host::of(1), works[1].path()).unwrap();
    let two = vae(&Host::of(2), works[2].path()).unwrap();
    for (index, what) in ["checkpoint", "curve", "sample", "model"].into_iter().enumerate() {
        assert!(resumed[index] == expected[index], "another {what} after a stop");
        assert!(two[index] == expected[index], "another {what} in two threads");
    }
}
