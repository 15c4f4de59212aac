//! `mgie check`: everything that is wrong with a graph.

use super::job;
use super::screen::{Lines, Screen};
use super::stop::{Complaint, Stop};
use super::typed::Check;
use mgie_host::document::{Document, json_schema};
use mgie_host::sweeping::inscription;
use mgie_host::validate::{Problem, validate};
use serde_json::{Value, json};
use std::path::Path;

/// Checks a graph, or prints the schema of graphs.
///
/// # Errors
/// What is wrong with the graph.
pub fn check(typed: &Check, lines: &Lines) -> Result<(), Stop> {
    let Some(path) = typed.graph.as_deref().filter(|_| !typed.schema) else {
        let schema = serde_json::to_value(json_schema()).unwrap_or_default();
        return super::print(&format!("{schema:#}\n"));
    };
    let screen = Screen::new(lines.clone(), typed.telling);
    let catalogue = job::catalogue();
    catalogue.warnings().iter().for_each(|warning| screen.say(&format!("warning: {warning}")));
    let opened = Document::open(path).map_err(Stop::from);
    let (nodes, problems) = match &opened {
        Ok(opened) => (opened.document.nodes.len(), validate(&opened.document, &catalogue)),
        Err(_) => (0, Vec::new()),
    };
    let (errors, warnings): (Vec<&Problem>, Vec<&Problem>) = problems.iter().partition(|problem| problem.is_error());
    warnings.iter().for_each(|warning| screen.say(&format!("warning: {warning}")));
    let ended = match opened {
        Err(stop) => Err(stop),
        Ok(_) if errors.is_empty() => Ok(()),
        Ok(_) => Err(Stop::Wrong(errors.iter().map(|problem| Complaint::from(*problem)).collect())),
    };
    let sweep = ended.as_ref().ok().and_then(|()| sweep_of(path));
    if typed.telling.json {
        let mut report = json!({
            "status": ended.as_ref().map_or_else(Stop::status, |()| "done"),
            "graph": path,
            "nodes": nodes,
            "errors": ended.as_ref().err().map(Stop::errors).unwrap_or_default(),
            "warnings": warnings,
            "plugins": catalogue.warnings(),
        });
        if let Some(sweep) = sweep {
            report["sweep"] = sweep;
        }
        let printed = super::print(&format!("{report:#}\n"));
        // A reader that has had enough makes no good graph of a bad one.
        return ended.and(printed);
    } else if ended.is_ok() && !typed.telling.quiet {
        let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
        super::print(&format!("{}: {nodes}, nothing is wrong\n", path.display()))?;
        if let Some(sweep) = sweep {
            super::print(&format!("the sheet of a sweep: {}\n", printable(&sweep.to_string())))?;
        }
    }
    ended
}

/// What a picture says of the sweep that it is the sheet of.
fn sweep_of(path: &Path) -> Option<Value> {
    path.extension().filter(|ending| ending.eq_ignore_ascii_case("png"))?;
    let told = inscription(path).ok().flatten()?;
    (told["output"].is_string() && told["columns"].is_object()).then_some(told)
}

/// A text from a file that anybody may have made, for a terminal: a line of it, without what would steer that.
fn printable(text: &str) -> String {
    const MOST: usize = 2000;
    let shown: String = text.chars().take(MOST).filter(|letter| *letter == ' ' || !steers(*letter)).collect();
    if text.chars().nth(MOST).is_some() { format!("{shown}…") } else { shown }
}

/// Control characters, and what `Debug` escapes as it is not seen or turns the writing around; quotes are as they are.
fn steers(letter: char) -> bool {
    letter.is_control() || letter.escape_debug().len() > 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_steers_no_terminal_and_fills_none() {
        assert_eq!(printable("{\"a\": \"Größe\u{9b}31m\u{202e}\u{7f}\"}"), "{\"a\": \"Größe31m\"}");
        assert_eq!(printable(&"x".repeat(5000)).chars().count(), 2001);
    }
}
