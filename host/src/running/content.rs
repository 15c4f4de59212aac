//! What a node's result hangs on, as far as the document says: its type, parameters and whether it is off, and the same
//! of every node before it; not the nodes' names. Input files and weights count by their sizes and times of change, so that
//! looking is cheap.

use crate::document::{Document, Node};
use crate::engine::{Stamp, plain};
use crate::plugins::Catalogue;
use crate::validate::{self, canonical};
use mgie_plugin_api::Domain;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// The most files and folders of one model that are looked at: a model is a few dozen.
const MOST: usize = 100;

/// The files that a graph reads, as they were when they were last looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// The folder that relative paths are relative to; none before the first run, when no file counts.
    folder: Option<PathBuf>,
    /// The folder that weights are relative to.
    models: Option<PathBuf>,
    /// Input files by path; none for a file that is not there.
    seen: HashMap<PathBuf, Option<Stamp>>,
    /// The looks of files and folders of weights by path.
    weights: HashMap<PathBuf, blake3::Hash>,
}

impl Files {
    /// Those of a graph in a folder, and of the models in another one.
    pub fn new(folder: &Path, models: Option<&Path>) -> Self {
        Self { folder: Some(folder.to_owned()), models: models.map(ToOwned::to_owned), ..Self::default() }
    }

    /// Takes the graph to be in another folder, where its paths were written anew and name the same files.
    pub fn move_to(&mut self, folder: &Path) {
        self.folder = self.folder.take().map(|_| folder.to_owned());
    }

    /// The file or folder that a parameter names.
    fn place(&self, text: &str) -> Option<PathBuf> {
        Some(plain(&self.folder.as_ref()?.join(text)))
    }

    /// Looks at each file again; whether one has changed since.
    pub fn look(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.seen {
            let now = Stamp::now(path);
            changed |= now != *seen;
            *seen = now;
        }
        for (path, seen) in &mut self.weights {
            let now = glance(path);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }

    /// The file that a parameter names, as it was when it was last looked at, or is now.
    fn stamp(&mut self, text: &str) -> Option<Stamp> {
        let path = self.place(text)?;
        *self.seen.entry(path).or_insert_with_key(|path| Stamp::now(path))
    }

    /// The weights that a parameter names, in the same way.
    fn weights(&mut self, text: &str) -> Option<blake3::Hash> {
        // Before the first run nobody knows where the models are.
        self.folder.as_ref()?;
        let path = self.models.as_ref().map_or_else(|| PathBuf::from(text), |models| models.join(text));
        path.is_absolute().then(|| *self.weights.entry(path).or_insert_with_key(|path| glance(path)))
    }
}

/// What a file or folder of weights looks like: the names, sizes and times of change of its first files.
fn glance(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (path, metadata) in first_files(path) {
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
        // A folder's time changes with files that do not count.
        hasher.update(&if metadata.is_dir() { [0; 24] } else { Stamp::of(&metadata).to_bytes() });
    }
    hasher.finalize()
}

/// The first files and folders of a file or folder, those above before those within. What is hidden (the records of whoever
/// downloaded it) does not count.
fn first_files(path: &Path) -> Vec<(PathBuf, Metadata)> {
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut waiting = VecDeque::from([path.to_owned()]);
    let mut found = Vec::new();
    while let Some(path) = waiting.pop_front().filter(|_| found.len() < MOST) {
        // A link that leads nowhere is as good as none.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            let inside = fs::read_dir(&path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
            let mut inside: Vec<PathBuf> = inside.filter(|path| !is_hidden(path)).take(MOST).collect();
            inside.sort();
            waiting.extend(inside);
        }
        found.push((path, metadata));
    }
    found
}

/// The content of every node by name. Nodes on a cycle have one of their own.
pub(super) fn contents(document: &Document, catalogue: &Catalogue, files: &mut Files) -> HashMap<String, blake3::Hash> {
    let mut contents: HashMap<String, blake3::Hash> = HashMap::with_capacity(document.nodes.len());
    let ordered = validate::order(document);
    // What is on a cycle cannot run; what it holds itself is enough.
    for name in ordered.into_iter().chain(document.nodes.keys().map(String::as_str)) {
        if let Some(node) = document.nodes.get(name)
            && !contents.contains_key(name)
        {
            let content = of(node, catalogue, &contents, files);
            contents.insert(name.to_owned(), content);
        }
    }
    contents
}

fn of(node: &Node, catalogue: &Catalogue, before: &HashMap<String, blake3::Hash>, files: &mut Files) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut add = |field: &[u8]| {
        // The length goes in first, so that no two lists of fields look the same.
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    };
    add(node.node_type.as_bytes());
    add(node.off.map_or("", |off| off.word()).as_bytes());
    // The order in which a file gives parameters or wires makes no difference, nor whether it gives a default.
    let mut params: BTreeMap<&str, Value> =
        node.params.iter().map(|(id, value)| (id.as_str(), value.clone())).collect();
    let node_type = catalogue.node_type(&node.node_type);
    for parameter in node_type.iter().flat_map(|known| &known.description.parameters) {
        let value = params.remove(parameter.id.as_str()).unwrap_or_else(|| parameter.domain.default_json());
        if let (Domain::File { .. }, Some(path)) = (&parameter.domain, value.as_str().filter(|path| !path.is_empty())) {
            add(b"file");
            add(files.stamp(path).map(Stamp::to_bytes).as_ref().map_or(&[], |bytes| bytes.as_slice()));
        }
        if let (Domain::Model { .. }, Some(path)) = (&parameter.domain, value.as_str().filter(|path| !path.is_empty()))
        {
            add(b"weights");
            add(files.weights(path).as_ref().map_or(&[], |looks| looks.as_bytes().as_slice()));
        }
        let mut value = canonical(&parameter.domain, &value).unwrap_or(value);
        // Which file it is counts, not how it is named from where the graph lies.
        if let (Domain::File { .. } | Domain::SaveFile { .. } | Domain::Folder { .. }, Some(text)) =
            (&parameter.domain, value.as_str().filter(|text| !text.is_empty()))
            && let Some(place) = files.place(text)
        {
            value = place.to_string_lossy().into();
        }
        params.insert(&parameter.id, value);
    }
    for (id, value) in &params {
        add(b"parameter");
        add(id.as_bytes());
        add(value.to_string().as_bytes());
    }
    let mut inputs: Vec<_> = node.inputs.iter().collect();
    inputs.sort_by_key(|(socket, _)| socket.as_str());
    for (socket, wire) in inputs {
        add(b"input");
        add(socket.as_bytes());
        match wire.source().and_then(|(source, output)| Some((before.get(source)?, output))) {
            Some((content, output)) => {
                add(content.as_bytes());
                add(output.as_bytes());
            }
            None => add(wire.as_str().as_bytes()),
        }
    }
    hasher.finalize()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_text(nodes: Value) -> HashMap<String, blake3::Hash> {
        let document = Document::parse(&json!({ "mgie": 1, "nodes": nodes }).to_string()).unwrap();
        contents(&document, &Catalogue::default(), &mut Files::default())
    }

    #[test]
    fn a_change_reaches_what_hangs_on_it_and_nothing_else() {
        let graph = |value: i32, off: &str| {
            let mut nodes = json!({
                "end": { "type": "t", "inputs": { "a": "one.x", "b": "two.x" } },
                "one": { "type": "t", "params": { "p": value, "q": 1 } },
                "two": { "type": "t", "params": { "p": 7 } },
            });
            if !off.is_empty() {
                nodes["two"]["off"] = off.into();
            }
            of_text(nodes)
        };
        let changed = |a: &HashMap<String, blake3::Hash>, b: &HashMap<String, blake3::Hash>| {
            let mut names: Vec<String> = a.keys().filter(|name| a[*name] != b[*name]).cloned().collect();
            names.sort();
            names
        };
        assert_eq!(changed(&graph(1, ""), &graph(2, "")), ["end", "one"]);
        assert_eq!(changed(&graph(1, ""), &graph(1, "mute")), ["end", "two"]);
        assert_eq!(changed(&graph(1, "bypass"), &graph(1, "mute")), ["end", "two"]);
        assert_eq!(changed(&graph(1, ""), &graph(1, "")), Vec::<String>::new());
    }

    #[test]
    fn names_and_the_order_in_the_file_make_no_difference() {
        let one = of_text(json!({ "a": { "type": "t", "params": { "p": 1, "q": 2 } },
            "b": { "type": "t", "inputs": { "x": "a.o", "y": "a.o" } } }));
        let two = of_text(json!({ "b": { "type": "t", "inputs": { "y": "z.o", "x": "z.o" } },
            "z": { "type": "t", "params": { "q": 2, "p": 1 } } }));
        assert_eq!((one["a"], one["b"]), (two["z"], two["b"]));
    }

    #[test]
    fn a_cycle_has_contents_too() {
        let cycle = of_text(json!({ "a": { "type": "t", "inputs": { "x": "b.o" } },
            "b": { "type": "t", "inputs": { "x": "a.o" } }, "c": { "type": "t", "inputs": { "x": "nobody.o" } } }));
        assert_eq!(cycle.len(), 3);
    }

    #[test]
    fn no_more_of_a_folder_of_weights_is_looked_at_than_a_model_has() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("unet");
        fs::create_dir(&inner).unwrap();
        for number in 0..300 {
            fs::write(inner.join(format!("{number:03}.bin")), "12345").unwrap();
        }
        fs::write(folder.path().join("model.bin"), "1").unwrap();
        let before = glance(folder.path());
        assert_eq!(glance(folder.path()), before);
        assert_eq!(first_files(folder.path()).len(), MOST);
        fs::write(folder.path().join("model.bin"), "12").unwrap();
        assert_ne!(glance(folder.path()), before, "what lies above is looked at first");
        let before = glance(folder.path());
        fs::create_dir(folder.path().join(".cache")).unwrap();
        fs::write(folder.path().join(".cache/lock"), "").unwrap();
        assert_eq!(glance(folder.path()), before, "what is hidden does not count");
    }
}
