//! Writes PyTorch's zip pickles and safetensors files byte by byte, well-formed or not.

use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;

/// A pickle under construction.
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(vec![0x80, 2])
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        self.raw(b"X").raw(&length).raw(text.as_bytes())
    }

    /// An integer of any size, as LONG1.
    pub fn integer(self, number: i64) -> Self {
        self.raw(&[0x8a, 8]).raw(&number.to_le_bytes())
    }

    pub fn integers(self, numbers: &[i64]) -> Self {
        let open = self.raw(b"(");
        numbers.iter().fold(open, |pickle, number| pickle.integer(*number)).raw(b"t")
    }

    /// A tensor as `torch.save` writes it.
    pub fn tensor(self, tensor: &TorchTensor) -> Self {
        self.tensor_on("cpu", tensor)
    }

    /// A tensor as `torch.save` writes one that lies on `device`.
    pub fn tensor_on(self, device: &str, tensor: &TorchTensor) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"((")
            .text("storage")
            .global("torch", tensor.storage)
            .text(tensor.key)
            .text(device)
            .integer(tensor.length)
            .raw(b"tQ")
            .integer(tensor.offset)
            .integers(tensor.shape)
            .integers(tensor.strides)
            .raw(b"\x89")
            .global("collections", "OrderedDict")
            .raw(b")RtR")
    }

    pub fn stop(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// What `torch.save` says of a tensor.
#[derive(Clone, Copy)]
pub struct TorchTensor<'a> {
    pub name: &'a str,
    pub storage: &'a str,
    pub key: &'a str,
    /// Elements of the storage.
    pub length: i64,
    pub offset: i64,
    pub shape: &'a [i64],
    pub strides: &'a [i64],
}

impl<'a> TorchTensor<'a> {
    /// Four floats in two rows under key `0`.
    pub fn two_by_two(name: &'a str) -> Self {
        Self { name, storage: "FloatStorage", key: "0", length: 4, offset: 0, shape: &[2, 2], strides: &[2, 1] }
    }
}

/// The pickle of a state dict.
pub fn state_dict(tensors: &[TorchTensor]) -> Vec<u8> {
    let open = Pickle::new().raw(b"}(");
    tensors.iter().fold(open, |pickle, tensor| pickle.text(tensor.name).tensor(tensor)).raw(b"u").stop()
}

/// A zip archive as `torch.save` makes it: nothing compressed.
pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(*name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A whole checkpoint of one storage, `0`.
pub fn torch_file(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    zip_of(&[("archive/data.pkl", pickle), ("archive/version", b"3\n"), ("archive/data/0", storage)])
}

/// Elements as a file stores them.
pub fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Writes f32 tensors as a safetensors file.
pub fn safetensors_file(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, _, values)| little_endian(values)).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes);
        (name.to_string(), view.unwrap())
    });
    let file = safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap();
    std::fs::write(path, file).unwrap();
}
