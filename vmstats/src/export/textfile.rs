//! A file for the textfile collector of node_exporter.
//!
//! In: texts. Out: a file that a reader sees whole or not at all, and that is removed at
//! the end, so that nobody reads values of a program that no longer runs.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::encoder::Text;
use crate::failure::{Failure, warn};
use crate::lock::Lock;

/// The mode of the file, which node_exporter reads as another user.
const MODE: u32 = 0o644;

/// The file. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Textfile(Writer);

/// The writer of the file.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    path: PathBuf,
    /// False after the removal. Locked while the file is written, so that a write that is
    /// under way does not make the file again.
    is_open: Arc<Lock<bool>>,
}

impl Textfile {
    /// Returns a file that is not written yet.
    pub(super) fn new(path: &Path) -> Self {
        Self(Writer {
            path: path.to_owned(),
            is_open: Arc::new(Lock::new(true)),
        })
    }

    /// Returns a writer for another thread.
    pub(super) fn writer(&self) -> Writer {
        self.0.clone()
    }
}

impl Drop for Textfile {
    fn drop(&mut self) {
        let Writer { path, is_open } = &self.0;
        *is_open.lock() = false;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn(&format!("cannot remove {}: {error}", path.display()));
            }
            _ => {}
        }
    }
}

impl Writer {
    /// Replaces the file, unless it has been removed.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file.
    pub(super) fn write(&self, text: &Text) -> Result<(), Failure> {
        let is_open = self.is_open.lock();
        if !*is_open {
            return Ok(());
        }
        replace(&self.path, text).map_err(|error| {
            let path = self.path.display();
            let error = error.to_string();
            // The name of the temporary file, which the crate adds, would only confuse.
            let (cause, _) = error.split_once(" at path ").unwrap_or((&error, ""));
            Failure::other(format!("cannot write {path}: {cause}"))
        })
    }
}

fn replace(path: &Path, text: &Text) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    // The collector reads only files whose names end with `.prom`, so that it does not
    // see this one.
    let mut file = tempfile::Builder::new()
        .prefix(".vmstats-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    for part in &text.parts {
        file.write_all(part.as_bytes())?;
    }
    // The umask may have taken bits from the mode.
    file.as_file()
        .set_permissions(Permissions::from_mode(MODE))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
