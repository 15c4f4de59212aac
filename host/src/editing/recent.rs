//! The graphs that were open last, for the menu.

use mgie_plugin_api::Failure;
use mgie_plugin_api::file::write_soon;
use std::path::{Path, PathBuf};

/// How many are remembered.
const FILES: usize = 12;

/// The last graph files, the newest first, remembered in a file of the user's data folder.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Where they are remembered; none for this session only.
    file: Option<PathBuf>,
    files: Vec<PathBuf>,
}

impl Recent {
    /// Those of this user.
    #[must_use]
    pub fn of_user() -> Self {
        dirs::data_dir().map(|folder| Self::in_file(folder.join("mgie").join("recent.json"))).unwrap_or_default()
    }

    /// Those that are remembered in a file, which need not be there.
    #[must_use]
    pub fn in_file(file: impl Into<PathBuf>) -> Self {
        let mut recent = Self { file: Some(file.into()), files: Vec::new() };
        recent.read();
        recent
    }

    /// The files, the newest first; they need not be there any more.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Puts a file first, and forgets the thirteenth. Other windows' files are kept.
    ///
    /// # Errors
    /// Where it cannot be remembered beyond this session.
    pub fn add(&mut self, path: &Path) -> Result<(), Failure> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.read();
        self.files.retain(|other| *other != path);
        self.files.insert(0, path);
        self.files.truncate(FILES);
        self.write()
    }

    /// Forgets a file, such as one that is gone.
    ///
    /// # Errors
    /// As [`Recent::add`].
    pub fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        self.read();
        self.files.retain(|other| other != path);
        self.write()
    }

    /// Takes in what is remembered now; what cannot be read changes nothing.
    fn read(&mut self) {
        let text = self.file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        if let Some(files) = text.and_then(|text| serde_json::from_str::<Vec<PathBuf>>(&text).ok()) {
            self.files = files;
            self.files.truncate(FILES);
        }
    }

    fn write(&self) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::file(folder, format!("the folder cannot be made ({error})")))?;
        }
        // A path that is no Unicode text has no place in JSON; the others do.
        let files: Vec<&PathBuf> = self.files.iter().filter(|path| path.to_str().is_some()).collect();
        let text = serde_json::to_vec_pretty(&files).map_err(|error| Failure::file(file, error.to_string()))?;
        write_soon(file, &[&text])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_last_twelve_files_are_remembered_the_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/recent.json");
        let mut recent = Recent::in_file(&file);
        for number in 0..14 {
            recent.add(&folder.path().join(format!("{number}.json"))).unwrap();
        }
        recent.add(&folder.path().join("5.json")).unwrap();
        let names: Vec<String> = Recent::in_file(&file)
            .files()
            .iter()
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["5", "13", "12", "11", "10", "9", "8", "7", "6", "4", "3", "2"]);
    }

    #[test]
    fn two_windows_do_not_forget_each_others_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recent.json");
        let (mut one, mut two) = (Recent::in_file(&file), Recent::in_file(&file));
        one.add(Path::new("/a.json")).unwrap();
        two.add(Path::new("/b.json")).unwrap();
        one.remove(Path::new("/nowhere.json")).unwrap();
        assert_eq!(one.files(), [Path::new("/b.json"), Path::new("/a.json")]);
    }

    #[test]
    fn a_damaged_file_is_forgotten_and_one_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("recent.json"), "[1, {").unwrap();
        let mut recent = Recent::in_file(folder.path().join("recent.json"));
        assert!(recent.files().is_empty());
        recent.add(Path::new("/a.json")).unwrap();
        let mut recent = Recent::in_file(folder.path().join("recent.json/in_a_file.json"));
        assert!(recent.add(Path::new("/a.json")).is_err());
        assert_eq!(recent.files(), [Path::new("/a.json")], "it is there for this session");
        let mut nowhere = Recent::default();
        nowhere.add(Path::new("/a.json")).unwrap();
    }
}
