//! A checkpoint that cannot be written leaves the last one.

use crate::host::Host;
use crate::toy::{Event, Toy, files, train_toy};
use mgie_plugin_api::FailureKind;
use std::path::Path;

/// The folder that the child process trains in.
const WORK: &str = "MGIE_TEST_WORK_ON_A_FULL_DISK";

/// Large enough that its checkpoint is more than the limit, and the curve less.
const WIDE: Toy = Toy { width: 4096, name: "line.weight", second: None, event: None, batch: 5 };

#[test]
fn a_checkpoint_that_may_not_be_replaced_is_told_and_kept_and_the_run_goes_on_from_it() {
    let good = tempfile::tempdir().unwrap();
    train_toy(&Toy::default(), &Host::of(1), good.path(), 23, |_| ()).unwrap();
    let work = tempfile::tempdir().unwrap();
    train_toy(&Toy::default().with(6, Event::Crash), &Host::of(1), work.path(), 23, |_| ()).unwrap_err();
    let checkpoint = work.path().join("toy.safetensors");
    let before = std::fs::read(&checkpoint).unwrap();
    let writable = |writable: bool| {
        let mut permissions = std::fs::metadata(&checkpoint).unwrap().permissions();
        permissions.set_readonly(!writable);
        std::fs::set_permissions(&checkpoint, permissions).unwrap();
    };
    writable(false);
    let failure = train_toy(&Toy::default(), &Host::of(1), work.path(), 23, |_| ()).unwrap_err();
    assert_eq!((failure.kind, Path::new(&failure.place)), (FailureKind::File, checkpoint.as_path()), "{failure}");
    assert!(failure.to_string().contains("read-only"), "{failure}");
    assert!(std::fs::read(&checkpoint).unwrap() == before);
    writable(true);
    train_toy(&Toy::default(), &Host::of(1), work.path(), 23, |_| ()).unwrap();
    assert!(files(work.path()) == files(good.path()));
}

#[test]
fn a_work_folder_that_is_a_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    std::fs::write(&work, "x").unwrap();
    let failure = train_toy(&Toy::default(), &Host::of(1), &work, 5, |_| ()).unwrap_err();
    assert_eq!((failure.kind, Path::new(&failure.place)), (FailureKind::File, work.as_path()), "{failure}");
    assert!(!failure.remedy.is_empty(), "{failure}");
}

/// Runs itself again in a process that may not write files as large as the checkpoint: what a full disk is to a writer.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_in_the_middle_of_a_checkpoint_leaves_the_last_one() {
    if let Some(work) = std::env::var_os(WORK) {
        let failure = train_toy(&WIDE, &Host::of(1), Path::new(&work), 8, |_| ()).unwrap_err();
        let checkpoint = Path::new(&work).join("toy.safetensors");
        assert_eq!((failure.kind, Path::new(&failure.place)), (FailureKind::File, checkpoint.as_path()), "{failure}");
        assert!(failure.to_string().contains("cannot be written"), "{failure}");
        return;
    }
    let work = tempfile::tempdir().unwrap();
    train_toy(&WIDE, &Host::of(1), work.path(), 5, |_| ()).unwrap();
    let [before, _] = files(work.path());
    assert!(before.len() > 200_000, "more than the limit: {}", before.len());
    let limited = "trap '' XFSZ; ulimit -f 150; exec \"$0\" --exact disk::\
                   a_disk_that_is_full_in_the_middle_of_a_checkpoint_leaves_the_last_one";
    let child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env(WORK, work.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
    assert!(files(work.path())[0] == before, "the checkpoint was changed");
    let hidden = std::fs::read_dir(work.path()).unwrap();
    let hidden = hidden.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "something half written is left");
    train_toy(&WIDE, &Host::of(1), work.path(), 8, |_| ()).unwrap();
}
