//! How the end of a job is told: lines for people, or a report for machines.

use super::screen::Screen;
use super::stop::Stop;
use mgie_host::models::{Models, Origin};
use mgie_host::plugins::Catalogue;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A file that was written, or standard output.
#[derive(Clone, Debug, Serialize)]
pub struct Saved {
    /// The node whose output it is, or that wrote it.
    pub node: String,
    /// The output; none where the node wrote it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The file; `-` for standard output.
    pub path: String,
}

/// What a job did, as far as it came.
#[derive(Debug, Default)]
pub struct Done {
    /// What was unusual.
    pub warnings: Vec<String>,
    /// The files that were written.
    pub saved: Vec<Saved>,
    /// The rest of it, for machines.
    pub parts: Map<String, Value>,
}

/// Tells how a job ended: lines for people (warnings, then what was written, each by `wrote`), or the report for
/// machines.
///
/// # Errors
/// The job's own end, or that of standard output.
pub fn tell(
    ended: Result<(), Stop>,
    done: Done,
    models: Option<&Models>,
    catalogue: Option<&Catalogue>,
    json: bool,
    screen: &Screen,
    wrote: impl Fn(&str),
) -> Result<(), Stop> {
    let mut warnings: Vec<String> = catalogue.map(|known| known.warnings().to_vec()).unwrap_or_default();
    for warning in done.warnings {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings.iter().for_each(|warning| screen.say(&format!("warning: {warning}")));
    for saved in done.saved.iter().filter(|saved| saved.path != "-") {
        wrote(&super::shown(&saved.path));
    }
    if json {
        let report = report(&ended, done.parts, models, warnings);
        let printed = super::print(&format!("{report:#}\n"));
        // A reader that has had enough makes no success of a run that failed.
        return ended.and(printed);
    }
    ended
}

fn report(
    ended: &Result<(), Stop>,
    parts: Map<String, Value>,
    models: Option<&Models>,
    warnings: Vec<String>,
) -> Value {
    let mut report = json!({ "status": ended.as_ref().map_or_else(Stop::status, |()| "done") });
    if let Some(Models::At { folder, origin }) = models {
        let origin = match origin {
            Origin::Named => "named",
            Origin::Environment => "environment",
            Origin::BuiltIn => "built_in",
        };
        report["models"] = json!({ "folder": folder, "origin": origin });
    }
    report["peak_memory"] = "rise of the process' resident memory while the node ran, in bytes".into();
    if let Value::Object(report) = &mut report {
        report.extend(parts);
    }
    report["warnings"] = warnings.into();
    report["errors"] = ended.as_ref().err().map(Stop::errors).unwrap_or_default().into();
    report
}
