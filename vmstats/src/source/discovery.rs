//! Monitors' sockets that come and go.
//!
//! In: addresses, folders and globs, as people write them. Out: the addresses of the
//! sockets that exist at the moment. This file connects to nothing.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::endpoint::{Endpoint, explain_missing, vms_folder};

/// The number of monitors that a message names.
const EXAMPLES_MAX: usize = 5;

/// Where monitors are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One monitor, whether or not it is there.
    Endpoint(Endpoint),
    /// All sockets in a folder.
    Folder(PathBuf),
    /// All sockets in the folder that `vmstats host` fills, which may have none.
    Host(PathBuf),
    /// All sockets whose paths match a glob.
    Glob(String),
}

impl Place {
    /// Parses a word of the command line. `host:` is the folder of `vmstats host`. A word with wildcards is a glob unless a
    /// file has this name.
    ///
    /// # Errors
    ///
    /// Returns a text that says what to write instead.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        if Endpoint::is_whole_host(text) {
            return Ok(Self::Host(vms_folder()));
        }
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if let Some(text) = text.to_str()
            && text.contains(['*', '?', '['])
            && !path.exists()
            // `tcp:[::1]:4444` has brackets.
            && (text.contains('/') || !text.contains(':'))
        {
            let text = text.strip_prefix("unix:").unwrap_or(text);
            glob::Pattern::new(text)
                .map_err(|error| format!("'{text}' is not a glob: {}", error.msg))?;
            return Ok(Self::Glob(text.to_owned()));
        }
        Endpoint::parse(text).map(Self::Endpoint)
    }

    /// Returns the place with the credentials for TLS.
    #[must_use]
    pub fn with_credentials(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Endpoint(endpoint) => Self::Endpoint(endpoint.with_credentials(folder)),
            place => place,
        }
    }

    /// Returns whether monitors at this place come and go.
    #[must_use]
    pub fn is_searched(&self) -> bool {
        !matches!(self, Self::Endpoint(_))
    }

    /// Returns the addresses of the monitors, in the order of their paths. The list is
    /// empty only if a `vmstats host` has no virtual machine.
    ///
    /// # Errors
    ///
    /// Returns a text that says why nothing can be found.
    pub fn scan(&self) -> Result<Vec<Endpoint>, String> {
        let paths: Vec<PathBuf> = match self {
            Self::Endpoint(endpoint) => return Ok(vec![endpoint.clone()]),
            Self::Folder(folder) | Self::Host(folder) => fs::read_dir(folder)
                .map_err(|error| match (self, error.kind()) {
                    (Self::Host(_), ErrorKind::NotFound) => explain_missing(folder),
                    _ => format!("{}: {error}", folder.display()),
                })?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect(),
            Self::Glob(pattern) => glob::glob(pattern)
                .map_err(|error| format!("'{pattern}' is not a glob: {}", error.msg))?
                .filter_map(Result::ok)
                .collect(),
        };
        let sockets = paths.into_iter().filter_map(|path| {
            let file = socket(&path)?;
            Some((path, file))
        });
        let mut sockets: Vec<_> = sockets.collect();
        sockets.sort();
        // Symbolic links make one socket appear several times.
        let mut seen = HashSet::new();
        sockets.retain(|(_, file)| seen.insert(*file));
        if sockets.is_empty() && !matches!(self, Self::Host(_)) {
            return Err(self.nothing());
        }
        let paths = sockets.into_iter().map(|(path, _)| path);
        Ok(paths.map(Endpoint::Unix).collect())
    }
}

impl Place {
    /// Returns the address of the only monitor at this place.
    ///
    /// # Errors
    ///
    /// Returns a text that says why nothing can be found, or which monitors there are.
    pub fn only(&self) -> Result<Endpoint, String> {
        let mut endpoints = self.scan()?;
        match endpoints.pop() {
            None => Err(self.nothing()),
            Some(endpoint) if endpoints.is_empty() => Ok(endpoint),
            Some(last) => {
                let count = endpoints.len() + 1;
                let first = endpoints.into_iter().chain([last]).take(EXAMPLES_MAX);
                let first: Vec<_> = first.map(|endpoint| self.word(&endpoint)).collect();
                let more = if count > EXAMPLES_MAX {
                    " and others"
                } else {
                    ""
                };
                Err(format!(
                    "{count} virtual machines are there, and one is expected: {}{more}",
                    first.join(", ")
                ))
            }
        }
    }

    /// Returns how a monitor at this place is written on the command line.
    fn word(&self, endpoint: &Endpoint) -> String {
        match (self, endpoint) {
            (Self::Host(folder), Endpoint::Unix(path)) if *folder == vms_folder() => {
                let name = path.file_stem().unwrap_or_default();
                format!("host:{}", name.display())
            }
            _ => endpoint.to_string(),
        }
    }

    /// Returns the words for a place without a monitor.
    #[must_use]
    pub fn nothing(&self) -> String {
        match self {
            Self::Glob(pattern) => format!("no socket matches '{pattern}'"),
            Self::Host(folder) => {
                let folder = folder.display();
                format!("the vmstats host of {folder} has no virtual machine")
            }
            Self::Folder(_) | Self::Endpoint(_) => format!("no socket in {self}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Folder(folder) | Self::Host(folder) => folder.display().fmt(f),
            Self::Glob(pattern) => f.write_str(pattern),
        }
    }
}

/// Returns the device and the inode of a socket; `None` if no socket is at the path.
fn socket(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    let is_socket = metadata.file_type().is_socket();
    is_socket.then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn paths(place: &Place) -> Vec<String> {
        let endpoints = place.scan().unwrap();
        endpoints.iter().map(Endpoint::to_string).collect()
    }

    #[test]
    fn sockets_are_found_once_and_other_files_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let _listeners = ["b.sock", "a.sock"].map(|name| UnixListener::bind(path(name)).unwrap());
        fs::write(path("c.sock"), "").unwrap();
        symlink(path("a.sock"), path("d.sock")).unwrap();
        let expected = ["a.sock", "b.sock"].map(|name| path(name).display().to_string());
        let place = Place::parse(folder.path().as_os_str()).unwrap();
        assert_eq!(paths(&place), expected);
        let glob = Place::parse(path("*.sock").as_os_str()).unwrap();
        assert!(matches!(glob, Place::Glob(_)));
        assert_eq!(paths(&glob), expected);
        let none = Place::parse(path("*.nothing").as_os_str()).unwrap();
        assert!(none.scan().unwrap_err().contains("no socket matches"));
    }

    #[test]
    fn host_may_have_no_machine_and_names_those_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let vms = folder.path().join("vms");
        let place = Place::Host(vms.clone());
        let error = place.scan().unwrap_err();
        assert!(error.contains("no vmstats host runs here"), "{error}");
        assert!(error.contains("VMSTATS_HOST"), "{error}");
        fs::create_dir(&vms).unwrap();
        assert_eq!(place.scan(), Ok(Vec::new()));
        assert!(place.only().unwrap_err().contains("has no virtual machine"));
        let bind = |name: &str| UnixListener::bind(vms.join(name)).unwrap();
        let _first = bind("web1.sock");
        assert_eq!(place.only(), Ok(Endpoint::Unix(vms.join("web1.sock"))));
        let _others = ["web2.sock", "a", "b", "c", "d"].map(bind);
        let error = place.only().unwrap_err();
        assert!(error.contains("6 virtual machines"), "{error}");
        assert!(error.ends_with(" and others"), "{error}");
        let whole = Place::parse(OsStr::new("host:"));
        assert_eq!(whole, Ok(Place::Host(vms_folder())));
        assert!(matches!(
            Place::parse(OsStr::new("host:a")),
            Ok(Place::Endpoint(_))
        ));
    }

    #[test]
    fn words_without_wildcards_are_endpoints() {
        let is_endpoint =
            |text: &str| matches!(Place::parse(OsStr::new(text)), Ok(Place::Endpoint(_)));
        assert!(is_endpoint("/no/such.sock"));
        assert!(is_endpoint("tcp:[::1]:4444"));
        assert!(
            Place::parse(OsStr::new("/run/["))
                .unwrap_err()
                .contains("not a glob")
        );
    }
}
