//! Paths with the number of a frame in them: `####` (as many digits as signs) or `%04d`.

/// The path of a frame; none where the text has no place for a number.
pub fn numbered(text: &str, frame: u32) -> Option<String> {
    let mut path = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(next) = rest.find(['#', '%']) {
        let (before, from) = rest.split_at(next);
        path.push_str(before);
        let (digits, length) = place(from);
        let (sign, after) = from.split_at(length);
        match digits {
            Some(digits) => {
                path.push_str(&format!("{frame:0digits$}"));
                found = true;
            }
            None => path.push_str(sign),
        }
        rest = after;
    }
    path.push_str(rest);
    found.then_some(path)
}

/// The digits that a place for a number asks for, none where it is no such place, and its length.
fn place(text: &str) -> (Option<usize>, usize) {
    const MAX_DIGITS: usize = 20;
    if text.starts_with('#') {
        let signs = text.chars().take_while(|sign| *sign == '#').count();
        return (Some(signs.min(MAX_DIGITS)), signs);
    }
    let number = text.strip_prefix('%').unwrap_or_default();
    let digits = number.chars().take_while(char::is_ascii_digit).count();
    let (width, after) = number.split_at(digits);
    let width = if width.is_empty() { Some(0) } else { width.parse().ok().filter(|width| *width <= MAX_DIGITS) };
    match width {
        Some(width) if after.starts_with('d') => (Some(width), 2 + digits),
        _ => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_filled_in_with_as_many_digits_as_asked_for() {
        for (text, expected) in [
            ("in.####.png", Some("in.0007.png")),
            ("#/f#.png", Some("7/f7.png")),
            ("in_%04d.png", Some("in_0007.png")),
            ("in_%d_100%.png", Some("in_7_100%.png")),
            ("50%é#", Some("50%é7")),
            ("%x%", None),
            ("%99d", None),
            ("plain.png", None),
            ("", None),
        ] {
            assert_eq!(numbered(text, 7).as_deref(), expected, "{text}");
        }
        assert_eq!(numbered("#", 12345).as_deref(), Some("12345"));
    }
}
