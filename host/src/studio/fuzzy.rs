//! Finding a node type by a few letters of it: `vae dec` finds `VAE decode`, `imld` finds `image.load`.

/// How well what was typed fits a text; none where a letter is missing. Larger is better: whole words before beginnings of
/// words, those before letters in a row, those before letters here and there.
#[must_use]
pub fn score(typed: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut total = 0;
    for word in typed.to_lowercase().split_whitespace() {
        total += word_score(&word.chars().collect::<Vec<_>>(), &text)?;
    }
    Some(total - i32::try_from(text.len()).unwrap_or(i32::MAX).min(200) / 8)
}

fn word_score(word: &[char], text: &[char]) -> Option<i32> {
    let starts_word = |at: usize| at == 0 || !text[at - 1].is_alphanumeric();
    let length = i32::try_from(word.len()).ok()?;
    let whole = (0..text.len().saturating_sub(word.len() - 1)).filter(|&at| text[at..].starts_with(word));
    let best = whole.map(|at| if starts_word(at) { 40 + 4 * length } else { 20 + 3 * length }).max();
    if best.is_some() {
        return best;
    }
    let (mut at, mut points, mut before) = (0, 0, None);
    for letter in word {
        let found = (at..text.len()).find(|&place| text[place] == *letter)?;
        points += match before {
            _ if starts_word(found) => 3,
            Some(before) if before + 1 == found => 2,
            _ => 0,
        };
        before = Some(found);
        at = found + 1;
    }
    // Letters all over a long sentence are chance.
    (points >= length).then_some(points)
}

/// How well what was typed fits a node type: its label and id weigh most, its category less, its summary least.
#[must_use]
pub fn node_score(typed: &str, label: &str, id: &str, category: &str, summary: &str) -> Option<i32> {
    if typed.trim().is_empty() {
        return Some(0);
    }
    let whole = |text: &str, bonus: i32| score(typed, text).map(|score| score + bonus);
    // A summary is a sentence: scattered letters fit any of them.
    let said = summary.to_lowercase().contains(&typed.trim().to_lowercase()).then_some(1);
    [whole(label, 30), whole(id, 25), whole(&format!("{category} {label}"), 10), said].into_iter().flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_words_find_a_node_and_other_letters_do_not() {
        assert!(score("vae dec", "VAE decode").is_some());
        assert!(score("imld", "image.load").is_some());
        assert_eq!(score("xyz", "image.load"), None);
    }

    #[test]
    fn a_whole_word_comes_before_scattered_letters() {
        assert!(score("load", "image.load") > score("load", "clip.of_all_days"));
        assert!(
            node_score("denoise", "Denoise", "diffusion.denoise", "Diffusion", "")
                > node_score("denoise", "Load UNet", "diffusion.load_unet", "Diffusion", "What `denoise` runs.")
        );
    }

    #[test]
    fn nothing_typed_finds_everything() {
        assert_eq!(node_score(" ", "Denoise", "diffusion.denoise", "Diffusion", ""), Some(0));
    }
}
