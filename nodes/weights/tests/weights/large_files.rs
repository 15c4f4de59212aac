//! Checkpoints beyond 4 GiB, as a shard of a LLaVA is: sizes and places in the archive no longer fit 32 bits (ZIP64). The
//! files are sparse, so that they take no room on the disk.

use crate::torch_writer::{Pickle, TorchTensor, little_endian, torch_file};
use candle_core::{DType, Device};
use mgie_weights::Weights;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// What stands in place of a number that is in the ZIP64 field instead.
const ELSEWHERE: [u8; 4] = [0xff; 4];

/// A zip archive of stored entries with ZIP64 fields throughout: a name, how long the entry is, and the bytes at its end;
/// what comes before them is a hole.
fn write_large_zip(path: &Path, entries: &[(&str, u64, &[u8])]) {
    let mut file = File::create(path).unwrap();
    let mut directory: Vec<u8> = Vec::new();
    for (name, length, tail) in entries {
        let place = file.stream_position().unwrap();
        let name_length = (name.len() as u16).to_le_bytes();
        // Version 4.5, no flags, stored, no time, no checksum.
        let about = [&[45, 0][..], &[0; 12], &ELSEWHERE, &ELSEWHERE, &name_length].concat();
        let sizes = [length.to_le_bytes(), length.to_le_bytes()].concat();
        let local = [b"PK\x03\x04", &about[..], &[20, 0], name.as_bytes(), &[1, 0, 16, 0], &sizes].concat();
        file.write_all(&local).unwrap();
        file.seek(SeekFrom::Current((length - tail.len() as u64) as i64)).unwrap();
        file.write_all(tail).unwrap();
        let rest = [&[28, 0][..], &[0; 10], &ELSEWHERE, name.as_bytes(), &[1, 0, 24, 0], &sizes].concat();
        directory.extend([b"PK\x01\x02\x2d\x00", &about[..], &rest, &place.to_le_bytes()].concat());
    }
    let begin = file.stream_position().unwrap();
    file.write_all(&directory).unwrap();
    let end = file.stream_position().unwrap();
    let count = (entries.len() as u64).to_le_bytes();
    let size = (directory.len() as u64).to_le_bytes();
    let of_44_bytes = [&44_u64.to_le_bytes()[..], &[45, 0, 45, 0], &[0; 8], &count, &count, &size].concat();
    file.write_all(&[b"PK\x06\x06", &of_44_bytes[..], &begin.to_le_bytes()].concat()).unwrap();
    file.write_all(&[b"PK\x06\x07\0\0\0\0", &end.to_le_bytes()[..], &[1, 0, 0, 0]].concat()).unwrap();
    file.write_all(&[&b"PK\x05\x06\0\0\0\0"[..], &count[..2], &count[..2], &ELSEWHERE, &ELSEWHERE, &[0; 2]].concat())
        .unwrap();
}

#[test]
fn tensors_beyond_four_gigabytes_of_a_torch_file_are_found() {
    const FIRST: i64 = 1_200_000_000;
    // The end of a storage of 4.8 GB, and a storage that begins behind it.
    let far_in = TorchTensor {
        key: "0",
        length: FIRST,
        offset: FIRST - 2,
        shape: &[2],
        strides: &[1],
        ..TorchTensor::two_by_two("a")
    };
    let behind =
        TorchTensor { key: "1", length: 3, offset: 0, shape: &[3], strides: &[1], ..TorchTensor::two_by_two("b") };
    let pickle = Pickle::new().raw(b"}(").text("a").tensor(&far_in).text("b").tensor(&behind).raw(b"u").stop();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model-00001-of-00002.bin");
    let (first, second) = (little_endian(&[1.5, -2.0]), little_endian(&[3.0, 4.0, 5.0]));
    write_large_zip(
        &path,
        &[
            ("archive/data.pkl", pickle.len() as u64, &pickle),
            ("archive/data/0", 4 * FIRST as u64, &first),
            ("archive/data/1", 12, &second),
        ],
    );
    let weights = Weights::open(&path, DType::F32, &Device::Cpu).unwrap();
    let read = |n: usize, name: &str| weights.load(|w| w.get(n, name)).unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(read(2, "a"), [1.5, -2.0]);
    assert_eq!(read(3, "b"), [3.0, 4.0, 5.0]);
}

#[test]
fn a_state_dict_of_thousands_of_cuda_tensors_is_read() {
    let mut pickle = Pickle::new().raw(b"}(");
    let names: Vec<String> = (0..5000).map(|i| format!("layers.{i}.weight")).collect();
    for name in &names {
        pickle = pickle.text(name).tensor_on("cuda:0", &TorchTensor::two_by_two(""));
    }
    let pickle = pickle.raw(b"u").stop();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unet.pt");
    std::fs::write(&path, torch_file(&pickle, &[0; 16])).unwrap();
    let weights = Weights::open(&path, DType::F32, &Device::Cpu).unwrap();
    for name in [&names[0], &names[4999]] {
        assert_eq!(weights.load(|w| w.get((2, 2), name)).unwrap().dims(), [2, 2]);
    }
}
