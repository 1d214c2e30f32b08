//! The folder of a recording that is being written.
//!
//! In: lines. Out: a tail that ends with a whole line, also when the disk is full, and
//! tails that wait for the sealer. Nothing here knows monitors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;
use crate::recording::folder::{self as names, About, TEMPORARY, segments};

/// The folder of a recording, locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    tail: File,
    /// The number of bytes of whole lines in the tail.
    pub(super) tail_bytes: u64,
    /// The number of the next segment.
    next: u64,
    _lock: File,
}

/// A folder with what a recorder before left there.
pub(super) struct Opened {
    pub(super) folder: Folder,
    pub(super) about: About,
    /// The numbers of the tails that wait for the sealer.
    pub(super) pending: Vec<u64>,
    /// True if the recorder before was killed while it wrote a line.
    pub(super) is_torn: bool,
}

impl Folder {
    /// Makes or opens a folder, and brings it into order.
    pub(super) fn open(path: &Path) -> Result<Opened, Failure> {
        let explain = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
        fs::create_dir_all(path).map_err(explain)?;
        let has_schema = path.join(names::SCHEMA).exists();
        // A recorder that was killed at its start left no more than the lock and a
        // description without its name.
        let is_other = |name: &str| name != names::LOCK && !name.starts_with('.');
        for entry in fs::read_dir(path).map_err(explain)? {
            let name = entry.map_err(explain)?.file_name();
            if !has_schema && is_other(&name.to_string_lossy()) {
                return Err(Failure::other(format!(
                    "{} has files and is not a recording: name another folder",
                    path.display()
                )));
            }
        }
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path.join(names::LOCK));
        let lock = lock.map_err(explain)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::other(format!("another recorder writes to {}", path.display()))
        })?;
        let about = if has_schema {
            About::read(path).map_err(explain)?
        } else {
            About::default()
        };
        let mut pending = clean(path).map_err(explain)?;
        let segments = segments(path).map_err(explain)?;
        let last = segments.last_key_value().map_or(0, |(number, _)| *number);
        let mut next = last.saturating_add(1);
        let tail = path.join(names::TAIL);
        let before = fs::read(&tail).unwrap_or_default();
        if !before.is_empty() {
            fs::rename(&tail, path.join(names::sealing_name(next))).map_err(explain)?;
            pending.push(next);
            next = next.saturating_add(1);
        }
        let folder = Self {
            tail: open_tail(path).map_err(explain)?,
            path: path.to_owned(),
            tail_bytes: 0,
            next,
            _lock: lock,
        };
        let is_torn = before.last().is_some_and(|last| *last != b'\n');
        Ok(Opened {
            folder,
            about,
            pending,
            is_torn,
        })
    }

    /// Writes the description.
    pub(super) fn describe(&self, about: &About) -> io::Result<()> {
        about.write(&self.path)
    }

    /// Appends lines in one piece, or nothing.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.tail.write(lines);
        if let Ok(count) = written
            && count == lines.len()
        {
            self.tail_bytes += count as u64;
            return Ok(());
        }
        // The next line would be a part of this one otherwise.
        self.tail.set_len(self.tail_bytes)?;
        written.and(Err(io::ErrorKind::StorageFull.into()))
    }

    /// Ends the tail and begins another one. Returns the number of the one to seal.
    pub(super) fn switch(&mut self) -> io::Result<u64> {
        let number = self.next;
        fs::rename(
            self.path.join(names::TAIL),
            self.path.join(names::sealing_name(number)),
        )?;
        self.next = number.saturating_add(1);
        self.tail_bytes = 0;
        self.tail = open_tail(&self.path)?;
        Ok(number)
    }
}

fn open_tail(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(names::TAIL))
}

/// Removes what a killed recorder left half done. Returns the numbers of tails to seal.
fn clean(folder: &Path) -> io::Result<Vec<u64>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(folder.join(name))?;
        }
    }
    let mut pending = Vec::new();
    for (number, segment) in segments(folder)? {
        if segment.sealing.is_some() {
            pending.push(number);
        }
    }
    Ok(pending)
}
