//! Where files come from.
//!
//! In: paths. Out: bytes. Nothing else in the compiler does I/O to read a
//! schema, so that one can be compiled from anywhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// Reads schema files.
pub trait Loader {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Whatever prevents the file from being read; its text is shown to
    /// people. A file with more than `bytes_max` bytes must be refused
    /// without being read to its end, since it may have none.
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// The absolute path of the folder that relative paths count from. It
    /// serves to recognize a file that is named in different ways.
    fn current_folder(&self) -> String;

    /// Where a file is: what a build has to watch for changes. By default it
    /// is where its path says.
    fn location(&self, path: &str) -> PathBuf {
        PathBuf::from(path)
    }
}

/// Reads files from disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct FsLoader;

impl Loader for FsLoader {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        if is_named_pipe(path) {
            return Err(io::Error::other("Is a named pipe"));
        }
        let file = File::open(path)?;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // One byte more, to see the end, and one for a line end.
        let mut bytes = Vec::with_capacity(size.saturating_add(2));
        let limit = u64::try_from(bytes_max)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        file.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn current_folder(&self) -> String {
        std::env::current_dir().map_or_else(
            |_| "/".to_owned(),
            |folder| folder.to_string_lossy().into_owned(),
        )
    }
}

/// Whether opening a file may wait for ever for somebody to write into it. The
/// pipes that a shell makes for `<(...)` are behind links, and have a writer.
#[cfg(unix)]
fn is_named_pipe(path: &str) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_named_pipe(_path: &str) -> bool {
    false
}

/// Reads files of one folder from disk; messages name them without it.
#[derive(Clone, Debug)]
pub struct FolderLoader {
    folder: PathBuf,
}

impl FolderLoader {
    /// A loader whose relative paths count from `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

impl Loader for FolderLoader {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        if path.is_empty() {
            // No file has this name, and the folder is not meant.
            return FsLoader.read(path, bytes_max);
        }
        FsLoader.read(&self.folder.join(path).to_string_lossy(), bytes_max)
    }

    fn current_folder(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }
}

/// Files in memory, for schemas that are on no disk, and for tests.
///
/// ```
/// use qapi_gen::{MemoryLoader, check};
///
/// let files = MemoryLoader::from_iter([("a.json", "{ 'struct': 'Empty', 'data': {} }")]);
/// let outcome = check("a.json", &files);
/// assert!(outcome.schema.is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryLoader {
    files: BTreeMap<String, Vec<u8>>,
}

impl<N: Into<String>, B: Into<Vec<u8>>> FromIterator<(N, B)> for MemoryLoader {
    fn from_iter<I: IntoIterator<Item = (N, B)>>(files: I) -> Self {
        let files = files
            .into_iter()
            .map(|(name, bytes)| (name.into(), bytes.into()))
            .collect();
        Self { files }
    }
}

impl Loader for MemoryLoader {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        // The words of the operating system, as for a file on disk.
        let missing = || io::Error::new(io::ErrorKind::NotFound, "No such file or directory");
        let bytes = self.files.get(path).ok_or_else(missing)?;
        if bytes.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.clone())
    }

    fn current_folder(&self) -> String {
        "/".to_owned()
    }
}
