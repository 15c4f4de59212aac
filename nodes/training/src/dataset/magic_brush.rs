//! MagicBrush's layout, as its archives unpack: `edit_turns.json` lists the turns, `images/ID/` holds their pictures,
//! and `global_descriptions.json`, where it is there, says what is on each. Masks are not used: MGIE edits without
//! them.
//!
//! Source: the README of OSU-NLP-Group/MagicBrush.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use mgie_plugin_api::Failure;
use serde::Deserialize;

use super::{Entry, read_json, said};

const TURNS: &str = "edit_turns.json";
const DESCRIPTIONS: &str = "global_descriptions.json";

#[derive(Deserialize)]
struct Turn {
    input: String,
    output: String,
    instruction: String,
}

/// Lists the turns of a set; `None` where the folder holds no such set.
pub fn list(folder: &Path) -> Result<Option<Vec<Entry>>, Failure> {
    let path = folder.join(TURNS);
    if !path.exists() {
        return Ok(None);
    }
    let turns: Vec<Turn> =
        read_json(&path, r#"[{"input": "ID-input.png", "output": "ID-output1.png", "instruction": text}, …]"#)?;
    let descriptions = folder.join(DESCRIPTIONS);
    let captions: HashMap<String, HashMap<String, String>> = if descriptions.exists() {
        read_json(&descriptions, r#"{"ID": {"ID-input.png": caption, …}, …}"#)?
    } else {
        HashMap::new()
    };
    let mut known = HashSet::new();
    let mut entries = Vec::with_capacity(turns.len());
    for turn in turns {
        let id = turn.input.split('-').next().unwrap_or_default().to_owned();
        let plain = |name: &str| !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
        if ![&id, &turn.input, &turn.output].into_iter().all(|name| plain(name)) {
            return Err(Failure::file(&path, "a picture's name is no plain name")
                .expected("ID-input.png, ID-output1.png")
                .found(format!("{:?}, {:?}", turn.input, turn.output))
                .remedy("correct it"));
        }
        let name = turn.output.rsplit_once('.').map_or(&*turn.output, |(stem, _)| stem).to_owned();
        if !known.insert(turn.output.clone()) {
            return Err(Failure::file(&path, format!("{} is the output of two turns", turn.output))
                .remedy("remove one of them"));
        }
        let picture = |name: &str| {
            let file = folder.join("images").join(&id).join(name);
            if file.is_file() {
                return Ok(file);
            }
            Err(Failure::file(file, format!("the picture is listed in {TURNS} and not there"))
                .remedy("get it again, or remove the turn"))
        };
        let caption = |name: &str| captions.get(&id).and_then(|of_id| of_id.get(name)).cloned();
        entries.push(Entry {
            instruction: said(&turn.instruction, &path, &format!("the instruction of {}", turn.output))?,
            expressive: None,
            source_caption: caption(&turn.input),
            goal_caption: caption(&turn.output),
            source: picture(&turn.input)?,
            goal: picture(&turn.output)?,
            name,
            notes: None,
        });
    }
    Ok(Some(entries))
}
