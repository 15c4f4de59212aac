//! The expressive instruction as people read it: the generated string, cut and trimmed the way the authors' notebook
//! (`remove_alter` in `demo.ipynb`) does it. It is display only; no number of the edit depends on it.

/// What stands before the answer in the prompt's template.
const ANSWER: &str = "ASSISTANT:";
/// What the tokenizer writes for the end of the answer.
const END: &str = "</s>";
/// The first of the visual tokens, which end the answer.
const FIRST_VISUAL_TOKEN: &str = "[IMG0]";
/// LLaVA likes to go on with "Alternatively, …", which is no longer about the edit.
const SECOND_THOUGHT: &str = "alternative";
/// How many sentences are kept.
const SENTENCES: usize = 2;

/// The text shown to people, from the decoded sequence (prompt and answer).
///
/// Kept is what stands after the first `ASSISTANT:` and before the next `</s>`, cut before "alternative" in any case and
/// before `[IMG0]`; of that the first two sentences, split at ".", each trimmed and joined by "." without a space, with a
/// full stop at the end. Where nothing is left the result is empty (the notebook raises an error there).
pub fn expressive_instruction(decoded: &str) -> String {
    let mut text = decoded;
    if let Some((_, answer)) = text.split_once(ANSWER) {
        text = trim(answer);
    }
    if let Some((answer, _)) = text.split_once(END) {
        text = trim(answer);
    }
    let text = before_second_thought(text);
    let text = text.split_once(FIRST_VISUAL_TOKEN).map_or(text, |(answer, _)| answer);
    let sentences: Vec<&str> = text.split('.').take(SENTENCES).map(trim).collect();
    let mut kept = sentences.join(".");
    if !kept.is_empty() && !kept.ends_with('.') {
        kept.push('.');
    }
    kept
}

/// Cuts before "alternative". The place is counted in characters of the lower-cased text, which Unicode lets be longer
/// than the text itself ('İ' becomes two characters): Python counts the same way.
fn before_second_thought(text: &str) -> &str {
    let lower = text.to_lowercase();
    let Some((before, _)) = lower.split_once(SECOND_THOUGHT) else { return text };
    let place = text.char_indices().nth(before.chars().count());
    place.map_or(text, |(byte, _)| text.get(..byte).unwrap_or(text))
}

/// Python's `str.strip`: Unicode white space, and the four separators of ASCII that Python counts as white space too.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::expressive_instruction;

    /// The expectations were made by the notebook's own function, run in Python.
    #[test]
    fn text_is_cut_as_the_notebook_cuts_it() {
        let cases = [
            (
                "<s> A chat. USER: what ASSISTANT: The sky is dark. Rain falls . A third.</s>",
                "The sky is dark.Rain falls.",
            ),
            ("USER: x ASSISTANT: One sentence[IMG0] [IMG1]", "One sentence."),
            ("ASSISTANT: Blue sky. Alternatively, red.[IMG0]", "Blue sky."),
            ("ASSISTANT: An ALTERNATIVE sky.", "An."),
            ("ASSISTANT: \u{0130}\u{0130} alternative", "\u{0130}\u{0130} al."),
            ("USER: say ASSISTANT: twice ASSISTANT: Yes", "twice ASSISTANT: Yes."),
            ("no template here", "no template here."),
            ("ASSISTANT: \u{1c}padded\u{a0}</s>after", "padded."),
            ("ASSISTANT: ends with a stop.", "ends with a stop."),
            ("ASSISTANT: .", "."),
        ];
        for (decoded, expected) in cases {
            assert_eq!(expressive_instruction(decoded), expected, "of {decoded:?}");
        }
    }

    #[test]
    fn text_of_an_answer_without_words_is_empty() {
        for decoded in ["", "ASSISTANT:", "ASSISTANT: </s>", "ASSISTANT: [IMG0] [IMG1]", "ASSISTANT:Alternatively, no"]
        {
            assert_eq!(expressive_instruction(decoded), "", "of {decoded:?}");
        }
    }
}
