//! What a run would lose beside what its nodes write: by the files that the command line names, and the graph itself.

use super::request::{Destination, Save};
use mgie_host::overwriting::{Taken, is_same};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of a run, and who names it: ``node `photo`, parameter `path` ``, `--save clip.features`.
pub struct Named {
    /// The file.
    pub path: PathBuf,
    /// Who names it.
    pub by: String,
}

/// One line for each file that would be lost. `read` is what nodes read, `written` what nodes write; a graph that a
/// picture carries may write that picture anew, but nothing else may take its place. Where it writes elsewhere, the picture
/// was given another name since, and what has its old name by now is somebody else's.
pub fn check(read: &[Named], written: &[Named], saves: &[Save], graph: Option<&Path>) -> Vec<String> {
    let mut taken = Taken::default();
    for file in read {
        taken.read(&file.path, &file.by);
    }
    let mut lost = Vec::new();
    let mut claim = |by: &str, path: &Path, graph: Option<&Path>| {
        let is_graph = graph.is_some_and(|graph| is_same(graph, path));
        let taken = taken.write(path, by);
        let why = taken.err().or(is_graph.then(|| "is the graph itself".to_owned()));
        why.map(|why| format!("{by}: {} {why}, and would be lost; name another file", path.display()))
    };
    let renamed = graph.filter(|graph| is_png(graph) && !written.iter().any(|file| is_same(graph, &file.path)));
    for file in written {
        lost.extend(claim(&file.by, &file.path, None));
        if let Some(picture) = renamed.filter(|_| file.path.exists()) {
            lost.push(format!(
                "{}: {} is there already and is not {}, whose graph this is, and would be lost; name another file",
                file.by,
                file.path.display(),
                picture.display()
            ));
        }
    }
    for Save { node, output, to } in saves {
        if let Destination::File(path) = to {
            lost.extend(claim(&format!("--save {node}.{output}"), path, graph));
        }
    }
    lost
}

/// Whether a file begins as a PNG does.
fn is_png(path: &Path) -> bool {
    let mut begin = [0; 8];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == *b"\x89PNG\r\n\x1a\n"
}

/// The first name beside a file that is free: for `photo.jpg`, `-edited` and `png` it is `photo-edited.png`,
/// `photo-edited-2.png`, …
pub fn free_beside(file: &Path, addition: &str, ending: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let named = |number: String| file.with_file_name(format!("{stem}{addition}{number}.{ending}"));
    let numbers = (2..=u32::MAX).map(|number| format!("-{number}"));
    let mut names = std::iter::once(String::new()).chain(numbers).map(named);
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| named(String::new()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_a_file_is_one_that_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("my photo.jpg");
        assert_eq!(free_beside(&photo, "-edited", "png"), folder.path().join("my photo-edited.png"));
        std::fs::write(folder.path().join("my photo-edited.png"), "").unwrap();
        assert_eq!(free_beside(&photo, "-edited", "png"), folder.path().join("my photo-edited-2.png"));
    }

    #[test]
    fn a_result_never_takes_the_place_of_what_is_read_of_the_graph_or_of_another_result() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("photo.png"), "").unwrap();
        std::fs::create_dir(at("o")).unwrap();
        let named = |name: &str, by: &str| Named { path: at(name), by: by.to_owned() };
        let save = |output: &str, name: &str| Save {
            node: "n".to_owned(),
            output: output.to_owned(),
            to: Destination::File(at(name)),
        };
        let lost = |written: &[Named], saves: &[Save]| {
            check(&[named("photo.png", "node `photo`")], written, saves, Some(&at("graph.json")))
        };
        assert_eq!(lost(&[named("a.png", "node `result`")], &[save("x", "b.txt")]), Vec::<String>::new());
        assert!(lost(&[named("o/../photo.png", "node `result`")], &[])[0].contains("is read by node `photo`"));
        assert!(lost(&[], &[save("x", "photo.png")])[0].starts_with("--save n.x: "));
        assert!(lost(&[], &[save("x", "graph.json")])[0].contains("the graph itself"));
        assert!(lost(&[], &[save("x", "o/1.txt"), save("y", "./o/1.txt")])[0].contains("is written by --save n.x"));
        assert!(lost(&[named("a.png", "node `result`")], &[save("x", "a.png")])[0].contains("node `result`"));
    }

    #[test]
    fn a_picture_that_carries_its_graph_is_made_anew_and_under_another_name_writes_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("edited.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        std::fs::copy(at("edited.png"), at("best.png")).unwrap();
        let lost = |to: &str, graph: &str| {
            let written = Named { path: at(to), by: "node `result`".to_owned() };
            check(&[], &[written], &[], Some(&at(graph)))
        };
        assert_eq!(lost("edited.png", "edited.png"), Vec::<String>::new());
        assert_eq!(lost("new.png", "best.png"), Vec::<String>::new());
        let told = &lost("edited.png", "best.png")[0];
        assert!(told.starts_with("node `result`: ") && told.contains("is there already"), "{told}");
    }
}
