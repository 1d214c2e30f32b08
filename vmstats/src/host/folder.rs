//! The folder of the host: the socket for hand-overs, and one socket for each VM.
//!
//! In: a path, and the names of VMs. Out: bound sockets, whose files are removed again.
//! One host at a time uses a folder, so that it may remove what an earlier one left.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use stats_runtime::server::{UnixAccess, bind_packets};

use crate::endpoint::{socket_name, vms_in};
use crate::failure::Failure;

/// The name of the socket for hand-overs.
const HANDOVER: &str = "handover.sock";

/// The longest part of a VM's name in the name of its socket, so that the path of the
/// socket fits into an address.
const NAME_BYTES_MAX: usize = 48;

/// A folder that this process alone serves in.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked for as long as the host runs.
    _lock: File,
    /// The names of the VMs' sockets in use.
    taken: HashSet<String>,
    handover: Option<PathBuf>,
}

impl Folder {
    /// Makes the folder, and removes the sockets that an earlier host left.
    ///
    /// # Errors
    ///
    /// Returns an error if another host uses the folder, or if it cannot be made.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let cannot =
            |error: io::Error| Failure::other(format!("cannot use {}: {error}", path.display()));
        let vms = vms_in(path);
        fs::create_dir_all(&vms).map_err(cannot)?;
        let lock = File::create(vms.join(".lock")).map_err(cannot)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::other(format!(
                "another vmstats host serves in {}: use another --folder",
                path.display()
            ))
        })?;
        for entry in fs::read_dir(vms).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if entry.file_type().is_ok_and(|kind| kind.is_socket()) {
                fs::remove_file(entry.path()).map_err(cannot)?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
            taken: HashSet::new(),
            handover: None,
        })
    }

    /// Returns the folder with the VMs' sockets.
    pub(super) fn vms(&self) -> PathBuf {
        vms_in(&self.path)
    }

    /// Returns the host's folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Binds the socket for hand-overs. Its file has this mode and group.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket cannot be bound.
    pub(super) fn listen(&mut self, mode: u32, group: Option<u32>) -> Result<OwnedFd, Failure> {
        let path = self.path.join(HANDOVER);
        let access = UnixAccess::mode(mode);
        let access = group.map_or(access, |group| access.group(group));
        let cannot = |error: io::Error| {
            Failure::other(format!("cannot listen on {}: {error}", path.display()))
        };
        let socket = bind_packets(&path, access).map_err(cannot)?;
        // The loop waits for VMMs by epoll only.
        rustix::io::ioctl_fionbio(&socket, true).map_err(|errno| cannot(errno.into()))?;
        self.handover = Some(path);
        Ok(socket)
    }

    /// Reserves the name of a VM's socket: the VM's own name if no other VM has it.
    pub(super) fn reserve(&mut self, name: Option<&str>, pid: Option<u32>, id: u64) -> String {
        let name = name.map(file_name).filter(|name| !name.is_empty());
        let unnamed = || match pid {
            Some(pid) => format!("pid-{pid}"),
            None => format!("vm-{id}"),
        };
        let first = name.unwrap_or_else(unnamed);
        // Two VMs may have one name, such as source and destination of a migration on
        // this host: the second gets the suffix "~2".
        let others = (2..).map(|number| format!("{first}~{number}"));
        let mut candidates = std::iter::once(first.clone()).chain(others);
        let found = candidates.find(|candidate| !self.taken.contains(candidate));
        let found = found.unwrap_or(first);
        self.taken.insert(found.clone());
        found
    }

    /// Reserves a name that a VM had before a restart of the host. Returns whether it was
    /// free.
    pub(super) fn reserve_again(&mut self, name: &str) -> bool {
        !name.is_empty() && file_name(name) == name && self.taken.insert(name.to_owned())
    }

    /// Releases a name.
    pub(super) fn release(&mut self, name: &str) {
        self.taken.remove(name);
    }

    /// Returns the path of a VM's socket.
    pub(super) fn socket(&self, name: &str) -> PathBuf {
        self.vms().join(socket_name(name.as_ref()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(path) = &self.handover {
            // Somebody may have removed the folder.
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns a VM's name as the name of a file: without separators, leading dots and characters
/// that are special to a shell or a terminal.
fn file_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+~".contains(c);
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' });
    let name: String = plain.take(NAME_BYTES_MAX).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_has_the_name_of_its_vm_when_nobody_else_has() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(temporary.path()).unwrap();
        let mut reserve = |name| folder.reserve(name, Some(7), 1);
        assert_eq!(reserve(Some("web1")), "web1");
        assert_eq!(reserve(Some("web1")), "web1~2");
        assert_eq!(reserve(Some("../a b\u{1b}\n")), "_a_b__");
        assert_eq!(reserve(Some("..")), "pid-7");
        assert_eq!(reserve(None), "pid-7~2");
        assert_eq!(reserve(Some(&"x".repeat(300))).len(), NAME_BYTES_MAX);
        folder.release("web1");
        assert_eq!(folder.reserve(Some("web1"), None, 1), "web1");
        assert_eq!(folder.reserve(None, None, 5), "vm-5");
        assert!(folder.reserve_again("db1"));
        for name in ["db1", "web1", "../x", ""] {
            assert!(!folder.reserve_again(name), "{name}");
        }
    }

    #[test]
    fn folder_is_refused_when_another_host_uses_it() {
        let temporary = tempfile::tempdir().unwrap();
        let _folder = Folder::open(temporary.path()).unwrap();
        let error = Folder::open(temporary.path()).unwrap_err().to_string();
        assert!(error.contains("another vmstats host"), "{error}");
    }
}
