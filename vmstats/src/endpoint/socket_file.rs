//! Why the file of a socket cannot be connected to.
//!
//! In: a path, and the kernel's error. Out: the reason in words for an operator,
//! from a look at the file and its folders. This file connects to nothing.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};
use rustix::io::Errno;

use super::address::SECOND_MONITOR;
use super::host_folder::{explain_missing, vms_folder};

/// The number of sockets in a folder that a message names.
const NEIGHBOURS_MAX: usize = 3;

/// The number of entries of a folder that are looked at for sockets.
const ENTRIES_MAX: usize = 1000;

/// Returns why the socket at `path` cannot be connected to.
pub(super) fn explain(path: &Path, error: &io::Error) -> String {
    match (
        error.kind(),
        error.raw_os_error().map(Errno::from_raw_os_error),
    ) {
        (io::ErrorKind::TimedOut, _) => {
            format!(
                "no answer in time: the program that listens there accepts nobody; a QEMU that \
                 serves one client lets one more wait; {SECOND_MONITOR}"
            )
        }
        (io::ErrorKind::NotFound, _) => explain_absence(path),
        (io::ErrorKind::NotADirectory, _) => match first_that(path, |file| !file.is_dir()) {
            Some(file) => format!("{} is not a folder", file.display()),
            None => "a part of the path is not a folder".to_owned(),
        },
        (io::ErrorKind::PermissionDenied, _) => explain_refusal(path),
        (io::ErrorKind::ConnectionRefused, _) => match std::fs::metadata(path) {
            Ok(metadata) => explain_file(path, metadata.file_type()),
            Err(_) => "nobody listens there".to_owned(),
        },
        (_, Some(Errno::PROTOTYPE)) => {
            "it is a socket for datagrams or packets, and a monitor's is a stream".to_owned()
        }
        (_, Some(Errno::NAMETOOLONG)) => {
            "a name in a path has at most 255 bytes, and the whole path 4095".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Returns whether a program that is starting could make the socket at `path`
/// appear: its folder exists, and no other file is in its place.
pub(super) fn may_appear(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(_) => folder(path).is_dir(),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn explain_absence(path: &Path) -> String {
    if let Ok(target) = std::fs::read_link(path) {
        return format!(
            "it is a symbolic link to {}, which does not exist",
            target.display()
        );
    }
    let folder = folder(path);
    if let Some(missing) = first_missing(folder) {
        if folder == vms_folder() {
            return explain_missing(folder);
        }
        return format!("there is no folder {}", missing.display());
    }
    let mut text = "there is no such socket".to_owned();
    let name = path.to_str().unwrap_or_default();
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        let _ = write!(text, "; a TCP port is written tcp:localhost:{name}");
    } else if name == "localhost" || name.parse::<std::net::IpAddr>().is_ok() {
        text.push_str("; a TCP port is written tcp:HOST:PORT");
    } else if let Some(others) = sockets_in(folder) {
        let _ = write!(text, "; {} has {others}", folder.display());
    }
    text
}

fn explain_file(path: &Path, kind: FileType) -> String {
    if kind.is_dir() {
        return match sockets_in(path) {
            Some(sockets) => format!("it is a folder, which has {sockets}"),
            None => "it is a folder without a socket".to_owned(),
        };
    }
    let what = if kind.is_socket() {
        return "nobody listens there: the program that made the socket has ended".to_owned();
    } else if kind.is_file() {
        "a regular file"
    } else if kind.is_fifo() {
        "a FIFO"
    } else {
        "a device"
    };
    format!("it is {what}, not a socket")
}

/// Returns who may connect, for somebody who may not.
fn explain_refusal(path: &Path) -> String {
    let advice = "run vmstats as that user, with sudo, or as a member of that group";
    let closed = first_that(path, |_| false);
    match (closed, std::fs::metadata(path)) {
        (_, Ok(socket)) => format!(
            "permission denied: the socket belongs to {}; {advice}",
            ownership(&socket)
        ),
        (Some(inner), Err(_)) => {
            let outer = folder(&inner);
            let owner = match std::fs::metadata(outer) {
                Ok(metadata) => ownership(&metadata),
                Err(_) => "somebody else".to_owned(),
            };
            let outer = outer.display();
            format!("permission denied: the folder {outer} belongs to {owner}; {advice}")
        }
        (None, Err(error)) => error.to_string(),
    }
}

/// Returns the owner, the group and the mode of a file.
fn ownership(metadata: &Metadata) -> String {
    let (uid, gid) = (metadata.uid(), metadata.gid());
    let user = match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    };
    let group = match Group::from_gid(Gid::from_raw(gid)) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    };
    let mode = metadata.mode() & 0o777;
    format!("user {user} and group {group} with mode {mode:03o}")
}

/// Returns the outermost part of a path that does not exist.
fn first_missing(path: &Path) -> Option<PathBuf> {
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    let mut parts = parts
        .into_iter()
        .filter(|part| !part.as_os_str().is_empty());
    parts.find(|part| is_missing(part)).map(Path::to_owned)
}

fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns the outermost part of a path that cannot be looked at, or that has a
/// property.
fn first_that(path: &Path, has_property: impl Fn(&Metadata) -> bool) -> Option<PathBuf> {
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    let mut parts = parts
        .into_iter()
        .filter(|part| !part.as_os_str().is_empty());
    let found = parts.find(|part| match std::fs::metadata(part) {
        Ok(metadata) => has_property(&metadata),
        Err(_) => true,
    });
    found.map(Path::to_owned)
}

/// Returns the names of a folder's sockets, for a sentence; `None` if the folder
/// has only other files.
fn sockets_in(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?.take(ENTRIES_MAX).flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let mut names: Vec<_> = sockets.map(|entry| entry.file_name()).collect();
    names.sort_unstable();
    let shown = names.iter().take(NEIGHBOURS_MAX);
    let shown = shown.map(|name| OsStr::to_string_lossy(name));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => return None,
        count if count > NEIGHBOURS_MAX => text.push_str(" and others"),
        _ => {}
    }
    Some(format!(
        "the socket{} {text}",
        if names.len() == 1 { "" } else { "s" }
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::{UnixDatagram, UnixListener};
    use std::time::{Duration, Instant};

    use super::super::Endpoint;
    use super::*;

    fn check(path: &Path, expected: &str, appears: bool) {
        let endpoint = Endpoint::Unix(path.to_owned());
        let deadline = Instant::now() + Duration::from_millis(200);
        let error = endpoint.connect(deadline).unwrap_err();
        assert!(error.to_string().contains(expected), "{path:?}: {error}");
        assert_eq!(endpoint.may_appear_after(&error), appears, "{path:?}");
    }

    #[test]
    fn error_says_what_is_at_the_path_when_it_is_not_a_listening_socket() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        check(&at("absent"), "there is no such socket", true);
        check(&at("a/b/absent"), "there is no folder", false);
        check(scratch.path(), "it is a folder without a socket", false);
        std::fs::write(at("file"), "").unwrap();
        check(&at("file"), "it is a regular file, not a socket", false);
        check(&at("file/absent"), "file is not a folder", false);
        symlink("nowhere", at("link")).unwrap();
        check(
            &at("link"),
            "a symbolic link to nowhere, which does not exist",
            true,
        );
        check(
            Path::new("/dev/null"),
            "it is a device, not a socket",
            false,
        );
        drop(UnixListener::bind(at("stale.sock")).unwrap());
        check(&at("stale.sock"), "nobody listens there: the program", true);
        check(
            scratch.path(),
            "it is a folder, which has the socket stale.sock",
            false,
        );
        check(&at("absent"), "has the socket stale.sock", true);
        let _datagram = UnixDatagram::bind(at("datagram")).unwrap();
        check(&at("datagram"), "a socket for datagrams", false);
        check(&at(&"x".repeat(300)), "at most 255 bytes", false);
        check(
            Path::new("4444"),
            "a TCP port is written tcp:localhost:4444",
            true,
        );
        check(
            Path::new("127.0.0.1"),
            "a TCP port is written tcp:HOST:PORT",
            true,
        );
    }

    #[test]
    fn refusal_names_the_owner_the_group_and_the_mode() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let text = explain_refusal(&path);
        let uid = rustix::process::getuid().as_raw();
        let owner = User::from_uid(uid.into()).unwrap().map(|user| user.name);
        let owner = owner.unwrap_or(uid.to_string());
        assert!(
            text.contains(&format!("the socket belongs to user {owner} and group ")),
            "{text}"
        );
        assert!(text.contains(" with mode 640"), "{text}");
    }

    #[test]
    fn socket_is_reached_at_a_path_of_any_length() {
        let scratch = tempfile::tempdir().unwrap();
        let long = scratch.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        // A listener's path is as short as any, so make the socket elsewhere.
        let short = scratch.path().join("s");
        let _listener = UnixListener::bind(&short).unwrap();
        let path = long.join("y".repeat(200));
        std::fs::rename(&short, &path).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        Endpoint::Unix(path.clone()).connect(deadline).unwrap();
        let not_text = long.join(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"));
        std::fs::rename(&path, &not_text).unwrap();
        Endpoint::Unix(not_text).connect(deadline).unwrap();
        std::fs::write(long.join("file"), "").unwrap();
        check(&long.join("file"), "it is a regular file", false);
        check(&long.join("absent"), "there is no such socket", true);
    }
}
