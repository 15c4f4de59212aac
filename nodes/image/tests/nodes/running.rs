//! Runs a node of the plugin in place: parameters are filled up with their defaults, as a host does it.

use mgie_image::picture::Picture;
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Failure, Message, Object, Outputs, Run, Value};
use std::sync::{Arc, Mutex};

/// A host that gives a graph, where it has one, and keeps what is logged.
#[derive(Clone, Default)]
pub struct Host {
    pub graph: Option<&'static str>,
    pub logged: Arc<Mutex<Vec<String>>>,
}

impl Extensible for Host {
    fn extension(&self, id: &str) -> Option<Extension> {
        let (graph, logged) = (self.graph, Arc::clone(&self.logged));
        match id {
            "mgie.graph/1" => Some(Extension::new(move |_| Ok(Message::json(json!({ "graph": graph }))))),
            "mgie.log/1" => Some(Extension::new(move |message| {
                logged.lock().unwrap().push(message.json["message"].as_str().unwrap().to_owned());
                Ok(Message::default())
            })),
            _ => None,
        }
    }
}

/// Runs the node `id` with `parameters` over its defaults.
pub fn run_on(host: &Host, id: &str, parameters: Json, inputs: Vec<(&str, Value)>) -> Result<Outputs, Failure> {
    let plugin = mgie_image::plugin();
    let definition = plugin.definition(id).unwrap();
    let mut all = Json::Object(Default::default());
    for parameter in &definition.description().parameters {
        all[&parameter.id] = parameter.domain.default_json();
    }
    for (name, value) in parameters.as_object().unwrap() {
        assert!(all.get(name).is_some(), "{id} has no parameter {name}");
        all[name] = value.clone();
    }
    let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    definition.run(&Run::new(all, inputs, &Object::new(host.clone())))
}

/// As [`run_on`], on a host without a graph.
pub fn run(id: &str, parameters: Json, inputs: Vec<(&str, Value)>) -> Result<Outputs, Failure> {
    run_on(&Host::default(), id, parameters, inputs)
}

/// The picture in an output socket.
pub fn picture(outputs: &Outputs, socket: &str) -> Picture {
    Picture::from_wire(&outputs.get(socket).unwrap().as_image().unwrap())
}

/// A picture of noise: 8 bits n/255, 16 bits n/65535, 32 bits from -1 to 3 with alpha in 0..1.
pub fn noise(width: usize, height: usize, channels: usize, bit_depth: u8) -> Picture {
    let mut state = 7_u64;
    let mut sample = |index: usize| {
        state = (state * 1_103_515_245 + 12345) % (1 << 31);
        let word = (state >> 13) as u16;
        match bit_depth {
            8 => f32::from((word >> 8) as u8) / 255.0,
            16 => f32::from(word) / 65535.0,
            _ if index % 4 == 3 && channels == 4 => f32::from(word) / 65535.0,
            _ => f32::from(word) / 16384.0 - 1.0,
        }
    };
    let samples = (0..width * height * channels).map(&mut sample).collect();
    Picture { width, height, channels, bit_depth, samples }
}
