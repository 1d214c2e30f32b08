//! The installed QEMU, with which ours is compared.
//!
//! In: a number of vCPUs. Out: a client of QEMU's monitor. QEMU's machine is
//! stopped.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use crate::tools::Failure;

/// The most vCPUs of the machine type.
const VCPUS_MAX: u32 = 255;

/// The longest time until QEMU accepts a client.
const BEGIN_TIME_MAX: Duration = Duration::from_secs(30);

pub(super) struct Qemu {
    process: Child,
    pub(super) client: Client,
}

impl Qemu {
    /// Starts QEMU with KVM. Returns `None` if QEMU is not installed, or cannot
    /// have as many vCPUs.
    pub(super) fn start(vcpus: u32, folder: &Path) -> Result<Option<Self>, Failure> {
        if vcpus > VCPUS_MAX {
            return Ok(None);
        }
        let path = folder.join(format!("qemu-{vcpus}"));
        let started = Command::new("qemu-system-x86_64")
            .args(["-accel", "kvm", "-machine", "q35", "-m", "128", "-S"])
            .args([
                "-nodefaults",
                "-display",
                "none",
                "-smp",
                &vcpus.to_string(),
            ])
            .args([
                "-qmp",
                &format!("unix:{},server=on,wait=off", path.display()),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut process) = started else {
            return Ok(None);
        };
        let begin = Instant::now();
        loop {
            if let Ok(client) = Client::negotiated(&path) {
                return Ok(Some(Self { process, client }));
            }
            if begin.elapsed() > BEGIN_TIME_MAX || !matches!(process.try_wait(), Ok(None)) {
                let _ = process.kill();
                let _ = process.wait();
                return Err("QEMU does not start".to_owned());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
