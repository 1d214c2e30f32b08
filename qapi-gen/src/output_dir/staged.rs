//! Temporary files that become generated files by a rename.
//!
//! In: the content of a file. Out: a file that has either its old or its new
//! content at any moment. This module must not know what the content is.
//!
//! The name of a temporary file contains the id of its process. That is how a
//! later run tells the files of a killed run from the files of a concurrent
//! one.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The beginning and the end of the names of temporary files, with the process id
/// and a number between them. A leading dot hides the file, and the
/// extension keeps it from being taken for Rust.
const PREFIX: &str = ".qapi-gen-";
const SUFFIX: &str = ".tmp";

/// The age at which a temporary file is removed even if its process seems to
/// live: by then the process id belongs to another process.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// The number of attempts to rename a temporary file. Each attempt after the first
/// writes the file again, because a concurrent run removed it.
const ATTEMPTS_MAX: usize = 3;

/// Content that has been written to a temporary file. Dropping the value
/// removes the file.
pub(super) struct StagedFile<'f> {
    folder: &'f Path,
    text: &'f str,
    /// The path of the temporary file. The file is not kept open, because a
    /// schema may have more modules than a process may have open files.
    temporary: PathBuf,
}

impl<'f> StagedFile<'f> {
    /// Writes `text` to a temporary file in `folder`.
    pub(super) fn write(folder: &'f Path, text: &'f str) -> io::Result<Self> {
        let (temporary, mut file) = create(folder)?;
        // Build the value first, so that a failing write removes the file.
        let staged = Self {
            folder,
            text,
            temporary,
        };
        file.write_all(text.as_bytes())?;
        Ok(staged)
    }

    /// Waits until the content is on disk. Without this, a crash of the machine
    /// soon after the rename could leave an empty file.
    pub(super) fn sync(&self) -> io::Result<()> {
        // Windows syncs only files that are open for writing.
        let file = File::options().write(true).open(&self.temporary)?;
        match file.sync_all() {
            // Some file systems cannot sync.
            Err(error) if is_unsupported(&error) => Ok(()),
            result => result,
        }
    }

    /// Gives the temporary file its final name in the folder, in place of any
    /// file of that name.
    pub(super) fn rename_to(mut self, name: &str) -> io::Result<()> {
        let target = self.folder.join(name);
        for _ in 1..ATTEMPTS_MAX {
            match fs::rename(&self.temporary, &target) {
                // A run that cannot see this process, because it is in another
                // container, takes the temporary file for abandoned.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self = Self::write(self.folder, self.text)?;
                }
                result => return result,
            }
        }
        fs::rename(&self.temporary, &target)
    }
}

impl Drop for StagedFile<'_> {
    fn drop(&mut self) {
        // After the rename there is nothing to remove. If removing fails, a
        // later run removes the file.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Creates a temporary file of a name that does not exist yet.
fn create(folder: &Path) -> io::Result<(PathBuf, File)> {
    // Threads of one process may write to one folder, so the number is counted
    // per process.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PREFIX}{}-{number}{SUFFIX}", process::id()));
        match File::create_new(&path) {
            // A killed process with the same id left this file: try the next
            // number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|file| (path, file)),
        }
    }
}

/// Removes the temporary files of runs that were killed.
///
/// Errors are ignored, because these files do no harm: a concurrent run may
/// remove the same files, and the next run tries again.
pub(super) fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(process) = owner(&entry.file_name()) else {
            continue;
        };
        let is_abandoned =
            |metadata: Metadata| metadata.is_file() && (has_ended(process) || is_old(&metadata));
        if entry.metadata().is_ok_and(is_abandoned) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns the id of the process whose temporary file has this name, or `None`
/// for the name of any other file.
fn owner(name: &OsStr) -> Option<u32> {
    let name = name.to_str()?;
    let (process, number) = name
        .strip_prefix(PREFIX)?
        .strip_suffix(SUFFIX)?
        .split_once('-')?;
    number.parse::<u64>().ok()?;
    process.parse().ok()
}

/// Returns whether a process is known to have ended. Returns `false` on systems
/// without `/proc`, where only the age of a file counts.
fn has_ended(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

fn is_old(metadata: &Metadata) -> bool {
    let age = metadata
        .modified()
        .ok()
        .and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > ABANDONED_AFTER)
}

/// Waits until the renames in a folder are on disk. Errors are ignored, because
/// the content is on disk already, under its old or its new name.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}
