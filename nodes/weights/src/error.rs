//! What can go wrong between a file on disk and a tensor or a token id: one type, every variant of which names the
//! thing, the place and, where there is one, the remedy.

use std::fmt;
use std::path::{Path, PathBuf};

/// How many unfit tensors an error lists before it only counts the rest.
const LISTED: usize = 20;

/// An error of reading checkpoints, tokenizers or the parameters that say how.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WeightsError {
    /// A file or folder that cannot be opened or read.
    #[error("{}: cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file that was read and is not what it should be.
    #[error("{}: {problem}{}", .path.display(), Remedy(.remedy))]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, as a clause.
        problem: String,
        /// What to do about it; may be empty.
        remedy: String,
    },
    /// A pickle that asks for something other than tensors and plain containers.
    #[error("{}: {}; {REFUSED_REMEDY}", .path.display(), refused(.global))]
    Refused {
        /// The file.
        path: PathBuf,
        /// The Python object that it names, such as `os.system`.
        global: String,
    },
    /// Tensors that a model needs and that its files lack or hold in another shape.
    #[error("{}", Unfit(.files, .tensors))]
    Unfit {
        /// The files looked in, the first asked first.
        files: Vec<PathBuf>,
        /// Every tensor that does not fit, in the order in which the model asked.
        tensors: Vec<UnfitTensor>,
    },
    /// A parameter such as `device` or `dtype` with a value that cannot be had.
    #[error("parameter `{name}`: expected {expected}, found {found}{}", Remedy(.remedy))]
    Parameter {
        /// The parameter's name.
        name: String,
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
        /// What to do about it; may be empty.
        remedy: String,
    },
    /// The run was cancelled while loading.
    #[error("cancelled while loading weights")]
    Cancelled,
    /// What does not fit into main memory, or into a device's.
    #[error("{problem}{}", Remedy(.remedy))]
    Memory {
        /// What would not fit, and how much is free.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A tensor operation that failed: a wrong shape, a device that went away.
    #[error("{0}")]
    Compute(String),
}

/// One tensor that does not fit what a model asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitTensor {
    /// The full name that was asked for.
    pub name: String,
    /// The shape that was asked for; `None` where the model takes any.
    pub expected: Option<Vec<usize>>,
    /// What was found instead.
    pub found: Found,
}

/// What was found where a tensor should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No tensor of that name in any of the files.
    Nothing,
    /// A tensor of another shape.
    Shape {
        /// The file that holds it.
        file: PathBuf,
        /// Its shape there.
        shape: Vec<usize>,
    },
    /// A tensor whose values no model can use.
    Value {
        /// The file that holds it.
        file: PathBuf,
        /// What is wrong, as a clause: "holds NaN at element 7 of 4096".
        problem: String,
    },
}

impl WeightsError {
    /// A file or folder that the system would not open or read.
    pub fn unreadable(path: &Path, reason: &std::io::Error) -> Self {
        Self::Unreadable { path: path.to_path_buf(), reason: reason.to_string() }
    }

    /// A file that is not what it should be; `problem` is a clause without the file's name.
    pub fn malformed(path: &Path, problem: impl fmt::Display) -> Self {
        Self::Malformed { path: path.to_path_buf(), problem: problem.to_string(), remedy: String::new() }
    }

    /// A tensor operation that failed, by what it says: [`WeightsError::Memory`] where that is about memory (CUDA tells
    /// it in words only), else [`WeightsError::Compute`].
    pub fn compute(problem: String) -> Self {
        let is_memory =
            ["OUT_OF_MEMORY", "out of memory", "not enough memory"].iter().any(|words| problem.contains(words));
        if !is_memory {
            return Self::Compute(problem);
        }
        Self::Memory { problem, remedy: "set dtype to f16 where it is f32, or set device to another one".to_owned() }
    }

    /// `bytes` that do not fit into main memory, of which `free` are left; `what` needs them in `dtype`.
    pub(crate) fn no_room(what: impl fmt::Display, bytes: u64, free: u64, dtype: candle_core::DType) -> Self {
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let problem = format!(
            "{what} needs {:.1} GB of memory in {}, and {:.1} GB are free",
            gigabytes(bytes),
            dtype.as_str(),
            gigabytes(free)
        );
        let remedy = if dtype.size_in_bytes() > 2 {
            "set dtype to f16, which takes half of it, or close other programs"
        } else {
            "close other programs, or run it on a machine with more memory"
        };
        Self::Memory { problem, remedy: remedy.to_owned() }
    }

    /// Adds what to do about it, for the variants that carry a remedy.
    #[must_use]
    pub fn with_remedy(mut self, text: impl Into<String>) -> Self {
        if let Self::Malformed { remedy, .. } | Self::Parameter { remedy, .. } | Self::Memory { remedy, .. } = &mut self
        {
            *remedy = text.into();
        }
        self
    }
}

impl From<candle_core::Error> for WeightsError {
    fn from(error: candle_core::Error) -> Self {
        Self::compute(error.to_string())
    }
}

impl From<WeightsError> for mgie_plugin_api::Failure {
    fn from(error: WeightsError) -> Self {
        let text = error.to_string();
        match error {
            WeightsError::Unreadable { path, reason } => Self::file(path, format!("cannot be read: {reason}"))
                .remedy("check the parameter and the models folder (--models or MGIE_MODELS)"),
            WeightsError::Malformed { path, problem, remedy } => Self::file(path, problem).remedy(remedy),
            WeightsError::Refused { path, global } => Self::file(path, refused(&global)).remedy(REFUSED_REMEDY),
            WeightsError::Unfit { files, .. } => {
                let first = files.first().cloned().unwrap_or_default();
                Self::file(first, text).remedy(
                    "the files belong to another model than this node's, or are damaged: check the parameters that \
                     name them",
                )
            }
            WeightsError::Parameter { name, expected, found, remedy } => {
                Self::parameter(name, expected, found).remedy(remedy)
            }
            WeightsError::Cancelled => Self::cancelled(),
            WeightsError::Memory { problem, remedy } => Self::memory(problem).remedy(remedy),
            WeightsError::Compute(message) => Self::failed(message),
        }
    }
}

/// What to do about a pickle that was refused.
const REFUSED_REMEDY: &str = "save it again with `torch.save(model.state_dict(), …)` or as safetensors, or do not \
                              trust it";

fn refused(global: &str) -> String {
    format!(
        "asks to run `{global}`; a checkpoint may hold only tensors and plain containers, so nothing of it was read"
    )
}

/// Writes a remedy after a semicolon, or nothing where there is none.
struct Remedy<'a>(&'a str);

impl fmt::Display for Remedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.0)
    }
}

/// Writes the list of unfit tensors.
struct Unfit<'a>(&'a [PathBuf], &'a [UnfitTensor]);

impl fmt::Display for Unfit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(files, tensors) = self;
        let plural = if tensors.len() == 1 { "tensor does" } else { "tensors do" };
        write!(f, "{} {plural} not fit the model; looked in ", tensors.len())?;
        for (i, file) in files.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}", file.display())?;
        }
        for tensor in tensors.iter().take(LISTED) {
            write!(f, "\n  {tensor}")?;
        }
        if tensors.len() > LISTED {
            write!(f, "\n  and {} more", tensors.len() - LISTED)?;
        }
        Ok(())
    }
}

impl fmt::Display for UnfitTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, expected, found } = self;
        write!(f, "{name}: ")?;
        if let Some(expected) = expected {
            write!(f, "expected {expected:?}, ")?;
        }
        match found {
            Found::Nothing => write!(f, "found no tensor of this name"),
            Found::Shape { file, shape } => write!(f, "found {shape:?} in {}", file.display()),
            Found::Value { file, problem } => write!(f, "in {} {problem}", file.display()),
        }
    }
}
