//! A real QEMU with an empty machine, for tests.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use qapi_wire::client::Options;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running QEMU with an empty machine, ended by its process id.
pub(crate) struct Qemu {
    child: Child,
    folder: TempDir,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Qemu {
    /// Starts QEMU, and waits for its socket. Returns `None`, with the reason
    /// printed, where there is no QEMU.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("qemu-system-x86_64")
            .args(["-machine", "none", "-nodefaults", "-display", "none", "-S"])
            .args(["-qmp", "unix:qmp.sock,server=on,wait=off"])
            .args(options)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                skip::because("QEMU is not installed");
                return None;
            }
            Err(error) => panic!("QEMU does not start: {error}"),
        };
        let qemu = Self { child, folder };
        let begin = Instant::now();
        while !qemu.socket().exists() {
            assert!(begin.elapsed() < PATIENCE, "QEMU makes no socket");
            thread::sleep(Duration::from_millis(20));
        }
        Some(qemu)
    }

    /// Returns the path of the monitor's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("qmp.sock")
    }

    /// Returns the id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Returns the options of a client that waits long enough for a loaded machine.
pub(crate) fn patient() -> Options {
    Options::default().with_timeout(PATIENCE)
}
