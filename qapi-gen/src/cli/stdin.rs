//! A schema file whose content is on the standard input stream.
//!
//! In: a name for the file. Out: a loader that reads the file from the stream, and
//! all others from disk.

use std::cell::OnceCell;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use qapi_gen::{FsLoader, Loader};

/// The argument that means the standard input stream.
const STREAM: &str = "-";

/// The name of a schema on the standard input stream without `--stdin-name`.
const UNNAMED: &str = "<stdin>";

/// The option for the standard input stream.
#[derive(Clone, Debug, Args)]
pub(super) struct Stdin {
    /// Read the file NAME from standard input, as an editor has it
    ///
    /// The schema `-` is the file NAME itself, whose includes are found beside
    /// it. With another schema, standard input replaces the file NAME where the
    /// schema includes it. NAME need not exist.
    #[arg(long, value_name = "NAME")]
    stdin_name: Option<PathBuf>,
}

impl Stdin {
    /// Returns the path of the schema that an argument names.
    pub(super) fn path<'a>(&'a self, argument: &'a Path) -> &'a Path {
        if argument != Path::new(STREAM) {
            return argument;
        }
        self.stdin_name.as_deref().unwrap_or(Path::new(UNNAMED))
    }

    /// Returns the loader for the schemas that these arguments name.
    pub(super) fn loader<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a PathBuf>,
    ) -> StdinLoader {
        let mut arguments = arguments.into_iter();
        let is_schema = arguments.any(|argument| argument == Path::new(STREAM));
        let unnamed = || is_schema.then(|| PathBuf::from(UNNAMED));
        StdinLoader {
            name: self.stdin_name.clone().or_else(unnamed),
            content: OnceCell::new(),
        }
    }
}

/// A loader that reads one file from the standard input stream.
pub(super) struct StdinLoader {
    /// The name of the file, or `None` if all files are on disk.
    name: Option<PathBuf>,
    content: OnceCell<Vec<u8>>,
}

impl StdinLoader {
    /// Returns the status, or failure if the stream was named and never read.
    pub(super) fn status(&self, status: ExitCode) -> ExitCode {
        match &self.name {
            Some(name) if self.content.get().is_none() => {
                eprintln!(
                    "qapi-gen: standard input is not used, because the schema does not \
                     include '{}'",
                    name.display()
                );
                ExitCode::FAILURE
            }
            _ => status,
        }
    }

    /// Returns the content of the stream. The error is that of the first read.
    fn content(&self, bytes_max: usize) -> io::Result<&Vec<u8>> {
        if let Some(content) = self.content.get() {
            return Ok(content);
        }
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let mut content = Vec::new();
        let stdin = io::stdin().lock();
        stdin
            .take(limit.saturating_add(1))
            .read_to_end(&mut content)?;
        Ok(self.content.get_or_init(|| content))
    }
}

impl Loader for StdinLoader {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let is_stream = |name: &PathBuf| identity(name) == identity(Path::new(path));
        if !self.name.as_ref().is_some_and(is_stream) {
            return FsLoader.read(path, bytes_max);
        }
        let content = self.content(bytes_max)?;
        if content.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content.clone())
    }

    fn current_folder(&self) -> String {
        FsLoader.current_folder()
    }
}

/// Returns a path that is the same for all names of a file, which need not exist.
fn identity(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
