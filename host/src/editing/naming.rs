//! Names of new nodes: the last part of the node's type, with a number where it is taken.

use crate::document::Document;
use crate::validate::MAX_NAME;

/// What the node `name` could be called where that name is taken by another: `denoise`, `denoise_2`, `denoise_3`.
pub(super) fn free(document: &Document, name: &str) -> String {
    let name = sound(name);
    if !document.nodes.contains_key(&name) {
        return name;
    }
    let (base, mut number) = match name.rsplit_once('_').map(|(base, end)| (base, end.parse::<u64>())) {
        Some((base, Ok(number))) if !base.is_empty() && number < u64::MAX / 2 => (base.to_owned(), number + 1),
        _ => (name, 2),
    };
    loop {
        let end = format!("_{number}");
        let kept: String = base.chars().take(MAX_NAME - end.len()).collect();
        let name = kept + &end;
        if !document.nodes.contains_key(&name) {
            return name;
        }
        number += 1;
    }
}

/// The name of a new node of that type, before it is known whether it is taken: `denoise` of `diffusion.denoise`.
pub(super) fn of_type(node_type: &str) -> &str {
    node_type.rsplit('.').find(|part| !part.is_empty()).unwrap_or("node")
}

/// The name with what no name may hold replaced.
fn sound(name: &str) -> String {
    let allowed = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    let name: String = name.chars().take(MAX_NAME).map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Node;

    #[test]
    fn a_name_that_is_taken_gets_the_next_number() {
        let mut document = Document::default();
        let mut names = Vec::new();
        for wanted in ["denoise", "denoise", "denoise", "denoise_2", "a.b", "", "_7", "_7", "x_18446744073709551615"] {
            let name = free(&document, wanted);
            document.nodes.insert(name.clone(), Node::new("t"));
            names.push(name);
        }
        let expected =
            ["denoise", "denoise_2", "denoise_3", "denoise_4", "a_b", "node", "_7", "_7_2", "x_18446744073709551615"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_new_name_is_never_longer_than_names_may_be() {
        let mut document = Document::default();
        for _ in 0..12 {
            let name = free(&document, &"é".repeat(500));
            assert!(name.chars().count() <= MAX_NAME);
            document.nodes.insert(name, Node::new("t"));
        }
        assert_eq!(document.nodes.len(), 12);
    }

    #[test]
    fn a_type_gives_its_last_part() {
        assert_eq!(of_type("diffusion.denoise"), "denoise");
        assert_eq!(of_type("org.example.blur"), "blur");
        assert_eq!(of_type("..."), "node");
    }
}
