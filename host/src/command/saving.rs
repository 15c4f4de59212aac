//! Writing outputs by kind: what can be written where is checked before anything runs, as far as the node descriptions
//! tell.

use super::request::{Destination, Save};
use super::stop::Stop;
use super::tensor_file;
use mgie_host::document::Document;
use mgie_host::engine::{Carried, Engine, RunOptions, Silent};
use mgie_plugin_api::description::Domain;
use mgie_plugin_api::{DType, Value, file, kind};
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// The node type that writes pictures.
const IMAGE_SAVE: &str = "image.save";
/// The most elements that are written as JSON.
const MAX_JSON: usize = 1 << 20;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Picture,
    Text,
    Json,
    Tensor,
}

/// The form that a value of a kind has in a file of that ending (none: standard output).
fn form(kind: &str, ending: Option<&str>) -> Result<Form, String> {
    match (kind, ending) {
        (kind::DENOISER, _) => Err("an `sd.denoiser` is a model at work, which no file holds".to_owned()),
        (kind::IMAGE, None) => Ok(Form::Picture),
        (kind::TEXT | kind::NUMBER, None | Some("txt")) => Ok(Form::Text),
        (kind::TEXT | kind::NUMBER | kind::TOKENS, Some("json")) => Ok(Form::Json),
        (kind::TEXT | kind::NUMBER, _) => Err(format!("a `{kind}` is written as .txt or .json")),
        (_, None | Some("safetensors")) => Ok(Form::Tensor),
        (kind::IMAGE, Some(_)) => Ok(Form::Picture),
        (kind::TOKENS, _) => Err("`tokens` are written as .safetensors or .json".to_owned()),
        _ => Err(format!("a `{kind}` is written as .safetensors")),
    }
}

fn ending(to: &Destination) -> Option<String> {
    match to {
        Destination::Stdout => None,
        Destination::File(path) => Some(path.extension().unwrap_or_default().to_string_lossy().to_lowercase()),
    }
}

/// Checks what can be checked before anything runs: that the file can be written, and that its ending fits the kind.
///
/// # Errors
/// One line for each that cannot be written.
pub fn check(saves: &[Save], document: &Document, engine: &Engine) -> Vec<String> {
    saves.iter().filter_map(|save| check_one(save, document, engine).err()).collect()
}

fn check_one(save: &Save, document: &Document, engine: &Engine) -> Result<(), String> {
    let Destination::File(path) = &save.to else { return Ok(()) };
    let named = |reason: String| format!("--save {}.{}={}: {reason}", save.node, save.output, path.display());
    file::check_writable(path).map_err(|failure| named(format!("{}; {}", failure.message, failure.remedy)))?;
    // What is not in the graph is told by the run itself.
    let node = document.nodes.get(&save.node).and_then(|node| engine.catalogue().node_type(&node.node_type));
    let socket = node.as_ref().and_then(|node| node.description.outputs.iter().find(|socket| socket.id == save.output));
    let Some(socket) = socket.filter(|socket| socket.kind != kind::ANY) else { return Ok(()) };
    if form(&socket.kind, ending(&save.to).as_deref()).map_err(named)? == Form::Picture {
        check_picture_ending(&save.to, engine).map_err(named)?;
    }
    Ok(())
}

/// Checks, as [`check`] does, where a picture that no node of the graph gives is to be written.
///
/// # Errors
/// Why it cannot be.
pub fn check_picture(option: &str, to: &Destination, engine: &Engine) -> Result<(), String> {
    let Destination::File(path) = to else { return Ok(()) };
    let named = |reason: String| format!("{option} {}: {reason}", path.display());
    file::check_writable(path).map_err(|failure| named(format!("{}; {}", failure.message, failure.remedy)))?;
    match form(kind::IMAGE, ending(to).as_deref()).map_err(named)? {
        Form::Picture => check_picture_ending(to, engine).map_err(named),
        _ => Ok(()),
    }
}

fn check_picture_ending(to: &Destination, engine: &Engine) -> Result<(), String> {
    let (known, ending) = (picture_endings(engine)?, ending(to));
    if known.iter().any(|known| Some(known.as_str()) == ending.as_deref()) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|known| format!(".{known}")).collect();
    Err(format!("a picture is written as {} or .safetensors", known.join(", ")))
}

/// The endings of the files that the node type for pictures writes.
fn picture_endings(engine: &Engine) -> Result<Vec<String>, String> {
    let node_type = engine.catalogue().node_type(IMAGE_SAVE).ok_or_else(|| {
        format!("no plugin here offers `{IMAGE_SAVE}`, which writes pictures; save the picture as .safetensors")
    })?;
    let endings = node_type.description.parameters.iter().find_map(|parameter| match &parameter.domain {
        Domain::SaveFile { extensions, .. } => Some(extensions.clone()),
        _ => None,
    });
    Ok(endings.unwrap_or_default())
}

/// Writes a value; a file is whole or not there.
///
/// # Errors
/// What went wrong, naming the output.
pub fn write(
    save: &Save,
    value: &Value,
    engine: &Engine,
    options: &RunOptions,
    carried: &Arc<Carried>,
) -> Result<(), Stop> {
    let name = format!("{}.{}", save.node, save.output);
    let named = |reason: String| Stop::failed(format!("{name} cannot be saved: {reason}"));
    let bytes = match form(value.kind(), ending(&save.to).as_deref()).map_err(named)? {
        Form::Picture => match &save.to {
            Destination::File(path) => return picture(path, value, engine, options, Arc::clone(carried)),
            Destination::Stdout => {
                let folder = tempfile::tempdir().map_err(|error| named(format!("no room for it: {error}")))?;
                let path = folder.path().join("picture.png");
                // The picture will lie wherever the reader of standard output puts it; this folder is the best guess.
                let here = std::env::current_dir().ok();
                let carried = Arc::new(Carried { destination: here, ..carried.as_ref().clone() });
                picture(&path, value, engine, options, carried)?;
                std::fs::read(&path).map_err(|error| named(error.to_string()))?
            }
        },
        Form::Text => {
            let mut text = match value.as_text() {
                Some(text) => text.to_owned(),
                None => value.as_number().map(|number| number.to_string()).unwrap_or_default(),
            };
            if save.to == Destination::Stdout && !text.ends_with('\n') {
                text.push('\n');
            }
            text.into_bytes()
        }
        Form::Json => json_text(value).map_err(named)?,
        Form::Tensor => tensor_file::bytes(value).map_err(named)?,
    };
    match &save.to {
        Destination::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&bytes)?;
            Ok(stdout.flush()?)
        }
        Destination::File(path) => file::write_whole(path, &[&bytes]).map_err(|failure| named(failure.to_string())),
    }
}

fn picture(
    path: &Path,
    value: &Value,
    engine: &Engine,
    options: &RunOptions,
    carried: Arc<Carried>,
) -> Result<(), Stop> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let params = serde_json::Map::from_iter([("path".to_owned(), json!(path.to_string_lossy()))]);
    let options = RunOptions { carried: Some(carried), ..options.clone() };
    engine.call(IMAGE_SAVE, &params, vec![("image".to_owned(), value.clone())], &options, &Silent)?;
    Ok(())
}

/// A text, a number or tokens as JSON, with the value's header.
fn json_text(value: &Value) -> Result<Vec<u8>, String> {
    let mut object = json!({ "kind": value.kind(), "header": value.header() });
    if let Some(tensor) = value.as_tensor() {
        if tensor.len() > MAX_JSON {
            return Err(format!("{} elements are too many for JSON; save them as .safetensors", tensor.len()));
        }
        object["shape"] = json!(tensor.shape());
        object["values"] = match tensor.dtype() {
            DType::I64 => json!(tensor.as_slice::<i64>().map_err(|error| error.to_string())?),
            other => return Err(format!("{other} elements are not written as JSON; save them as .safetensors")),
        };
    }
    let mut text = object.to_string();
    text.push('\n');
    Ok(text.into_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::Tensor;

    #[test]
    fn the_ending_says_the_form_and_one_that_does_not_fit_the_kind_is_refused() {
        for (kind, ending, expected) in [
            (kind::IMAGE, Some("png"), Form::Picture),
            (kind::IMAGE, Some("safetensors"), Form::Tensor),
            (kind::IMAGE, None, Form::Picture),
            (kind::TEXT, Some("txt"), Form::Text),
            (kind::TEXT, None, Form::Text),
            (kind::NUMBER, Some("json"), Form::Json),
            (kind::TOKENS, Some("json"), Form::Json),
            (kind::TOKENS, Some("safetensors"), Form::Tensor),
            (kind::LATENTS, Some("safetensors"), Form::Tensor),
            (kind::LATENTS, None, Form::Tensor),
        ] {
            assert_eq!(form(kind, ending), Ok(expected), "{kind} {ending:?}");
        }
        assert!(form(kind::LATENTS, Some("png")).unwrap_err().contains(".safetensors"));
        assert!(form(kind::TEXT, Some("")).unwrap_err().contains(".txt or .json"));
        assert!(form(kind::TOKENS, Some("txt")).is_err());
    }

    #[test]
    fn tokens_as_json_keep_their_header() {
        let tensor = Tensor::from_vec([3], vec![1i64, 32010, 2]).unwrap();
        let tokens = Value::tensor(kind::TOKENS, json!({ "prompt_length": 1 }), tensor);
        let text = String::from_utf8(json_text(&tokens).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"kind\":\"tokens\",\"header\":{\"prompt_length\":1},\"shape\":[3],\"values\":[1,32010,2]}\n"
        );
    }
}
