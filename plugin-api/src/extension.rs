//! Abilities by id. A node, the host and a value's object each answer `extension(id)` with a function of one message,
//! or with nothing; a caller that gets nothing does without. New abilities are new ids, never new fields.

use crate::abi::{
    AbiCall, AbiCall_TO, AbiCallBox, AbiMessage, AbiNamedValue, AbiObject, AbiObject_TO, AbiObjectArc, AbiValue,
};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::tensor::Tensor;
use crate::value::{Body, Value};
use abi_stable::std_types::{RArc, ROption, RResult, RStr, RString, RVec};
use abi_stable::type_level::downcasting::TD_Opaque;
use std::fmt;
use std::sync::Arc;

/// The ids in use, each with its message and answer. An id ends in its version and is never reused.
pub mod id {
    /// Host. `{"done": 3, "total": 20, "label": "denoising"}` → `{}`. `total` 0 where it is not known.
    pub const PROGRESS: &str = "mgie.progress/1";
    /// Host. `{}` with one value → `{}`: something to look at while the node still works.
    pub const PREVIEW: &str = "mgie.preview/1";
    /// Host. `{}` → `{"cancelled": false}`. Ask at every denoising step, generated token and loaded tensor.
    pub const CANCELLED: &str = "mgie.cancelled/1";
    /// Host. `{"level": "error" | "warn" | "info" | "debug", "message": "…"}` → `{}`.
    pub const LOG: &str = "mgie.log/1";
    /// Host. `{}` → `{"threads": 2}`: how many threads this run of the node may keep busy.
    pub const THREADS: &str = "mgie.threads/1";
    /// Host. `{"device": "cuda:0"}` → `{}`: the node says where it ran, for the report.
    pub const DEVICE: &str = "mgie.device/1";
    /// Host. `{}` → `{"graph": "…"}` (JSON text, or null): the graph being run, for files that carry it.
    pub const GRAPH: &str = "mgie.graph/1";
    /// Node. `{"release": true}` → `{"held_bytes": 0, "freed_bytes": 123}`: the loaded weights that the node's plugin
    /// keeps; with `release` it lets go of those that nobody uses.
    pub const MEMORY: &str = "mgie.memory/1";
    /// Object of an `sd.denoiser`: predicts noise.
    ///
    /// Message: values `latents` f32 [batch, 4, h, w] (already scaled by the sampler), `conditioning` f32
    /// [batch, tokens, width], `image_latents` f32 [batch, 4, h, w], and `{"timestep": 801.6}`. Answer: value `output`
    /// f32 [batch, 4, h, w], which is ε where `prediction_type` is `epsilon`.
    pub const DENOISER: &str = "mgie.denoiser/1";
}

/// A question or an answer: JSON, and the values it speaks of.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Any JSON.
    pub json: serde_json::Value,
    /// Values by name.
    pub values: Vec<(String, Value)>,
}

impl Message {
    /// A message of JSON alone.
    pub fn json(json: serde_json::Value) -> Self {
        Self { json, values: Vec::new() }
    }

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Self {
        self.values.push((name.into(), value));
        self
    }

    /// The value of that name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find_map(|(n, v)| (n == name).then_some(v))
    }

    pub(crate) fn export(self) -> AbiMessage {
        AbiMessage {
            json: RString::from(self.json.to_string()),
            values: self
                .values
                .into_iter()
                .map(|(name, value)| AbiNamedValue { name: RString::from(name), value: export_value(&value) })
                .collect::<RVec<_>>(),
        }
    }

    pub(crate) fn import(message: AbiMessage) -> Result<Self, Failure> {
        let json = serde_json::from_str(&message.json)
            .map_err(|e| Failure::fault(format!("a message over the door is no JSON: {e}")))?;
        let values = message
            .values
            .into_iter()
            .map(|named| {
                let name = named.name.into_string();
                import_value(named.value).map(|value| (name.clone(), value)).map_err(|mut failure| {
                    failure.message = format!("value `{name}`: {}", failure.message);
                    failure
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { json, values })
    }
}

fn export_value(value: &Value) -> AbiValue {
    let (tensor, object) = match value.body() {
        Body::None => (ROption::RNone, ROption::RNone),
        Body::Tensor(tensor) => (ROption::RSome(tensor.export()), ROption::RNone),
        Body::Object(object) => (ROption::RNone, ROption::RSome(object.export())),
    };
    AbiValue { kind: RString::from(value.kind()), header: RString::from(value.header().to_string()), tensor, object }
}

fn import_value(value: AbiValue) -> Result<Value, Failure> {
    let header = serde_json::from_str(&value.header)
        .map_err(|e| Failure::fault(format!("the header of a `{}` is no JSON: {e}", value.kind)))?;
    let body = match (value.tensor, value.object) {
        (ROption::RNone, ROption::RNone) => Body::None,
        (ROption::RSome(tensor), ROption::RNone) => Body::Tensor(Tensor::import(tensor)?),
        (ROption::RNone, ROption::RSome(object)) => Body::Object(Object(Inner::Foreign(object))),
        (ROption::RSome(_), ROption::RSome(_)) => {
            return Err(Failure::fault(format!("a `{}` has two bodies", value.kind)));
        }
    };
    Ok(Value::new(&value.kind, header, body))
}

type Function = dyn Fn(Message) -> Result<Message, Failure> + Send + Sync;

/// An ability: a function of one message, callable from any thread.
#[derive(Clone)]
pub struct Extension(Arc<Function>);

impl Extension {
    /// An ability made of a function.
    pub fn new(function: impl Fn(Message) -> Result<Message, Failure> + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    /// Asks it.
    ///
    /// # Errors
    /// Whatever the other side answers; a panic over there is a [`crate::FailureKind::Fault`].
    pub fn call(&self, message: Message) -> Result<Message, Failure> {
        (self.0)(message)
    }

    pub(crate) fn export(self) -> AbiCallBox {
        AbiCall_TO::from_value(Callee(self), TD_Opaque)
    }

    pub(crate) fn import(foreign: AbiCallBox) -> Self {
        Self::new(move |message| match foreign.call(message.export()) {
            RResult::ROk(answer) => Message::import(answer),
            RResult::RErr(error) => Err(Failure::from_json(&error)),
        })
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extension")
    }
}

struct Callee(Extension);

impl AbiCall for Callee {
    fn call(&self, message: AbiMessage) -> RResult<AbiMessage, RString> {
        guarded(|| self.0.call(Message::import(message)?)).map_or_else(
            |failure| RResult::RErr(RString::from(failure.to_json())),
            |answer| RResult::ROk(answer.export()),
        )
    }
}

/// Something with abilities by id.
pub trait Extensible: Send + Sync + 'static {
    /// The ability of that id, where there is one.
    fn extension(&self, id: &str) -> Option<Extension>;
}

/// A shared object with abilities by id, from either side of the door.
#[derive(Clone)]
pub struct Object(Inner);

#[derive(Clone)]
enum Inner {
    Local(Arc<dyn Extensible>),
    Foreign(AbiObjectArc),
}

impl Object {
    /// An object to hand over the door.
    pub fn new(object: impl Extensible) -> Self {
        Self(Inner::Local(Arc::new(object)))
    }

    /// The ability of that id, where there is one.
    pub fn extension(&self, id: &str) -> Option<Extension> {
        match &self.0 {
            Inner::Local(object) => object.extension(id),
            Inner::Foreign(object) => object.extension(RStr::from(id)).map(Extension::import).into_option(),
        }
    }

    pub(crate) fn export(&self) -> AbiObjectArc {
        match &self.0 {
            Inner::Local(object) => AbiObject_TO::from_ptr(RArc::new(Shared(Some(Arc::clone(object)))), TD_Opaque),
            Inner::Foreign(object) => object.clone(),
        }
    }

    pub(crate) fn import(foreign: AbiObjectArc) -> Self {
        Self(Inner::Foreign(foreign))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object")
    }
}

#[derive(Clone)]
struct Shared(Option<Arc<dyn Extensible>>);

/// The last owner may be on the other side of the door, where a panicking destructor must not unwind to.
impl Drop for Shared {
    fn drop(&mut self) {
        let object = self.0.take();
        drop(guarded(move || {
            drop(object);
            Ok(())
        }));
    }
}

impl AbiObject for Shared {
    fn extension(&self, id: RStr<'_>) -> ROption<AbiCallBox> {
        guarded(|| Ok(self.0.as_ref().and_then(|object| object.extension(id.as_str()))))
            .ok()
            .flatten()
            .map(Extension::export)
            .into()
    }
}
