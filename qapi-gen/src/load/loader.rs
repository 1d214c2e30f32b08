//! Sources of files.
//!
//! In: paths. Out: bytes. No other file of the compiler does I/O to read a
//! schema, so that schemas can come from anywhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// A source of schema files.
pub trait Loader {
    /// Returns the bytes of a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or has more than
    /// `bytes_max` bytes. Such a file must not be read to its end, because it
    /// may be endless. The error's text is shown to people.
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// Returns the absolute path of the folder that relative paths start from.
    /// It is used to recognize a file under different names.
    fn current_folder(&self) -> String;

    /// Returns the location of a file, which a build script watches for changes.
    /// The default is the path itself.
    fn location(&self, path: &str) -> PathBuf {
        PathBuf::from(path)
    }
}

/// A loader that reads files from disk.
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
        // Reserve one byte to detect the end of the file without growing, and
        // one for the line end that the last line may lack.
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

/// Returns whether a file is a named pipe. Opening one could wait forever for a
/// writer. The pipes of a shell's `<(...)` have a writer; they are reached
/// through symbolic links, which are not followed here.
#[cfg(unix)]
fn is_named_pipe(path: &str) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_named_pipe(_path: &str) -> bool {
    false
}

/// A loader that reads the files of one folder. Messages name the files relative
/// to the folder.
#[derive(Clone, Debug)]
pub struct FolderLoader {
    folder: PathBuf,
}

impl FolderLoader {
    /// Creates a loader whose relative paths start from `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

impl Loader for FolderLoader {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        if path.is_empty() {
            // Fail with the error for an empty path; joined, it would name the
            // folder.
            return FsLoader.read(path, bytes_max);
        }
        FsLoader.read(&self.folder.join(path).to_string_lossy(), bytes_max)
    }

    fn current_folder(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }
}

/// A loader of files in memory.
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
        // Use the operating system's message, as for a file on disk.
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
