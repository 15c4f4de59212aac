//! The layout of InstructPix2Pix and IPr2Pr: a folder an instruction, in it one or more pairs of pictures, each by the
//! seed that made it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use mgie_image::decode::EXTENSIONS;
use mgie_plugin_api::Failure;
use rayon::prelude::*;
use serde::Deserialize;

use super::{Entry, read_json, said};

/// The file that says which pairs belong to the set.
pub const SEEDS: &str = "seeds.json";
/// The file of each folder that says what was asked for.
pub const PROMPT: &str = "prompt.json";
/// The expressive instructions, under the name that the authors' preparation gives them.
pub const EXPRESSIVE: &str = "ipr2pr_expressive.json";

#[derive(Deserialize)]
struct Prompt {
    edit: String,
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    output: Option<String>,
}

#[derive(Deserialize)]
struct Expressive {
    expressive: String,
}

/// A seed as it may stand in `seeds.json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seed {
    Text(String),
    Number(u64),
}

/// An instruction's folder by its id, and the seeds that count; all of them where it does not say.
struct Listed {
    id: String,
    seeds: Option<Vec<String>>,
}

/// Lists the pairs of a set; none where the folder holds no such set.
pub fn list(folder: &Path) -> Result<Vec<Entry>, Failure> {
    let seeds = folder.join(SEEDS);
    let listed = if seeds.exists() { listed(&seeds)? } else { walked(folder)? };
    let path = folder.join(EXPRESSIVE);
    let expressive: HashMap<String, Expressive> =
        if path.exists() { read_json(&path, r#"{"ID_SEED_0": {"expressive": text}, …}"#)? } else { HashMap::new() };
    // Collected before the first failure is looked for, so that the same one is told every time.
    let found: Vec<Result<Vec<Entry>, Failure>> = listed.par_iter().map(|listed| pairs(folder, listed)).collect();
    let mut entries = Vec::new();
    for of_folder in found {
        entries.extend(of_folder?);
    }
    for entry in &mut entries {
        let key = format!("{}_0", entry.name);
        if let Some(found) = expressive.get(&key) {
            entry.expressive = Some(said(&found.expressive, &path, &format!("the expressive instruction of {key}"))?);
        }
    }
    Ok(entries)
}

/// The ids and seeds of `seeds.json`.
fn listed(path: &Path) -> Result<Vec<Listed>, Failure> {
    let listed: Vec<(String, Vec<Seed>)> = read_json(path, r#"[["ID", ["SEED", …]], …]"#)?;
    let twice = |what: String| Failure::file(path, format!("{what} is listed twice")).remedy("remove one of them");
    let mut ids = HashSet::new();
    let mut folders = Vec::with_capacity(listed.len());
    for (id, seeds) in listed {
        check_name(path, &id)?;
        if !ids.insert(id.clone()) {
            return Err(twice(format!("id {id}")));
        }
        let seeds = seeds.into_iter().map(|seed| match seed {
            Seed::Text(text) => text,
            Seed::Number(number) => number.to_string(),
        });
        let seeds: Vec<String> = seeds.collect();
        let mut known = HashSet::new();
        for seed in &seeds {
            check_name(path, seed)?;
            if !known.insert(seed) {
                return Err(twice(format!("seed {seed} of id {id}")));
            }
        }
        folders.push(Listed { id, seeds: Some(seeds) });
    }
    Ok(folders)
}

/// A list must not lead out of the set's folder.
fn check_name(path: &Path, name: &str) -> Result<(), Failure> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(()),
        _ => Err(Failure::file(path, "an id or seed is no plain name")
            .expected("the name of a folder beside this file, or the beginning of a picture's name")
            .found(format!("{name:?}"))
            .remedy("correct it")),
    }
}

/// The folders beside each other that have a prompt, by name.
fn walked(folder: &Path) -> Result<Vec<Listed>, Failure> {
    let mut ids: Vec<String> = read_folder(folder)?
        .into_iter()
        .filter(|path| path.join(PROMPT).exists())
        .filter_map(|path| path.file_name()?.to_str().map(ToOwned::to_owned))
        .collect();
    ids.sort_unstable();
    Ok(ids.into_iter().map(|id| Listed { id, seeds: None }).collect())
}

/// What lies in a folder.
fn read_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::file(folder, "the folder is listed and not there")
            .remedy(format!("get it again, or remove its line in {SEEDS}")),
        _ => Failure::file(folder, format!("the folder cannot be read ({error})")).remedy("check its permissions"),
    };
    let found = fs::read_dir(folder).map_err(unreadable)?;
    found.map(|entry| entry.map(|entry| entry.path()).map_err(unreadable)).collect()
}

/// The pairs of one folder.
fn pairs(root: &Path, listed: &Listed) -> Result<Vec<Entry>, Failure> {
    let folder = root.join(&listed.id);
    let mut found: BTreeMap<String, [Option<PathBuf>; 2]> = BTreeMap::new();
    for path in read_folder(&folder)? {
        let Some((seed, which)) = seed_of(&path) else { continue };
        let place = &mut found.entry(seed.clone()).or_default()[which];
        if let Some(other) = place.replace(path.clone()) {
            let (first, second) = if other < path { (other, path) } else { (path, other) };
            let name = second.file_name().unwrap_or_default().display().to_string();
            return Err(Failure::file(first, format!("{name} lies beside it: two pictures of one name"))
                .remedy("remove one of them"));
        }
    }
    let path = folder.join(PROMPT);
    let prompt: Prompt = read_json(&path, r#"{"input": caption, "edit": instruction, "output": caption}"#)?;
    let instruction = said(&prompt.edit, &path, "the instruction (`edit`)")?;
    let seeds = listed.seeds.clone().unwrap_or_else(|| found.keys().cloned().collect());
    if seeds.is_empty() {
        return Err(Failure::file(&folder, "there is no pair of pictures in this folder")
            .expected("SEED_0.jpg and SEED_1.jpg")
            .remedy("get them again, or remove the folder"));
    }
    let missing = |seed: &str, which: usize| {
        let what = ["source", "goal"][which];
        Failure::file(folder.join(format!("{seed}_{which}.jpg")), format!("the {what} of this pair is missing"))
            .remedy("get it again, or remove the pair")
    };
    seeds
        .into_iter()
        .map(|seed| {
            let [source, goal] = found.remove(&seed).unwrap_or_default();
            Ok(Entry {
                name: format!("{}_{seed}", listed.id),
                instruction: instruction.clone(),
                expressive: None,
                source_caption: prompt.input.clone().filter(|text| !text.trim().is_empty()),
                goal_caption: prompt.output.clone().filter(|text| !text.trim().is_empty()),
                source: source.ok_or_else(|| missing(&seed, 0))?,
                goal: goal.ok_or_else(|| missing(&seed, 1))?,
                notes: None,
            })
        })
        .collect()
}

/// The seed of a picture's name, and 0 for a source or 1 for a goal.
fn seed_of(path: &Path) -> Option<(String, usize)> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return None;
    }
    let (seed, which) = path.file_stem()?.to_str()?.rsplit_once('_')?;
    let which = ["0", "1"].iter().position(|known| *known == which)?;
    (!seed.is_empty()).then(|| (seed.to_owned(), which))
}
