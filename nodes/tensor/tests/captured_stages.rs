//! Stages that are captured in files and fed again, files of others, and files that are broken.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_plugin_api::serde_json::{self, Value as Json, json};
use mgie_plugin_api::{DType, Extensible, Extension, Failure, FailureKind, Object, Outputs, Run, Tensor, Value};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

struct NoHost;
impl Extensible for NoHost {
    fn extension(&self, _id: &str) -> Option<Extension> {
        None
    }
}

/// Runs the node `id` with `parameters` over its defaults.
fn run(id: &str, parameters: Json, inputs: Vec<(&str, Value)>) -> Result<Outputs, Failure> {
    let plugin = mgie_tensor_plugin::plugin();
    let definition = plugin.definition(id).unwrap();
    let mut all = Json::Object(Default::default());
    for parameter in &definition.description().parameters {
        all[&parameter.id] = parameter.domain.default_json();
    }
    all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    definition.run(&Run::new(all, inputs, &Object::new(NoHost)))
}

fn load(parameters: Json) -> Value {
    run("tensor.load", parameters, vec![]).unwrap().get("value").unwrap().clone()
}

fn same(a: &Value, b: &Value) -> bool {
    let (x, y) = (a.as_tensor().unwrap(), b.as_tensor().unwrap());
    let alike = (a.kind(), a.header(), x.shape(), x.dtype()) == (b.kind(), b.header(), y.shape(), y.dtype());
    alike && x.bytes().unwrap() == y.bytes().unwrap()
}

fn latents() -> Value {
    let tensor = Tensor::from_f32([4, 2, 3], (0..24).map(|i| i as f32 / 7.0 - 1.0).collect()).unwrap();
    Value::tensor("sd.latents", json!({ "space": "image", "scaling": 0.18215, "note": "dunkel \"🌩\"" }), tensor)
}

/// A file as another program writes it.
fn foreign(path: &Path, tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)], metadata: &[(&str, &str)]) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (*name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn a_captured_stage_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let i64s =
        Value::tensor("tokens", json!({ "prompt_length": 2 }), Tensor::from_vec([3], vec![1_i64, -2, 3]).unwrap());
    let scalar = Value::tensor("tensor", json!({}), Tensor::from_vec::<u8>(vec![], vec![7]).unwrap());
    let empty = Value::tensor("tensor", json!({}), Tensor::from_f32([0, 768], vec![]).unwrap());
    for value in [latents(), i64s, scalar, empty] {
        let outputs = run("tensor.save", json!({ "path": path }), vec![("value", value.clone())]).unwrap();
        assert_eq!(outputs.get("path").unwrap().as_text(), path.to_str());
        assert!(same(&load(json!({ "path": path })), &value), "{value}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn others_read_what_is_written_and_the_bytes_are_always_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    run("tensor.save", json!({ "path": path }), vec![("value", latents())]).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.names(), ["value"]);
    let view = file.tensor("value").unwrap();
    assert_eq!((view.dtype(), view.shape()), (Dtype::F32, &[4, 2, 3][..]));
    assert_eq!(view.data(), latents().as_tensor().unwrap().bytes().unwrap());
    let (length, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(length % 8, 0);
    let said = metadata.metadata().as_ref().unwrap();
    assert_eq!(said["mgie.kind"], "sd.latents");
    assert_eq!(&serde_json::from_str::<Json>(&said["mgie.header"]).unwrap(), latents().header());
    run("tensor.save", json!({ "path": path }), vec![("value", latents())]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_of_another_program_is_given_kind_header_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let half = half::f16::from_f32(1.5).to_le_bytes().repeat(4);
    foreign(&path, &[("hidden", Dtype::F16, vec![2, 2], half.clone())], &[("format", "pt")]);
    let value = load(json!({ "path": path }));
    assert_eq!((value.kind(), value.as_tensor().unwrap().dtype()), ("tensor", DType::F16));
    let value = load(json!({ "path": path, "kind": "clip.features", "header": "{\"layer\": -2}" }));
    assert_eq!((value.kind(), value.header()), ("clip.features", &json!({ "layer": -2 })));
    assert_eq!(value.as_tensor().unwrap().f32().unwrap(), [1.5; 4]);
    let value = load(json!({ "path": path, "kind": "clip.features", "dtype": "file" }));
    assert_eq!(value.as_tensor().unwrap().dtype(), DType::F16);

    let bytes = vec![0; 4];
    foreign(&path, &[("a", Dtype::U8, vec![4], bytes.clone()), ("value", Dtype::U8, vec![2, 2], bytes)], &[]);
    assert_eq!(load(json!({ "path": path })).as_tensor().unwrap().shape(), [2, 2]);
    assert_eq!(load(json!({ "path": path, "name": "a" })).as_tensor().unwrap().shape(), [4]);
    let failure = run("tensor.load", json!({ "path": path, "name": "b" }), vec![]).unwrap_err().to_string();
    assert!(failure.contains("there is no tensor `b` in the file, but a, value; set `name` to one"), "{failure}");
}

#[test]
fn another_kind_does_not_inherit_the_files_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    run("tensor.save", json!({ "path": path }), vec![("value", latents())]).unwrap();
    let value = load(json!({ "path": path, "kind": "tensor" }));
    assert_eq!((value.kind(), value.header()), ("tensor", &json!({})));
}

/// What `tensor.load` says of a file.
fn told(path: &Path) -> String {
    let failure = run("tensor.load", json!({ "path": path }), vec![]).unwrap_err();
    assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::File, path.to_str().unwrap()));
    assert!(!failure.remedy.is_empty(), "has a remedy: {failure}");
    failure.to_string()
}

#[test]
fn a_file_cut_off_anywhere_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    run("tensor.save", json!({ "path": path }), vec![("value", latents())]).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(told(&path).contains("cut off or damaged"), "cut to {length} bytes");
    }
    fs::write(&path, [whole, vec![0]].concat()).unwrap();
    assert!(told(&path).contains("its header speaks of"));
}

#[test]
fn hostile_headers_are_refused_before_anything_of_their_size_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let with_header = |header: &str, body: usize| {
        fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; body]].concat()).unwrap();
        told(&path)
    };
    fs::write(&path, [&u64::MAX.to_le_bytes(), &b"{}"[..]].concat()).unwrap();
    assert!(told(&path).contains("its header would have 18446744073709551615 bytes"));
    fs::write(&path, "a shopping list, longer than eight bytes").unwrap();
    assert!(told(&path).contains("this is no .safetensors file"));
    assert!(with_header("{\"value\":", 0).contains("its header is wrong"));
    let huge = r#"{"value":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#;
    assert!(with_header(huge, 16).contains("its header is wrong"));
    let lying = r#"{"value":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}"#;
    assert!(with_header(lying, 8).contains("its header is wrong"));
    let backwards = r#"{"value":{"dtype":"F32","shape":[2],"data_offsets":[16,8]}}"#;
    assert!(with_header(backwards, 16).contains("its header is wrong"));
    let beyond = r#"{"value":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#;
    assert!(with_header(beyond, 16).contains("its header speaks of 4000000"));
    let deep = r#"{"value":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#;
    assert!(with_header(deep, 1).contains("more than 8 dimensions"));
    let unknown = r#"{"value":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}"#;
    assert!(with_header(unknown, 8).contains("elements of type U64, expected one of BOOL"));
    assert!(with_header("{}", 0).contains("there is no tensor in the file"));
    let header = r#"{"__metadata__":{"mgie.header":"[1]"},"value":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    assert!(with_header(header, 1).contains("`mgie.header` in its metadata is no JSON object"));
}

#[test]
fn what_cannot_be_saved_or_found_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(told(&folder.path().join("none.safetensors")).contains("there is no such file"));
    assert!(told(folder.path()).contains("this is a folder"));
    let refused = |path: &Path, value: Value| {
        run("tensor.save", json!({ "path": path }), vec![("value", value)]).unwrap_err().to_string()
    };
    let path = folder.path().join("a.safetensors");
    assert!(refused(&path, Value::text("hello")).contains("expected a tensor, found text; use text.save"));
    assert!(refused(&path, Value::number(1.0)).contains("wire in a value with a tensor"));
    assert!(refused(&folder.path().join("a.txt"), latents()).contains("a name that ends in .safetensors"));
    assert!(refused(&folder.path().join("none/a.safetensors"), latents()).contains("make it first"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let failure = run("tensor.load", json!({ "path": path, "header": "[]" }), vec![]).unwrap_err().to_string();
    assert!(failure.contains("parameter `header`: expected a JSON object"), "{failure}");
}
