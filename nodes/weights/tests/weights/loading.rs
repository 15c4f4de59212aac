//! From a checkpoint to a model: what is collected, what is refused, who may stop it.

use crate::torch_writer::{TorchTensor, safetensors_file, state_dict, torch_file};
use candle_core::{DType, Device, Tensor};
use mgie_weights::{Checkpoint, Overlay, Watch, Weights, WeightsError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

fn weights(path: &Path) -> Weights<'static> {
    Weights::open(path, DType::F32, &Device::Cpu).unwrap()
}

/// A file with `a` [2, 2], `b.weight` [3] and `c` [1].
fn three(folder: &Path) -> PathBuf {
    let path = folder.join("three.safetensors");
    safetensors_file(
        &path,
        &[("a", &[2, 2], &[1., 2., 3., 4.]), ("b.weight", &[3], &[5., 6., 7.]), ("c", &[1], &[8.])],
    );
    path
}

#[test]
fn everything_missing_or_misshapen_is_one_error_with_file_name_expected_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top.pt");
    let tensor = TorchTensor { name: "b.bias", ..TorchTensor::two_by_two("") };
    fs::write(&top, torch_file(&state_dict(&[tensor]), &[0; 16])).unwrap();
    let base = three(folder.path());
    let overlay = Overlay::new().then(Checkpoint::open(&top).unwrap()).then(Checkpoint::open(&base).unwrap());
    let weights = Weights::new(overlay, DType::F32, &Device::Cpu);
    let error = weights
        .load(|w| {
            assert_eq!(w.get((2, 2), "a")?.dims(), [2, 2]);
            let b = w.pp("b");
            assert_eq!(b.get(4, "weight")?.dims(), [4], "a stand-in has the shape that was asked for");
            assert_eq!(b.get((2, 3), "bias")?.dims(), [2, 3]);
            let absent = b.pp("deeper").get((50_000, 50_000), "weight")?;
            assert_eq!(absent.dims(), [50_000, 50_000]);
            Ok(())
        })
        .unwrap_err();
    let (top, base) = (top.display(), base.display());
    assert_eq!(
        error.to_string(),
        format!(
            "3 tensors do not fit the model; looked in {top}, {base}\n  \
             b.weight: expected [4], found [3] in {base}\n  \
             b.bias: expected [2, 3], found [2, 2] in {top}\n  \
             b.deeper.weight: expected [50000, 50000], found no tensor of this name"
        )
    );
    weights.finish().unwrap();
}

#[test]
fn a_long_list_of_missing_tensors_ends_in_a_count() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(&three(folder.path()));
    for i in 0..300 {
        weights.get(1, &format!("layers.{i}")).unwrap();
    }
    let error = weights.finish().unwrap_err().to_string();
    assert_eq!(error.lines().count(), 22, "{error}");
    assert!(error.starts_with("300 tensors") && error.ends_with("and 280 more"), "{error}");
}

#[test]
fn nothing_more_is_read_once_something_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(&three(folder.path()));
    weights.get(9, "c").unwrap();
    assert_eq!(weights.get((2, 2), "a").unwrap().dims(), [2, 2]);
    assert_eq!(weights.bytes(), 0);
    assert!(weights.finish().is_err());
    weights.get((2, 2), "a").unwrap();
    assert_eq!(weights.bytes(), 16);
}

#[test]
fn values_that_no_model_can_use_are_refused_by_tensor_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("values.safetensors");
    let mut long = vec![1_f32; 50_000];
    long[40_001] = f32::NAN;
    let tensors: [(&str, &[usize], &[f32]); 3] =
        [("nan", &[50_000], &long), ("infinite", &[2], &[0., f32::NEG_INFINITY]), ("large", &[2], &[1e6, 70_000.])];
    safetensors_file(&path, &tensors);
    let refused = |dtype: DType, name: &str| {
        let weights = Weights::open(&path, dtype, &Device::Cpu).unwrap();
        weights.get_any(name).unwrap();
        weights.finish().map_err(|error| error.to_string())
    };
    let file = path.display().to_string();
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::F64] {
        let error = refused(dtype, "nan").unwrap_err();
        assert!(error.contains("holds NaN at element 40001 of 50000") && error.contains(&file), "{error}");
        let error = refused(dtype, "infinite").unwrap_err();
        assert!(error.contains("infinite: expected [2], in") && error.contains("infinity at element 1"), "{error}");
    }
    refused(DType::F32, "large").unwrap();
    refused(DType::BF16, "large").unwrap();
    let error = refused(DType::F16, "large").unwrap_err();
    assert!(error.contains("1e6 at element 0") && error.contains("use f32 or bf16"), "{error}");
    let error = refused(DType::I64, "large").unwrap_err();
    assert!(error.contains("holds f32 where i64 is needed"), "{error}");
}

#[test]
fn a_model_of_candles_own_loads_through_the_same_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linear.safetensors");
    safetensors_file(&path, &[("l.weight", &[2, 3], &[1., 2., 3., 4., 5., 6.]), ("l.bias", &[2], &[0.5, 1.])]);
    let whole = weights(&path);
    let linear = whole.load(|w| candle_nn::linear(3, 2, w.var_builder().pp("l"))).unwrap();
    let input = Tensor::ones((1, 3), DType::F32, &Device::Cpu).unwrap();
    let output = candle_nn::Module::forward(&linear, &input).unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[6.5, 16.]]);
    let error = whole.load(|w| candle_nn::linear(4, 2, w.pp("l").var_builder())).unwrap_err();
    let WeightsError::Unfit { tensors, .. } = error else { panic!("{error}") };
    assert_eq!(tensors.len(), 1);
    assert_eq!((tensors[0].name.as_str(), tensors[0].expected.as_deref()), ("l.weight", Some(&[2, 4][..])));
}

#[test]
fn sizes_are_learnt_from_the_tensors_and_a_wrong_rank_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(&three(folder.path()));
    let [rows, columns] = weights.sizes("a").unwrap();
    assert_eq!((rows, columns), (2, 2));
    let error = weights.load(|w| w.pp("b").sizes::<2>("weight")).unwrap_err().to_string();
    assert!(error.contains("b.weight: in ") && error.contains("[3], not one of 2 dimensions"), "{error}");
    let error = weights.load(|w| w.sizes::<1>("none")).unwrap_err().to_string();
    assert!(error.contains("none: found no tensor"), "{error}");
}

/// Cancels after some tensors and records progress.
struct Impatient {
    after: usize,
    seen: Mutex<Vec<(u64, u64)>>,
}

impl Watch for Impatient {
    fn cancelled(&self) -> bool {
        self.seen.lock().unwrap().len() >= self.after
    }

    fn progress(&self, done: u64, total: u64) {
        self.seen.lock().unwrap().push((done, total));
    }
}

#[test]
fn loading_reports_bytes_and_stops_between_two_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let watch = Impatient { after: 2, seen: Mutex::default() };
    let checkpoint = Checkpoint::open(three(folder.path())).unwrap();
    let weights = Weights::watched(checkpoint, DType::F16, &Device::Cpu, &watch);
    let error = weights
        .load(|w| {
            w.get((2, 2), "a")?;
            w.get(3, "b.weight")?;
            w.get(1, "c")
        })
        .unwrap_err();
    assert!(matches!(error, WeightsError::Cancelled), "{error}");
    assert_eq!(*watch.seen.lock().unwrap(), [(16, 32), (28, 32)]);
    assert_eq!(weights.bytes(), 14, "in f16");
    let failure = mgie_plugin_api::Failure::from(error);
    assert!(failure.is_cancelled());
}

#[test]
fn errors_reach_the_host_with_place_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = three(folder.path());
    let weights = weights(&path);
    weights.get(7, "d").unwrap();
    let failure = mgie_plugin_api::Failure::from(weights.finish().unwrap_err());
    assert_eq!(failure.place, path.display().to_string());
    assert!(failure.message.contains("d: expected [7]") && !failure.remedy.is_empty(), "{failure}");
    let failure = mgie_plugin_api::Failure::from(mgie_weights::device::device("gpu").unwrap_err());
    assert_eq!((failure.place.as_str(), failure.found.as_str()), ("device", "`gpu`"));
}
