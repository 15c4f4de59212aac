//! Loaded models: once, shared, let go on request.

use crate::torch_writer::safetensors_file;
use candle_core::{DType, Device};
use mgie_weights::loaded::{Key, Loaded};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn key(path: &Path, dtype: DType) -> Key {
    Key::of(&[path], dtype, &Device::Cpu).unwrap()
}

#[test]
fn a_model_that_many_want_at_once_is_loaded_once() {
    static MODELS: Loaded<String> = Loaded::new();
    let folder = tempfile::tempdir().unwrap();
    let loads = AtomicUsize::new(0);
    let load = || {
        loads.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok::<_, ()>(("model".to_string(), 10))
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| MODELS.get_or_load(key(folder.path(), DType::F32), load).unwrap());
        }
    });
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    MODELS.get_or_load(key(folder.path(), DType::F16), load).unwrap();
    assert_eq!((loads.load(Ordering::SeqCst), MODELS.held()), (2, 20));
}

#[test]
fn a_failed_load_keeps_nothing_and_the_next_one_tries_again() {
    static MODELS: Loaded<u8> = Loaded::new();
    let folder = tempfile::tempdir().unwrap();
    let key = || key(folder.path(), DType::F32);
    assert_eq!(MODELS.get_or_load(key(), || Err("no")), Err("no"));
    assert_eq!(MODELS.get_or_load(key(), || Ok::<_, ()>((7, 1))).as_deref(), Ok(&7));
}

#[test]
fn only_models_that_nobody_uses_are_let_go() {
    static MODELS: Loaded<u8> = Loaded::new();
    let folder = tempfile::tempdir().unwrap();
    let used = MODELS.get_or_load(key(folder.path(), DType::F32), || Ok::<_, ()>((1, 100))).unwrap();
    drop(MODELS.get_or_load(key(folder.path(), DType::F16), || Ok::<_, ()>((2, 30))).unwrap());
    assert_eq!(MODELS.held(), 130);
    assert_eq!(MODELS.release_unused(), 30);
    assert_eq!((MODELS.held(), Arc::strong_count(&used)), (100, 2));
    drop(used);
    assert_eq!(MODELS.release_unused(), 100);
    assert_eq!(MODELS.held(), 0);
}

#[test]
fn a_model_whose_file_has_changed_is_loaded_again_and_the_old_one_let_go() {
    static MODELS: Loaded<u8> = Loaded::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    safetensors_file(&file, &[("a", &[1], &[1.])]);
    let get = |value: u8| *MODELS.get_or_load(key(folder.path(), DType::F32), || Ok::<_, ()>((value, 5))).unwrap();
    assert_eq!((get(1), get(2)), (1, 1));
    safetensors_file(&file, &[("a", &[2], &[1., 2.])]);
    assert_eq!((get(3), MODELS.held()), (3, 5));
}
