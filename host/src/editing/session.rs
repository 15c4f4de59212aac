//! An open graph: the document, the file it lies in, what is selected, what can be undone, and whether it is saved.

use super::edit::{Edit, Refusal};
use super::history::{History, Step};
use super::layout::{self, Frame, Note};
use super::on_disk::OnDisk;
use super::{apply, arrange, clipboard};
use crate::document::{Document, DocumentError};
use crate::engine::{move_paths, relative};
use crate::plugins::Catalogue;
use indexmap::IndexSet;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A graph that is being worked on.
#[derive(Clone, Debug)]
pub struct Session {
    document: Document,
    folder: PathBuf,
    file: Option<PathBuf>,
    history: History,
    selection: IndexSet<String>,
    revision: u64,
    /// The graph as it lies in the file; none where that is another one than was opened.
    saved: Option<Document>,
    /// What the file held when it was last read or written here; none where that is not known.
    on_disk: Option<OnDisk>,
    is_saved: bool,
    /// Positions of nodes that the file gave none. They come into the document with the first edit, so that looking at
    /// a graph changes nothing.
    placed: HashMap<String, [f32; 2]>,
    opened: Option<PathBuf>,
    renames: Vec<(String, String)>,
}

/// Why a graph was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It has no file yet.
    #[error("this graph has no file yet; save it under a name")]
    NoFile,
    /// Another program changed the file since it was opened, or saved last.
    #[error("{} was changed by another program; save this graph over it or elsewhere, or read it again", .0.display())]
    Changed(PathBuf),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DocumentError),
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// An empty graph without a file. Until it has one, relative paths are relative to the current folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self::of(Document::default(), folder, None)
    }

    /// Opens a graph file, or a picture that carries a graph; the latter has no [`Session::file`] to save it in.
    ///
    /// # Errors
    /// As [`Document::open`].
    pub fn open(path: &Path) -> Result<Self, DocumentError> {
        let opened = Document::open(path)?;
        let file = (!opened.in_picture).then(|| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        let mut session = Self::of(opened.document, opened.folder, file);
        session.opened = Some(path.to_owned());
        session.on_disk = session.file.is_some().then(|| OnDisk::of(&opened.contents));
        Ok(session)
    }

    /// A graph that is not saved: one that was recovered. `on_disk` is what its file held when it was kept.
    pub(super) fn recovered(
        document: Document,
        folder: PathBuf,
        file: Option<PathBuf>,
        on_disk: Option<OnDisk>,
    ) -> Self {
        let mut session = Self::of(document, folder, file);
        session.on_disk = on_disk;
        session.saved = None;
        session.is_saved = false;
        session
    }

    fn of(document: Document, folder: PathBuf, file: Option<PathBuf>) -> Self {
        Self {
            placed: arrange::placed(&document, &HashMap::new()),
            saved: Some(document.clone()),
            document,
            folder,
            file,
            on_disk: None,
            history: History::default(),
            selection: IndexSet::new(),
            revision: 0,
            is_saved: true,
            opened: None,
            renames: Vec::new(),
        }
    }

    /// The graph.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The folder that its relative paths are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that it is saved in, absolute; none where it has none yet.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The file or the picture that it was opened from; none where it was begun here.
    #[must_use]
    pub fn opened(&self) -> Option<&Path> {
        self.opened.as_deref()
    }

    /// Which nodes got another name, from and to, since this was asked last: by edits, undo and redo.
    pub fn take_renames(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.renames)
    }

    /// What a title bar calls it.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.file.as_deref().and_then(Path::file_name);
        name.map_or_else(|| "Untitled".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// A number that grows with every change of the document.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the file holds the graph as it is, or a new graph is still empty.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.is_saved
    }

    /// A file's path as a parameter names it: relative where the file lies in the graph's folder or below.
    #[must_use]
    pub fn path_text(&self, file: &Path) -> String {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        if absolute.starts_with(&self.folder) {
            relative(&absolute, &self.folder)
        } else {
            absolute.to_string_lossy().into_owned()
        }
    }

    /// Makes an edit, one step of history. An edit that changes nothing makes no step.
    ///
    /// # Errors
    /// Why it is refused; then nothing has changed.
    pub fn apply(&mut self, edit: Edit, catalogue: &Catalogue) -> Result<(), Refusal> {
        let mut changed = self.document.clone();
        let laid_out = self.lay_out(&mut changed).then(|| changed.clone());
        let made = apply::apply(&mut changed, edit, catalogue)?;
        if changed != *laid_out.as_ref().unwrap_or(&self.document) {
            let before = std::mem::replace(&mut self.document, changed);
            self.follow(&made.renamed);
            self.history.note(Step { label: made.label, other_side: before, renamed: made.renamed, drag: made.drag });
            self.changed();
        }
        if let Some(nodes) = made.select {
            self.select(nodes);
        }
        Ok(())
    }

    /// Ends a drag: what is edited next is a step of its own. Until then, consecutive values of one parameter, or
    /// positions of the same nodes, are one step.
    pub fn settle(&mut self) {
        self.history.settle();
    }

    /// Takes the last step back; gives what it was called.
    pub fn undo(&mut self) -> Option<String> {
        let step = self.history.undo(&mut self.document)?;
        let renamed: Vec<_> = step.renamed.iter().rev().map(|(from, to)| (to.clone(), from.clone())).collect();
        let crossed = (step.label.clone(), came_with(step, &self.document, &renamed), renamed);
        Some(self.cross(crossed))
    }

    /// Makes the step again that was taken back last; gives what it is called.
    pub fn redo(&mut self) -> Option<String> {
        let step = self.history.redo(&mut self.document)?;
        let renamed = step.renamed.clone();
        let crossed = (step.label.clone(), came_with(step, &self.document, &renamed), renamed);
        Some(self.cross(crossed))
    }

    fn cross(&mut self, (label, came, renamed): (String, Vec<String>, Vec<(String, String)>)) -> String {
        self.follow(&renamed);
        if !came.is_empty() {
            self.select(came);
        }
        self.changed();
        label
    }

    /// What undo would take back.
    #[must_use]
    pub fn undo_label(&self) -> Option<&str> {
        self.history.undo_label()
    }

    /// What redo would make again.
    #[must_use]
    pub fn redo_label(&self) -> Option<&str> {
        self.history.redo_label()
    }

    /// Writes the graph to its file, whole or not at all; gives the file. One that was deleted is there again.
    ///
    /// # Errors
    /// Where it has no file, that cannot be written, or another program changed it since it was read or written here.
    pub fn save(&mut self) -> Result<PathBuf, SaveError> {
        match &self.file {
            Some(file) if OnDisk::differs(self.on_disk, file) => Err(SaveError::Changed(file.clone())),
            _ => self.save_over(),
        }
    }

    /// As [`Session::save`], whatever the file holds by now.
    ///
    /// # Errors
    /// Where it has no file, or that cannot be written.
    pub fn save_over(&mut self) -> Result<PathBuf, SaveError> {
        let file = self.file.clone().ok_or(SaveError::NoFile)?;
        self.document.save(&file)?;
        self.note_saved();
        Ok(file)
    }

    /// Reads the file again in the place of the graph as it is: one step, which can be undone.
    ///
    /// # Errors
    /// As [`Document::open`]; then nothing has changed. A graph without a file stays as it is.
    pub fn reload(&mut self) -> Result<(), DocumentError> {
        let Some(file) = &self.file else { return Ok(()) };
        let opened = Document::open(file)?;
        self.on_disk = (!opened.in_picture).then(|| OnDisk::of(&opened.contents));
        self.saved = Some(opened.document.clone());
        self.history.settle();
        if opened.document != self.document {
            let mut other_side = self.document.clone();
            // It comes back by undo, with its nodes where they lie now, not where those of the file will.
            self.lay_out(&mut other_side);
            for (name, at) in arrange::placed(&opened.document, &HashMap::new()) {
                self.placed.entry(name).or_insert(at);
            }
            self.document = opened.document;
            let label = "read the file again".to_owned();
            self.history.note(Step { label, other_side, renamed: Vec::new(), drag: None });
        }
        self.changed();
        Ok(())
    }

    /// What the file held when it was last read or written here.
    pub(super) fn on_disk(&self) -> Option<OnDisk> {
        self.on_disk
    }

    /// Writes the graph to another file, which is its own from now on. Relative paths of files are written anew where
    /// that lies in another folder, also in what can be undone, so that they name the same files.
    ///
    /// # Errors
    /// Where the file cannot be written; then nothing has changed.
    pub fn save_as(&mut self, path: &Path, catalogue: &Catalogue) -> Result<(), SaveError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().map_or_else(|| self.folder.clone(), Path::to_owned);
        let mut document = self.document.clone();
        if folder != self.folder {
            move_paths(&mut document, catalogue, &self.folder, &folder);
        }
        document.save(&path)?;
        if folder != self.folder {
            self.history.change_all(|kept| move_paths(kept, catalogue, &self.folder, &folder));
        }
        self.file = Some(path);
        self.folder = folder;
        if document != self.document {
            self.document = document;
            self.revision += 1;
        }
        self.note_saved();
        Ok(())
    }

    /// The selected nodes, in the order in which they were selected.
    #[must_use]
    pub fn selection(&self) -> &IndexSet<String> {
        &self.selection
    }

    /// Selects nodes and no others; names that the graph lacks are passed over. This is no edit.
    pub fn select(&mut self, names: impl IntoIterator<Item = String>) {
        self.selection = names.into_iter().filter(|name| self.document.nodes.contains_key(name)).collect();
    }

    /// Where a node's top left corner lies, in points of the canvas.
    #[must_use]
    pub fn position(&self, node: &str) -> [f32; 2] {
        layout::position(&self.document, node).or_else(|| self.placed.get(node).copied()).unwrap_or(arrange::CORNER)
    }

    /// Whether the graph says where each node lies.
    #[must_use]
    pub fn is_laid_out(&self) -> bool {
        self.document.nodes.keys().all(|name| layout::position(&self.document, name).is_some())
    }

    /// Lays the nodes out again of which the graph does not say where they lie, by the sizes that they turned out to have.
    /// This is no edit.
    pub fn place(&mut self, sizes: &HashMap<String, [f32; 2]>) {
        self.placed.extend(arrange::placed(&self.document, sizes));
    }

    /// Nodes as text, for [`Edit::Paste`]: see [`clipboard::copy`]. Each lies where it is shown.
    #[must_use]
    pub fn copy(&self, nodes: &[String]) -> String {
        let mut document = self.document.clone();
        self.lay_out(&mut document);
        clipboard::copy(&document, nodes, &self.folder)
    }

    /// Whether a node is shown by its title alone.
    #[must_use]
    pub fn is_collapsed(&self, node: &str) -> bool {
        layout::is_collapsed(&self.document, node)
    }

    /// The frames, in the order in which they were made.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        layout::boxes(&self.document)
    }

    /// The notes, in the order in which they were made.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        layout::boxes(&self.document)
    }

    /// Gives every node that the document has no position of the one it is shown at; whether there was one.
    fn lay_out(&self, document: &mut Document) -> bool {
        let missing: Vec<String> =
            document.nodes.keys().filter(|name| layout::position(document, name).is_none()).cloned().collect();
        missing.iter().for_each(|name| layout::set_position(document, name, self.position(name)));
        !missing.is_empty()
    }

    fn changed(&mut self) {
        self.revision += 1;
        self.is_saved = self.saved.as_ref() == Some(&self.document);
        self.selection.retain(|name| self.document.nodes.contains_key(name));
    }

    fn note_saved(&mut self) {
        self.saved = Some(self.document.clone());
        self.on_disk = Some(OnDisk::of(self.document.to_text().as_bytes()));
        self.is_saved = true;
        self.history.settle();
    }

    /// Keeps nodes selected under their new names.
    fn follow(&mut self, renamed: &[(String, String)]) {
        if renamed.is_empty() {
            return;
        }
        let follow =
            |name: String| renamed.iter().fold(name, |name, (from, to)| if name == *from { to.clone() } else { name });
        self.selection = std::mem::take(&mut self.selection).into_iter().map(follow).collect();
        self.renames.extend_from_slice(renamed);
    }
}

/// The nodes of `now` that were not there before a step, under any name.
fn came_with(step: &Step, now: &Document, renamed: &[(String, String)]) -> Vec<String> {
    let new_names: HashSet<&str> = renamed.iter().map(|(_, to)| to.as_str()).collect();
    let came = |name: &&String| !step.other_side.nodes.contains_key(*name) && !new_names.contains(name.as_str());
    now.nodes.keys().filter(came).cloned().collect()
}
