//! What can be typed. [`super::request`] says what it means.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A node-graph compositor for image editing that is guided by a multimodal language model.
#[derive(Debug, Parser)]
#[command(
    name = "mgie",
    version,
    about = "MLLM-guided image editing as a graph of nodes",
    arg_required_else_help = true
)]
#[command(after_help = "Exit codes: 0 done, 1 the run failed, 2 the request was wrong, 130 interrupted.")]
pub struct Typed {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Edit a photo as an instruction says.
    Edit(Edit),
    /// Run any graph: the nodes that save, and what else is asked for.
    Run(Run),
    /// Tell everything that is wrong with a graph, without running it.
    Check(Check),
    /// List the node types, or tell all about one.
    Nodes(Nodes),
    /// Tell where the models are looked for, and which of a graph's are there.
    Models(Models),
    /// Open the node editor in a window.
    Studio(Studio),
}

/// `mgie edit`.
#[derive(Debug, Args)]
pub struct Edit {
    /// The photo.
    pub photo: PathBuf,
    /// What to do with it, in a few words.
    pub instruction: String,
    /// Where the result goes; its ending says the format, `-` is standard output (as PNG). A file that is there is
    /// replaced. [default: beside the photo, PHOTO-edited.png, or with a number where that is taken]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The graph to run: any with nodes named `photo`, `instruction` and `result`. [default: the `edit.json` of the models
    /// folder, else the built-in graphs/mgie.json]
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// Seed of the noise.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Denoising steps.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<u32>,
    /// How closely the instruction is followed.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
    /// How closely the photo is kept.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub image_guidance: Option<f64>,
    /// Where models run: auto, cpu, cuda, cuda:N.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Number format of models: auto, f32, f16, bf16.
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<String>,
    /// How to run it.
    #[command(flatten)]
    pub running: Running,
}

/// `mgie run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The graph: a .json file, or a PNG that carries one.
    pub graph: PathBuf,
    /// Run these nodes and what they hang on, instead of every node that saves. Several times for several.
    #[arg(long, value_name = "NODE")]
    pub only: Vec<String>,
    /// Run once for each of these frames: `####` or `%04d` in paths stands for the frame's number.
    #[arg(long, value_name = "A-B")]
    pub frames: Option<String>,
    /// Run once for each of these values, and show what they give side by side on one sheet: `denoise.guidance=5,7.5,10`.
    /// Twice for two parameters, the first across and the second down. `\,` is a comma within a value, `["a", "b"]` a list
    /// of texts, `1..9:2` a range. Nodes that save run only where --only names them.
    #[arg(long = "sweep", value_name = "NODE.PARAM=V1,V2,…")]
    pub sweeps: Vec<String>,
    /// Where the sheet of a sweep goes; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub save_sheet: Option<PathBuf>,
    /// The picture that a sweep shows. [default: the one that the graph saves]
    #[arg(long, value_name = "NODE.OUTPUT")]
    pub sweep_output: Option<String>,
    /// The most pixels that a picture on the sheet is wide, 32 to 4096; larger ones are made smaller. [default: 256]
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(32..=4096))]
    pub sheet_cell: Option<u32>,
    /// How to run it.
    #[command(flatten)]
    pub running: Running,
}

/// How a graph is run.
#[derive(Debug, Args)]
pub struct Running {
    /// Set a parameter. Several times for several. Paths are relative to the current folder.
    #[arg(long = "set", value_name = "NODE.PARAM=VALUE")]
    pub settings: Vec<String>,
    /// Write an output to a file: tensors .safetensors, text .txt, pictures by ending, numbers and tokens .json too; `-`
    /// is standard output. Several times for several.
    #[arg(long = "save", value_name = "NODE.OUTPUT=FILE")]
    pub saves: Vec<String>,
    /// The folder that holds the models. [default: MGIE_MODELS, else the built-in small model]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// How many threads to keep busy, 1 to 256. [default: the number of cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Memory for outputs that may be needed again, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub cache_mb: u64,
    /// Memory for loaded weights, in MiB; models that nobody uses make room. [default: three quarters of the machine's]
    #[arg(long, value_name = "MIB")]
    pub weights_mb: Option<u64>,
    /// How to tell.
    #[command(flatten)]
    pub telling: Telling,
}

/// How it is told.
#[derive(Clone, Copy, Debug, Args)]
pub struct Telling {
    /// Print a report for machines to standard output.
    #[arg(long)]
    pub json: bool,
    /// Say nothing but errors.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `mgie check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The graph: a .json file, or a PNG that carries one.
    #[arg(required_unless_present = "schema")]
    pub graph: Option<PathBuf>,
    /// Print the JSON Schema of graph files instead.
    #[arg(long, conflicts_with = "graph")]
    pub schema: bool,
    /// How to tell.
    #[command(flatten)]
    pub telling: Telling,
}

/// `mgie nodes`.
#[derive(Debug, Args)]
pub struct Nodes {
    /// A node type, to be told all about it.
    pub node_type: Option<String>,
    /// How to tell.
    #[command(flatten)]
    pub telling: Telling,
}

/// `mgie models`.
#[derive(Debug, Args)]
pub struct Models {
    /// The graph whose models are looked for. [default: the `edit.json` of the models folder, else the built-in
    /// graphs/mgie.json]
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// The folder that holds the models. [default: MGIE_MODELS, else the built-in small model]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// How to tell.
    #[command(flatten)]
    pub telling: Telling,
}

/// `mgie studio`.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "studio"), allow(dead_code, reason = "this build has no window to open with it"))]
pub struct Studio {
    /// The graph to open: a .json file, or a PNG that carries one.
    pub graph: Option<PathBuf>,
    /// The folder that holds the models. [default: MGIE_MODELS, else the built-in small model]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// How many threads a run keeps busy, 1 to 256. [default: the number of cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Memory for outputs that may be needed again, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub cache_mb: u64,
    /// Memory for loaded weights, in MiB; models that nobody uses make room. [default: three quarters of the machine's]
    #[arg(long, value_name = "MIB")]
    pub weights_mb: Option<u64>,
}
