//! One run of a node, as its author sees it: inputs and parameters to read, progress to tell, outputs to return.

use crate::extension::{Extension, Message, Object, id};
use crate::failure::Failure;
use crate::tensor::Tensor;
use crate::value::{Image, Value, kind};
use serde_json::json;
use std::path::PathBuf;

/// How urgent a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as asked for, and the node went on.
    Warn,
    /// Worth knowing.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

/// What a node returns: values by output socket.
#[derive(Clone, Debug, Default)]
pub struct Outputs(pub(crate) Vec<(String, Value)>);

impl Outputs {
    /// No outputs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the value of one output socket.
    #[must_use]
    pub fn with(mut self, socket: &str, value: Value) -> Self {
        self.0.push((socket.to_owned(), value));
        self
    }

    /// The value of one output socket, where the node gave it.
    pub fn get(&self, socket: &str) -> Option<&Value> {
        self.0.iter().find_map(|(name, value)| (name == socket).then_some(value))
    }
}

/// One run: the inputs, the parameters, and the host.
#[derive(Debug)]
pub struct Run {
    inputs: Vec<(String, Value)>,
    parameters: serde_json::Value,
    host: HostAbilities,
}

#[derive(Debug)]
struct HostAbilities {
    progress: Option<Extension>,
    preview: Option<Extension>,
    cancelled: Option<Extension>,
    log: Option<Extension>,
    threads: Option<Extension>,
    device: Option<Extension>,
    graph: Option<Extension>,
}

impl Run {
    /// A run of `parameters` (an object, by parameter id, defaults filled in) and `inputs` on `host`; tests of nodes
    /// use it directly.
    pub fn new(parameters: serde_json::Value, inputs: Vec<(String, Value)>, host: &Object) -> Self {
        let host = HostAbilities {
            progress: host.extension(id::PROGRESS),
            preview: host.extension(id::PREVIEW),
            cancelled: host.extension(id::CANCELLED),
            log: host.extension(id::LOG),
            threads: host.extension(id::THREADS),
            device: host.extension(id::DEVICE),
            graph: host.extension(id::GRAPH),
        };
        Self { inputs, parameters, host }
    }

    /// What is wired into `socket`, where something is.
    pub fn optional(&self, socket: &str) -> Option<&Value> {
        self.inputs.iter().find_map(|(name, value)| (name == socket).then_some(value))
    }

    /// What is wired into `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where nothing is.
    pub fn value(&self, socket: &str) -> Result<&Value, Failure> {
        self.optional(socket)
            .ok_or_else(|| Failure::input(socket, "a value", "nothing").remedy("wire something into it"))
    }

    /// The text in `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where there is none.
    pub fn text(&self, socket: &str) -> Result<&str, Failure> {
        let value = self.value(socket)?;
        value.as_text().ok_or_else(|| Failure::input(socket, "text", value.to_string()))
    }

    /// The number in `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where there is none.
    pub fn number(&self, socket: &str) -> Result<f64, Failure> {
        let value = self.value(socket)?;
        value.as_number().ok_or_else(|| Failure::input(socket, "a number", value.to_string()))
    }

    /// The tensor in `socket`, of any kind.
    ///
    /// # Errors
    /// A failure that names the socket where there is none.
    pub fn tensor(&self, socket: &str) -> Result<&Tensor, Failure> {
        let value = self.value(socket)?;
        value.as_tensor().ok_or_else(|| Failure::input(socket, "a tensor", value.to_string()))
    }

    /// The picture in `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where there is none, or one that is malformed.
    pub fn image(&self, socket: &str) -> Result<Image, Failure> {
        let value = self.value(socket)?;
        value.as_image().ok_or_else(|| {
            Failure::input(
                socket,
                "a picture: f32 [height, width, 1, 3 or 4], bit depth 8, 16 or 32",
                value.to_string(),
            )
        })
    }

    /// The object in `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where there is none.
    pub fn object(&self, socket: &str) -> Result<&Object, Failure> {
        let value = self.value(socket)?;
        value.as_object().ok_or_else(|| Failure::input(socket, "an object", value.to_string()))
    }

    fn parameter(&self, name: &str) -> &serde_json::Value {
        self.parameters.get(name).unwrap_or(&serde_json::Value::Null)
    }

    fn wrong(&self, name: &str, expected: &str) -> Failure {
        Failure::parameter(name, expected, self.parameter(name).to_string())
    }

    /// A `Float` parameter.
    ///
    /// # Errors
    /// A failure that names the parameter where it is no number.
    pub fn float(&self, name: &str) -> Result<f64, Failure> {
        self.parameter(name).as_f64().ok_or_else(|| self.wrong(name, "a number"))
    }

    /// An `Integer` parameter.
    ///
    /// # Errors
    /// A failure that names the parameter where it is no whole number.
    pub fn integer(&self, name: &str) -> Result<i64, Failure> {
        self.parameter(name).as_i64().ok_or_else(|| self.wrong(name, "a whole number"))
    }

    /// An `Integer` parameter that counts something.
    ///
    /// # Errors
    /// A failure that names the parameter where it is no whole number from 0.
    pub fn count(&self, name: &str) -> Result<usize, Failure> {
        let number = self.parameter(name).as_u64().and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| self.wrong(name, "a whole number from 0"))
    }

    /// A `Seed` parameter.
    ///
    /// # Errors
    /// A failure that names the parameter where it is no seed.
    pub fn seed(&self, name: &str) -> Result<u64, Failure> {
        self.parameter(name).as_u64().ok_or_else(|| self.wrong(name, "a whole number from 0 to 2⁶⁴ − 1"))
    }

    /// A `Boolean` parameter.
    ///
    /// # Errors
    /// A failure that names the parameter where it is neither true nor false.
    pub fn boolean(&self, name: &str) -> Result<bool, Failure> {
        self.parameter(name).as_bool().ok_or_else(|| self.wrong(name, "true or false"))
    }

    /// A `Text` or `Choice` parameter.
    ///
    /// # Errors
    /// A failure that names the parameter where it is no text.
    pub fn string(&self, name: &str) -> Result<&str, Failure> {
        self.parameter(name).as_str().ok_or_else(|| self.wrong(name, "text"))
    }

    /// A `File`, `SaveFile`, `Folder` or `Model` parameter, absolute as the host resolved it; `None` where it is left empty.
    ///
    /// # Errors
    /// A failure that names the parameter where it is no text.
    pub fn optional_path(&self, name: &str) -> Result<Option<PathBuf>, Failure> {
        let text = self.string(name)?;
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    /// A `File`, `SaveFile`, `Folder` or `Model` parameter, absolute as the host resolved it.
    ///
    /// # Errors
    /// A failure that names the parameter where it is left empty.
    pub fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        self.optional_path(name)?.ok_or_else(|| Failure::parameter(name, "a path", "nothing").remedy("set it"))
    }

    fn tell(extension: Option<&Extension>, message: Message) -> Option<serde_json::Value> {
        extension?.call(message).ok().map(|answer| answer.json)
    }

    /// Tells how far the node is: `done` of `total` (0 where it is not known), in `label`.
    pub fn progress(&self, done: u64, total: u64, label: &str) {
        Self::tell(self.host.progress.as_ref(), Message::json(json!({ "done": done, "total": total, "label": label })));
    }

    /// Whether anybody looks at previews, so that none is made for nobody.
    pub fn wants_preview(&self) -> bool {
        self.host.preview.is_some()
    }

    /// Shows something while the node still works.
    pub fn preview(&self, value: Value) {
        Self::tell(self.host.preview.as_ref(), Message::json(json!({})).with("preview", value));
    }

    /// Whether the run was cancelled.
    pub fn cancelled(&self) -> bool {
        Self::tell(self.host.cancelled.as_ref(), Message::json(json!({})))
            .and_then(|answer| answer.get("cancelled")?.as_bool())
            .unwrap_or(false)
    }

    /// Ends the node where the run was cancelled: `run.check_cancelled()?` at every step, token and loaded tensor.
    ///
    /// # Errors
    /// [`Failure::cancelled`] where it was.
    pub fn check_cancelled(&self) -> Result<(), Failure> {
        if self.cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        Self::tell(self.host.log.as_ref(), Message::json(json!({ "level": level, "message": message })));
    }

    /// How many threads this run may keep busy, at least 1.
    pub fn threads(&self) -> usize {
        Self::tell(self.host.threads.as_ref(), Message::json(json!({})))
            .and_then(|answer| usize::try_from(answer.get("threads")?.as_u64()?).ok())
            .unwrap_or(1)
            .max(1)
    }

    /// Says which device the node ran on (`cpu`, `cuda:0`), for the report.
    pub fn ran_on(&self, device: &str) {
        Self::tell(self.host.device.as_ref(), Message::json(json!({ "device": device })));
    }

    /// The graph being run, as JSON text, where the host gives it: for files that carry it.
    pub fn graph_json(&self) -> Option<String> {
        Self::tell(self.host.graph.as_ref(), Message::json(json!({})))?.get("graph")?.as_str().map(ToOwned::to_owned)
    }
}

/// Reads the tensor `name` of kind-checked messages between plugins, such as a denoiser's.
impl Message {
    /// The tensor of that name.
    ///
    /// # Errors
    /// A failure that names it where it is missing.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, Failure> {
        self.value(name).and_then(Value::as_tensor).ok_or_else(|| {
            let found = self.value(name).map_or_else(|| "nothing".to_owned(), ToString::to_string);
            Failure::input(name, "a tensor", found)
        })
    }

    /// Adds a tensor of no particular kind.
    #[must_use]
    pub fn with_tensor(self, name: &str, tensor: Tensor) -> Self {
        self.with(name, Value::tensor(kind::TENSOR, json!({}), tensor))
    }
}
