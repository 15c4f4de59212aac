//! Parameters that are one of several words.

use mgie_plugin_api::{Domain, Failure, Run};

/// The domain of these words; the first is the default.
pub fn choice(words: &[&str]) -> Domain {
    Domain::Choice {
        default: words.first().copied().unwrap_or_default().to_owned(),
        choices: words.iter().map(ToString::to_string).collect(),
    }
}

/// The word that the parameter has.
///
/// # Errors
/// A failure that names the parameter where it has none of the words.
pub fn chosen<'a>(run: &'a Run, parameter: &str, words: &[&str]) -> Result<&'a str, Failure> {
    let word = run.string(parameter)?;
    if words.contains(&word) {
        return Ok(word);
    }
    Err(Failure::parameter(parameter, format!("one of {}", words.join(", ")), word))
}
