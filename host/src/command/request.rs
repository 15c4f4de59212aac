//! What was typed, as what it means: names taken apart, numbers read, and whatever has no meaning refused.

use super::stop::Stop;
use super::telling::Saved;
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
        Self::of_option("--set", "NODE.PARAM=VALUE", typed)
    }

    fn of_option(option: &str, form: &str, typed: &str) -> Result<Self, String> {
        let (place, text) = typed.split_once('=').ok_or_else(|| wrong_form(option, form, typed))?;
        let (node, parameter) = named(place).ok_or_else(|| wrong_form(option, form, typed))?;
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

    /// What is told of it once it is written.
    pub fn done(&self) -> Saved {
        let path = match &self.to {
            Destination::Stdout => "-".to_owned(),
            Destination::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        };
        Saved { node: self.node.clone(), output: Some(self.output.clone()), path }
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

/// One or two parameters in several values each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The parameters; what the text of each means depends on the parameter.
    pub axes: Vec<Setting>,
    /// The output that is shown; none for the picture that the graph is for.
    pub output: Option<(String, String)>,
    /// Where the sheet goes.
    pub sheet: Destination,
    /// The most pixels that a cell is wide; none for the usual.
    pub cell: Option<u32>,
}

impl Sweep {
    /// What was asked for; none where nothing was.
    fn read(typed: &typed::Run) -> Result<Option<Self>, Vec<String>> {
        let mut wrong = Vec::new();
        let mut axes = Vec::new();
        for text in &typed.sweeps {
            match Setting::of_option("--sweep", "NODE.PARAM=V1,V2,…", text) {
                Ok(axis) => axes.push(axis),
                Err(error) => wrong.push(error),
            }
        }
        let output = typed
            .sweep_output
            .as_deref()
            .map(|text| named(text).ok_or_else(|| wrong_form("--sweep-output", "NODE.OUTPUT", text)));
        let output = output.transpose().map_err(|error| wrong.push(error)).ok().flatten();
        let sheet = typed.save_sheet.as_deref().map(Destination::of);
        if typed.sweeps.is_empty() {
            let alone = [
                ("--save-sheet", sheet.is_some()),
                ("--sweep-output", typed.sweep_output.is_some()),
                ("--sheet-cell", typed.sheet_cell.is_some()),
            ];
            let alone = alone.iter().filter(|(_, given)| *given);
            wrong.extend(alone.map(|(option, _)| {
                format!("{option}: there is no sheet without values to put on it; add --sweep NODE.PARAM=V1,V2,…")
            }));
            return if wrong.is_empty() { Ok(None) } else { Err(wrong) };
        }
        if typed.frames.is_some() {
            wrong.push("--sweep: a sweep and --frames do not go together; sweep one frame".to_owned());
        }
        if !typed.running.saves.is_empty() {
            wrong.push(
                "--save: each cell of the sweep would take the place of the one before it; leave it out".to_owned(),
            );
        }
        for axis in &axes {
            let is_it = |set: &Setting| set.node == axis.node && set.parameter == axis.parameter;
            if typed.running.settings.iter().filter_map(|text| Setting::read(text).ok()).any(|set| is_it(&set)) {
                let place = format!("{}.{}", axis.node, axis.parameter);
                wrong.push(format!("--set: {place} is swept, and takes the sweep's values; leave out one of the two"));
            }
        }
        if sheet == Some(Destination::Stdout) && typed.running.telling.json {
            wrong.push("--json: the report and the sheet cannot both go to standard output; name a file".to_owned());
        }
        match sheet {
            None => wrong.push("--sweep: say where the sheet goes; add --save-sheet FILE".to_owned()),
            Some(sheet) if wrong.is_empty() => return Ok(Some(Self { axes, output, sheet, cell: typed.sheet_cell })),
            Some(_) => {}
        }
        Err(wrong)
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
    /// Parameters in several values, side by side, instead of one run.
    pub sweep: Option<Sweep>,
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
        let sweep = Sweep::read(&typed).map_err(Stop::wrong_all)?;
        let running = Running::try_from(typed.running)?;
        if frames.is_some() && running.saves.iter().any(|save| save.to == Destination::Stdout) {
            return Err(Stop::wrong(
                "--frames: standard output has room for one frame; save to a file with #### in its name",
            ));
        }
        Ok(Self { graph: typed.graph, only: typed.only, frames, sweep, running })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use clap::Parser;

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
    fn a_sweep_needs_a_sheet_and_goes_with_nothing_that_writes_a_file_a_run() {
        let read = |arguments: &[&str]| {
            let typed = typed::Typed::try_parse_from([&["mgie", "run", "g.json"], arguments].concat()).unwrap();
            let typed::Command::Run(run) = typed.command else { unreachable!() };
            Run::try_from(run).map(|run| run.sweep).map_err(|stop| stop.lines().join("\n"))
        };
        assert_eq!(read(&[]), Ok(None));
        let sweep = read(&["--sweep", "a.b=1,2", "--sweep-output", "c.d", "--save-sheet", "s.png"]).unwrap().unwrap();
        assert_eq!((sweep.axes[0].text.as_str(), sweep.sheet), ("1,2", Destination::File("s.png".into())));
        assert_eq!(sweep.output, Some(("c".to_owned(), "d".to_owned())));
        for (arguments, expected) in [
            (vec!["--sweep", "a.b=1"], "add --save-sheet FILE"),
            (vec!["--save-sheet", "s.png"], "--save-sheet: there is no sheet without values"),
            (vec!["--sweep", "a=1", "--save-sheet", "s.png"], "--sweep: expected NODE.PARAM=V1,V2,…, found `a=1`"),
            (vec!["--sweep", "a.b=1", "--save-sheet", "s.png", "--frames", "1-2"], "sweep one frame"),
            (vec!["--sweep", "a.b=1", "--save-sheet", "s.png", "--save", "a.b=c.png"], "--save: each cell"),
            (vec!["--sweep", "a.b=1", "--save-sheet", "s.png", "--set", "a.b=2"], "--set: a.b is swept"),
            (vec!["--sweep", "a.b=1", "--save-sheet", "-", "--json"], "--json: the report and the sheet"),
            (vec!["--sweep", "a.b=1", "--save-sheet", "s.png", "--sweep-output", "x"], "--sweep-output: expected NODE"),
        ] {
            let told = read(&arguments).unwrap_err();
            assert!(told.contains(expected), "{arguments:?}: {told}");
        }
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
