//! The models folder that training fills: configurations and tokenizers are there from the beginning, weights are written
//! beside them, in f16 and under the names that the users' files have.

use crate::parameters::Parameters;
use crate::trainer::Plan;
use candle_core::{DType, Tensor};
use mgie_diffusion::vae::with_current_names;
use mgie_plugin_api::{Failure, file};
use mgie_weights::{Checkpoint, Found, LiveTensors, Weights, WeightsError};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

/// Makes a folder, and what it lies in, unless it is there.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::file(folder, format!("the folder cannot be made ({})", error.kind()))
            .remedy("name a folder where you may write, or remove the file that is in its place")
    })
}

/// Writes tensors as one safetensors file in f16; a file of that name is replaced once the new one is complete.
///
/// # Errors
/// A number beyond f16, a file that cannot be written.
pub fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Failure> {
    write_changed(path, &encode(path, tensors)?)
}

/// The bytes of a safetensors file that holds tensors in f16; `path` is what a failure names.
///
/// # Errors
/// A number beyond f16.
fn encode(path: &Path, tensors: &[(String, Tensor)]) -> Result<Vec<u8>, Failure> {
    let bytes = tensors.iter().map(|(name, tensor)| half_bytes(path, name, tensor)).collect::<Result<Vec<_>, _>>()?;
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, tensor), bytes)| Ok((name, TensorView::new(Dtype::F16, tensor.dims().to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let whole = views.and_then(|views| safetensors::serialize(views, Some(about)));
    whole.map_err(|error| Failure::file(path, error.to_string()))
}

/// Writes what a stage has trained, each file as [`write`] does, once: a run that finds itself finished leaves the files
/// alone where it has written these very weights before, for a later stage may have trained some of them on since. All files
/// are made before one is written: weights of two runs side by side would look whole.
///
/// # Errors
/// As [`write`].
pub fn write_finished(plan: &Plan, files: &[(PathBuf, Vec<(String, Tensor)>)]) -> Result<(), Failure> {
    let made =
        files.iter().map(|(path, tensors)| Ok((path, encode(path, tensors)?))).collect::<Result<Vec<_>, Failure>>()?;
    let about = |(path, bytes): &(&PathBuf, Vec<u8>)| {
        format!("{:016x} {}\n", crate::initial::mix(0, bytes.iter().copied()), path.display())
    };
    let about: String = made.iter().map(about).collect();
    let note = plan.file(".written");
    if holds(&note, about.as_bytes()) && made.iter().all(|(path, _)| path.exists()) {
        return Ok(());
    }
    for (path, bytes) in made {
        write_changed(path, &bytes)?;
    }
    write_changed(&note, about.as_bytes())
}

/// Writes a file, unless it holds these bytes already: then it keeps its time, by which later stages know that what they
/// have made of it still holds ([`fingerprint`]).
///
/// # Errors
/// The file or its folder cannot be written.
fn write_changed(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if holds(path, bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    file::write_whole(path, &[bytes])
}

/// Whether a file holds these bytes and no others.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    file::read_whole(path, bytes.len() as u64).is_ok_and(|there| there == bytes)
}

/// A tensor's numbers in f16, in row-major order.
///
/// # Errors
/// A number that f16 cannot hold.
pub fn half_bytes(path: &Path, name: &str, tensor: &Tensor) -> Result<Vec<u8>, Failure> {
    let numbers = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>());
    let numbers = numbers.map_err(WeightsError::from)?;
    let halves: Vec<half::f16> = numbers.iter().map(|number| half::f16::from_f32(*number)).collect();
    if let Some(at) = halves.iter().position(|half| !half.is_finite()) {
        let number = numbers.get(at).copied().unwrap_or_default();
        return Err(Failure::file(
            path,
            format!("{name} holds {number}, which f16 cannot: the weights are not written"),
        )
        .remedy("train anew with a lower `learning_rate`, or some `weight_decay`"));
    }
    Ok(halves.iter().flat_map(|half| half.to_le_bytes()).collect())
}

/// Takes the weights that lie in a file or folder, as `prefix.NAME`.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn load(parameters: &Parameters, prefix: &str, path: &Path) -> Result<(), Failure> {
    Ok(parameters.load(prefix, Checkpoint::open(path)?.into())?)
}

/// As [`load`], the VAE's weights under `vae.`; files of 2023 have older names for its attention.
///
/// # Errors
/// As [`load`].
pub fn load_vae(parameters: &Parameters, folder: &Path) -> Result<(), Failure> {
    Ok(parameters.load("vae", with_current_names(Checkpoint::open(folder)?))?)
}

/// Builds a model once, so that every parameter of it is there, and sees that what was loaded from `folder` fits it;
/// `whole` where all of it must have been: else what is missing and trained is given its first value.
///
/// # Errors
/// One that names the folder and what is missing or misshapen.
pub fn check<M>(
    parameters: &Parameters,
    folder: &Path,
    whole: bool,
    build: impl FnOnce(&Weights<'_>) -> candle_core::Result<M>,
) -> Result<(), Failure> {
    let loaded = parameters.names();
    parameters.build(build).map_err(|error| match error {
        WeightsError::Unfit { mut tensors, .. } => {
            for tensor in &mut tensors {
                if let Found::Value { file, .. } = &mut tensor.found {
                    folder.clone_into(file);
                }
            }
            WeightsError::Unfit { files: vec![folder.to_owned()], tensors }.into()
        }
        error => Failure::from(error),
    })?;
    match parameters.names().iter().find(|name| whole && loaded.binary_search(name).is_err()) {
        Some(name) => Err(Failure::file(folder, format!("{name} is not among its weights"))
            .remedy("put weights there that belong to the configuration, or train them first")),
        None => Ok(()),
    }
}

/// A short name for the state of some folders (the names, sizes and times of what is directly in them) and some numbers.
///
/// # Errors
/// A folder cannot be listed.
pub fn fingerprint(folders: &[&Path], numbers: &[usize]) -> Result<String, Failure> {
    let mut about = format!("{numbers:?}");
    for folder in folders {
        let listed = std::fs::read_dir(folder).map_err(|error| Failure::file(folder, error.to_string()))?;
        let mut files: Vec<String> = listed
            .filter_map(|entry| {
                let entry = entry.ok()?;
                // A folder's time tells of files that were put into it.
                let metadata = entry.metadata().ok()?;
                let time = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
                Some(format!("{} {} {time}", entry.file_name().display(), metadata.len()))
            })
            .collect();
        files.sort();
        about = format!("{about}\n{}\n{}", folder.display(), files.join("\n"));
    }
    Ok(format!("{:016x}", crate::initial::mix(0, about.bytes())))
}

/// Writes tensors as `torch.save` writes a state dict of f16 tensors: a zip archive with a pickle and a file a tensor.
///
/// # Errors
/// As [`write`].
pub fn write_torch(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Failure> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| -> Result<(), Failure> {
        let wrong = |error: String| Failure::file(path, error);
        // PyTorch maps the numbers as they lie, 64 bytes aligned and not compressed.
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).with_alignment(64);
        archive.start_file(format!("archive/{name}"), stored).map_err(|error| wrong(error.to_string()))?;
        archive.write_all(bytes).map_err(|error| wrong(error.to_string()))
    };
    add("data.pkl", &state_dict(tensors))?;
    add("byteorder", b"little")?;
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        add(&format!("data/{key}"), &half_bytes(path, name, tensor)?)?;
    }
    add("version", b"3\n")?;
    let whole = archive.finish().map_err(|error| Failure::file(path, error.to_string()))?;
    write_changed(path, whole.get_ref())
}

/// The pickle, protocol 2, of a dict of tensors: what `torch.load` and our own restricted reader rebuild them from.
fn state_dict(tensors: &[(String, Tensor)]) -> Vec<u8> {
    let mut pickle = vec![0x80, 2, b'}', b'('];
    let text = |pickle: &mut Vec<u8>, text: &str| {
        pickle.push(b'X');
        pickle.extend((text.len() as u32).to_le_bytes());
        pickle.extend(text.as_bytes());
    };
    let whole = |pickle: &mut Vec<u8>, number: usize| {
        pickle.extend([0x8a, 8]);
        pickle.extend((number as i64).to_le_bytes());
    };
    let wholes = |pickle: &mut Vec<u8>, numbers: &[usize]| {
        pickle.push(b'(');
        numbers.iter().for_each(|number| whole(pickle, *number));
        pickle.push(b't');
    };
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        text(&mut pickle, name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut pickle, "storage");
        pickle.extend(b"ctorch\nHalfStorage\n");
        text(&mut pickle, &key.to_string());
        text(&mut pickle, "cpu");
        whole(&mut pickle, tensor.elem_count());
        pickle.extend(b"tQ");
        whole(&mut pickle, 0);
        let shape = tensor.dims();
        wholes(&mut pickle, shape);
        let strides: Vec<usize> = (0..shape.len()).map(|i| shape.iter().skip(i + 1).product()).collect();
        wholes(&mut pickle, &strides);
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    pickle.extend(b"u.");
    pickle
}
