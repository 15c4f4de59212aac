//! Files of older formats: an ordered list of small steps, each from one version to the next. A step sees the whole
//! JSON document and changes what its version changed; it must keep what it does not know.

use super::{DocumentProblem, VERSION};
use serde_json::{Map, Value};

/// One step from a version of the format to the next one.
pub(super) struct Migration {
    /// The version that it takes; it makes `from + 1`.
    pub from: u64,
    /// What changed, in a few words, for the log.
    pub name: &'static str,
    /// The step.
    pub apply: fn(&mut Map<String, Value>),
}

/// Every step, oldest first. Version 1 is the first that was ever released.
const MIGRATIONS: &[Migration] = &[];

/// Brings a document to today's version.
///
/// # Errors
/// [`DocumentProblem::Newer`] or [`DocumentProblem::NoSuchVersion`].
pub(super) fn migrate(document: &mut Map<String, Value>, version: u64) -> Result<(), DocumentProblem> {
    migrate_by(MIGRATIONS, VERSION, document, version)
}

fn migrate_by(
    migrations: &[Migration],
    today: u64,
    document: &mut Map<String, Value>,
    version: u64,
) -> Result<(), DocumentProblem> {
    if version > today {
        return Err(DocumentProblem::Newer { found: version, known: today });
    }
    let mut reached = version;
    for migration in migrations {
        if migration.from == reached {
            tracing::info!(
                from = reached,
                change = migration.name,
                "a graph of an older format was brought up to date"
            );
            (migration.apply)(document);
            reached += 1;
        }
    }
    if reached != today {
        return Err(DocumentProblem::NoSuchVersion { found: version, known: today });
    }
    document.insert("mgie".to_owned(), today.into());
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// In version 1 of this made-up format wires were called `links`; in version 2 graphs got a title.
    const STEPS: &[Migration] = &[
        Migration {
            from: 0,
            name: "wires were called links",
            apply: |document| {
                if let Some(links) = document.remove("links") {
                    document.insert("wires".to_owned(), links);
                }
            },
        },
        Migration {
            from: 1,
            name: "graphs have a title",
            apply: |document| {
                document.entry("title").or_insert_with(|| "untitled".into());
            },
        },
    ];

    fn migrated(text: &str, version: u64) -> Result<String, DocumentProblem> {
        let Value::Object(mut document) = serde_json::from_str(text).unwrap() else { panic!("not an object") };
        migrate_by(STEPS, 2, &mut document, version)?;
        Ok(Value::Object(document).to_string())
    }

    #[test]
    fn steps_are_applied_in_order_from_the_version_of_the_file() {
        assert_eq!(migrated(r#"{"mgie":0,"links":7}"#, 0).unwrap(), r#"{"mgie":2,"wires":7,"title":"untitled"}"#);
        assert_eq!(migrated(r#"{"mgie":1,"links":7}"#, 1).unwrap(), r#"{"mgie":2,"links":7,"title":"untitled"}"#);
        assert_eq!(migrated(r#"{"mgie":2,"x":7}"#, 2).unwrap(), r#"{"mgie":2,"x":7}"#);
    }

    #[test]
    fn a_version_that_no_step_leads_from_is_refused() {
        assert!(matches!(migrated("{}", 3), Err(DocumentProblem::Newer { found: 3, known: 2 })));
        let mut document = Map::new();
        assert!(matches!(migrate(&mut document, 0), Err(DocumentProblem::NoSuchVersion { found: 0, known: 1 })));
    }
}
