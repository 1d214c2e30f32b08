//! Include folders: folders of other packages under names of their own.
//!
//! In: paths. Out: bytes, read from another folder if the path begins with the
//! name of one. So a schema can include the schema of a dependency, and module
//! names are the same on every machine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::loader::{FsLoader, Loader};
use super::path;

/// A loader that redirects some folders to other places.
///
/// A folder that contains the main file, such as `.`, is redirected only for files
/// that do not exist there: a schema may include files as if they were beside it.
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
    /// Absolute paths as the schema sees them, each with the folder to read.
    folders: Vec<(String, PathBuf)>,
    /// As `folders`, for folders that contain the main file.
    fallbacks: Vec<(String, PathBuf)>,
    /// The absolute paths of files that were read from a fallback, and the paths
    /// there.
    fallen_back: RefCell<BTreeMap<String, PathBuf>>,
    /// The absolute path of the main file.
    main: String,
    paths: path::Paths,
}

impl<'a> IncludeFolders<'a> {
    /// Creates a loader for the schema with the main file `main`. Each name is
    /// a path that redirects to a folder, relative to the main file's folder.
    pub fn new<N: AsRef<str>, P: Into<PathBuf>>(
        inner: &'a dyn Loader,
        main: impl AsRef<Path>,
        folders: impl IntoIterator<Item = (N, P)>,
    ) -> Self {
        let main = main.as_ref().to_string_lossy();
        let paths = path::Paths::new(inner.current_folder(), &main);
        let main_absolute = paths.absolute(&main);
        let folders = folders.into_iter().map(|(name, folder)| {
            let seen = path::join(&main, name.as_ref());
            (paths.absolute(&seen), folder.into())
        });
        let (fallbacks, folders) =
            folders.partition(|(seen, _)| below(&main_absolute, seen).is_some());
        Self {
            inner,
            folders,
            fallbacks,
            fallen_back: RefCell::default(),
            main: main_absolute,
            paths,
        }
    }

    /// Creates a loader as [`Self::new`] does, for a schema on disk.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first name whose folder does not exist.
    pub fn on_disk<N: AsRef<str>, P: AsRef<Path>>(
        main: impl AsRef<Path>,
        folders: &'a [(N, P)],
    ) -> io::Result<Self> {
        let missing = folders.iter().find(|(_, folder)| !folder.as_ref().is_dir());
        if let Some((name, folder)) = missing {
            let (name, folder) = (name.as_ref(), folder.as_ref().display());
            let why = format!("include folder '{name}': {folder} is not a folder");
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let folders = folders.iter().map(|(name, folder)| (name, folder.as_ref()));
        Ok(Self::new(&FsLoader, main, folders))
    }

    /// Returns the redirected path of a file, or `None` if the file is not in an
    /// include folder.
    fn redirected(&self, path: &str) -> Option<PathBuf> {
        let absolute = self.paths.absolute(path);
        let mut folders = self.folders.iter();
        folders
            .find_map(|(seen, folder)| Some(folder.join(below(&absolute, seen)?)))
            .or_else(|| self.fallen_back.borrow().get(&absolute).cloned())
    }
}

/// Returns the path from a folder to a file, or `None` if the file is not in the
/// folder.
fn below<'a>(file: &'a str, folder: &str) -> Option<&'a str> {
    let rest = file.strip_prefix(folder)?;
    // The root ends with the slash that separates other folders from files.
    if folder.ends_with('/') {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

impl Loader for IncludeFolders<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        if let Some(path) = self.redirected(path) {
            return self.inner.read(&path.to_string_lossy(), bytes_max);
        }
        let missing = match self.inner.read(path, bytes_max) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => missing,
            read => return read,
        };
        let absolute = self.paths.absolute(path);
        for (seen, folder) in &self.fallbacks {
            let Some(rest) = below(&absolute, seen).filter(|_| absolute != self.main) else {
                continue;
            };
            let elsewhere = folder.join(rest);
            match self.inner.read(&elsewhere.to_string_lossy(), bytes_max) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => {
                    self.fallen_back.borrow_mut().insert(absolute, elsewhere);
                    return read;
                }
            }
        }
        Err(missing)
    }

    fn current_folder(&self) -> String {
        self.inner.current_folder()
    }

    fn location(&self, path: &str) -> PathBuf {
        match self.redirected(path) {
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

    /// Checks a schema that includes `include` from a subfolder.
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
    fn include_folder_is_read_when_path_begins_with_its_name() {
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
        // A build script watches the files that were really read.
        let read = outcome.files_read.iter().map(|path| path.to_str().unwrap());
        assert!(read.eq([
            "vmm/main.json",
            "vmm/sub/own.json",
            "/dep/a.json",
            "/dep/b.json"
        ]));
    }

    #[test]
    fn files_are_read_elsewhere_when_the_main_files_folder_lacks_them() {
        let files = MemoryLoader::from_iter([
            (
                "interop/main.json",
                "{ 'include': 'machine.json' } { 'include': 'own.json' }",
            ),
            ("interop/own.json", "{ 'event': 'OWN' }"),
            ("/qapi/machine.json", "{ 'include': 'sub/common.json' }"),
            ("/qapi/sub/common.json", "{ 'event': 'COMMON' }"),
            ("/qapi/own.json", "not read"),
        ]);
        let folders = [(".", "/none"), (".", "/qapi")];
        let loader = IncludeFolders::new(&files, "interop/main.json", folders);
        let outcome = check("interop/main.json", &loader);
        assert!(outcome.schema.is_some());
        let read = outcome.files_read.iter().map(|path| path.to_str().unwrap());
        assert!(read.eq([
            "interop/main.json",
            "/qapi/machine.json",
            "/qapi/sub/common.json",
            "interop/own.json",
        ]));
        let main = IncludeFolders::new(&files, "interop/machine.json", folders);
        let outcome = check("interop/machine.json", &main);
        assert!(outcome.schema.is_none(), "the main file is where it is");
    }

    #[test]
    fn path_is_read_verbatim_when_only_its_text_looks_like_an_include_folder() {
        assert!(outcome("../depot/a.json").diagnostics.has_errors());
        assert!(outcome("dep/a.json").diagnostics.has_errors());
    }
}
