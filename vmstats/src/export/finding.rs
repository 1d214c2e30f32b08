//! The monitors' sockets that exist.
//!
//! In: the places of the command line. Out: each socket once, with a key that a socket which
//! is bound again at the same path does not share. Nothing here connects.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use crate::endpoint::Endpoint;
use crate::source::Place;

/// The mark that tells a monitor's socket from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A socket's file. The time is in the key because file systems give an inode's number
    /// again; it is set when a server binds the path, and not by clients.
    File {
        /// The file system.
        device: u64,
        /// The inode.
        inode: u64,
        /// The time of the last change, which is the bind.
        modified: SystemTime,
    },
    /// The address of a socket that has no file, or whose file does not exist.
    Address(String),
}

/// The sockets at some places.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The sockets, each once, in the order of the places and of their paths.
    pub(super) sockets: Vec<(Key, Endpoint)>,
    /// The number of sockets at each place, or the reason for a place without any.
    pub(super) places: Vec<Result<usize, String>>,
}

/// Looks for sockets. A socket that several places have, or that several paths lead to, is
/// found at the first one, because a second connection to a QEMU waits for ever.
pub(super) fn find(places: &[Place]) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for place in places {
        let endpoints = match place.scan() {
            Ok(endpoints) => endpoints,
            Err(problem) => {
                found.places.push(Err(problem));
                continue;
            }
        };
        let mut count = 0;
        for endpoint in endpoints {
            let key = key(&endpoint);
            let is_missing = matches!((&key, &endpoint), (Key::Address(_), Endpoint::Unix(_)));
            count += usize::from(!is_missing);
            if seen.insert(key.clone()) {
                found.sockets.push((key, endpoint));
            }
        }
        found.places.push(Ok(count));
    }
    found
}

fn key(endpoint: &Endpoint) -> Key {
    let file = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some(Key::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: metadata.modified().ok()?,
        })
    };
    let file = match endpoint {
        Endpoint::Unix(path) => file(path),
        _ => None,
    };
    file.unwrap_or_else(|| Key::Address(endpoint.to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn socket_is_found_once_and_is_another_one_when_it_is_bound_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let link = folder.path().join("link.sock");
        symlink(&path, &link).unwrap();
        let place = |path: &Path| Place::parse(path.as_os_str()).unwrap();
        let places = [
            place(&path),
            place(&folder.path().join("./a.sock")),
            place(&link),
            place(folder.path()),
            place(&folder.path().join("missing.sock")),
        ];
        let found = find(&places);
        let endpoints: Vec<_> = { found.sockets.iter() }
            .map(|(_, endpoint)| endpoint.to_string())
            .collect();
        assert_eq!(endpoints.len(), 2, "{endpoints:?}");
        assert!(endpoints[0].ends_with("/a.sock"), "{endpoints:?}");
        assert!(endpoints[1].ends_with("/missing.sock"), "{endpoints:?}");
        assert_eq!(found.places, [Ok(1), Ok(1), Ok(1), Ok(1), Ok(0)]);
        drop(listener);
        fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        assert_ne!(find(&places).sockets[0].0, found.sockets[0].0);
    }
}
