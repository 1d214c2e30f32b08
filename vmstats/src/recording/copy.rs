//! Copies of a recording that may be growing.
//!
//! In: a folder. Out: another folder, or one file, with everything up to now. The recorder
//! is not asked, and goes on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folder::{SCHEMA, TAIL, segments};
use super::{Recording, cannot};
use crate::cli::CopyArgs;
use crate::failure::Failure;

/// The number of tries. A try is in vain if a segment is sealed or removed meanwhile.
const TRIES: usize = 20;

/// Runs `vmstats snapshot`.
///
/// # Errors
///
/// Returns an error if the folder is not a recording, or if the copy exists or cannot be
/// written. Nothing is left of a copy that failed.
pub fn snapshot(arguments: &CopyArgs) -> Result<(), Failure> {
    let CopyArgs { recording, output } = arguments;
    // Tells what is wrong with the recording.
    Recording::open(recording)?;
    if recording.is_file() {
        return Err(cannot(recording, &"a packed recording is copied with cp"));
    }
    check_free(output)?;
    for _ in 0..TRIES {
        let copy = tempfile::Builder::new()
            .prefix(".snapshot-")
            .tempdir_in(folder_of(output));
        let copy = copy.map_err(|error| cannot(output, &error))?;
        match try_copy(recording, copy.path()) {
            Ok(true) => {
                fs::rename(copy.path(), output).map_err(|error| cannot(output, &error))?;
                // The folder has another name now, and is not removed.
                let _ = copy.keep();
                return Ok(());
            }
            Ok(false) => {}
            Err(CopyError { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            Err(CopyError { path, error }) => return Err(cannot(&path, &error)),
        }
    }
    Err(cannot(
        recording,
        &"the recording changes too fast to be copied",
    ))
}

/// Returns the folder that a copy is made in.
fn folder_of(output: &Path) -> &Path {
    match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The error of a file that is read or written.
struct CopyError {
    path: PathBuf,
    error: io::Error,
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    move |error| CopyError {
        path: path.to_owned(),
        error,
    }
}

/// Copies a folder. Returns whether its segments remained the same.
fn try_copy(from: &Path, to: &Path) -> Result<bool, CopyError> {
    let before = segments(from).map_err(of(from))?;
    for segment in before.values() {
        // While the lines exist, the Parquet files are incomplete.
        let files = match &segment.sealing {
            Some(lines) => std::slice::from_ref(lines),
            None => &segment.files,
        };
        for path in files {
            let Some(name) = path.file_name() else {
                continue;
            };
            let copy = to.join(name);
            // Sealed files never change, so both folders can have the same one.
            if segment.sealing.is_some() || fs::hard_link(path, &copy).is_err() {
                copy_bytes(path, &copy)?;
            }
        }
    }
    let path = from.join(TAIL);
    let tail = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        tail => tail.map_err(of(&path))?,
    };
    let whole = tail
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let copy = to.join(TAIL);
    fs::write(&copy, tail.get(..whole).unwrap_or_default()).map_err(of(&copy))?;
    // The description is copied last, because it must describe every line.
    copy_bytes(&from.join(SCHEMA), &to.join(SCHEMA))?;
    Ok(segments(from).map_err(of(from))? == before)
}

/// Copies a file, and names the one of the two that an error is about.
fn copy_bytes(from: &Path, to: &Path) -> Result<(), CopyError> {
    let bytes = fs::read(from).map_err(of(from))?;
    fs::write(to, bytes).map_err(of(to))
}

/// Checks that nothing is at the path of a copy, before the work of making it.
fn check_free(output: &Path) -> Result<(), Failure> {
    if output.symlink_metadata().is_ok() {
        return Err(cannot(output, &"the copy exists; name another one"));
    }
    Ok(())
}

/// Runs `vmstats pack`.
///
/// # Errors
///
/// Returns an error if the folder is not a recording, or if the file exists or cannot be
/// written.
pub fn pack(arguments: &CopyArgs) -> Result<(), Failure> {
    let CopyArgs { recording, output } = arguments;
    check_free(output)?;
    let temporary = tempfile::Builder::new()
        .prefix(".pack-")
        .tempfile_in(folder_of(output));
    let temporary = temporary.map_err(|error| cannot(output, &error))?;
    Recording::open(recording)?.pack(temporary.path())?;
    let persisted = temporary.persist_noclobber(output);
    persisted.map_err(|error| cannot(output, &error.error))?;
    Ok(())
}
