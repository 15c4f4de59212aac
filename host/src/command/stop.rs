//! How a command can end before its time, and the exit code that says so.

use mgie_host::document::DocumentError;
use mgie_host::engine::{NodeFailure, RunError, RunReport};
use mgie_host::validate::Problem;
use serde_json::{Value, json};
use std::io;
use std::process::ExitCode;

/// The most errors that are told one by one.
const MAX_TOLD: usize = 50;

/// Why a command ended early.
#[derive(Debug)]
pub enum Stop {
    /// The request was wrong; nothing ran.
    Wrong(Vec<Complaint>),
    /// The run failed.
    Failed(Vec<Complaint>, Option<RunReport>),
    /// Somebody interrupted it.
    Interrupted(Option<RunReport>),
    /// Whoever read standard output has had enough.
    ClosedPipe,
}

/// One thing that went wrong: for people, and for machines.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// In a line or a few.
    pub text: String,
    /// The same taken apart.
    pub parts: Value,
}

impl Complaint {
    /// A complaint that has no parts.
    pub fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { parts: json!({ "message": text }), text }
    }

    fn of(text: String, parts: &impl serde::Serialize) -> Self {
        let mut parts = serde_json::to_value(parts).unwrap_or_default();
        if let Value::Object(map) = &mut parts {
            map.insert("message".to_owned(), text.as_str().into());
        }
        Self { text, parts }
    }
}

impl From<&Problem> for Complaint {
    fn from(problem: &Problem) -> Self {
        Self::of(problem.to_string(), problem)
    }
}

impl From<&NodeFailure> for Complaint {
    fn from(failure: &NodeFailure) -> Self {
        Self::of(failure.to_string(), failure)
    }
}

impl Stop {
    /// The request was wrong in one way.
    pub fn wrong(text: impl Into<String>) -> Self {
        Self::Wrong(vec![Complaint::plain(text)])
    }

    /// The request was wrong in several ways.
    pub fn wrong_all(texts: impl IntoIterator<Item = String>) -> Self {
        Self::Wrong(texts.into_iter().map(Complaint::plain).collect())
    }

    /// Something failed that is no node.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(vec![Complaint::plain(text)], None)
    }

    /// A place before every complaint: which frame it was, say.
    pub fn at(self, place: &str) -> Self {
        let mark = |complaints: Vec<Complaint>| {
            complaints.into_iter().map(|it| Complaint { text: format!("{place}: {}", it.text), ..it }).collect()
        };
        match self {
            Self::Wrong(complaints) => Self::Wrong(mark(complaints)),
            Self::Failed(complaints, report) => Self::Failed(mark(complaints), report),
            other => other,
        }
    }

    /// What went wrong, as objects for machines.
    pub fn errors(&self) -> Vec<Value> {
        self.complaints().iter().map(|complaint| complaint.parts.clone()).collect()
    }

    /// The word for it in a report.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Wrong(_) => "wrong",
            Self::Failed(..) => "failed",
            Self::Interrupted(_) => "interrupted",
            Self::ClosedPipe => "done",
        }
    }

    /// What was done until then.
    pub fn report(&self) -> Option<&RunReport> {
        match self {
            Self::Failed(_, report) | Self::Interrupted(report) => report.as_ref(),
            Self::Wrong(_) | Self::ClosedPipe => None,
        }
    }

    /// What went wrong, one by one.
    pub fn complaints(&self) -> &[Complaint] {
        match self {
            Self::Wrong(complaints) | Self::Failed(complaints, _) => complaints,
            Self::Interrupted(_) | Self::ClosedPipe => &[],
        }
    }

    /// The lines for people, on standard error.
    pub fn lines(&self) -> Vec<String> {
        if let Self::Interrupted(_) = self {
            return vec!["interrupted".to_owned()];
        }
        let complaints = self.complaints();
        let mut lines: Vec<String> =
            complaints.iter().take(MAX_TOLD).map(|complaint| format!("error: {}", complaint.text)).collect();
        if complaints.len() > MAX_TOLD {
            lines.push(format!("error: and {} more", complaints.len() - MAX_TOLD));
        }
        lines
    }

    /// 1 the run failed, 2 the request was wrong, 130 interrupted; a closed pipe is success.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::ClosedPipe => 0,
            Self::Failed(..) => 1,
            Self::Wrong(_) => 2,
            Self::Interrupted(_) => 130,
        })
    }
}

impl From<DocumentError> for Stop {
    fn from(error: DocumentError) -> Self {
        Self::wrong(error.to_string())
    }
}

impl From<RunError> for Stop {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Invalid(problems) => {
                Self::Wrong(problems.iter().filter(|problem| problem.is_error()).map(Complaint::from).collect())
            }
            RunError::Failed { failures, report } => {
                Self::Failed(failures.iter().map(Complaint::from).collect(), Some(report))
            }
            RunError::Cancelled { report } => Self::Interrupted(Some(report)),
        }
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::failed(format!("standard output cannot be written to: {error}"))
        }
    }
}
