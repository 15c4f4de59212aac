//! The folder that holds the models: named by the user, or the small built-in one that lies with the graphs.

use std::env;
use std::path::{Path, PathBuf};

/// The environment variable that names the models folder.
pub const VARIABLE: &str = "MGIE_MODELS";

/// Who says where the models are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user, for this run.
    Named,
    /// The user, by [`VARIABLE`].
    Environment,
    /// Nobody: they are the built-in small ones.
    BuiltIn,
}

/// The models folder, or where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Models {
    /// Here it is.
    At {
        /// The folder, absolute.
        folder: PathBuf,
        /// Who says so.
        origin: Origin,
    },
    /// It is in none of these places.
    Missing {
        /// The places, in the order in which they were looked at.
        looked: Vec<PathBuf>,
    },
}

impl Models {
    /// The folder that the user named, else the one in `MGIE_MODELS`, else the built-in one: `small` beside the graph
    /// file, `graphs/small` beside this program, `share/mgie/small` of its installation, `graphs/small` in a folder
    /// above it, `mgie/small` in the user's data folder.
    #[must_use]
    pub fn find(named: Option<&Path>, graph_folder: Option<&Path>) -> Self {
        if let Some(folder) = named {
            return Self::at(folder, Origin::Named);
        }
        if let Some(folder) = env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
            return Self::at(Path::new(&folder), Origin::Environment);
        }
        Self::built_in(graph_folder)
    }

    /// The built-in models, whatever the user named.
    #[must_use]
    pub fn built_in(graph_folder: Option<&Path>) -> Self {
        Self::among(graph_folder, env::current_exe().ok().as_deref().and_then(Path::parent), dirs::data_dir())
    }

    fn at(folder: &Path, origin: Origin) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        if folder.is_dir() { Self::At { folder, origin } } else { Self::Missing { looked: vec![folder] } }
    }

    fn among(graph_folder: Option<&Path>, program: Option<&Path>, data: Option<PathBuf>) -> Self {
        let mut places: Vec<PathBuf> = graph_folder.map(|folder| folder.join("small")).into_iter().collect();
        if let Some(program) = program {
            places.push(program.join("graphs/small"));
            if let Some(installation) = program.parent() {
                places.push(installation.join("share/mgie/small"));
            }
            places.extend(program.ancestors().skip(1).map(|above| above.join("graphs/small")));
        }
        places.extend(data.map(|data| data.join("mgie").join("small")));
        match places.iter().find(|place| place.is_dir()) {
            Some(folder) => Self::at(folder, Origin::BuiltIn),
            None => Self::Missing { looked: places },
        }
    }

    /// The folder, where there is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::At { folder, .. } => Some(folder),
            Self::Missing { .. } => None,
        }
    }
}

/// Bytes of a file or folder of weights; none where it is not there.
#[must_use]
pub fn bytes_in(path: &Path) -> Option<u64> {
    crate::engine::listing(path).ok().map(|(_, bytes)| bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_built_in_models_are_found_with_the_graph_with_the_program_or_above_it() {
        let root = tempfile::tempdir().unwrap();
        let root = std::path::absolute(root.path()).unwrap();
        let (graphs, program) = (root.join("elsewhere"), root.join("repo/target/release"));
        fs::create_dir_all(&program).unwrap();
        let find = || Models::among(Some(&graphs), Some(&program), Some(root.join("data")));
        let Models::Missing { looked } = find() else { panic!("found {:?}", find()) };
        assert!(looked.contains(&graphs.join("small")) && looked.contains(&root.join("data/mgie/small")), "{looked:?}");
        for place in ["data/mgie/small", "repo/graphs/small", "repo/target/share/mgie/small", "elsewhere/small"] {
            fs::create_dir_all(root.join(place)).unwrap();
            assert_eq!(find(), Models::At { folder: root.join(place), origin: Origin::BuiltIn });
        }
    }

    #[test]
    fn a_named_folder_that_is_not_there_is_not_replaced_by_the_built_in_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("small")).unwrap();
        let missing = Models::find(Some(&root.path().join("none")), Some(root.path()));
        assert_eq!(missing, Models::Missing { looked: vec![std::path::absolute(root.path().join("none")).unwrap()] });
    }
}
