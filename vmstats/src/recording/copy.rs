//! Copies of a recording that may be growing.
//!
//! In: a folder. Out: another folder, or one file, with everything up to now. The recorder
//! is not asked, and goes on.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

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
/// written.
pub fn snapshot(arguments: &CopyArgs) -> Result<(), Failure> {
    let CopyArgs { recording, output } = arguments;
    // Tells what is wrong with the folder.
    Recording::open(recording)?;
    fs::create_dir(output).map_err(|error| cannot(output, &error))?;
    for _ in 0..TRIES {
        match try_copy(recording, output) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(output, &error)),
        }
        clear(output).map_err(|error| cannot(output, &error))?;
    }
    Err(cannot(
        recording,
        &"the recording changes too fast to be copied",
    ))
}

/// Copies a folder. Returns whether its segments remained the same.
fn try_copy(from: &Path, to: &Path) -> io::Result<bool> {
    let before = segments(from)?;
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
                fs::copy(path, &copy)?;
            }
        }
    }
    let tail = match fs::read(from.join(TAIL)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        tail => tail?,
    };
    let whole = tail
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let mut copy = fs::File::create(to.join(TAIL))?;
    copy.write_all(tail.get(..whole).unwrap_or_default())?;
    // The description is copied last, because it must describe every line.
    fs::copy(from.join(SCHEMA), to.join(SCHEMA))?;
    Ok(segments(from)? == before)
}

fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
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
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = tempfile::Builder::new()
        .prefix(".pack-")
        .tempfile_in(folder);
    let temporary = temporary.map_err(|error| cannot(output, &error))?;
    Recording::open(recording)?.pack(temporary.path())?;
    let persisted = temporary.persist_noclobber(output);
    persisted.map_err(|error| cannot(output, &error.error))?;
    Ok(())
}
