//! One parameter in several values.

use super::SweepError;
use super::values::{self, values};
use crate::document::Document;
use crate::plugins::Catalogue;
use crate::spelling;
use crate::validate::{self, Place, Problem};
use mgie_plugin_api::Domain;
use serde_json::{Map, Value};
use std::path::Path;

/// The most letters of a label.
const MAX_LABEL: usize = 80;

/// A parameter of a node and the values that it takes, all of which are good.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    node: String,
    parameter: String,
    values: Vec<Value>,
    labels: Vec<String>,
    loads: bool,
}

impl Axis {
    /// An axis of values as somebody types them: `5,7.5,10`, `1..9:2` or a JSON array, each read as the parameter's type
    /// says; `\,` is a comma within a value.
    ///
    /// # Errors
    /// As [`Axis::new`].
    pub fn of_text(
        node: &str,
        parameter: &str,
        text: &str,
        document: &Document,
        catalogue: &Catalogue,
    ) -> Result<Self, SweepError> {
        let domain = domain(node, parameter, document, catalogue);
        Self::new(node, parameter, values(text, domain.as_ref()), document, catalogue)
    }

    /// An axis of these values.
    ///
    /// # Errors
    /// [`SweepError::Wrong`] where the graph has no such node, the node no such parameter, or the parameter does not take
    /// one of the values; [`SweepError::NoValues`].
    pub fn new(
        node: &str,
        parameter: &str,
        values: Vec<Value>,
        document: &Document,
        catalogue: &Catalogue,
    ) -> Result<Self, SweepError> {
        let of_graph = document.nodes.get(node).ok_or_else(|| {
            let remedy = spelling::remedy(node, document.nodes.keys().map(String::as_str)).unwrap_or_default();
            SweepError::Wrong(vec![Problem::error(node, Place::Name, "a node of this graph").remedy(remedy)])
        })?;
        let node_type = catalogue.node_type(&of_graph.node_type).ok_or_else(|| {
            let problem = Problem::error(node, Place::Type, "a node type that a plugin here offers");
            SweepError::Wrong(vec![problem.found(format!("`{}`", of_graph.node_type))])
        })?;
        if values.is_empty() {
            return Err(SweepError::NoValues { node: node.to_owned(), parameter: parameter.to_owned() });
        }
        let domain = domain(node, parameter, document, catalogue);
        let mut wrong: Vec<Problem> = Vec::new();
        for value in &values {
            let given = Map::from_iter([(parameter.to_owned(), value.clone())]);
            let here = Place::Parameter(parameter.to_owned());
            let found = validate::parameters(node, &given, &node_type.description);
            // A parameter that is not there is told once, not for each value.
            let new = found.into_iter().filter(|problem| problem.is_error() && problem.place == here);
            let remedied = new.map(|problem| match values::range_remedy(value, domain.as_ref()) {
                Some(remedy) => problem.remedy(remedy),
                None => problem,
            });
            for problem in remedied.collect::<Vec<_>>() {
                if !wrong.contains(&problem) {
                    wrong.push(problem);
                }
            }
        }
        if !wrong.is_empty() {
            return Err(SweepError::Wrong(wrong));
        }
        let labels = labels(parameter, domain.as_ref(), &values);
        let loads = matches!(domain, Some(Domain::Model { .. }));
        Ok(Self { node: node.to_owned(), parameter: parameter.to_owned(), values, labels, loads })
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The parameter.
    #[must_use]
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// The values, at least one.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// A line for each value, such as `guidance 7.5`.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether another value means that other weights have to be loaded.
    pub(super) fn loads(&self) -> bool {
        self.loads
    }

    /// The axis with the node's name in its labels.
    pub(super) fn with_node_in_labels(mut self) -> Self {
        self.labels.iter_mut().for_each(|label| *label = format!("{} {label}", self.node));
        self
    }
}

fn domain(node: &str, parameter: &str, document: &Document, catalogue: &Catalogue) -> Option<Domain> {
    let node_type = catalogue.node_type(&document.nodes.get(node)?.node_type)?;
    node_type.description.parameters.iter().find(|known| known.id == parameter).map(|known| known.domain.clone())
}

/// A line for each value. Texts speak for themselves; of a path, its last part is enough where no two are alike.
fn labels(parameter: &str, domain: Option<&Domain>, values: &[Value]) -> Vec<String> {
    let name = parameter.replace('_', " ");
    let is_path = matches!(
        domain,
        Some(Domain::File { .. } | Domain::SaveFile { .. } | Domain::Folder { .. } | Domain::Model { .. })
    );
    let last_part = |text: &str| {
        Path::new(text).file_name().map_or_else(|| text.to_owned(), |part| part.to_string_lossy().into_owned())
    };
    let short: Vec<String> = values.iter().map(|value| last_part(value.as_str().unwrap_or_default())).collect();
    let alike = short.iter().enumerate().any(|(at, part)| short.iter().take(at).any(|other| other == part));
    let label = |value: &Value| match value {
        Value::String(text) if text.trim().is_empty() => format!("{name} (empty)"),
        Value::String(text) if matches!(domain, Some(Domain::Text { .. })) => text.clone(),
        Value::String(text) if is_path && !alike => format!("{name} {}", last_part(text)),
        Value::String(text) => format!("{name} {text}"),
        // 10 and 10.0 are one number to people.
        Value::Number(number) if number.is_f64() => format!("{name} {}", number.as_f64().unwrap_or_default()),
        other => format!("{name} {other}"),
    };
    values.iter().map(|value| one_line(&label(value))).collect()
}

/// A label as one line, shortened where it is long.
fn one_line(label: &str) -> String {
    let line = label.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_LABEL {
        return line;
    }
    let start: String = line.chars().take(MAX_LABEL - 3).collect();
    format!("{}...", start.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_what_people_call_the_values() {
        let float = Domain::Float { default: 1.0, hard: [0.0, 10.0], soft: [0.0, 10.0] };
        let text = Domain::Text { default: String::new(), multiline: true };
        let model = Domain::Model { default: String::new(), optional: true };
        let long = "a ".repeat(100);
        for (parameter, domain, values, expected) in [
            ("image_guidance", &float, json!([1.5, 10.0]), vec!["image guidance 1.5", "image guidance 10"]),
            ("text", &text, json!(["add\nsnow", ""]), vec!["add snow", "text (empty)"]),
            ("weights", &model, json!(["a/unet.pt", "b/vae.pt"]), vec!["weights unet.pt", "weights vae.pt"]),
            ("weights", &model, json!(["a/u.pt", "b/u.pt"]), vec!["weights a/u.pt", "weights b/u.pt"]),
            ("seed", &Domain::Seed { default: 0 }, json!([u64::MAX]), vec!["seed 18446744073709551615"]),
            ("invert", &Domain::Boolean { default: false }, json!([true]), vec!["invert true"]),
        ] {
            let values = values.as_array().cloned().unwrap_or_default();
            assert_eq!(labels(parameter, Some(domain), &values), expected);
        }
        assert_eq!(labels("text", Some(&text), &[long.into()])[0].chars().count(), MAX_LABEL);
    }
}
