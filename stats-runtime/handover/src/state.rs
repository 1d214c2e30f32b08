//! The files of one VM, each with its line of the protocol.
//!
//! In: fields and files. Out: lines that are ready to be sent, in an order that never
//! changes by itself. This file checks every text, and knows no socket.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::grammar::{
    Fault, PATH_SIZE_MAX, PROVIDER_SIZE_MAX, VCPU_INDEX_MAX, check_path, check_provider,
};

/// The longest line: `object PROVIDER PATH` and its end.
const LINE_SIZE_MAX: usize = "object  \n".len() + PROVIDER_SIZE_MAX + PATH_SIZE_MAX;

/// The object of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object<'a> {
    Process,
    Vm,
    Vcpu(u32),
    Other { provider: &'a str, path: &'a str },
}

impl Object<'_> {
    /// Checks the fields that name the object.
    fn check(self) -> Result<(), Error> {
        match self {
            Self::Process | Self::Vm => Ok(()),
            Self::Vcpu(index) if index > VCPU_INDEX_MAX => Err(Error::Index { index }),
            Self::Vcpu(_) => Ok(()),
            Self::Other { provider, path } => {
                checked("provider's name", provider, check_provider)?;
                checked("object's path", path, check_path)
            }
        }
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("process"),
            Self::Vm => f.write_str("vm"),
            Self::Vcpu(index) => write!(f, "vcpu {index}"),
            Self::Other { provider, path } => write!(f, "object {provider} {path}"),
        }
    }
}

/// Returns an error that names the field if its text is not valid.
pub(crate) fn checked(
    field: &'static str,
    text: &str,
    check: impl FnOnce(&str) -> Result<(), Fault>,
) -> Result<(), Error> {
    check(text).map_err(|fault| Error::Text {
        field,
        text: text.to_owned(),
        fault,
    })
}

/// A file with its statement.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The statement with its end.
    line: String,
    /// The length of the object's name in the line: the path of a vCPU follows it.
    name_size: usize,
    key: Key,
    file: OwnedFd,
}

/// The object of an entry, whose texts are in the entry's line.
#[derive(Clone, Copy, Debug)]
enum Key {
    Process,
    Vm,
    Vcpu(u32),
    /// The length of the provider's name.
    Other(usize),
}

impl Entry {
    fn object(&self) -> Object<'_> {
        match self.key {
            Key::Process => Object::Process,
            Key::Vm => Object::Vm,
            Key::Vcpu(index) => Object::Vcpu(index),
            Key::Other(provider_size) => {
                let fields = self.line.trim_end_matches('\n');
                let fields = fields.strip_prefix("object ").unwrap_or_default();
                let (provider, path) = fields.split_at_checked(provider_size).unwrap_or_default();
                let path = path.get(1..).unwrap_or_default();
                Object::Other { provider, path }
            }
        }
    }

    /// Returns the statement with its end.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// Returns the part of the statement that names the object.
    pub(crate) fn name(&self) -> &str {
        self.line.get(..self.name_size).unwrap_or_default()
    }

    /// Returns the path of a vCPU.
    fn vcpu_path(&self) -> Option<&str> {
        match self.key {
            Key::Vcpu(_) => self.line.get(self.name_size + 1..self.line.len() - 1),
            _ => None,
        }
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The files of a VM, sorted by object.
#[derive(Debug, Default)]
pub(crate) struct State {
    entries: Vec<Entry>,
    /// Empty lines with room, for files that come later.
    spare: Vec<String>,
}

impl State {
    /// Allocates room for more files.
    pub(crate) fn reserve(&mut self, files: usize) {
        self.entries.reserve(files);
        self.spare.reserve(self.entries.capacity());
        self.spare
            .extend((0..files).map(|_| String::with_capacity(LINE_SIZE_MAX)));
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds the file of an object, or replaces the file that the object has. `vcpu_path`
    /// is the QOM path of a vCPU, and `None` for any other object.
    pub(crate) fn insert(
        &mut self,
        object: Object<'_>,
        vcpu_path: Option<&str>,
        file: OwnedFd,
    ) -> Result<&Entry, Error> {
        object.check()?;
        if let Some(path) = vcpu_path {
            checked("vCPU's path", path, check_path)?;
            let mut entries = self.entries.iter();
            if entries.any(|entry| entry.vcpu_path() == Some(path) && entry.object() != object) {
                let path = path.to_owned();
                return Err(Error::PathTaken { path });
            }
        }
        let mut line = self.spare.pop().unwrap_or_default();
        line.clear();
        // Writing to a string does not fail.
        let _ = write!(line, "{object}");
        let name_size = line.len();
        if let Some(path) = vcpu_path {
            line.push(' ');
            line.push_str(path);
        }
        line.push('\n');
        let key = match object {
            Object::Process => Key::Process,
            Object::Vm => Key::Vm,
            Object::Vcpu(index) => Key::Vcpu(index),
            Object::Other { provider, .. } => Key::Other(provider.len()),
        };
        let entry = Entry {
            line,
            name_size,
            key,
            file,
        };
        let place = match self.find(object) {
            Ok(place) => {
                if let Some(old) = self.entries.get_mut(place) {
                    let old = std::mem::replace(old, entry);
                    self.keep_line(old);
                }
                place
            }
            Err(place) => {
                self.entries.insert(place, entry);
                place
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the entry was put there just now")]
        Ok(&self.entries[place])
    }

    /// Removes the file of an object, and passes its entry to `before` first.
    pub(crate) fn remove<T>(
        &mut self,
        object: Object<'_>,
        before: impl FnOnce(&Entry) -> T,
    ) -> Result<T, Error> {
        let Ok(place) = self.find(object) else {
            let object = object.to_string();
            return Err(Error::Absent { object });
        };
        let entry = self.entries.remove(place);
        let result = before(&entry);
        self.keep_line(entry);
        Ok(result)
    }

    fn find(&self, object: Object<'_>) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| -> Ordering { entry.object().cmp(&object) })
    }

    /// Closes the file of an entry, and keeps the memory of its line if there is room.
    fn keep_line(&mut self, entry: Entry) {
        if self.spare.len() < self.spare.capacity() {
            self.spare.push(entry.line);
        }
    }
}
