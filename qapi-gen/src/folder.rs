//! A folder of generated files, compared with what it should hold.
//!
//! In: a folder, the files of a generation. Out: what differs; or the folder
//! brought up to date. It does not look into Rust.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use crate::output::{GeneratedFile, HEADING};

/// A difference between a folder and the files that it should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file's name, without a folder.
    pub name: String,
    /// What the file holds; `None`: it is missing.
    pub old: Option<String>,
    /// What it should hold; `None`: an earlier generation left it over.
    pub new: Option<String>,
}

/// Compares a folder with the files that it should hold: those that differ,
/// then those that an earlier generation left over. Files that were not
/// generated do not count.
///
/// # Errors
///
/// What reading the folder or a file says, but for that it is not there.
pub fn changes(folder: &Path, files: &[GeneratedFile]) -> io::Result<Vec<Change>> {
    let differences = differences(folder, files)?;
    let changes = differences.into_iter().map(|difference| Change {
        name: difference.name.into_owned(),
        old: difference
            .old
            .map(|old| String::from_utf8_lossy(&old).into_owned()),
        new: difference.new.map(str::to_owned),
    });
    Ok(changes.collect())
}

/// A [`Change`] that has not been put into words.
struct Difference<'f> {
    name: Cow<'f, str>,
    old: Option<Vec<u8>>,
    new: Option<&'f str>,
}

fn differences<'f>(folder: &Path, files: &'f [GeneratedFile]) -> io::Result<Vec<Difference<'f>>> {
    let mut differences = Vec::new();
    for file in files {
        let old = if_there(fs::read(folder.join(&file.name)))?;
        if old.as_deref() != Some(file.text.as_bytes()) {
            differences.push(Difference {
                name: Cow::Borrowed(&file.name),
                old,
                new: Some(&file.text),
            });
        }
    }
    let mut left_over = Vec::new();
    for entry in if_there(fs::read_dir(folder))?.into_iter().flatten() {
        let path = entry?.path();
        // The names of generated files are ASCII.
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if files.iter().all(|file| file.name != name) && is_generated(&path) {
            left_over.push(Difference {
                name: Cow::Owned(name.to_owned()),
                old: Some(fs::read(&path)?),
                new: None,
            });
        }
    }
    // A folder has no order of its own.
    left_over.sort_by(|one, other| one.name.cmp(&other.name));
    differences.append(&mut left_over);
    Ok(differences)
}

/// Writes the files that differ from what stands in the folder, so that what
/// depends on them is built again only if need be. Files of an earlier
/// generation that there are no more are removed; others are left alone.
///
/// # Errors
///
/// What making the folder, reading or writing a file says; and that a file of
/// the same name is there which was not generated.
pub fn write_files(folder: &Path, files: &[GeneratedFile]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for difference in differences(folder, files)? {
        let path = folder.join(&*difference.name);
        match difference.new {
            Some(_) if difference.old.is_some() && !is_generated(&path) => {
                let why = format!("{} is there, and was not generated", difference.name);
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Some(text) => fs::write(path, text)?,
            None => fs::remove_file(path)?,
        }
    }
    Ok(())
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(it) => Ok(Some(it)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file begins as every file that [`write_files`] wrote does.
fn is_generated(path: &Path) -> bool {
    let mut head = [0; HEADING.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    path.extension().is_some_and(|extension| extension == "rs")
        && read.is_ok()
        && head == *HEADING.as_bytes()
}
