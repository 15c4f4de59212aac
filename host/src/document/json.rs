//! Reading JSON strictly: what a lenient reader would drop without a word, a key that is given twice, is an error here,
//! because in a graph it is a second node of one name or a second wire into one socket.

use super::DocumentProblem;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Reads one JSON document. Nesting is limited to 128 levels.
///
/// # Errors
/// [`DocumentProblem::Syntax`] with line and column, also for a key that is given twice in one object.
pub(super) fn parse(text: &str) -> Result<Value, DocumentProblem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut path = Vec::new();
    Strict { path: &mut path }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(
        |error| DocumentProblem::Syntax { line: error.line(), column: error.column(), message: message(&error) },
    )
}

/// The error without the position, which serde_json appends to the text.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&position).unwrap_or(&text);
    match text {
        "recursion limit exceeded" => "nested deeper than 128 levels; no graph is".to_owned(),
        "trailing characters" => "more text after the end of the graph".to_owned(),
        _ if error.is_eof() => format!("the file ends too early ({text})"),
        _ => text.to_owned(),
    }
}

/// Builds a [`Value`] and knows where in the document it is.
struct Strict<'p> {
    path: &'p mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict { path: &mut *self.path })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(given_twice(self.path, &key)));
            }
            self.path.push(key);
            let value = entries.next_value_seed(Strict { path: &mut *self.path })?;
            if let Some(key) = self.path.pop() {
                map.insert(key, value);
            }
        }
        Ok(Value::Object(map))
    }
}

fn given_twice(path: &[String], key: &str) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["nodes"] => format!("two nodes are named `{key}`; give one of them another name"),
        ["nodes", node, "inputs"] => {
            format!("node `{node}`: two wires go into the input `{key}`; an input takes one wire, remove the other")
        }
        ["nodes", node, "params"] => {
            format!("node `{node}`: the parameter `{key}` is given twice; remove one of them")
        }
        [] => format!("the key `{key}` is given twice; remove one of them"),
        _ => format!("the key `{key}` is given twice in `{}`; remove one of them", path.join(".")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn bad_json_is_named_with_line_and_column() {
        assert_eq!(complaint("{\n  \"a\": ,\n}"), "line 2, column 8: expected value");
        assert!(complaint("").starts_with("line 1, column 0: the file ends too early"), "{}", complaint(""));
        assert!(complaint("{} {}").contains("more text after the end"), "{}", complaint("{} {}"));
        assert!(complaint("{\"a\": 1e999}").contains("number out of range"));
    }

    #[test]
    fn two_nodes_of_one_name_are_an_error_that_names_them() {
        let text = "{\"mgie\":1,\n\"nodes\":{\"clip\":{},\n\"clip\":{}}}";
        let complaint = complaint(text);
        assert!(complaint.starts_with("line 3, "), "{complaint}");
        assert!(complaint.contains("two nodes are named `clip`"), "{complaint}");
    }

    #[test]
    fn two_wires_into_one_socket_are_an_error_that_names_node_and_socket() {
        let complaint = complaint(r#"{"nodes":{"clip":{"inputs":{"image":"a.image","image":"b.image"}}}}"#);
        assert!(complaint.contains("node `clip`: two wires go into the input `image`"), "{complaint}");
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let text = format!("{{\"mgie\":1,\"nodes\":{}", "[".repeat(1_000_000));
        assert!(complaint(&text).contains("nested deeper than 128 levels"), "{}", complaint(&text));
    }

    #[test]
    fn keys_keep_their_order_and_numbers_their_value() {
        let value = parse(r#"{"z":1,"a":[1.5,-2,18446744073709551615,"\u00e9",null,true]}"#).unwrap();
        assert_eq!(value.to_string(), r#"{"z":1,"a":[1.5,-2,18446744073709551615,"é",null,true]}"#);
    }
}
