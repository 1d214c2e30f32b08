//! The minimal server, a C program in a process of its own.
//!
//! In: statistics files, or a constant reply. Out: a client of a server that is
//! started for it.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};

use super::client::Client;
use crate::process::Running;
use crate::tools::{Failure, output, text, workspace};

/// The content of the server's replies.
pub(super) enum Content<'c> {
    /// A constant reply.
    Fixed(&'c [u8]),
    Live {
        /// The statistics' names, each between commas; empty for all.
        names: &'c str,
        /// The objects' statistics files with the vCPUs' QOM paths; the path of
        /// the VM is empty.
        objects: Vec<(String, OwnedFd)>,
    },
}

/// Compiles the program into `folder`.
pub(super) fn compile(folder: &Path) -> Result<(), Failure> {
    let source = workspace().join("xtask/src/bench/request/minimal.c");
    let mut compiler = Command::new("cc");
    let compiler = compiler.args(["-O2", "-Wall", "-o"]);
    output(compiler.arg(folder.join("minimal")).arg(source)).map(drop)
}

/// Starts a server that accepts the client which is returned.
pub(super) fn start(folder: &Path, content: Content<'_>) -> Result<(Running, Client), Failure> {
    let socket = folder.join("minimal.sock");
    let listener = UnixListener::bind(&socket).map_err(text)?;
    let mut command = Command::new(folder.join("minimal"));
    command.stdin(OwnedFd::from(listener));
    // Hold the files until the process has inherited them.
    let mut inherited = Vec::new();
    match content {
        Content::Fixed(reply) => {
            let path = folder.join("reply");
            fs::write(&path, reply).map_err(text)?;
            command.arg(path);
        }
        Content::Live { names, objects } => {
            command.arg(names);
            for (path, fd) in objects {
                fcntl_setfd(&fd, FdFlags::empty()).map_err(text)?;
                command.arg(fd.as_raw_fd().to_string()).arg(path);
                inherited.push(fd);
            }
        }
    }
    let running = Running::start(&mut command)?;
    let stream = UnixStream::connect(&socket).map_err(text)?;
    fs::remove_file(socket).map_err(text)?;
    Ok((running, Client::new(stream)))
}
