//! Files that are damaged, or made to do harm: one error that names the file, never a panic, never the memory that a
//! number in the file asks for.

use crate::torch_writer::{Pickle, TorchTensor, little_endian, safetensors_file, state_dict, torch_file, zip_of};
use candle_core::{DType, Device};
use mgie_weights::{Checkpoint, Weights, WeightsError};
use std::fs;

/// What opening these bytes says; the path is checked to be in it.
fn error_of(bytes: &[u8], name: &str) -> WeightsError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = Checkpoint::open(&path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    error
}

/// What opening a checkpoint with this pickle says.
fn error_of_pickle(pickle: &[u8]) -> String {
    error_of(&torch_file(pickle, &[0; 16]), "model.bin").to_string()
}

/// Opens and reads everything, for the sake of not panicking; whether all went well.
fn survives(bytes: &[u8], name: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let Ok(weights) = Weights::open(&path, DType::F32, &Device::Cpu) else {
        return false;
    };
    let read = weights.names().iter().all(|name| weights.get_any(name).is_ok());
    read && weights.finish().is_ok()
}

#[test]
fn a_pickle_with_code_in_it_is_refused_by_the_name_of_what_it_runs() {
    let call = |module: &str, name: &str| {
        Pickle::new().global(module, name).raw(b"(").text("touch /tmp/owned").raw(b"tR").stop()
    };
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("torch.nn.modules.linear", "Linear"),
        ("numpy.core.multiarray", "_reconstruct"),
    ] {
        let error = error_of(&torch_file(&call(module, name), &[]), "model.bin");
        let WeightsError::Refused { global, .. } = &error else { panic!("{error}") };
        assert_eq!(global, &format!("{module}.{name}"));
        assert!(error.to_string().contains("only tensors and plain containers"), "{error}");
    }
}

#[test]
fn every_other_way_of_a_pickle_to_name_code_is_refused_too() {
    let stack_global = Pickle::new().text("os").text("system").raw(b"\x93").stop();
    assert!(error_of_pickle(&stack_global).contains("`os.system`"));
    let instance = Pickle::new().raw(b"(ios\nsystem\n").stop();
    assert!(error_of_pickle(&instance).contains("`os.system`"));
    for opcode in [b"\x82\x01".as_slice(), b"P0\n", b"(o", b"\x97"] {
        let error = error_of_pickle(&Pickle::new().raw(opcode).stop());
        assert!(error.contains("asks to run"), "{error}");
    }
    // Hidden where no tensor is, and never called.
    let hidden = Pickle::new().raw(b"}").text("x").global("os", "system").raw(b"s").stop();
    assert!(error_of_pickle(&hidden).contains("`os.system`"));
}

#[test]
fn calls_of_something_that_is_not_a_function_are_errors() {
    for pickle in [
        Pickle::new().text("x").raw(b")R").stop(),
        Pickle::new().raw(b"})R").stop(),
        Pickle::new().global("torch", "FloatStorage").raw(b")R").stop(),
        Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(b")R").stop(),
        Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(b"NR").stop(),
        Pickle::new().global("torch._utils", "_rebuild_parameter").raw(b"(NtR").stop(),
        Pickle::new().global("collections", "OrderedDict").raw(b"(](Nete").stop(),
        Pickle::new().text("x").raw(b"Q").stop(),
        Pickle::new().raw(b"N}b").stop(),
    ] {
        let error = error_of_pickle(&pickle);
        assert!(error.contains("its data.pkl"), "{error}");
    }
}

#[test]
fn deep_nesting_and_self_reference_end_in_an_error_or_in_no_tensors() {
    let tensor = TorchTensor::two_by_two("");
    let wrapped = |depth: usize| {
        let tuples = vec![0x85; depth];
        torch_file(&Pickle::new().tensor(&tensor).raw(&tuples).stop(), &[0; 16])
    };
    assert!(survives(&wrapped(3), "model.bin"));
    let error = error_of(&wrapped(100_000), "model.bin").to_string();
    assert!(error.contains("nests containers too deeply"), "{error}");
    // A list that holds itself.
    let itself = Pickle::new().raw(b"]q\x00h\x00a").stop();
    assert!(error_of_pickle(&itself).contains("nests containers"));
    let marks = Pickle::new().raw(&vec![b'('; 1_000_000]).stop();
    assert!(error_of_pickle(&marks).contains("containers at once"));
}

#[test]
fn a_pickle_that_unfolds_without_end_is_stopped() {
    // Sixteen lists, each holding the one before it ten times: 10^15 tensors.
    let mut pickle = Pickle::new().tensor(&TorchTensor::two_by_two("")).raw(b"q\x00");
    for level in 0..14 {
        pickle = pickle.raw(b"](");
        for _ in 0..10 {
            pickle = pickle.raw(&[b'h', level]);
        }
        pickle = pickle.raw(&[b'e', b'q', level + 1]);
    }
    let error = error_of_pickle(&pickle.stop());
    assert!(error.contains("too often"), "{error}");
    // One long name, used for many tensors.
    let mut long = Pickle::new().raw(b"}").text(&"x".repeat(1 << 20)).tensor(&TorchTensor::two_by_two(""));
    long = long.raw(b"q\x00](");
    for _ in 0..10_000 {
        long = long.raw(b"h\x00");
    }
    let error = error_of_pickle(&long.raw(b"e\x86\x85s").raw(b"e").stop());
    assert!(error.contains("data.pkl"), "{error}");
}

#[test]
fn numbers_in_a_pickle_do_not_decide_how_much_memory_is_taken() {
    for pickle in [
        // Strings of four gigabytes and more, a memo slot of four billion, a frame beyond the end.
        Pickle::new().raw(b"X\xff\xff\xff\xff").stop(),
        Pickle::new().raw(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff").stop(),
        Pickle::new().raw(b"\x8b\xff\xff\xff\x7f").stop(),
        Pickle::new().raw(b"j\xff\xff\xff\xff").stop(),
        Pickle::new().raw(b"\x95\xff\xff\xff\xff\xff\xff\xff\xff").stop()[..5].to_vec(),
    ] {
        let error = error_of_pickle(&pickle);
        assert!(error.contains("its data.pkl"), "{error}");
    }
    let far_slot = Pickle::new().raw(b"}r\xff\xff\xff\xff").stop();
    assert!(survives(&torch_file(&far_slot, &[]), "model.bin"));
    for opcode in [b'N', b'}', 0x94] {
        let mut many = Pickle::new().raw(b"N");
        many.0.resize(2 << 20, opcode);
        let error = error_of_pickle(&many.stop());
        assert!(error.contains("objects"), "{error}");
    }
}

#[test]
fn a_tensor_that_reaches_beyond_its_data_is_an_error() {
    let good = TorchTensor::two_by_two("weight");
    let huge = i64::MAX;
    for tensor in [
        TorchTensor { shape: &[2, 3], ..good },
        TorchTensor { offset: 1, ..good },
        TorchTensor { offset: -1, ..good },
        TorchTensor { offset: huge, ..good },
        TorchTensor { shape: &[-2, 2], ..good },
        TorchTensor { strides: &[huge, huge], ..good },
        TorchTensor { strides: &[-2, 1], ..good },
        TorchTensor { shape: &[huge, huge], strides: &[1, 1], ..good },
        TorchTensor { shape: &[2], ..good },
        TorchTensor { length: -4, ..good },
        // The storage is said to be larger than it is.
        TorchTensor { length: 1 << 40, shape: &[1 << 39, 2], ..good },
        TorchTensor { length: huge, offset: huge - 4, ..good },
        // Four terabytes out of one element.
        TorchTensor { shape: &[1 << 20, 1 << 20], strides: &[0, 0], ..good },
        TorchTensor { shape: &[huge, huge, huge], strides: &[0, 0, 0], ..good },
        TorchTensor { key: "1", ..good },
        TorchTensor { key: "../data.pkl", ..good },
    ] {
        error_of(&torch_file(&state_dict(&[tensor]), &[0; 16]), "model.bin");
    }
    let seventeen = [1_i64; 17];
    let tensor = TorchTensor { shape: &seventeen, strides: &seventeen, ..good };
    error_of(&torch_file(&state_dict(&[tensor]), &[0; 16]), "model.bin");
}

#[test]
fn a_torch_file_cut_anywhere_is_an_error() {
    let whole = torch_file(&state_dict(&[TorchTensor::two_by_two("weight")]), &little_endian(&[1., 2., 3., 4.]));
    assert!(survives(&whole, "model.bin"));
    for length in 0..whole.len() {
        assert!(!survives(&whole[..length], "model.bin"), "cut to {length} of {}", whole.len());
    }
    let pickle = state_dict(&[TorchTensor::two_by_two("weight")]);
    for length in 0..pickle.len() {
        assert!(!survives(&torch_file(&pickle[..length], &[0; 16]), "model.bin"), "pickle cut to {length}");
    }
}

#[test]
fn shuffled_bytes_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    safetensors_file(&path, &[("a", &[2, 2], &[1., 2., 3., 4.]), ("b", &[1], &[5.])]);
    let files = [
        fs::read(&path).unwrap(),
        torch_file(&state_dict(&[TorchTensor::two_by_two("weight")]), &little_endian(&[1., 2., 3., 4.])),
    ];
    // Numerical Recipes' generator: the same changes on every run.
    let mut state = 1_u32;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(state >> 8).unwrap() % below
    };
    for whole in files {
        for _ in 0..3_000 {
            let mut bytes = whole.clone();
            for _ in 0..=next(4) {
                let (at, value) = (next(bytes.len()), next(256));
                bytes[at] = u8::try_from(value).unwrap();
            }
            survives(&bytes, "model.bin");
        }
    }
}

#[test]
fn archives_that_cannot_be_mapped_say_why() {
    let pickle = state_dict(&[TorchTensor::two_by_two("weight")]);
    let mut compressed = torch_file(&pickle, &[0; 16]);
    for at in 0..compressed.len() - 12 {
        // The method's field of local and central headers: 8 is deflate.
        match &compressed[at..at + 4] {
            b"PK\x03\x04" => compressed[at + 8] = 8,
            b"PK\x01\x02" => compressed[at + 10] = 8,
            _ => {}
        }
    }
    let error = error_of(&compressed, "model.bin").to_string();
    assert!(error.contains("compressed"), "{error}");

    let big = zip_of(&[("m/data.pkl", &pickle), ("m/byteorder", b"big"), ("m/data/0", &[0; 16])]);
    assert!(error_of(&big, "model.bin").to_string().contains("big-endian"));

    let lacking = zip_of(&[("m/data.pkl", &pickle)]);
    assert!(error_of(&lacking, "model.bin").to_string().contains("lacks the data of tensor weight"));
}

#[test]
fn files_that_are_something_else_say_what_to_do() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert!(error_of(pointer, "model.bin").to_string().contains("git lfs pull"));
    assert!(error_of(b"", "model.safetensors").to_string().contains("is empty"));
    assert!(error_of(b"<!DOCTYPE html>", "model.bin").to_string().contains("neither"));
    let legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    assert!(error_of(legacy, "model.bin").to_string().contains("before 1.6"));

    let folder = tempfile::tempdir().unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds no weights") && error.contains("pytorch_model.bin"), "{error}");
    let error = Checkpoint::open(folder.path().join("none")).unwrap_err();
    assert!(matches!(error, WeightsError::Unreadable { .. }), "{error}");
}

#[test]
fn safetensors_that_lie_about_themselves_are_errors() {
    let header = |json: &str, data: usize| {
        let mut bytes = u64::try_from(json.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(json.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let two = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":"#;
    for bytes in [
        // A header of 2^63 bytes, of 64 MB over a small file, of nothing.
        vec![0xff; 64],
        [&(1_u64 << 26).to_le_bytes()[..], b"{}"].concat(),
        vec![0; 8],
        vec![1, 0, 0],
        header(&format!("{two}[4,12]}}}}"), 12),
        header(&format!("{two}[8,16]}}}}"), 15),
        header(&format!("{two}[8,16]}}}}"), 17),
        header(&format!("{two}[16,8]}}}}"), 16),
        header(r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,8]}}"#, 8),
        header(r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8),
        header(r#"{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}"#, 8),
        header(r#"{"a":{"dtype":"Q4","shape":[8],"data_offsets":[0,8]}}"#, 8),
        header("{not json", 8),
        header("[]", 0),
    ] {
        error_of(&bytes, "model.safetensors");
    }
}
