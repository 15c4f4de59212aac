//! A model's or scheduler's `config.json`, as diffusers writes it: values by key, where `null` and absence both mean
//! the class's default, and where a value that this crate cannot honour is an error that names key, value and choices.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use mgie_weights::WeightsError;
use serde_json::{Map, Value};

/// Configuration files are a few kilobytes; anything larger is not one.
const LARGEST_FILE: u64 = 4 << 20;

/// The keys of one configuration file.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    values: Map<String, Value>,
}

impl Config {
    /// Reads a JSON object. Python's `Infinity`, `-Infinity` and `NaN` are taken for `null`.
    ///
    /// # Errors
    /// The file cannot be read, is not JSON, or is not an object.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self, WeightsError> {
        let path = path.into();
        let size = std::fs::metadata(&path).map_err(|e| WeightsError::unreadable(&path, &e))?.len();
        if size > LARGEST_FILE {
            return Err(WeightsError::malformed(&path, format!("has {size} bytes, too many for a configuration")));
        }
        let text = std::fs::read_to_string(&path).map_err(|e| WeightsError::unreadable(&path, &e))?;
        Self::parse(path, &text)
    }

    /// Reads a JSON object from `text`; `path` is where errors say that it stands.
    ///
    /// # Errors
    /// The text is not JSON, or not an object.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, WeightsError> {
        let path = path.into();
        match serde_json::from_str(&without_python_constants(text)) {
            Ok(Value::Object(values)) => Ok(Self { path, values }),
            Ok(_) => Err(WeightsError::malformed(&path, "is JSON, but not an object")),
            Err(error) => Err(WeightsError::malformed(&path, format!("is not JSON: {error}"))),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of `key`, if there is one that is not `null`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A whole number within `range`.
    ///
    /// # Errors
    /// The value is something else.
    pub fn whole(
        &self,
        key: &str,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, WeightsError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.unsupported(key, format!("whole numbers from {} to {}", range.start(), range.end())))
    }

    /// A finite number.
    ///
    /// # Errors
    /// The value is not a number.
    pub fn number(&self, key: &str, default: f64) -> Result<f64, WeightsError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.unsupported(key, "numbers"))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// The value is neither.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, WeightsError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.unsupported(key, "true or false"))
    }

    /// One of the words in `choices`.
    ///
    /// # Errors
    /// The value is none of them.
    pub fn word<T: Copy>(&self, key: &str, default: T, choices: &[(&str, T)]) -> Result<T, WeightsError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        self.choose(key, value, choices)
    }

    /// A list of words, each one of `choices`; `None` where the key is absent.
    ///
    /// # Errors
    /// The value is not a list, or an item is none of them.
    pub fn words<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<Option<Vec<T>>, WeightsError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => {
                items.iter().map(|item| self.choose(key, item, choices)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(self.unsupported(key, "a list of names")),
        }
    }

    /// A list of whole numbers within `range`; `None` where the key is absent.
    ///
    /// # Errors
    /// The value is not a list, or an item is something else.
    pub fn wholes(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<Vec<usize>>, WeightsError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value
            .as_array()
            .and_then(|items| {
                let number = |item: &Value| usize::try_from(item.as_u64()?).ok().filter(|n| range.contains(n));
                items.iter().map(number).collect::<Option<Vec<_>>>()
            })
            .map(Some)
            .ok_or_else(|| {
                self.unsupported(key, format!("a list of whole numbers from {} to {}", range.start(), range.end()))
            })
    }

    /// One whole number for all `count` blocks, or a list with one for each.
    ///
    /// # Errors
    /// The value is neither, or the list has another length.
    pub fn whole_per_block(
        &self,
        key: &str,
        default: usize,
        count: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Vec<usize>, WeightsError> {
        if self.get(key).is_some_and(Value::is_array) {
            let list = self.wholes(key, range)?.unwrap_or_default();
            if list.len() != count {
                return Err(self.unsupported(key, format!("one number, or a list of {count}, one for each block")));
            }
            return Ok(list);
        }
        Ok(vec![self.whole(key, default, range)?; count])
    }

    /// Refuses every key of `keys` whose value is neither absent, `null`, `false` nor equal to `allowed`.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn refuse_other_than(&self, keys: &[&str], allowed: &Value) -> Result<(), WeightsError> {
        let off = Value::Bool(false);
        let unusual = |key: &&&str| self.get(key).is_some_and(|value| *value != off && value != allowed);
        match keys.iter().find(unusual) {
            None => Ok(()),
            Some(key) => Err(self.unsupported(key, if allowed.is_null() { &off } else { allowed })),
        }
    }

    /// The error that `key` has a value outside what is supported.
    pub fn unsupported(&self, key: &str, supported: impl Display) -> WeightsError {
        let found = self.values.get(key).map_or_else(|| "missing".to_owned(), |value| format!("{value}"));
        WeightsError::malformed(&self.path, format!("`{key}` is {found}; supported: {supported}"))
    }

    fn choose<T: Copy>(&self, key: &str, value: &Value, choices: &[(&str, T)]) -> Result<T, WeightsError> {
        let word = value.as_str();
        choices.iter().find(|(name, _)| Some(*name) == word).map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.unsupported(key, names.join(", "))
        })
    }
}

/// Replaces the number names that Python's `json` writes and JSON lacks, outside strings, by `null`.
fn without_python_constants(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(next) = rest.chars().next() {
        if !in_string && let Some(name) = ["-Infinity", "Infinity", "NaN"].iter().find(|name| rest.starts_with(**name))
        {
            result.push_str("null");
            rest = &rest[name.len()..];
            continue;
        }
        let mut taken = next.len_utf8();
        if next == '"' {
            in_string = !in_string;
        } else if in_string && next == '\\' {
            taken += rest[taken..].chars().next().map_or(0, char::len_utf8);
        }
        result.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    result
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn python_constants_are_read_as_absent_and_strings_are_left_alone() {
        let text = r#"{"lambda_min_clipped": -Infinity, "name": "NaN \" Infinity", "x": NaN}"#;
        let config = Config::parse("scheduler_config.json", text).unwrap();
        assert!(config.get("lambda_min_clipped").is_none());
        assert!(config.get("x").is_none());
        assert_eq!(config.get("name").unwrap(), "NaN \" Infinity");
    }

    #[test]
    fn an_unsupported_value_is_named_with_its_key_its_value_and_what_is_supported() {
        let config = Config::parse("unet/config.json", r#"{"act_fn": "gelu"}"#).unwrap();
        let error = config.word("act_fn", (), &[("silu", ()), ("swish", ())]).unwrap_err().to_string();
        for part in ["unet/config.json", "act_fn", "gelu", "silu, swish"] {
            assert!(error.contains(part), "{part} is missing from: {error}");
        }
    }
}
