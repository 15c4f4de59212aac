//! What a node says of itself, as data: the host validates graphs, draws nodes and writes help from this alone, without
//! running any of the plugin's code but the function that returns it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a plugin holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Short name, such as `clip`.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// Its nodes.
    pub nodes: Vec<NodeDescription>,
}

/// A node type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeDescription {
    /// `family.verb`; third parties use reverse DNS (`org.example.blur`). Never reused for something else.
    pub id: String,
    /// Raised when the same inputs and parameters give another result, so that cached results of the old one are not
    /// taken for the new one's.
    #[serde(default)]
    pub version: u32,
    /// Name on the node.
    pub label: String,
    /// Where it stands in a palette, such as `Image`.
    pub category: String,
    /// What it does, in a sentence or two.
    pub summary: String,
    /// Inputs, in display order.
    #[serde(default)]
    pub inputs: Vec<InputSocket>,
    /// Outputs, in display order.
    #[serde(default)]
    pub outputs: Vec<OutputSocket>,
    /// Parameters, in display order.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Whether it does something besides computing its outputs (writes a file, say); such a node runs each time.
    #[serde(default)]
    pub side_effect: bool,
    /// Whether two nodes of this type may run at once.
    #[serde(default = "yes")]
    pub thread_safe: bool,
}

fn yes() -> bool {
    true
}

/// An input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputSocket {
    /// Name in graph files; never changes.
    pub id: String,
    /// Name on the node.
    pub label: String,
    /// Kinds it takes; `any` takes all.
    pub accepts: Vec<String>,
    /// Whether the node can do without it.
    #[serde(default)]
    pub optional: bool,
    /// What it is for.
    #[serde(default)]
    pub summary: String,
}

impl InputSocket {
    /// Whether a value of `kind` fits.
    pub fn takes(&self, kind: &str) -> bool {
        use crate::value::kind::ANY;
        kind == ANY || self.accepts.iter().any(|k| k == kind || k == ANY)
    }
}

/// An output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSocket {
    /// Name in graph files; never changes.
    pub id: String,
    /// Name on the node.
    pub label: String,
    /// Kind of value; `any` where it depends on the run.
    pub kind: String,
    /// Shape of the tensor, where the node promises one; null for a size that depends on the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<Option<u64>>>,
    /// What it holds.
    #[serde(default)]
    pub summary: String,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// Name in graph files; never changes.
    pub id: String,
    /// Name on the node.
    pub label: String,
    /// What it does, with its unit.
    #[serde(default)]
    pub summary: String,
    /// Unit, where it has one (`px`, `steps`, `°`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Type, default and range.
    #[serde(flatten)]
    pub domain: Domain,
}

/// Type, default and range of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Domain {
    /// A number.
    Float {
        /// Value where the graph gives none.
        default: f64,
        /// Smallest and largest value that mean something; outside is an error.
        hard: [f64; 2],
        /// The range of a slider; outside is a warning.
        soft: [f64; 2],
    },
    /// A whole number.
    Integer {
        /// Value where the graph gives none.
        default: i64,
        /// Smallest and largest value that mean something; outside is an error.
        hard: [i64; 2],
        /// The range of a slider; outside is a warning.
        soft: [i64; 2],
    },
    /// A seed of a random generator, 0 to 2⁶⁴ − 1.
    Seed {
        /// Value where the graph gives none.
        default: u64,
    },
    /// Yes or no.
    Boolean {
        /// Value where the graph gives none.
        default: bool,
    },
    /// Text.
    Text {
        /// Value where the graph gives none.
        default: String,
        /// Whether an editor shows several lines.
        #[serde(default)]
        multiline: bool,
    },
    /// One of several words.
    Choice {
        /// Value where the graph gives none.
        default: String,
        /// The words.
        choices: Vec<String>,
    },
    /// A file that the node reads; a relative path is relative to the graph file. Its contents are part of the cache key.
    File {
        /// Value where the graph gives none; empty for none.
        default: String,
        /// Extensions it reads, without the dot; empty for any.
        #[serde(default)]
        extensions: Vec<String>,
        /// Whether it may be left empty.
        #[serde(default)]
        optional: bool,
    },
    /// A file that the node writes; a relative path is relative to the graph file.
    SaveFile {
        /// Value where the graph gives none; empty for none.
        default: String,
        /// Extensions it writes, without the dot.
        #[serde(default)]
        extensions: Vec<String>,
    },
    /// A folder that the node reads from or writes into (since 1.2); a relative path is relative to the graph file. It
    /// need not be there, several nodes may share it, and what is in it is not part of the cache key: a node that
    /// depends on its contents declares a side effect.
    Folder {
        /// Value where the graph gives none; empty for none.
        default: String,
        /// Whether it may be left empty.
        #[serde(default)]
        optional: bool,
    },
    /// A file or folder of weights; a relative path is relative to the models folder. The node gets an absolute path,
    /// or an empty string. Its listing (names, sizes, times) is part of the cache key.
    Model {
        /// Value where the graph gives none; empty for none.
        default: String,
        /// Whether it may be left empty.
        #[serde(default)]
        optional: bool,
    },
}

impl Domain {
    /// The value where the graph gives none, as JSON.
    pub fn default_json(&self) -> serde_json::Value {
        match self {
            Self::Float { default, .. } => (*default).into(),
            Self::Integer { default, .. } => (*default).into(),
            Self::Seed { default } => (*default).into(),
            Self::Boolean { default } => (*default).into(),
            Self::Text { default, .. }
            | Self::Choice { default, .. }
            | Self::File { default, .. }
            | Self::SaveFile { default, .. }
            | Self::Folder { default, .. }
            | Self::Model { default, .. } => default.as_str().into(),
        }
    }
}

impl NodeDescription {
    /// A node without sockets and parameters yet; version 1, no side effects, thread-safe.
    pub fn new(id: &str, label: &str, category: &str, summary: &str) -> Self {
        Self {
            id: id.into(),
            version: 1,
            label: label.into(),
            category: category.into(),
            summary: summary.into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            parameters: Vec::new(),
            side_effect: false,
            thread_safe: true,
        }
    }

    /// Adds a required input of one kind.
    #[must_use]
    pub fn input(self, id: &str, label: &str, kind: &str, summary: &str) -> Self {
        self.input_of(id, label, &[kind], false, summary)
    }

    /// Adds an input that the node can do without.
    #[must_use]
    pub fn optional_input(self, id: &str, label: &str, kind: &str, summary: &str) -> Self {
        self.input_of(id, label, &[kind], true, summary)
    }

    /// Adds an input that takes several kinds.
    #[must_use]
    pub fn input_of(mut self, id: &str, label: &str, kinds: &[&str], optional: bool, summary: &str) -> Self {
        self.inputs.push(InputSocket {
            id: id.into(),
            label: label.into(),
            accepts: kinds.iter().map(ToString::to_string).collect(),
            optional,
            summary: summary.into(),
        });
        self
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, id: &str, label: &str, kind: &str, summary: &str) -> Self {
        self.outputs.push(OutputSocket {
            id: id.into(),
            label: label.into(),
            kind: kind.into(),
            shape: None,
            summary: summary.into(),
        });
        self
    }

    /// Promises the shape of the output added last; `None` for a size that depends on the run. The host holds the
    /// node to it.
    #[must_use]
    pub fn shaped(mut self, shape: &[Option<u64>]) -> Self {
        if let Some(output) = self.outputs.last_mut() {
            output.shape = Some(shape.to_vec());
        }
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, id: &str, label: &str, domain: Domain, summary: &str) -> Self {
        self.parameters.push(Parameter {
            id: id.into(),
            label: label.into(),
            summary: summary.into(),
            unit: String::new(),
            domain,
        });
        self
    }

    /// Gives the parameter added last its unit.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        if let Some(parameter) = self.parameters.last_mut() {
            parameter.unit = unit.into();
        }
        self
    }

    /// Says that it does something besides computing its outputs, so that it runs each time.
    #[must_use]
    pub fn with_side_effect(mut self) -> Self {
        self.side_effect = true;
        self
    }

    /// Says that two nodes of this type must not run at once.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.thread_safe = false;
        self
    }

    /// Sets the node's version; see [`NodeDescription::version`].
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }
}
