//! Checkpoints as they lie on users' disks.

use crate::repository;
use crate::torch_writer::{Pickle, TorchTensor, little_endian, safetensors_file, state_dict, torch_file, zip_of};
use candle_core::{DType, Device};
use mgie_weights::{Checkpoint, Overlay, Rename, StoredType, Weights};
use std::fs;
use std::path::Path;

/// A tensor's values in f32.
fn values(weights: &Weights, name: &str) -> Vec<f32> {
    let tensor = weights.get_any(name).unwrap();
    weights.finish().unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn open(path: &Path) -> Weights<'static> {
    Weights::open(path, DType::F32, &Device::Cpu).unwrap()
}

fn names(checkpoint: &Checkpoint) -> Vec<&str> {
    let mut names: Vec<&str> = checkpoint.names().collect();
    names.sort_unstable();
    names
}

#[test]
fn a_torch_file_gives_its_tensors_row_by_row_whatever_their_strides() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    let whole = TorchTensor {
        name: "whole",
        storage: "FloatStorage",
        key: "0",
        length: 6,
        offset: 0,
        shape: &[2, 3],
        strides: &[3, 1],
    };
    let tensors = [
        whole,
        TorchTensor { name: "transposed", shape: &[3, 2], strides: &[1, 3], ..whole },
        TorchTensor { name: "column", offset: 1, shape: &[2], strides: &[3], ..whole },
        TorchTensor { name: "second_row", offset: 3, shape: &[1, 3], strides: &[99, 1], ..whole },
        TorchTensor { name: "repeated", offset: 5, shape: &[2, 2], strides: &[0, 0], ..whole },
        TorchTensor { name: "scalar", offset: 4, shape: &[], strides: &[], ..whole },
        TorchTensor { name: "empty", shape: &[0, 3], strides: &[3, 1], ..whole },
    ];
    let bytes = torch_file(&state_dict(&tensors), &little_endian(&[0., 1., 2., 3., 4., 5.]));
    fs::write(&path, bytes).unwrap();
    let weights = open(&path);
    assert_eq!(values(&weights, "whole"), [0., 1., 2., 3., 4., 5.]);
    assert_eq!(values(&weights, "transposed"), [0., 3., 1., 4., 2., 5.]);
    assert_eq!(values(&weights, "column"), [1., 4.]);
    assert_eq!(values(&weights, "second_row"), [3., 4., 5.]);
    assert_eq!(values(&weights, "repeated"), [5., 5., 5., 5.]);
    assert_eq!(values(&weights, "scalar"), [4.]);
    assert_eq!(weights.get_shape("transposed").unwrap(), [3, 2]);
    assert_eq!(weights.get_shape("scalar").unwrap(), [0_usize; 0]);
    assert!(values(&weights, "empty").is_empty());
}

#[test]
fn half_precision_and_integers_widen_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.bin");
    let halves = [0.1_f32, -65504., 6.0e-8, 1.0].map(half::f16::from_f32);
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    let half = TorchTensor { storage: "HalfStorage", ..TorchTensor::two_by_two("half") };
    fs::write(&path, torch_file(&state_dict(&[half]), &bytes)).unwrap();
    let weights = open(&path);
    assert_eq!(weights.stored("half").unwrap().dtype(), StoredType::F16);
    assert_eq!(values(&weights, "half"), halves.map(half::f16::to_f32));
    let same = weights.in_dtype(DType::F16).get((2, 2), "half").unwrap();
    assert_eq!(same.dtype(), DType::F16);
    assert_eq!(same.flatten_all().unwrap().to_vec1::<half::f16>().unwrap(), halves);

    let long = TorchTensor { storage: "LongStorage", length: 2, shape: &[2], strides: &[1], ..half };
    let bytes: Vec<u8> = [7_i64, -9].iter().flat_map(|n| n.to_le_bytes()).collect();
    fs::write(&path, torch_file(&state_dict(&[long]), &bytes)).unwrap();
    let weights = open(&path);
    assert_eq!(values(&weights, "half"), [7., -9.]);
    let whole = weights.in_dtype(DType::I64).get(2, "half").unwrap();
    assert_eq!(whole.to_vec1::<i64>().unwrap(), [7, -9]);
}

#[test]
fn nested_containers_become_dotted_names_and_state_dict_stands_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.pt");
    let tensor = TorchTensor::two_by_two("unused");
    let pickle = Pickle::new()
        .raw(b"}(")
        .text("state_dict")
        .global("collections", "OrderedDict")
        .raw(b")R(")
        .text("layer.weight")
        .tensor(&tensor)
        .raw(b"u")
        .text("epoch")
        .integer(3)
        .text("rate")
        .raw(b"G\x3f\xb9\x99\x99\x99\x99\x99\x9a")
        .text("moments")
        .raw(b"](")
        .tensor(&tensor)
        .raw(b"N\x88e")
        .text("nothing")
        .raw(b"N")
        .raw(b"u")
        .stop();
    fs::write(&path, torch_file(&pickle, &little_endian(&[1., 2., 3., 4.]))).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(names(&checkpoint), ["layer.weight", "moments.0"]);
}

#[test]
fn a_folder_is_searched_as_from_pretrained_does_safetensors_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let pickle = state_dict(&[TorchTensor::two_by_two("from_pickle")]);
    fs::write(file("pytorch_model.bin"), torch_file(&pickle, &[0; 16])).unwrap();
    assert_eq!(names(&Checkpoint::open(folder.path()).unwrap()), ["from_pickle"]);
    safetensors_file(&file("model.fp16.safetensors"), &[("from_fp16", &[1], &[1.])]);
    assert_eq!(names(&Checkpoint::open(folder.path()).unwrap()), ["from_fp16"]);
    safetensors_file(&file("model.safetensors"), &[("from_safetensors", &[1], &[1.])]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(names(&checkpoint), ["from_safetensors"]);
    assert_eq!(checkpoint.files().collect::<Vec<_>>(), [file("model.safetensors")]);
}

#[test]
fn shards_are_one_checkpoint_and_each_tensor_comes_from_the_shard_that_the_index_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    safetensors_file(&file("a.safetensors"), &[("one", &[1], &[1.]), ("both", &[1], &[10.])]);
    safetensors_file(&file("b.safetensors"), &[("two", &[1], &[2.]), ("both", &[1], &[20.])]);
    let index =
        r#"{"metadata": {}, "weight_map": {"one": "a.safetensors", "two": "b.safetensors", "both": "b.safetensors"}}"#;
    fs::write(file("model.safetensors.index.json"), index).unwrap();
    for path in [folder.path(), &file("model.safetensors.index.json")] {
        let weights = open(path);
        assert_eq!([values(&weights, "one"), values(&weights, "two"), values(&weights, "both")], [[1.], [2.], [20.]]);
        let of_two = weights.stored("two").unwrap().file().to_path_buf();
        assert_eq!(of_two, file("b.safetensors"), "an error must name the shard");
    }
}

#[test]
fn an_index_that_leads_out_of_its_folder_or_to_other_shards_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("model");
    fs::create_dir(&inner).unwrap();
    safetensors_file(&folder.path().join("outside.safetensors"), &[("one", &[1], &[1.])]);
    safetensors_file(&inner.join("a.safetensors"), &[("one", &[1], &[1.])]);
    let outside = folder.path().join("outside.safetensors");
    let cases = [
        ("../outside.safetensors", "not a file beside the index"),
        (outside.to_str().unwrap(), "not a file beside the index"),
        ("sub/../../outside.safetensors", "not a file beside the index"),
        ("..", "not a file beside the index"),
        ("", "not a file beside the index"),
        ("missing.safetensors", "which is not there"),
    ];
    for (shard, expected) in cases {
        let index = serde_json::json!({"weight_map": {"one": shard}}).to_string();
        fs::write(inner.join("model.safetensors.index.json"), index).unwrap();
        let error = Checkpoint::open(&inner).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("index.json"), "{shard}: {error}");
    }
    let index = r#"{"weight_map": {"one": "a.safetensors", "two": "a.safetensors"}}"#;
    fs::write(inner.join("model.safetensors.index.json"), index).unwrap();
    let error = Checkpoint::open(&inner).unwrap_err().to_string();
    assert!(error.contains("1 of its tensors") && error.contains("the first is two"), "{error}");
}

#[test]
fn the_upper_checkpoint_wins_and_names_are_changed_by_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    safetensors_file(&file("base"), &[("a.weight", &[1], &[1.]), ("b.weight", &[1], &[2.])]);
    safetensors_file(&file("top"), &[("model.b.weight", &[1], &[3.]), ("model.emb", &[1], &[4.])]);
    let overlay = Overlay::new()
        .then_renamed(Checkpoint::open(file("top")).unwrap(), &[Rename::prefix("model.", "")])
        .then(Checkpoint::open(file("base")).unwrap());
    let weights = Weights::new(overlay, DType::F32, &Device::Cpu);
    assert_eq!(values(&weights, "a.weight"), [1.]);
    assert_eq!(values(&weights.pp("b"), "weight"), [3.]);
    assert_eq!(values(&weights, "emb"), [4.]);
    assert!(!weights.contains("model.emb"));
    assert_eq!(weights.pp("b").names(), ["weight"]);
}

#[test]
fn attention_names_of_2023_become_todays() {
    let rules = [
        Rename::part("query", "to_q"),
        Rename::part("key", "to_k"),
        Rename::part("value", "to_v"),
        Rename::part("proj_attn", "to_out.0"),
    ];
    let new = |name: &str| rules.iter().fold(name.to_string(), |name, rule| rule.apply(&name));
    assert_eq!(new("decoder.mid_block.attentions.0.query.weight"), "decoder.mid_block.attentions.0.to_q.weight");
    assert_eq!(new("encoder.mid_block.attentions.0.proj_attn.bias"), "encoder.mid_block.attentions.0.to_out.0.bias");
    assert_eq!(new("keyed.value_of.weight"), "keyed.value_of.weight");
}

#[test]
fn every_checkpoint_of_the_miniature_opens_and_reads_whole() {
    let folders = [
        ("LLaVA-7B-v1", "model.layers.0.self_attn.q_proj.weight"),
        ("clip-vit-large-patch14", "vision_model.embeddings.class_embedding"),
        ("mgie_7b/mllm.pt", "emb"),
        ("mgie_7b/unet.pt", "conv_in.weight"),
        ("instruct-pix2pix/unet", "conv_in.weight"),
        ("instruct-pix2pix/vae", "decoder.mid_block.attentions.0.query.weight"),
        ("instruct-pix2pix/text_encoder", "text_model.embeddings.position_embedding.weight"),
    ];
    for (path, name) in folders {
        let weights = open(&repository("tests/miniature").join(path));
        assert!(weights.contains(name), "{path} lacks {name}");
        for name in weights.names() {
            weights.get_any(&name).unwrap();
        }
        weights.finish().unwrap();
    }
}

#[test]
fn a_torch_file_and_the_safetensors_file_of_the_same_model_agree() {
    // Both UNets of the miniature have the same names and shapes; their weights differ.
    let pickled = Checkpoint::open(repository("tests/miniature/mgie_7b/unet.pt")).unwrap();
    let safe = Checkpoint::open(repository("tests/miniature/instruct-pix2pix/unet")).unwrap();
    assert_eq!(names(&pickled), names(&safe));
    for name in pickled.names() {
        assert_eq!(pickled.get(name).unwrap().shape(), safe.get(name).unwrap().shape(), "{name}");
    }
}

#[test]
fn an_archive_of_another_program_is_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos.zip");
    fs::write(&path, zip_of(&[("photo.txt", b"hello")])).unwrap();
    let error = Checkpoint::open(&path).unwrap_err().to_string();
    assert!(error.contains("without data.pkl"), "{error}");
}
