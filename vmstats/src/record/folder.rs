//! The folder of a recording that is being written.
//!
//! In: lines. Out: a tail that ends with a whole line, also when the disk is full, and
//! tails that wait for the sealer. Nothing here knows monitors.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;
use crate::recording::folder::{self as names, About, is_temporary, segments, temporary_name};

/// The folder of a recording, locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    tail: Tail,
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
    /// Makes or opens a folder, and brings it into order. `describe` changes the
    /// description before it is written.
    pub(super) fn open(path: &Path, describe: impl FnOnce(&mut About)) -> Result<Opened, Failure> {
        let explain = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
        make(path).map_err(explain)?;
        // Look before the lock is made, so that a folder of something else stays unchanged.
        look(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path.join(names::LOCK));
        let lock = lock.map_err(explain)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::other(format!("another recorder writes to {}", path.display()))
        })?;
        // Look again, because another recorder may have written before the lock was taken.
        let mut about = look(path)?.unwrap_or_default();
        describe(&mut about);
        let mut pending = clean(path).map_err(explain)?;
        // Write the description first: only the lock and a temporary file may be in a
        // folder without a description.
        let described = about.write(path).and_then(|file| file.sync_all());
        described.map_err(explain)?;
        let segments = segments(path).map_err(explain)?;
        let last = segments.last_key_value().map_or(0, |(number, _)| *number);
        let mut next = last.saturating_add(1);
        let before = Before::read(&path.join(names::TAIL)).map_err(explain)?;
        if before != Before::Empty {
            fs::rename(path.join(names::TAIL), path.join(names::sealing_name(next)))
                .map_err(explain)?;
            pending.push(next);
            next = next.saturating_add(1);
        }
        let folder = Self {
            tail: Tail::create(&path.join(names::TAIL)).map_err(explain)?,
            path: path.to_owned(),
            next,
            _lock: lock,
        };
        Ok(Opened {
            folder,
            about,
            pending,
            is_torn: before == Before::Torn,
        })
    }

    /// Returns the number of bytes of whole lines in the tail.
    pub(super) fn tail_bytes(&self) -> u64 {
        self.tail.bytes
    }

    /// Writes the description. Returns its file, which may not be on the disk yet.
    pub(super) fn describe(&self, about: &About) -> io::Result<File> {
        about.write(&self.path)
    }

    /// Appends lines in one piece, or nothing.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.tail.append(lines)
    }

    /// Ends the tail and begins another one. Returns the number of the one to seal. After
    /// an error, lines go on into the old tail.
    pub(super) fn switch(&mut self) -> io::Result<u64> {
        let path = |name: &str| self.path.join(name);
        let (current, sealing) = (path(names::TAIL), path(&names::sealing_name(self.next)));
        // Create the new file before the old one is renamed, because a full disk may have
        // no room for another file.
        let temporary = path(&temporary_name(names::TAIL));
        let tail = Tail::create(&temporary)?;
        fs::rename(&current, &sealing)?;
        if let Err(error) = fs::rename(&temporary, &current) {
            fs::rename(&sealing, &current)?;
            return Err(error);
        }
        let number = self.next;
        self.next = number.saturating_add(1);
        self.tail = tail;
        Ok(number)
    }
}

/// The file with the newest lines.
#[derive(Debug)]
struct Tail {
    file: File,
    /// The number of bytes of whole lines in the file.
    bytes: u64,
    /// True if a part of a line follows the whole ones.
    is_torn: bool,
}

impl Tail {
    /// Makes an empty file, or opens the empty file of this name.
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: OpenOptions::new().create(true).append(true).open(path)?,
            bytes: 0,
            is_torn: false,
        })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.cut()?;
        }
        let written = self.file.write(lines);
        if let Ok(count) = written
            && count == lines.len()
        {
            self.bytes += count as u64;
            return Ok(());
        }
        self.is_torn = true;
        self.cut()?;
        written.and(Err(io::ErrorKind::StorageFull.into()))
    }

    /// Cuts a partial line off, because the next line would be appended to it.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.is_torn = false;
        Ok(())
    }
}

/// The tail of the recorder before.
#[derive(Debug, PartialEq, Eq)]
enum Before {
    /// The file is missing or empty.
    Empty,
    /// There are whole lines.
    Whole,
    /// There are lines, and a part of a line.
    Torn,
}

impl Before {
    fn read(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Empty),
            file => file?,
        };
        let Some(last) = file.metadata()?.len().checked_sub(1) else {
            return Ok(Self::Empty);
        };
        let mut byte = [0];
        file.read_exact_at(&mut byte, last)?;
        Ok(if byte == *b"\n" {
            Self::Whole
        } else {
            Self::Torn
        })
    }
}

/// Makes a folder that only this user can read, because only this user may be allowed to
/// ask the monitors. Leaves a folder that exists as it is.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        outcome => outcome,
    }
}

/// Returns the description in a folder; `None` if the folder is empty.
///
/// # Errors
///
/// Returns an error if the folder is of something else.
fn look(path: &Path) -> Result<Option<About>, Failure> {
    let explain = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
    let names: io::Result<Vec<_>> = fs::read_dir(path)
        .map_err(explain)?
        .map(|entry| Ok(entry?.file_name()))
        .collect();
    let names = names.map_err(explain)?;
    if names.iter().any(|name| name == names::SCHEMA) {
        let about = About::read(path).map_err(|error| {
            let schema = path.join(names::SCHEMA);
            Failure::other(format!(
                "{}: {error}: name another folder",
                schema.display()
            ))
        });
        return about.map(Some);
    }
    // A recorder that was killed while it started left the lock and a temporary file.
    let temporary = temporary_name(names::SCHEMA);
    let is_ours = |name: &OsString| *name == *names::LOCK || *name == *temporary;
    if names.iter().all(is_ours) {
        return Ok(None);
    }
    Err(Failure::other(format!(
        "{} has files and is not a recording: name another folder",
        path.display()
    )))
}

/// Removes the temporary files of a killed recorder. Returns the numbers of the tails that
/// it had not sealed.
fn clean(folder: &Path) -> io::Result<Vec<u64>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(is_temporary) {
            fs::remove_file(folder.join(name))?;
        }
    }
    let segments = segments(folder)?;
    let pending = segments
        .iter()
        .filter(|(_, segment)| segment.sealing.is_some());
    Ok(pending.map(|(number, _)| *number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<Opened, Failure> {
        Folder::open(path, |_| {})
    }

    #[test]
    fn lines_go_on_when_another_tail_cannot_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rec");
        let mut folder = open(&path).unwrap().folder;
        folder.append(b"first\n").unwrap();
        // No file can have the name of this folder.
        let obstacle = path.join(".new-tail.jsonl");
        fs::create_dir(&obstacle).unwrap();
        assert!(folder.switch().is_err());
        folder.append(b"second\n").unwrap();
        let tail = || fs::read_to_string(path.join("tail.jsonl")).unwrap();
        assert_eq!(tail(), "first\nsecond\n");
        assert_eq!(folder.tail_bytes(), 13);
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(folder.switch().unwrap(), 1);
        folder.append(b"third\n").unwrap();
        assert_eq!(tail(), "third\n");
        let sealing = fs::read_to_string(path.join("0001-sealing.jsonl")).unwrap();
        assert_eq!(sealing, "first\nsecond\n");
    }

    #[test]
    fn partial_line_is_cut_off_before_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tail");
        let mut tail = Tail::create(&path).unwrap();
        tail.append(b"whole\n").unwrap();
        // A disk that filled in a write, and refused to cut the file then.
        tail.file.write_all(b"par").unwrap();
        tail.is_torn = true;
        tail.append(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nnext\n");
        // A device that is always full.
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        tail.file = file;
        assert!(tail.append(b"lost\n").is_err());
        assert!(tail.is_torn);
    }

    #[test]
    fn folder_of_something_else_is_refused_and_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let foreign = [
            (".bashrc", "a folder of a user"),
            (".new-important", "a file with our prefix"),
            ("tail.jsonl", "a log of another program"),
            ("schema.json", "{}"),
        ];
        for (name, text) in foreign {
            let path = directory.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join(name), text).unwrap();
            let error = open(&path).err().unwrap().to_string();
            assert!(error.contains("name another folder"), "{error}");
            let entries = fs::read_dir(&path).unwrap();
            let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, [name]);
            assert_eq!(fs::read_to_string(path.join(name)).unwrap(), text);
        }
    }

    #[test]
    fn recorder_goes_on_where_another_one_was_killed() {
        let directory = tempfile::tempdir().unwrap();
        // It was killed at its start.
        fs::write(directory.path().join("lock"), "").unwrap();
        fs::write(directory.path().join(".new-schema.json"), "{").unwrap();
        drop(open(directory.path()).unwrap());
        // It was killed while it wrote a line.
        let own = [".new-tail.jsonl", ".new-0003-kvm-vm.parquet"];
        let others = [".new-important", ".bashrc"];
        for name in own.iter().chain(&others) {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::write(directory.path().join("tail.jsonl"), "whole\npar").unwrap();
        let opened = open(directory.path()).unwrap();
        assert!(opened.is_torn);
        assert_eq!(opened.pending, [1]);
        assert_eq!(opened.folder.tail_bytes(), 0);
        for name in own {
            assert!(!directory.path().join(name).exists(), "{name}");
        }
        for name in others {
            assert!(directory.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn tail_that_cannot_be_read_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        drop(open(directory.path()).unwrap());
        fs::remove_file(directory.path().join("tail.jsonl")).unwrap();
        fs::create_dir(directory.path().join("tail.jsonl")).unwrap();
        assert!(open(directory.path()).is_err());
        assert!(!directory.path().join("0001-sealing.jsonl").exists());
    }

    #[test]
    fn only_this_user_can_read_a_new_folder() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = directory.path().join("made").join("rec");
        drop(open(&path).unwrap());
        assert_eq!(mode(&path), 0o700);
        let shared = directory.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o750)).unwrap();
        drop(open(&shared).unwrap());
        assert_eq!(mode(&shared), 0o750);
    }
}
