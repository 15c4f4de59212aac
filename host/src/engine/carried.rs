//! The graph as a picture carries it: paths are written anew, relative to the picture's folder, so that the picture
//! opens as the same graph and tells no more of the machine that it was made on than it must.

use crate::document::Document;
use crate::plugins::Catalogue;
use mgie_plugin_api::description::Domain;
use std::path::{Component, Path, PathBuf};

/// A graph and the folder that its relative paths are relative to.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The graph.
    pub document: Document,
    /// The folder.
    pub folder: PathBuf,
    /// The folder that the file which carries it will lie in; none for the one that it is written to.
    pub destination: Option<PathBuf>,
}

impl Carried {
    /// The graph's text for a file that is written to the folder `written_to`.
    pub(super) fn text_for(&self, catalogue: &Catalogue, written_to: &Path) -> String {
        let destination = self.destination.as_deref().unwrap_or(written_to);
        let mut document = self.document.clone();
        for path in paths_mut(&mut document, catalogue) {
            *path = relative(&self.folder.join(&*path), destination);
        }
        document.to_text()
    }
}

/// Writes the relative paths of a graph anew, so that they name the same files when the graph's file moves from one
/// folder to another.
pub(crate) fn move_paths(document: &mut Document, catalogue: &Catalogue, from: &Path, to: &Path) {
    for path in paths_mut(document, catalogue).into_iter().filter(|path| Path::new(path.as_str()).is_relative()) {
        *path = relative(&from.join(&*path), to);
    }
}

/// Every path that is given in a graph and is relative to the graph's folder, as far as the node types are known.
fn paths_mut<'d>(document: &'d mut Document, catalogue: &Catalogue) -> Vec<&'d mut String> {
    let mut paths = Vec::new();
    for node in document.nodes.values_mut() {
        let Some(node_type) = catalogue.node_type(&node.node_type) else { continue };
        for (id, value) in &mut node.params {
            let known = node_type.description.parameters.iter().find(|parameter| parameter.id == *id);
            let Some(Domain::File { .. } | Domain::SaveFile { .. } | Domain::Folder { .. }) = known.map(|p| &p.domain)
            else {
                continue;
            };
            if let serde_json::Value::String(path) = value
                && !path.is_empty()
            {
                paths.push(path);
            }
        }
    }
    paths
}

/// `path` as seen from the folder `from`; as it is where they have nothing but the root in common. Separators are `/`
/// where the path is relative.
pub(crate) fn relative(path: &Path, from: &Path) -> String {
    let (path, from) = (plain(path), plain(from));
    let same = path.components().zip(from.components()).take_while(|(a, b)| a == b).map(|(a, _)| a);
    let names = same.clone().filter(|component| matches!(component, Component::Normal(_))).count();
    let same = same.count();
    let below = same == from.components().count();
    if !below && names == 0 {
        return path.to_string_lossy().into_owned();
    }
    let up = from.components().skip(same).map(|_| "..".to_owned());
    let down = path.components().skip(same).map(|component| component.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The path without `.` and `..`, as far as its text tells.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_picture_that_carries_them() {
        for (path, from, expected) in [
            ("/home/a/pics/photo.png", "/home/a/pics", "photo.png"),
            ("/home/a/pics/raw/photo.png", "/home/a/pics", "raw/photo.png"),
            ("/home/a/pics/photo.png", "/home/a/out/x", "../../pics/photo.png"),
            ("/home/a/graphs/../pics/photo.png", "/home/a/pics", "photo.png"),
            ("/data/photo.png", "/home/a", "/data/photo.png"),
            ("/photo.png", "/", "photo.png"),
        ] {
            assert_eq!(relative(Path::new(path), Path::new(from)), expected, "{path} from {from}");
        }
    }
}
