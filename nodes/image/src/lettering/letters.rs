//! The letters themselves, and where lines break.

/// Letters from the space to `~` and the box, 16 a band, 8 rows a band, 5 columns a letter and one between.
const LETTERS: &str = include_str!("letters.txt");

/// Columns from one letter to the next, at scale 1.
pub(super) const ADVANCE: usize = 6;

/// Rows of a letter, descenders included, at scale 1.
const ROWS: usize = 8;

/// Length of a row of `letters.txt`: 16 letters, the last without a column after it, and the line feed.
const ROW_LENGTH: usize = 16 * ADVANCE;

/// Pixels from one line to the next.
pub fn line_height(scale: usize) -> usize {
    (ROWS + 1) * scale.max(1)
}

/// The width of `text` on one line, in pixels.
pub fn text_width(text: &str, scale: usize) -> usize {
    text.chars().count() * ADVANCE * scale.max(1)
}

/// The height of `text` wrapped to `width` pixels, in pixels.
pub fn text_height(text: &str, width: usize, scale: usize) -> usize {
    wrapped(text, width, scale).len() * line_height(scale)
}

/// The lines of `text` at most `width` pixels wide, broken between words, and within a word only where it is wider than
/// a line. A line feed is kept; other white space is one space.
pub fn wrapped(text: &str, width: usize, scale: usize) -> Vec<String> {
    let most = (width / (ADVANCE * scale.max(1))).max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split_whitespace() {
            let letters: Vec<char> = word.chars().collect();
            if length > 0 && length + 1 + letters.len() <= most {
                line.push(' ');
                length += 1;
            } else if length > 0 {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            for part in letters.chunks(most) {
                if length + part.len() > most {
                    lines.push(std::mem::take(&mut line));
                    length = 0;
                }
                line.extend(part);
                length += part.len();
            }
        }
        lines.push(line);
    }
    lines
}

/// The pixels of a letter as (column, row), at scale 1.
pub(super) fn dots(letter: char) -> impl Iterator<Item = (usize, usize)> {
    let number = match letter {
        ' '..='~' => letter as usize - ' ' as usize,
        _ => '~' as usize + 1 - ' ' as usize,
    };
    let (band, place) = (number / 16, number % 16);
    (0..ROWS).flat_map(move |row| {
        let from = (band * ROWS + row) * ROW_LENGTH + place * ADVANCE;
        let pixels = LETTERS.as_bytes().get(from..from + ADVANCE - 1).unwrap_or_default();
        pixels.iter().enumerate().filter(|(_, pixel)| **pixel == b'#').map(move |(column, _)| (column, row))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_but_the_space_has_pixels_of_its_own() {
        assert_eq!(LETTERS.lines().count(), 6 * ROWS);
        assert!(LETTERS.lines().all(|row| row.len() + 1 == ROW_LENGTH), "rows of {ROW_LENGTH} bytes");
        let drawn: Vec<Vec<_>> = (' '..='~').map(|letter| dots(letter).collect()).collect();
        assert!(drawn[0].is_empty());
        for (number, letter) in drawn.iter().enumerate().skip(1) {
            assert!(!letter.is_empty(), "letter {number} is empty");
            assert!(!drawn[..number].contains(letter), "letter {number} looks like another");
        }
        assert_eq!(dots('é').count(), dots('\u{7f}').count());
    }

    #[test]
    fn lines_break_between_words_and_within_those_that_are_too_long() {
        assert_eq!(wrapped("make the circle red", 8 * ADVANCE, 1), ["make the", "circle", "red"]);
        assert_eq!(wrapped("a  extraordinary b", 5 * ADVANCE, 1), ["a", "extra", "ordin", "ary b"]);
        assert_eq!(wrapped("one\ntwo", 1000, 1), ["one", "two"]);
        assert_eq!(wrapped("ab", 0, 1), ["a", "b"]);
        assert!(wrapped("", 100, 1).is_empty());
        assert_eq!(text_height("make the circle red", 8 * ADVANCE, 1), 3 * line_height(1));
        assert_eq!(text_height("make the circle red", 8 * ADVANCE * 2, 2), 3 * line_height(2));
    }
}
