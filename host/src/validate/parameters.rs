//! Parameters against their description: known, of the right type, in range; and the one form in which a parameter is
//! handed to a node and hashed, whatever way it was written.

use super::{Place, Problem};
use crate::document::describe;
use crate::spelling;
use mgie_plugin_api::NodeDescription;
use mgie_plugin_api::description::{Domain, Parameter};
use serde_json::{Map, Value};
use std::path::Path;

/// The most characters of a text parameter.
const MAX_TEXT: usize = 1 << 20;

/// What is wrong, or unusual, with the parameters that a node is given.
pub(crate) fn check(name: &str, params: &Map<String, Value>, description: &NodeDescription) -> Vec<Problem> {
    let mut problems = Vec::new();
    for given in params.keys() {
        if !description.parameters.iter().any(|parameter| parameter.id == *given) {
            problems.push(unknown(name, given, description));
        }
    }
    for parameter in &description.parameters {
        let value = params.get(&parameter.id).cloned().unwrap_or_else(|| parameter.domain.default_json());
        match canonical(&parameter.domain, &value) {
            Err(wrong) => {
                let place = Place::Parameter(parameter.id.clone());
                problems.push(Problem::error(name, place, wrong.expected).found(wrong.found).remedy(wrong.remedy));
            }
            Ok(value) => problems.extend(unusual(name, parameter, &value)),
        }
    }
    problems
}

fn unknown(name: &str, given: &str, description: &NodeDescription) -> Problem {
    let known = description.parameters.iter().map(|parameter| parameter.id.as_str());
    let problem =
        Problem::error(name, Place::Parameter(given.to_owned()), format!("a parameter of `{}`", description.id));
    if description.inputs.iter().any(|input| input.id == given) {
        return problem.remedy(format!("`{given}` is an input; write it under `inputs` as \"NODE.OUTPUT\""));
    }
    match spelling::remedy(given, known) {
        Some(remedy) => problem.remedy(remedy),
        None if description.parameters.is_empty() => problem.remedy("this node type has no parameters; remove it"),
        None => problem.remedy(format!("`mgie nodes {}` lists its parameters", description.id)),
    }
}

/// What is wrong with the value of a parameter.
#[derive(Debug, PartialEq)]
pub(crate) struct Wrong {
    pub expected: String,
    pub found: String,
    pub remedy: String,
}

fn wrong(expected: impl Into<String>, found: &Value) -> Wrong {
    Wrong { expected: expected.into(), found: describe(found), remedy: String::new() }
}

/// The value as a node gets it: a number that may have a fraction as one that has, texts and whole numbers as they are.
///
/// # Errors
/// What would be right, and what to do.
pub(crate) fn canonical(domain: &Domain, value: &Value) -> Result<Value, Wrong> {
    match domain {
        Domain::Float { hard: [low, high], .. } => {
            let number = value.as_f64().ok_or_else(|| wrong("a number", value))?;
            if !(*low..=*high).contains(&number) {
                return Err(wrong(format!("a number {}", range_in_words(low, high)), value));
            }
            // Zero has two forms that compute the same.
            Ok((number + 0.0).into())
        }
        Domain::Integer { hard: [low, high], .. } => {
            let number = value.as_i64().ok_or_else(|| wrong("a whole number", value))?;
            if !(*low..=*high).contains(&number) {
                return Err(wrong(format!("a whole number {}", range_in_words(low, high)), value));
            }
            Ok(number.into())
        }
        Domain::Seed { .. } => match value.as_u64() {
            Some(seed) => Ok(seed.into()),
            None => Err(wrong("a seed: a whole number from 0 to 18446744073709551615", value)),
        },
        Domain::Boolean { .. } => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => Err(wrong("true or false", value)),
        },
        Domain::Text { .. } => match value {
            Value::String(text) if text.len() <= MAX_TEXT => Ok(value.clone()),
            Value::String(_) => Err(wrong(format!("a text of at most {MAX_TEXT} bytes"), value)),
            _ => Err(wrong("a text", value)),
        },
        Domain::Choice { choices, .. } => {
            let words = || choices.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            let text = value.as_str().ok_or_else(|| wrong(format!("one of {}", words()), value))?;
            if choices.iter().any(|word| word == text) {
                return Ok(value.clone());
            }
            let mut wrong = wrong(format!("one of {}", words()), value);
            if let Some(nearest) = spelling::nearest(text, choices.iter().map(String::as_str)) {
                wrong.remedy = format!("did you mean `{nearest}`?");
            }
            Err(wrong)
        }
        Domain::File { extensions: _, optional, .. } => path(value, *optional, "the path of a file"),
        Domain::Folder { optional, .. } => path(value, *optional, "the path of a folder"),
        Domain::Model { optional, .. } => path(value, *optional, "the path of a model under the models folder"),
        Domain::SaveFile { extensions, .. } => {
            let value = path(value, false, "the path of a file to write")?;
            match value.as_str() {
                Some(text) if !extensions.is_empty() && !has_extension(text, extensions) => Err(Wrong {
                    expected: format!("a file name that ends in {}", dotted(extensions)),
                    found: describe(&value),
                    remedy: "the ending says which format is written".to_owned(),
                }),
                _ => Ok(value),
            }
        }
    }
}

fn path(value: &Value, optional: bool, expected: &str) -> Result<Value, Wrong> {
    match value {
        Value::String(text) if text.contains('\0') => Err(wrong(format!("{expected}, without a NUL character"), value)),
        Value::String(text) if !text.is_empty() || optional => Ok(value.clone()),
        Value::String(_) => {
            Err(Wrong { expected: expected.to_owned(), found: "nothing".into(), remedy: "set it".into() })
        }
        _ => Err(wrong(expected, value)),
    }
}

/// Warnings: outside what a slider offers, or an ending that the node does not know.
fn unusual(name: &str, parameter: &Parameter, value: &Value) -> Option<Problem> {
    let place = || Place::Parameter(parameter.id.clone());
    let outside = |expected: String| Some(Problem::warning(name, place(), expected).found(value.to_string()));
    match &parameter.domain {
        Domain::Float { soft: [low, high], .. } if value.as_f64().is_some_and(|x| !(*low..=*high).contains(&x)) => {
            outside(format!("a number that is usually {}", range_in_words(low, high)))
        }
        Domain::Integer { soft: [low, high], .. } if value.as_i64().is_some_and(|x| !(*low..=*high).contains(&x)) => {
            outside(format!("a number that is usually {}", range_in_words(low, high)))
        }
        Domain::File { extensions, .. } => {
            let text = value.as_str().unwrap_or_default();
            let strange = !text.is_empty() && !extensions.is_empty() && !has_extension(text, extensions);
            strange.then(|| {
                Problem::warning(name, place(), format!("a file that usually ends in {}", dotted(extensions)))
                    .found(describe(value))
            })
        }
        _ => None,
    }
}

/// A range in words: `from 1 to 8`, `from 0`, `of any size`.
pub fn range_in_words<T: std::fmt::Display + Bounds>(low: &T, high: &T) -> String {
    match (low.is_lowest(), high.is_highest()) {
        (true, true) => "of any size".to_owned(),
        (false, true) => format!("from {low}"),
        (true, false) => format!("up to {high}"),
        (false, false) => format!("from {low} to {high}"),
    }
}

/// Ends of a range that mean "no limit".
pub trait Bounds {
    /// Whether it is no limit below.
    fn is_lowest(&self) -> bool;
    /// Whether it is no limit above.
    fn is_highest(&self) -> bool;
}

impl Bounds for f64 {
    fn is_lowest(&self) -> bool {
        *self <= Self::MIN
    }

    fn is_highest(&self) -> bool {
        *self >= Self::MAX
    }
}

impl Bounds for i64 {
    fn is_lowest(&self) -> bool {
        *self == Self::MIN
    }

    fn is_highest(&self) -> bool {
        *self == Self::MAX
    }
}

fn has_extension(path: &str, extensions: &[String]) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

fn dotted(extensions: &[String]) -> String {
    let extensions: Vec<String> = extensions.iter().map(|extension| format!(".{extension}")).collect();
    extensions.join(", ")
}
