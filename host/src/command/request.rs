//! What was typed, as what it means: names taken apart, numbers read, and whatever has no meaning refused.

use super::stop::Stop;
use super::typed;
use mgie_host::document::Wire;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A parameter to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The node.
    pub node: String,
    /// The parameter.
    pub parameter: String,
    /// The value as it was typed; what it means depends on the parameter.
    pub text: String,
}

impl Setting {
    fn read(typed: &str) -> Result<Self, String> {
        let (place, text) = typed.split_once('=').ok_or_else(|| wrong_form("--set", "NODE.PARAM=VALUE", typed))?;
        let (node, parameter) = named(place).ok_or_else(|| wrong_form("--set", "NODE.PARAM=VALUE", typed))?;
        Ok(Self { node, parameter, text: text.to_owned() })
    }
}

/// Where something goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Destination {
    /// `-` is standard output.
    pub fn of(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdout } else { Self::File(path.to_owned()) }
    }
}

/// An output to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// The node.
    pub node: String,
    /// Its output.
    pub output: String,
    /// Where to.
    pub to: Destination,
}

impl Save {
    fn read(typed: &str) -> Result<Self, String> {
        let (place, file) = typed.split_once('=').ok_or_else(|| wrong_form("--save", "NODE.OUTPUT=FILE", typed))?;
        let (node, output) = named(place).ok_or_else(|| wrong_form("--save", "NODE.OUTPUT=FILE", typed))?;
        if file.is_empty() {
            return Err(format!("--save {typed}: expected a file behind the `=`, or `-` for standard output"));
        }
        Ok(Self { node, output, to: Destination::of(Path::new(file)) })
    }
}

fn named(place: &str) -> Option<(String, String)> {
    Wire::from_text(place).source().map(|(node, name)| (node.to_owned(), name.to_owned()))
}

fn wrong_form(option: &str, form: &str, typed: &str) -> String {
    format!("{option}: expected {form}, found `{typed}`")
}

/// Frames to run, the last one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl Frames {
    fn read(typed: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let (first, last) = typed.split_once('-').unwrap_or((typed, typed));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            (Some(first), Some(last)) => Err(format!("--frames: {first} comes after {last}; write {last}-{first}")),
            _ => Err(format!("--frames: expected two whole numbers, such as 1-24, found `{typed}`")),
        }
    }
}

/// What is asked of any graph that is run.
#[derive(Clone, Debug)]
pub struct Running {
    /// Parameters to set.
    pub settings: Vec<Setting>,
    /// Outputs to write.
    pub saves: Vec<Save>,
    /// The models folder that was named.
    pub models: Option<PathBuf>,
    /// Threads; none for all cores.
    pub threads: Option<usize>,
    /// Bytes of outputs to keep.
    pub cache_bytes: u64,
    /// Bytes of weights to keep; none for the usual.
    pub weights_bytes: Option<u64>,
    /// How to tell.
    pub telling: typed::Telling,
}

/// `mgie edit`.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The photo.
    pub photo: PathBuf,
    /// The instruction.
    pub instruction: String,
    /// Where the result goes; none for beside the photo.
    pub output: Option<Destination>,
    /// The graph; none for the built-in one.
    pub graph: Option<PathBuf>,
    /// Options of this command that set a parameter wherever a node has it: option, parameter, value.
    pub knobs: Vec<(&'static str, &'static str, Value)>,
    /// The rest.
    pub running: Running,
}

/// `mgie run`.
#[derive(Clone, Debug)]
pub struct Run {
    /// The graph.
    pub graph: PathBuf,
    /// Nodes to run instead of every node that saves.
    pub only: Vec<String>,
    /// Frames to run.
    pub frames: Option<Frames>,
    /// The rest.
    pub running: Running,
}

impl TryFrom<typed::Running> for Running {
    type Error = Stop;

    fn try_from(typed: typed::Running) -> Result<Self, Stop> {
        let mut wrong = Vec::new();
        let mut read = |result: Result<(), String>| wrong.extend(result.err());
        let mut settings = Vec::new();
        for text in &typed.settings {
            read(Setting::read(text).map(|setting| settings.push(setting)));
        }
        let mut saves = Vec::new();
        for text in &typed.saves {
            read(Save::read(text).map(|save| saves.push(save)));
        }
        let to_stdout = saves.iter().filter(|save: &&Save| save.to == Destination::Stdout).count();
        if to_stdout > 1 {
            wrong.push("--save: only one output can go to standard output; name files for the others".to_owned());
        }
        if to_stdout > 0 && typed.telling.json {
            wrong.push("--json: the report and an output cannot both go to standard output; name a file".to_owned());
        }
        for (at, save) in saves.iter().enumerate() {
            if save.to != Destination::Stdout && saves.iter().take(at).any(|other| other.to == save.to) {
                wrong.push(format!(
                    "--save: two outputs go to one file; name another for {}.{}",
                    save.node, save.output
                ));
            }
        }
        if !wrong.is_empty() {
            return Err(Stop::wrong_all(wrong));
        }
        Ok(Self {
            settings,
            saves,
            models: typed.models,
            threads: typed.threads.map(usize::from),
            cache_bytes: typed.cache_mb.saturating_mul(1 << 20),
            weights_bytes: typed.weights_mb.map(|mib| mib.saturating_mul(1 << 20)),
            telling: typed.telling,
        })
    }
}

impl TryFrom<typed::Edit> for Edit {
    type Error = Stop;

    fn try_from(typed: typed::Edit) -> Result<Self, Stop> {
        let running = Running::try_from(typed.running)?;
        let output = typed.output.as_deref().map(Destination::of);
        let saves_to_stdout = running.saves.iter().any(|save| save.to == Destination::Stdout);
        if output == Some(Destination::Stdout) && (running.telling.json || saves_to_stdout) {
            return Err(Stop::wrong("-o -: something else goes to standard output already; name a file"));
        }
        let knobs = [
            ("--seed", "seed", typed.seed.map(Value::from)),
            ("--steps", "steps", typed.steps.map(Value::from)),
            ("--guidance", "guidance", typed.guidance.map(Value::from)),
            ("--image-guidance", "image_guidance", typed.image_guidance.map(Value::from)),
            ("--device", "device", typed.device.map(Value::from)),
            ("--dtype", "dtype", typed.dtype.map(Value::from)),
        ];
        Ok(Self {
            photo: typed.photo,
            instruction: typed.instruction,
            output,
            graph: typed.graph,
            knobs: knobs.into_iter().filter_map(|(option, name, value)| Some((option, name, value?))).collect(),
            running,
        })
    }
}

impl TryFrom<typed::Run> for Run {
    type Error = Stop;

    fn try_from(typed: typed::Run) -> Result<Self, Stop> {
        let frames = typed.frames.as_deref().map(Frames::read).transpose().map_err(Stop::wrong)?;
        let running = Running::try_from(typed.running)?;
        if frames.is_some() && running.saves.iter().any(|save| save.to == Destination::Stdout) {
            return Err(Stop::wrong(
                "--frames: standard output has room for one frame; save to a file with #### in its name",
            ));
        }
        Ok(Self { graph: typed.graph, only: typed.only, frames, running })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_apart_at_the_first_dot_and_the_first_equals_sign() {
        let setting = Setting::read("instruction.text=a=b.c").unwrap();
        assert_eq!(
            (setting.node.as_str(), setting.parameter.as_str(), setting.text.as_str()),
            ("instruction", "text", "a=b.c")
        );
        assert_eq!(Setting::read("n.p=").unwrap().text, "");
        for typed in ["", "a", "a=b", ".b=c", "a.=c"] {
            assert!(Setting::read(typed).unwrap_err().contains("expected NODE.PARAM=VALUE"), "{typed}");
        }
    }

    #[test]
    fn saves_name_a_file_or_standard_output() {
        assert_eq!(Save::read("a.b=-").unwrap().to, Destination::Stdout);
        assert_eq!(Save::read("a.b=./-").unwrap().to, Destination::File("./-".into()));
        assert!(Save::read("a.b=").unwrap_err().contains("a file"));
        assert!(Save::read("a=b").is_err());
    }

    #[test]
    fn frames_are_a_range_or_one_number() {
        assert_eq!(Frames::read("1-24"), Ok(Frames { first: 1, last: 24 }));
        assert_eq!(Frames::read("7"), Ok(Frames { first: 7, last: 7 }));
        assert!(Frames::read("9-3").unwrap_err().contains("write 3-9"));
        for typed in ["", "-", "a-b", "1-", "-1", "1-2-3", "99999999999"] {
            assert!(Frames::read(typed).is_err(), "{typed}");
        }
    }
}
