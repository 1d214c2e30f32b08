//! Folders of other packages under names of their own.
//!
//! In: paths. Out: bytes, of files that stand elsewhere if their path begins
//! with such a name. So a schema can include one that a dependency ships, and
//! what is named after files is the same on every machine.

use std::io;
use std::path::{Path, PathBuf};

use super::loader::{FsLoader, Loader};
use super::path;

/// A loader that finds some folders elsewhere.
///
/// ```no_run
/// use qapi_gen::{FsLoader, IncludeFolders, check};
///
/// // Now `{ 'include': 'qapi-stats/stats.json' }` in the main file reads
/// // `/opt/qapi-stats/schema/stats.json`, as module `qapi-stats/stats.json`.
/// let folders = [("qapi-stats", "/opt/qapi-stats/schema")];
/// let loader = IncludeFolders::new(&FsLoader, "schema/main.json", folders);
/// check("schema/main.json", &loader);
/// ```
pub struct IncludeFolders<'a> {
    inner: &'a dyn Loader,
    /// The absolute paths that the schema sees, each with the folder meant.
    folders: Vec<(String, PathBuf)>,
    paths: path::Paths,
}

impl<'a> IncludeFolders<'a> {
    /// A loader for the schema with the main file `main`: each name stands for
    /// a folder, as if it were one beside the main file.
    pub fn new<N: AsRef<str>, P: Into<PathBuf>>(
        inner: &'a dyn Loader,
        main: impl AsRef<Path>,
        folders: impl IntoIterator<Item = (N, P)>,
    ) -> Self {
        let main = main.as_ref().to_string_lossy();
        let paths = path::Paths::new(inner.current_folder(), &main);
        let folders = folders.into_iter().map(|(name, folder)| {
            let seen = path::join(&main, name.as_ref());
            (paths.absolute(&seen), folder.into())
        });
        Self {
            inner,
            folders: folders.collect(),
            paths,
        }
    }

    /// The same for a schema on disk, where the folders have to be.
    ///
    /// # Errors
    ///
    /// Which name stands for a path at which there is no folder.
    pub fn on_disk<N: AsRef<str>, P: AsRef<Path>>(
        main: impl AsRef<Path>,
        folders: &'a [(N, P)],
    ) -> io::Result<Self> {
        let missing = folders.iter().find(|(_, folder)| !folder.as_ref().is_dir());
        if let Some((name, folder)) = missing {
            let (name, folder) = (name.as_ref(), folder.as_ref().display());
            let why = format!("include folder '{name}': {folder} is no folder");
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let folders = folders.iter().map(|(name, folder)| (name, folder.as_ref()));
        Ok(Self::new(&FsLoader, main, folders))
    }

    /// Where a file is, if not where its path says.
    fn elsewhere(&self, path: &str) -> Option<PathBuf> {
        let absolute = self.paths.absolute(path);
        self.folders.iter().find_map(|(seen, folder)| {
            let rest = absolute.strip_prefix(seen.as_str())?.strip_prefix('/')?;
            Some(folder.join(rest))
        })
    }
}

impl Loader for IncludeFolders<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        match self.elsewhere(path) {
            Some(path) => self.inner.read(&path.to_string_lossy(), bytes_max),
            None => self.inner.read(path, bytes_max),
        }
    }

    fn current_folder(&self) -> String {
        self.inner.current_folder()
    }

    fn location(&self, path: &str) -> PathBuf {
        match self.elsewhere(path) {
            Some(path) => self.inner.location(&path.to_string_lossy()),
            None => self.inner.location(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::load::MemoryLoader;

    /// Files as they lie on disk, and what is included from where.
    fn outcome(include: &str) -> crate::Outcome {
        let files = MemoryLoader::from_iter([
            ("vmm/main.json", "{ 'include': 'sub/own.json' }".to_owned()),
            ("vmm/sub/own.json", format!("{{ 'include': '{include}' }}")),
            ("/dep/a.json", "{ 'include': 'b.json' }".to_owned()),
            ("/dep/b.json", "{ 'event': 'STOP' }".to_owned()),
        ]);
        let loader = IncludeFolders::new(&files, "vmm/main.json", [("dep", "/dep")]);
        check("vmm/main.json", &loader)
    }

    #[test]
    fn a_folder_of_another_package_is_included_by_its_name() {
        let outcome = outcome("../dep/a.json");
        assert!(
            !outcome.diagnostics.has_errors(),
            "{:?}",
            outcome.diagnostics
        );
        let schema = outcome.schema.unwrap();
        let modules: Vec<_> = schema.modules().map(|(_, it)| it.name.as_str()).collect();
        let expected = [
            "./builtin",
            "main.json",
            "sub/own.json",
            "dep/a.json",
            "dep/b.json",
        ];
        assert_eq!(modules, expected);
        // What a build has to watch are the files themselves.
        let read = outcome.files_read.iter().map(|path| path.to_str().unwrap());
        assert!(read.eq([
            "vmm/main.json",
            "vmm/sub/own.json",
            "/dep/a.json",
            "/dep/b.json"
        ]));
    }

    #[test]
    fn what_only_looks_like_the_folder_is_read_where_it_is() {
        assert!(outcome("../depot/a.json").diagnostics.has_errors());
        assert!(outcome("dep/a.json").diagnostics.has_errors());
    }
}
