//! What is wrong with a graph, before anything runs: every problem at once, each with its node, its place, what was
//! expected, what was found and what to do. Only descriptions are looked at, and no file.

mod cycle;
mod off;
mod parameters;
mod problem;
mod wires;

pub(crate) use cycle::order;
pub(crate) use off::Live;
pub use parameters::range_in_words;
pub(crate) use parameters::{canonical, check as parameters};
pub use problem::{Place, Problem, Severity};

use crate::document::Document;
use crate::plugins::{Catalogue, NodeType};
use crate::spelling;
use std::collections::HashMap;
use std::sync::Arc;

/// The most characters that a node's name may have.
pub const MAX_NAME: usize = 128;

/// Everything that is wrong with a graph, in the order of its nodes; cycles come last. Where no problem is an
/// [`Severity::Error`], the graph can run.
#[must_use]
pub fn validate(document: &Document, catalogue: &Catalogue) -> Vec<Problem> {
    validate_live(document, &Live::of(document, catalogue), catalogue)
}

/// [`validate`] for whoever knows the graph as it runs.
pub(crate) fn validate_live(document: &Document, live: &Live<'_>, catalogue: &Catalogue) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut types: HashMap<&str, Arc<NodeType>> = HashMap::new();
    for (name, node) in &document.nodes {
        problems.extend(name_problem(name));
        problems.extend(node.misspelt_fields().map(|(field, meant)| {
            Problem::warning(name, Place::Field(field.to_owned()), "`type`, `off`, `params` or `inputs`")
                .found("a field without meaning, which is kept")
                .remedy(format!("did you mean `{meant}`?"))
        }));
        match catalogue.node_type(&node.node_type) {
            // What a node says that does not run does not matter yet.
            Some(found) if node.off.is_none() => {
                types.insert(name, found);
            }
            Some(_) => {}
            None => {
                let mut problem = unknown_type(name, &node.node_type, catalogue);
                if node.off.is_some() {
                    problem.severity = Severity::Warning;
                }
                problems.push(problem);
            }
        }
    }
    for (name, node) in &live.document.nodes {
        let Some(node_type) = types.get(name.as_str()) else { continue };
        problems.extend(parameters::check(name, &node.params, &node_type.description));
        wires::check(name, node, &node_type.description, live, &types, &mut problems);
    }
    let place: HashMap<&str, usize> = document.nodes.keys().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    problems.sort_by_key(|problem| place.get(problem.node.as_str()).copied().unwrap_or(usize::MAX));
    problems.extend(cycle::cycles(document));
    problems
}

/// What is wrong with a node's name.
pub(crate) fn name_problem(name: &str) -> Option<Problem> {
    let allowed = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() {
        return Some(Problem::error(name, Place::Name, "a name").found("nothing").remedy("give the node a name"));
    }
    if name.chars().count() > MAX_NAME {
        let expected = format!("a name of at most {MAX_NAME} characters");
        return Some(Problem::error(name, Place::Name, expected).found(name.chars().count().to_string()));
    }
    let bad = name.chars().find(|letter| !allowed(*letter))?;
    let fixed: String = name.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    Some(
        Problem::error(name, Place::Name, "letters, digits, `_` and `-`")
            .found(format!("{bad:?}"))
            .remedy(format!("call it `{fixed}`")),
    )
}

fn unknown_type(node: &str, wanted: &str, catalogue: &Catalogue) -> Problem {
    let problem =
        Problem::error(node, Place::Type, "a node type that a plugin here offers").found(format!("`{wanted}`"));
    if let Some(refused) = catalogue.refused_for(wanted) {
        return problem.remedy(format!("the plugin {} was refused: {}", refused.path.display(), refused.reason));
    }
    let family = |id: &str| id.rsplit_once('.').map_or(id.to_owned(), |(family, _)| family.to_owned());
    let mut offered: Vec<String> = catalogue.node_types().map(|node_type| node_type.description.id.clone()).collect();
    offered.sort();
    if let Some(nearest) = spelling::nearest(wanted, offered.iter().map(String::as_str)) {
        return problem.remedy(format!("did you mean `{nearest}`? (`mgie nodes` lists them all)"));
    }
    let siblings: Vec<String> =
        offered.iter().filter(|id| family(id) == family(wanted)).map(|id| format!("`{id}`")).collect();
    if !siblings.is_empty() {
        return problem.remedy(format!("there is {}", siblings.join(", ")));
    }
    problem.remedy(format!(
        "no plugin with `{}.*` nodes is here; put its library into a plugin folder, or name its folder in MGIE_PLUGIN_PATH",
        family(wanted)
    ))
}
