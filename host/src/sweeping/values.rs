//! The values of an axis, from the text that somebody typed.

use super::MAX_CELLS;
use crate::parameter_text;
use mgie_plugin_api::Domain;
use serde_json::Value;

/// The values that a text means: `5,7.5,10`, each as [`parameter_text::value`] reads one; `\,` is a comma within a value.
/// A JSON array is taken for one (`["a, b", "c"]`), and `1..9` or `1..9:2` is a range of numbers, its end included, where
/// the parameter is one (the step, 1 where it is left out, is needed for numbers with a fraction). What means nothing
/// stays as it is, for validation to refuse.
pub(super) fn values(text: &str, domain: Option<&Domain>) -> Vec<Value> {
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(items)) = serde_json::from_str(text)
    {
        let read = |item| match item {
            Value::String(text) => parameter_text::value(&text, domain),
            other => other,
        };
        return items.into_iter().map(read).collect();
    }
    let read = |part: String| range(&part, domain).unwrap_or_else(|| vec![parameter_text::value(&part, domain)]);
    parts(text).into_iter().flat_map(read).collect()
}

/// The text between commas, without the space around it.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) if letters.peek() == Some(&',') => part.extend(letters.next()),
            (_, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The numbers of a range; none where the text is none. No more are counted than make a sweep too large.
fn range(text: &str, domain: Option<&Domain>) -> Option<Vec<Value>> {
    let (first, rest) = text.split_once("..")?;
    let (last, step) = rest.split_once(':').map_or((rest, None), |(last, step)| (last, Some(step)));
    match domain? {
        Domain::Integer { .. } | Domain::Seed { .. } => {
            let number = |text: &str| text.trim().parse::<i128>().ok();
            let within = i128::from(i64::MIN)..=i128::from(u64::MAX);
            let (first, last, step) = (number(first)?, number(last)?, number(step.unwrap_or("1"))?);
            if !within.contains(&first)
                || !within.contains(&last)
                || !within.contains(&step)
                || step < 1
                || last < first
            {
                return None;
            }
            let json = |number: i128| u64::try_from(number).map_or_else(|_| (number as i64).into(), Value::from);
            Some((0..=(last - first) / step).take(MAX_CELLS + 1).map(|count| json(first + count * step)).collect())
        }
        Domain::Float { .. } => {
            let (first, last, step) = (finite(first)?, finite(last)?, finite(step?)?);
            if step <= 0.0 || last < first {
                return None;
            }
            // A step such as 0.1 is not exact: the end counts where it is missed by a hair, and 0.30000000000000004 is 0.3.
            let count = ((last - first) / step + 1e-9).floor().min(MAX_CELLS as f64) as usize;
            Some((0..=count).map(|count| near(first + count as f64 * step).into()).collect())
        }
        _ => None,
    }
}

/// What to write where a value looks like a range of numbers and is none.
pub(super) fn range_remedy(value: &Value, domain: Option<&Domain>) -> Option<String> {
    let has_fractions = match domain? {
        Domain::Float { .. } => true,
        Domain::Integer { .. } | Domain::Seed { .. } => false,
        _ => return None,
    };
    let (first, rest) = value.as_str()?.split_once("..")?;
    let last = rest.split_once(':').map_or(rest, |(last, _)| last);
    let (first, last) = (finite(first)?, finite(last)?);
    if has_fractions && first < last && !rest.contains(':') {
        let step = near((last - first) / 4.0);
        return Some(format!("a range of such numbers needs a step: {first}..{last}:{step}"));
    }
    Some("a range goes up: FIRST..LAST:STEP, with a step above 0".to_owned())
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// The number as people write it.
fn near(number: f64) -> f64 {
    format!("{number:.9}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_as_their_parameter_reads_one() {
        let float = Domain::Float { default: 1.0, hard: [0.0, 10.0], soft: [0.0, 10.0] };
        let integer = Domain::Integer { default: 1, hard: [0, 10], soft: [0, 10] };
        let seed = Domain::Seed { default: 0 };
        let text = Domain::Text { default: String::new(), multiline: false };
        for (typed, domain, expected) in [
            ("5,7.5, 10", &float, json!([5.0, 7.5, 10.0])),
            ("0.1..0.4:0.1", &float, json!([0.1, 0.2, 0.3, 0.4])),
            ("1..2", &float, json!(["1..2"])),
            ("1..2:0.4,5", &float, json!([1.0, 1.4, 1.8, 5.0])),
            ("1..9:4,10", &integer, json!([1, 5, 9, 10])),
            ("-1..1", &integer, json!([-1, 0, 1])),
            ("3..1", &integer, json!(["3..1"])),
            ("1..5:0", &integer, json!(["1..5:0"])),
            ("18446744073709551614..18446744073709551615", &seed, json!([u64::MAX - 1, u64::MAX])),
            ("make it red,add snow", &text, json!(["make it red", "add snow"])),
            (r"red\, blue,a\b,", &text, json!(["red, blue", r"a\b", ""])),
            (r#"["red, blue", " b"]"#, &text, json!(["red, blue", " b"])),
            ("[draft", &text, json!(["[draft"])),
            ("1..3", &text, json!(["1..3"])),
            ("[1, \"2\"]", &integer, json!([1, 2])),
            ("", &text, json!([""])),
            ("[]", &text, json!([])),
        ] {
            assert_eq!(Value::from(values(typed, Some(domain))), expected, "{typed}");
        }
    }

    #[test]
    fn what_looks_like_a_range_and_is_none_is_told_how_one_is_written() {
        let float = Domain::Float { default: 1.0, hard: [0.0, 10.0], soft: [0.0, 10.0] };
        let integer = Domain::Integer { default: 1, hard: [0, 10], soft: [0, 10] };
        let step = Some("a range of such numbers needs a step: 0.1..0.4:0.075");
        let up = Some("a range goes up: FIRST..LAST:STEP, with a step above 0");
        for (typed, domain, expected) in [
            ("0.1..0.4", &float, step),
            ("4..1", &float, up),
            ("1..2:0", &float, up),
            ("3..1", &integer, up),
            ("1..3:-1", &integer, up),
            ("many", &float, None),
            ("a..b", &integer, None),
            ("1..inf", &float, None),
        ] {
            assert_eq!(range_remedy(&json!(typed), Some(domain)).as_deref(), expected, "{typed}");
        }
        let text = Domain::Text { default: String::new(), multiline: false };
        assert_eq!(range_remedy(&json!("3..1"), Some(&text)), None);
    }

    #[test]
    fn a_range_without_end_is_not_counted_out() {
        let seed = Domain::Seed { default: 0 };
        assert_eq!(values("0..18446744073709551615", Some(&seed)).len(), MAX_CELLS + 1);
        let float = Domain::Float { default: 1.0, hard: [0.0, 10.0], soft: [0.0, 10.0] };
        assert_eq!(values("0..1e300:1e-300", Some(&float)).len(), MAX_CELLS + 1);
    }
}
