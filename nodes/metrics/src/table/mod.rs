//! Node `metrics.table`: several methods' edits of a data set, measured against its goals, a family of edits at a time.

mod tally;
mod written;

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};
use mgie_training::dataset::{Dataset, Entry};
use mgie_weights::pool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clip::Clip;
use crate::dino::Dino;
use crate::methods::{Method, dataset, methods, with_inputs};
use crate::models::lpips::Lpips;
use crate::pixels::{Rgb, compare};
use crate::similarity::{Eye, cosine, embeddings, finite};
use crate::{device_of, lpips, with_device};
use candle_core::Device;
use tally::{Metric, Numbers, Tally};

/// What a picture that nobody edited is called.
const COPY: &str = "copy the input";

/// Pairs that are in memory at once, with all their edits.
const AT_ONCE: usize = 8;

/// The node type.
pub fn definition() -> NodeDefinition {
    let model = || Domain::Model { default: String::new(), optional: true };
    let save = |extension: &str| Domain::SaveFile { default: String::new(), extensions: vec![extension.into()] };
    let description = with_inputs(NodeDescription::new(
        "metrics.table",
        "Table of metrics",
        "Metrics",
        "Compares several methods' edits of a data set with its goals, and with the input as it was: L1, L2, PSNR and \
         SSIM; LPIPS, DINO, CVS and CTS where their models are given; and how many expressive instructions name what \
         only the picture shows. Means over each family of edits and over all.",
    ))
    .parameter(
        "count",
        "Count",
        Domain::Integer { default: 0, hard: [0, i64::MAX], soft: [0, 1000] },
        "How many pairs, from the first; 0 for all.",
    )
    .parameter("clip", "CLIP", model(), "A CLIP folder, for CVS and CTS (with the goal's caption); may be left empty.")
    .parameter("dino", "DINO", model(), "A ViTModel folder, for the DINO similarity; may be left empty.")
    .parameter("lpips", "LPIPS", model(), lpips::ABOUT_MODEL)
    .parameter("csv", "CSV file", save("csv"), "Where the table is written as CSV; may be left empty.")
    .parameter("markdown", "Markdown file", save("md"), "Where it is written as Markdown; may be left empty.");
    let description = with_device(description)
        .output("markdown", "Markdown", kind::TEXT, "The table in Markdown.")
        .output("csv", "CSV", kind::TEXT, "The table as CSV, with all digits.")
        .with_side_effect();
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || measure(run)))
}

/// The models that were asked for.
struct Models {
    clip: Option<(Arc<Clip>, PathBuf)>,
    dino: Option<(Arc<Dino>, PathBuf)>,
    lpips: Option<(Arc<Lpips>, PathBuf)>,
    device: Device,
}

impl Models {
    fn open(run: &Run) -> Result<Self, Failure> {
        let device = device_of(run)?;
        let clip = match run.optional_path("clip")? {
            Some(path) => Some((Clip::open(run, &path, &device)?, path)),
            None => None,
        };
        let dino = match run.optional_path("dino")? {
            Some(path) => Some((Dino::open(run, &path, &device)?, path)),
            None => None,
        };
        let lpips = match run.optional_path("lpips")? {
            Some(path) => Some((lpips::open(run, &path, &device)?, path)),
            None => None,
        };
        Ok(Self { clip, dino, lpips, device })
    }
}

fn measure(run: &Run) -> Result<Outputs, Failure> {
    let (csv, markdown) = (run.optional_path("csv")?, run.optional_path("markdown")?);
    for path in [&csv, &markdown].into_iter().flatten() {
        file::check_writable(path)?;
    }
    let (methods, set, size) = (methods(run)?, dataset(run)?, run.count("size")?);
    let count = match run.count("count")? {
        0 => set.len(),
        count => count.min(set.len()),
    };
    let models = Models::open(run)?;
    let names = std::iter::once(COPY).chain(methods.iter().map(|method| method.name.as_str()));
    let mut tally = Tally::new(names.map(ToOwned::to_owned).collect());
    for first in (0..count).step_by(AT_ONCE) {
        run.progress(first as u64, count as u64, "comparing");
        let pairs = first..(first + AT_ONCE).min(count);
        for (entry, numbers) in
            set.entries()[pairs.clone()].iter().zip(pairs_measured(run, &set, pairs, &methods, size, &models)?)
        {
            tally.add(entry.notes.as_ref().map(|notes| notes.family.as_str()), &numbers);
        }
    }
    let rows = tally.rows();
    let (csv_text, markdown_text) = (written::csv(&rows), written::markdown(&rows));
    for (path, text) in [(csv, &csv_text), (markdown, &markdown_text)] {
        if let Some(path) = path {
            file::write_whole(&path, &[text.as_bytes()])?;
        }
    }
    Ok(Outputs::new().with("markdown", Value::text(markdown_text)).with("csv", Value::text(csv_text)))
}

/// A pair's pictures: the source, each method's edit of it, and the goal.
struct Pictures {
    candidates: Vec<Rgb>,
    goal: Rgb,
}

/// The numbers of each candidate of each pair.
fn pairs_measured(
    run: &Run,
    set: &Dataset,
    pairs: Range<usize>,
    methods: &[Method],
    size: usize,
    models: &Models,
) -> Result<Vec<Vec<Numbers>>, Failure> {
    // Collected before the first failure is looked for, so that the same one is told every time.
    let indices: Vec<usize> = pairs.collect();
    let read: Vec<_> = indices.par_iter().map(|index| read(run, set, *index, methods, size)).collect();
    let read: Vec<(Pictures, Vec<Numbers>)> = read.into_iter().collect::<Result<_, _>>()?;
    let (pictures, mut numbers): (Vec<Pictures>, Vec<Vec<Numbers>>) = read.into_iter().unzip();
    let entries: Vec<&Entry> = indices.iter().map(|index| &set.entries()[*index]).collect();
    if let Some((clip, path)) = &models.clip {
        let found = seen(run, &**clip, &pictures)?;
        for ((entry, seen), numbers) in entries.iter().zip(&found).zip(&mut numbers) {
            let caption = entry.goal_caption.as_deref().map(|text| clip.embed_text(text)).transpose()?;
            let Some((goal, candidates)) = seen.split_last() else { continue };
            for (candidate, numbers) in candidates.iter().zip(numbers) {
                numbers.set(Metric::Cvs, finite(cosine(candidate, goal), path)?);
                if let Some(caption) = &caption {
                    numbers.set(Metric::Cts, finite(cosine(candidate, caption), path)?);
                }
            }
        }
    }
    if let Some((dino, path)) = &models.dino {
        for (seen, numbers) in seen(run, &**dino, &pictures)?.iter().zip(&mut numbers) {
            let Some((goal, candidates)) = seen.split_last() else { continue };
            for (candidate, numbers) in candidates.iter().zip(numbers) {
                numbers.set(Metric::Dino, finite(cosine(candidate, goal), path)?);
            }
        }
    }
    if let Some((lpips, path)) = &models.lpips {
        for (pictures, numbers) in pictures.iter().zip(&mut numbers) {
            run.check_cancelled()?;
            for (candidate, numbers) in pictures.candidates.iter().zip(numbers) {
                let distance = lpips::distance(lpips, candidate, &pictures.goal, &models.device)?;
                numbers.set(Metric::Lpips, finite(distance, path)?);
            }
        }
    }
    Ok(numbers)
}

/// Reads a pair and its edits, and compares their pixels and words.
fn read(
    run: &Run,
    set: &Dataset,
    index: usize,
    methods: &[Method],
    size: usize,
) -> Result<(Pictures, Vec<Numbers>), Failure> {
    run.check_cancelled()?;
    let entry = &set.entries()[index];
    let pair = set.pair(index, size)?;
    let of = |picture, path: &PathBuf| Rgb::of(picture).map_err(|found| Failure::file(path, found));
    let (source, goal) = (of(pair.source, &entry.source)?, of(pair.goal, &entry.goal)?);
    let mut candidates = vec![source];
    for method in methods {
        candidates.push(method.edit(&entry.name, size)?);
    }
    let mut numbers = Vec::with_capacity(candidates.len());
    for candidate in &candidates {
        let found = compare(candidate, &goal).map_err(|found| Failure::file(&entry.goal, found))?;
        let mut of_candidate = Numbers::default();
        for (metric, number) in
            [(Metric::L1, found.l1), (Metric::L2, found.l2), (Metric::Psnr, found.psnr), (Metric::Ssim, found.ssim)]
        {
            of_candidate.set(metric, number);
        }
        numbers.push(of_candidate);
    }
    let key = entry.notes.as_ref().map(|notes| notes.key.as_slice()).unwrap_or_default();
    if !key.is_empty() {
        for (method, numbers) in methods.iter().zip(&mut numbers[1..]).filter(|(method, _)| method.has_texts()) {
            let named = method.text(&entry.name).is_some_and(|text| says(text, key));
            numbers.set(Metric::Named, f64::from(u8::from(named)));
        }
    }
    Ok((Pictures { candidates, goal }, numbers))
}

/// The embeddings of each pair's candidates and, last, its goal.
fn seen(run: &Run, eye: &dyn Eye, pictures: &[Pictures]) -> Result<Vec<Vec<Vec<f32>>>, Failure> {
    let all: Vec<&Rgb> = pictures.iter().flat_map(|of| of.candidates.iter().chain([&of.goal])).collect();
    let mut found = embeddings(eye, &all, || run.check_cancelled())?.into_iter();
    Ok(pictures.iter().map(|of| found.by_ref().take(of.candidates.len() + 1).collect()).collect())
}

/// Whether a text has all of these words or phrases in it, in any case, as whole words.
fn says(text: &str, key: &[String]) -> bool {
    let words = |text: &str| {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        format!(" {} ", words.join(" "))
    };
    let text = words(text);
    key.iter().all(|phrase| text.contains(&words(phrase)))
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn a_text_says_a_word_where_it_is_there_whole() {
        let key = ["circle".to_owned(), "top left".to_owned()];
        assert!(says("The Circle, at the top left, turns blue.", &key));
        assert!(!says("the circles at the top left", &key));
        assert!(!says("the circle at the left top", &key));
        assert!(says("anything", &[]));
    }
}
