//! The folder that a generation is written to.
//!
//! In: a folder and the files of one generation. Out: the differences between
//! the two, or the folder brought up to date in such a way that a run that is
//! killed, or that finds the disk full, leaves every file whole. This module
//! must not know the language of the files.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

mod generated_file;
mod staged;

pub use generated_file::GeneratedFile;
pub(crate) use generated_file::HEADING;
use staged::StagedFile;

/// A difference between a folder and the files that it should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The name of the file, without its folder.
    pub name: String,
    /// The present content of the file; `None` if the file is missing.
    pub old: Option<String>,
    /// The content that the file should have; `None` if the file is left over
    /// from an earlier generation and should be removed.
    pub new: Option<String>,
}

/// Compares a folder with the files that it should hold, and writes nothing.
///
/// Returns the files that differ, then the files that an earlier generation
/// left over. Files that qapi-gen did not generate are ignored, unless one of
/// them has the name of a generated file.
///
/// # Errors
///
/// Returns an error if the folder or one of the files in question cannot be
/// read, or if something that is not a regular file has the name of a
/// generated file. A missing folder is not an error.
pub fn changes(folder: &Path, files: &[GeneratedFile]) -> io::Result<Vec<Change>> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let changes = differences(folder, files)?
        .into_iter()
        .map(|difference| Change {
            name: difference.name.into_owned(),
            old: difference.old.map(text),
            new: difference.new.map(str::to_owned),
        });
    Ok(changes.collect())
}

/// Brings a folder up to date: writes the files that differ, and removes the
/// files that an earlier generation left over.
///
/// Files that are up to date are not touched, so that cargo does not rebuild
/// what depends on them. Files that qapi-gen did not generate are left alone.
///
/// All new content is first written to temporary files in the same folder and
/// synced to disk; then each file is replaced by a rename. A run that is killed
/// at any moment, or that finds the disk full, therefore leaves every file
/// either old and whole or new and whole, and the next run succeeds. Several
/// runs may write to one folder at the same time.
///
/// # Errors
///
/// Returns an error if the folder cannot be created or read, if a file cannot
/// be read or written, or if a file that qapi-gen did not generate has the name
/// of a generated file. Nothing has been replaced in the first and last case.
pub fn write_files(folder: &Path, files: &[GeneratedFile]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let differences = differences(folder, files)?;
    for difference in &differences {
        difference.require_own()?;
    }
    staged::remove_abandoned(folder);
    if differences.is_empty() {
        return Ok(());
    }
    let staged = differences
        .iter()
        .filter_map(|difference| Some((difference, difference.new?)))
        .map(|(difference, text)| {
            StagedFile::write(folder, text)
                .map(|staged| (difference, staged))
                .map_err(|error| difference.failed(&error))
        })
        .collect::<io::Result<Vec<_>>>()?;
    // Sync in a second pass, because the first sync usually writes the data of
    // all files; a sync after each write would wait once per file.
    for (difference, staged) in &staged {
        staged.sync().map_err(|error| difference.failed(&error))?;
    }
    // `mod.rs` is the first file and is replaced last, because it must not name
    // a module whose file does not exist yet.
    for (difference, staged) in staged.into_iter().rev() {
        staged
            .rename_to(&difference.name)
            .map_err(|error| difference.failed(&error))?;
    }
    for difference in &differences {
        if difference.new.is_none() {
            // A concurrent run may have removed the file already.
            if_exists(fs::remove_file(folder.join(&*difference.name)))
                .map_err(|error| difference.failed(&error))?;
        }
    }
    staged::sync_folder(folder);
    Ok(())
}

/// A difference whose old content is still bytes.
struct Difference<'f> {
    name: Cow<'f, str>,
    old: Option<Vec<u8>>,
    new: Option<&'f str>,
}

impl Difference<'_> {
    /// Returns an error if replacing the file would destroy something that
    /// qapi-gen did not write.
    fn require_own(&self) -> io::Result<()> {
        match &self.old {
            Some(old) if !is_own(old) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!(
                    "{} exists and was not generated by qapi-gen: \
                     move the file away or choose another folder",
                    self.name
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Adds the name of the file to an error.
    fn failed(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.name))
    }
}

/// Returns the files that differ in the order of `files`, then the left-over
/// files by name.
fn differences<'f>(folder: &Path, files: &'f [GeneratedFile]) -> io::Result<Vec<Difference<'f>>> {
    let mut differences = Vec::new();
    for file in files {
        let old = read_regular(folder, &file.name)?.map(with_unix_line_ends);
        if old.as_deref() != Some(file.text.as_bytes()) {
            differences.push(Difference {
                name: Cow::Borrowed(&file.name),
                old,
                new: Some(&file.text),
            });
        }
    }
    let mut left_over = Vec::new();
    for entry in if_exists(fs::read_dir(folder))?.into_iter().flatten() {
        let path = entry?.path();
        // A name that is not UTF-8 is foreign: generated names are ASCII.
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let is_generated_now = files.iter().any(|file| file.name == name);
        if !is_generated_now && has_heading(&path) {
            // A concurrent run may have removed the file since.
            if let Some(old) = if_exists(fs::read(&path))? {
                left_over.push(Difference {
                    name: Cow::Owned(name.to_owned()),
                    old: Some(old),
                    new: None,
                });
            }
        }
    }
    // Sort, because the order of `read_dir` differs between file systems.
    left_over.sort_by(|one, other| one.name.cmp(&other.name));
    differences.append(&mut left_over);
    Ok(differences)
}

/// Replaces CR LF by LF. Git checks files out with CR LF where `core.autocrlf` says
/// so, and a file that differs in nothing else is not stale. Generated text has no
/// CR of its own.
fn with_unix_line_ends(mut text: Vec<u8>) -> Vec<u8> {
    let is_line_end = |pair: &[u8]| pair == b"\r\n";
    if text.windows(2).any(is_line_end) {
        let mut bytes = text.iter().copied().peekable();
        let mut unix = Vec::with_capacity(text.len());
        while let Some(byte) = bytes.next() {
            if byte != b'\r' || bytes.peek() != Some(&b'\n') {
                unix.push(byte);
            }
        }
        text = unix;
    }
    text
}

/// Reads a file, if it exists.
///
/// Opening a FIFO would block and reading a device might never end, so
/// everything that is not a regular file is an error.
fn read_regular(folder: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let path = folder.join(name);
    // Not `fs::metadata`: it reports a dangling symbolic link as missing, and
    // the rename would then destroy the link.
    if if_exists(fs::symlink_metadata(&path))?.is_none() {
        return Ok(None);
    }
    let bytes = fs::metadata(&path).and_then(|metadata| match metadata.is_file() {
        true => fs::read(&path),
        false => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "exists and is not a regular file",
        )),
    });
    let with_name = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    bytes.map(Some).map_err(with_name)
}

/// Turns the error that something does not exist into `None`.
fn if_exists<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a file may be replaced: it has the heading of a generated
/// file, or it is what an interrupted write leaves of one.
///
/// Versions of qapi-gen that wrote in place left empty files and beginnings of
/// files when they were killed. A crash of the machine leaves zeros. None of
/// these holds anything that could be lost.
fn is_own(content: &[u8]) -> bool {
    let heading = HEADING.as_bytes();
    content.starts_with(heading)
        || heading.starts_with(content)
        || content.iter().all(|byte| *byte == 0)
}

/// Returns whether a file is a regular file that begins as every generated file
/// does. A file is removed only if this holds: [`is_own`] would not do, because an
/// empty file may be somebody else's.
fn has_heading(path: &Path) -> bool {
    // Look at the type first, because opening a FIFO would block.
    let is_rust_file = path.extension().is_some_and(|extension| extension == "rs")
        && fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_rust_file {
        return false;
    }
    let mut head = [0; HEADING.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *HEADING.as_bytes()
}
