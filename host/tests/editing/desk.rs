//! An open graph in a folder of its own, with the test plugin.

use crate::fakes::{Diary, plugin};
use mgie_host::document::Document;
use mgie_host::editing::{Edit, Session};
use mgie_host::plugins::Catalogue;
use serde_json::{Value, json};

pub struct Desk {
    pub session: Session,
    pub catalogue: Catalogue,
    pub folder: tempfile::TempDir,
}

impl Desk {
    pub fn new(nodes: Value) -> Self {
        Self::of(json!({ "mgie": 1, "nodes": nodes }))
    }

    /// A desk with a graph file in a folder of its own.
    pub fn of(file: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.json");
        std::fs::write(&path, Document::parse(&file.to_string()).unwrap().to_text()).unwrap();
        let catalogue = Catalogue::of([plugin(&Diary::default())]);
        Self { session: Session::open(&path).unwrap(), catalogue, folder }
    }

    pub fn sums() -> Self {
        Self::new(json!({
            "one": { "type": "test.number", "params": { "value": 1 } },
            "two": { "type": "test.number" },
            "sum": { "type": "test.add", "inputs": { "a": "one.number", "b": "two.number" } },
            "total": { "type": "test.add", "inputs": { "a": "sum.number" } },
        }))
    }

    pub fn make(&mut self, edit: Edit) {
        self.session.apply(edit, &self.catalogue).unwrap();
    }

    pub fn refused(&mut self, edit: Edit) -> String {
        let (before, revision) = (self.session.document().clone(), self.session.revision());
        let refusal = self.session.apply(edit, &self.catalogue).unwrap_err();
        assert_eq!((self.session.document(), self.session.revision()), (&before, revision), "{refusal}");
        refusal.reason
    }

    pub fn nodes(&self) -> Vec<&str> {
        self.session.document().nodes.keys().map(String::as_str).collect()
    }

    pub fn wire(&self, node: &str, input: &str) -> Option<&str> {
        self.session.document().nodes[node].inputs.get(input).map(|wire| wire.as_str())
    }

    pub fn selected(&self) -> Vec<&str> {
        self.session.selection().iter().map(String::as_str).collect()
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

pub fn add(node_type: &str) -> Edit {
    Edit::Add { node_type: node_type.into(), at: [10.0, 20.0], wire: None }
}

pub fn socket(node: &str, socket: &str) -> (String, String) {
    (node.to_owned(), socket.to_owned())
}

pub fn connect(from: (&str, &str), to: (&str, &str)) -> Edit {
    Edit::Connect { from: socket(from.0, from.1), to: socket(to.0, to.1) }
}

pub fn set(node: &str, parameter: &str, value: Value) -> Edit {
    Edit::SetParameter { node: node.into(), parameter: parameter.into(), value }
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
