//! The name that was probably meant: for every "there is no …" that this program says.

/// The names longest that are compared; longer ones are no slip of the hand.
const MAX_CHARACTERS: usize = 64;

/// The candidate that is nearest to `typed`, where one is near enough: a third of its characters may differ.
pub fn nearest<'c>(typed: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let typed: Vec<char> = typed.chars().take(MAX_CHARACTERS + 1).flat_map(char::to_lowercase).collect();
    if typed.len() > MAX_CHARACTERS {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.chars().take(MAX_CHARACTERS).flat_map(char::to_lowercase).collect();
            let distance = distance(&typed, &letters);
            let longest = letters.len().max(typed.len());
            (distance <= longest.div_ceil(3) && distance < longest).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The remedy for a name that is not there: the nearest one, or all of them where they are few.
pub fn remedy<'c>(typed: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> Option<String> {
    if let Some(name) = nearest(typed, candidates.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let names: Vec<String> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
    (1..=12).contains(&names.len()).then(|| format!("there is {}", names.join(", ")))
}

/// Edits that turn one into the other: inserting, deleting, replacing a letter, swapping two neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut next = vec![i + 1; b.len() + 1];
        for (j, &right) in b.iter().enumerate() {
            let replaced = row[j] + usize::from(left != right);
            next[j + 1] = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == right && b[j - 1] == left;
            if swapped {
                next[j + 1] = next[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_another_word_is_not() {
        let types = ["image.load", "image.save", "clip.encode_image", "diffusion.denoise"];
        assert_eq!(nearest("image.laod", types), Some("image.load"));
        assert_eq!(nearest("Diffusion.denoize", types), Some("diffusion.denoise"));
        assert_eq!(nearest("zebra", types), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), types), None);
        assert_eq!(nearest("", types), None);
        assert_eq!(nearest("c", ["a", "b"]), None, "one letter for another is another name");
    }

    #[test]
    fn few_names_are_listed_where_none_is_near() {
        assert_eq!(remedy("zebra", ["text", "raw_text"]).as_deref(), Some("there is `text`, `raw_text`"));
        assert_eq!(remedy("zebra", []), None);
    }

    #[test]
    fn the_distance_counts_edits_and_swaps() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, expected) in [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
        }
    }
}
