//! What is computed of a value to look at it: nodes of the plugin `inspect`, run one after another on a thread of their
//! own, so that the window never waits. Answers are kept until others are asked for more.

use super::identity::Identity;
use crate::engine::{CancelToken, Engine, RunOptions, Silent};
use crate::models::Models;
use mgie_plugin_api::Value;
use serde_json::{Map, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most answers that are kept, and the most bytes of them and of the values they are about.
const MOST_ANSWERS: usize = 128;
const MOST_BYTES: usize = 256 << 20;

/// What was asked for that lately is on the screen, most likely, and is kept whatever it takes.
const LATELY: Duration = Duration::from_secs(3);

/// The most questions that wait; the oldest give way, and come again where somebody still looks.
const MOST_WAITING: usize = 64;

/// A node, its parameters, and the values to run it on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    node_type: String,
    /// As JSON text, so that it can be a key.
    parameters: String,
    inputs: Vec<(String, Identity)>,
}

impl Question {
    /// A question of one value.
    #[must_use]
    pub fn new(node_type: &str, parameters: &serde_json::Value, socket: &str, value: &Value) -> Self {
        Self {
            node_type: node_type.to_owned(),
            parameters: parameters.to_string(),
            inputs: vec![(socket.to_owned(), Identity::of(value))],
        }
    }

    /// With one more value.
    #[must_use]
    pub fn and(mut self, socket: &str, value: &Value) -> Self {
        self.inputs.push((socket.to_owned(), Identity::of(value)));
        self
    }

    /// The statistics of a tensor: output `statistics`, JSON text.
    #[must_use]
    pub fn statistics(value: &Value) -> Self {
        Self::new("inspect.statistics", &json!({}), "value", value)
    }

    /// The heat map of a tensor: outputs `image` and `range`, JSON text. `parameters` are the node's.
    #[must_use]
    pub fn heat_map(value: &Value, parameters: &serde_json::Value) -> Self {
        Self::new("inspect.heat_map", parameters, "value", value)
    }

    /// The lengths of the rows of a matrix: output `norms`.
    #[must_use]
    pub fn row_norms(value: &Value) -> Self {
        Self::new("inspect.row_norms", &json!({}), "value", value)
    }

    /// How alike the rows of a matrix are: output `cosines`.
    #[must_use]
    pub fn row_cosines(value: &Value) -> Self {
        Self::new("inspect.row_cosines", &json!({}), "value", value)
    }

    /// Latents as a picture: output `image`. `colours` is the node's parameter.
    #[must_use]
    pub fn latents_picture(value: &Value, colours: &str) -> Self {
        Self::new("inspect.latents_picture", &json!({ "colours": colours }), "latents", value)
    }

    /// How far two pictures are apart: outputs `image` and `largest`.
    #[must_use]
    pub fn difference(a: &Value, b: &Value, gain: f64) -> Self {
        Self::new("inspect.difference", &json!({ "gain": gain }), "a", a).and("b", b)
    }
}

/// What is known of a question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is being worked on.
    Waiting,
    /// The node's outputs.
    Known(Arc<HashMap<String, Value>>),
    /// Why there is no answer, in words for people.
    Failed(String),
}

impl Answer {
    /// An output, where the answer is known.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Value> {
        if let Self::Known(outputs) = self { outputs.get(name) } else { None }
    }
}

/// Runs what inspectors ask for. Asking never blocks.
pub struct Tools {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    wake: Arc<dyn Fn() + Send + Sync>,
    cancel: CancelToken,
    state: Mutex<State>,
    /// A question came, or the tools were dropped.
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Question>,
    answers: HashMap<Question, Kept>,
}

struct Kept {
    answer: Answer,
    bytes: usize,
    asked: Instant,
}

impl Tools {
    /// Tools on that engine; `wake` is called on another thread when there is an answer.
    #[must_use]
    pub fn new(engine: Arc<Engine>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let shared = Arc::new(Shared {
            engine,
            wake,
            cancel: CancelToken::new(),
            state: Mutex::default(),
            news: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let started = std::thread::Builder::new().name("inspector".to_owned()).spawn(move || worker.work());
        if let Err(error) = started {
            tracing::error!(%error, "the inspector has no thread to run on");
        }
        Self { shared }
    }

    /// The answer where it is known; else it is found out, and `wake` called then.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Answer {
        let mut state = self.shared.state();
        if let Some(kept) = state.answers.get_mut(question) {
            kept.asked = Instant::now();
            return kept.answer.clone();
        }
        state.keep(question.clone(), Answer::Waiting);
        state.waiting.push_back(question.clone());
        if state.waiting.len() > MOST_WAITING
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.answers.remove(&oldest);
        }
        self.shared.news.notify_one();
        Answer::Waiting
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        // The thread ends by itself; the window does not wait for it.
        self.shared.cancel.cancel();
        let _state = self.shared.state();
        self.shared.news.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(question) = self.next() {
            let answer = self.answer(&question);
            self.state().keep(question, answer);
            (self.wake)();
        }
    }

    /// The question that was asked last: what is looked at now comes before what was scrolled past.
    fn next(&self) -> Option<Question> {
        let mut state = self.state();
        loop {
            if self.cancel.is_cancelled() {
                return None;
            }
            if let Some(question) = state.waiting.pop_back() {
                return Some(question);
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn answer(&self, question: &Question) -> Answer {
        let options = RunOptions {
            // The graph that runs meanwhile is the one in a hurry.
            threads: 1,
            cancel: self.cancel.clone(),
            ..RunOptions::new("", Models::Missing { looked: Vec::new() })
        };
        let parameters: Map<String, serde_json::Value> = serde_json::from_str(&question.parameters).unwrap_or_default();
        let inputs = question.inputs.iter().map(|(socket, value)| (socket.clone(), value.value().clone())).collect();
        match self.engine.call(&question.node_type, &parameters, inputs, &options, &Silent) {
            Ok(results) => Answer::Known(Arc::new(
                results.values.into_iter().map(|((_, output), value)| (output, value)).collect(),
            )),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}

impl State {
    fn keep(&mut self, question: Question, answer: Answer) {
        let inputs: usize = question.inputs.iter().map(|(_, value)| value.value().byte_len()).sum();
        let outputs = match &answer {
            Answer::Known(outputs) => outputs.values().map(Value::byte_len).sum(),
            _ => 0,
        };
        let now = Instant::now();
        self.answers.insert(question, Kept { answer, bytes: inputs + outputs, asked: now });
        loop {
            let bytes: usize = self.answers.values().map(|kept| kept.bytes).sum();
            if self.answers.len() <= MOST_ANSWERS && bytes <= MOST_BYTES {
                return;
            }
            let settled = self.answers.iter().filter(|(_, kept)| !matches!(kept.answer, Answer::Waiting));
            let oldest =
                settled.min_by_key(|(_, kept)| kept.asked).map(|(question, kept)| (question.clone(), kept.asked));
            let Some((oldest, asked)) = oldest else { return };
            if now.saturating_duration_since(asked) < LATELY {
                return;
            }
            self.answers.remove(&oldest);
        }
    }
}
