//! What a text that somebody typed means as the value of a parameter: `--set`, `--sweep` and the studio's fields read it
//! alike.

use mgie_plugin_api::Domain;
use serde_json::Value;

/// The value that a text means. One that means nothing to the parameter stays a text, for validation to refuse; without
/// a domain (the parameter is unknown) it is read as JSON where it is some. A relative path is seen from the current
/// folder, a model's from the models folder unless it begins with `./` or `../`.
#[must_use]
pub fn value(text: &str, domain: Option<&Domain>) -> Value {
    let as_typed = || Value::from(text);
    match domain {
        Some(Domain::Integer { .. }) => text.trim().parse::<i64>().map_or_else(|_| number(text), Value::from),
        Some(Domain::Seed { .. }) => text.trim().parse::<u64>().map_or_else(|_| number(text), Value::from),
        Some(Domain::Float { .. }) => number(text),
        Some(Domain::Boolean { .. }) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true.into(),
            "false" | "no" | "off" | "0" => false.into(),
            _ => as_typed(),
        },
        Some(Domain::Text { .. } | Domain::Choice { .. }) => as_typed(),
        Some(Domain::File { .. } | Domain::SaveFile { .. } | Domain::Folder { .. }) => path(text),
        // A model lies in the models folder, unless it is said to lie here.
        Some(Domain::Model { .. }) if text.starts_with("./") || text.starts_with("../") => path(text),
        Some(Domain::Model { .. }) => as_typed(),
        None => serde_json::from_str(text).unwrap_or_else(|_| as_typed()),
    }
}

fn number(text: &str) -> Value {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => number.into(),
        _ => text.into(),
    }
}

/// A path as seen from the current folder, made absolute, because the graph sees it from its own.
#[must_use]
pub fn path(text: &str) -> Value {
    if text.is_empty() {
        return text.into();
    }
    std::path::absolute(text).map_or_else(|_| text.into(), |path| path.to_string_lossy().into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_means_what_its_parameter_is() {
        let integer = Domain::Integer { default: 1, hard: [0, 10], soft: [0, 10] };
        let float = Domain::Float { default: 1.0, hard: [0.0, 10.0], soft: [0.0, 10.0] };
        let text = Domain::Text { default: String::new(), multiline: false };
        let model = Domain::Model { default: String::new(), optional: true };
        for (typed, domain, expected) in [
            ("7", Some(&integer), json!(7)),
            ("+7", Some(&integer), json!(7)),
            ("7.5", Some(&integer), json!(7.5)),
            ("seven", Some(&integer), json!("seven")),
            (".5", Some(&float), json!(0.5)),
            ("inf", Some(&float), json!("inf")),
            ("18446744073709551615", Some(&Domain::Seed { default: 0 }), json!(u64::MAX)),
            ("yes", Some(&Domain::Boolean { default: false }), json!(true)),
            ("7", Some(&text), json!("7")),
            ("mgie_7b/unet.pt", Some(&model), json!("mgie_7b/unet.pt")),
            ("", Some(&model), json!("")),
            ("{\"a\":1}", None, json!({ "a": 1 })),
            ("hello", None, json!("hello")),
        ] {
            assert_eq!(value(typed, domain), expected, "{typed}");
        }
        let file = Domain::File { default: String::new(), extensions: Vec::new(), optional: true };
        let here = std::path::absolute("a.png").map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        assert_eq!(value("a.png", Some(&file)), json!(here));
        assert_eq!(value("", Some(&file)), json!(""));
    }
}
