//! `training.edit_set`: a method's edits of a whole data set, for the table.

use crate::dataset::Dataset;
use crate::edit_set::{Answering, Edited, Editor, Method, weights_of};
use crate::model_files::{fingerprint, make_folder};
use crate::parts::place;
use crate::sampling::Sampling;
use crate::setup::with_side;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use mgie_diffusion::samplers::NAMES;
use mgie_plugin_api::serde_json::{self, Map, Value as Json, json};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};
use mgie_weights::{device, pool};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// What is noted of how the edits of a folder are made.
const MADE: &str = "made.json";

/// Pictures that are denoised together.
const TOGETHER: usize = 8;

/// Most tokens that the language model answers with, as MGIE's authors have it.
const LONGEST_ANSWER: usize = 96;

/// The node.
pub fn definition() -> NodeDefinition {
    let words = |default: &str, choices: &[&str]| Domain::Choice {
        default: default.to_owned(),
        choices: choices.iter().map(|word| (*word).to_owned()).collect(),
    };
    let number = |default: f64, soft: f64| Domain::Float { default, hard: [0.0, 100.0], soft: [0.0, soft] };
    let whole = |default: i64, high: i64, soft: i64| Domain::Integer { default, hard: [1, high], soft: [1, soft] };
    let text = |default: &str| Domain::Text { default: default.to_owned(), multiline: false };
    let methods = Method::ALL.map(|(name, _)| name);
    let description = NodeDescription::new(
        "training.edit_set",
        "Edit data set",
        "Training",
        "Edits the pictures of a data set with MGIE or one of the paper's baselines, into a folder that metrics.table \
         reads. Pictures that are there already are kept, so that a run that was stopped goes on.",
    )
    .input("dataset", "Data set", kind::TEXT, "The folder of the data set.")
    .optional_input("after", "After", kind::TEXT, "The `models` of what has to be trained before.")
    .parameter(
        "models",
        "Models",
        Domain::Model { default: ".".to_owned(), optional: false },
        "A models folder, relative to the one that the graph runs with; `.` is that one.",
    )
    .parameter(
        "folder",
        "Folder",
        Domain::Folder { default: "edits".to_owned(), optional: false },
        "Where the edits go.",
    )
    .parameter("method", "Method", words("mgie", &methods), "MGIE, or a baseline.")
    .parameter("mgie", "MGIE", text(place::MGIE), "The folder of mllm.pt and unet.pt within the models folder.")
    .parameter("lgie", "LGIE", text("lgie"), "The folder of LGIE's language model within the models folder.")
    .parameter("count", "Count", whole(600, 10_000_000, 1000), "The first so many examples.")
    .parameter("steps", "Steps", whole(20, 1000, 100), "Denoising steps.")
    .parameter("guidance", "Guidance", number(7.5, 15.0), "How much the text weighs.")
    .parameter("image_guidance", "Image guidance", number(1.5, 3.0), "How much the picture weighs.")
    .parameter("sampler", "Sampler", words("euler_ancestral", &NAMES), "The way from noise to latents.")
    .parameter("seed", "Seed", Domain::Seed { default: 13331 }, "Of the first picture; each next one's is one more.")
    .parameter(
        "no_repeat_ngram",
        "No repeated n-gram",
        Domain::Integer { default: 3, hard: [0, 100], soft: [0, 10] },
        "No run of so many tokens comes twice in question and answer; 0 for no such rule.",
    );
    let description = description.parameter(
        "keep",
        "Keep the unchanged",
        Domain::Boolean { default: false },
        "Keeps the picture's own pixels where the edit leaves it alone, as image.difference_key and image.merge do it.",
    );
    let description = with_side(description);
    let description = device::with_parameters(description, "Computed in f32; auto or f32.")
        .output("folder", "Folder", kind::TEXT, "The folder with the edits.")
        .with_side_effect();
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || edit_set(run)))
}

fn edit_set(run: &Run) -> Result<Outputs, Failure> {
    let device = device::device(run.string("device")?)?;
    let dtype = run.string("dtype")?;
    if !["auto", "f32"].contains(&dtype) {
        return Err(Failure::parameter("dtype", "auto or f32", format!("`{dtype}`")).remedy("leave it at auto"));
    }
    run.ran_on(&device::name(&device));
    let dataset = Dataset::open(Path::new(run.text("dataset")?))?;
    let (folder, side) = (run.path("folder")?, run.count("side")?);
    let sampling = Sampling {
        steps: run.count("steps")?,
        guidance: run.float("guidance")?,
        image_guidance: run.float("image_guidance")?,
        sampler: run.string("sampler")?.to_owned(),
    };
    let (seed, answering) = (
        run.seed("seed")?,
        Answering { max_new_tokens: LONGEST_ANSWER, no_repeat_ngram: run.count("no_repeat_ngram")? },
    );
    let name = run.string("method")?;
    let method = Method::ALL.into_iter().find(|(known, _)| *known == name).map_or(Method::Mgie, |(_, method)| method);
    let (models, mgie, lgie) = (run.path("models")?, run.string("mgie")?, run.string("lgie")?);
    let keep = run.boolean("keep")?;
    let editor = Editor::load(&models, method, mgie, lgie, &device, answering)?.keeping(keep);
    let weights = weights_of(&models, method, mgie, lgie);
    let weights = fingerprint(&weights.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &[])?;
    make_folder(&folder)?;
    let mut made = json!({
        "method": name, "mgie": mgie, "lgie": lgie, "weights": weights, "side": side, "seed": seed,
        "steps": sampling.steps, "guidance": sampling.guidance, "sampler": sampling.sampler,
        "image_guidance": sampling.image_guidance, "no_repeat_ngram": answering.no_repeat_ngram,
    });
    if keep {
        made["keep"] = json!(true);
    }
    check_made(&folder.join(MADE), &made)?;

    let examples: Vec<usize> = (0..run.count("count")?.min(dataset.len())).collect();
    let list = folder.join("edits.json");
    let mut done: Map<String, Json> = match list.exists() {
        true => serde_json::from_slice(&file::read_whole(&list, 1 << 30)?)
            .map_err(|error| Failure::file(&list, format!("malformed: {error}")).remedy("remove the folder"))?,
        false => Map::new(),
    };
    let name_of = |example: &usize| dataset.entries().get(*example).map_or("", |entry| entry.name.as_str());
    let left: Vec<usize> = examples.iter().copied().filter(|example| !done.contains_key(name_of(example))).collect();
    for some in left.chunks(TOGETHER * rayon::current_num_threads()) {
        run.progress(done.len() as u64, examples.len() as u64, "editing");
        let edited: Vec<Vec<Edited>> = some
            .par_chunks(TOGETHER)
            .map(|part| editor.edit(run, &dataset, part, side, seed, &sampling))
            .collect::<Result<_, Failure>>()?;
        for (example, Edited { picture, text }) in some.iter().zip(edited.into_iter().flatten()) {
            let name = name_of(example);
            file::write_whole(&folder.join(format!("{name}.png")), &[&png(&picture, side)?])?;
            done.insert(name.to_owned(), json!({ "text": text }));
        }
        file::write_whole(&list, &[Json::Object(done.clone()).to_string().as_bytes()])?;
    }
    Ok(Outputs::new().with("folder", Value::text(folder.display().to_string())))
}

/// Notes in a folder how its edits are made; a folder whose edits were made otherwise is left alone, or a table would
/// compare a mixture.
fn check_made(path: &Path, how: &Json) -> Result<(), Failure> {
    if !path.exists() {
        return file::write_whole(path, &[how.to_string().as_bytes()]);
    }
    match serde_json::from_slice::<Json>(&file::read_whole(path, 1 << 20)?) {
        Ok(there) if there == *how => Ok(()),
        there => Err(Failure::file(path, "the edits in this folder were made otherwise")
            .expected(how.to_string())
            .found(there.map_or_else(|error| format!("malformed: {error}"), |there| there.to_string()))
            .remedy("name another folder, or remove this one")),
    }
}

fn png(rgb: &[u8], side: usize) -> Result<Vec<u8>, Failure> {
    let mut file = Cursor::new(Vec::new());
    let written = PngEncoder::new(&mut file).write_image(rgb, side as u32, side as u32, ExtendedColorType::Rgb8);
    written.map_err(|error| Failure::failed(format!("an edit cannot be encoded as PNG: {error}")))?;
    Ok(file.into_inner())
}
