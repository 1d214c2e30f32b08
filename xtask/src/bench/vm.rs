//! The VM whose statistics are measured: the demo's guest.
//!
//! In: the numbers of its vCPUs and of those that run. Out: its provider, and
//! duplicates of its statistics files.

use std::os::fd::{BorrowedFd, OwnedFd};

use demo_guest::{Guest, GuestConfig, raise_nofile_limit};
use stats_runtime::kvm::KvmProvider;

use crate::tools::{Failure, text};

pub(super) struct Vm {
    guest: Guest,
}

impl Vm {
    pub(super) fn new(vcpus: u32, running: u32) -> Result<Self, Failure> {
        // Per vCPU: its own file, its statistics file, and a duplicate for the
        // minimal server.
        raise_nofile_limit(u64::from(vcpus) * 3 + 300).map_err(text)?;
        let guest = Guest::boot(GuestConfig { vcpus, running }).map_err(text)?;
        Ok(Self { guest })
    }

    pub(super) fn provider(&self) -> &KvmProvider {
        self.guest.provider()
    }

    /// Returns the threads of the vCPUs that run.
    pub(super) fn thread_ids(&self) -> &[u32] {
        self.guest.thread_ids()
    }

    /// Duplicates the vCPUs' statistics files, in the order of their indexes.
    pub(super) fn vcpus(&self) -> Result<Vec<(String, OwnedFd)>, Failure> {
        let files = self.provider().files().map_err(text)?;
        let copy = |(qom_path, fd): (&str, BorrowedFd<'_>)| {
            Ok((qom_path.to_owned(), fd.try_clone_to_owned().map_err(text)?))
        };
        files.vcpus().map(copy).collect()
    }

    /// Duplicates the VM's statistics file.
    pub(super) fn vm(&self) -> Result<OwnedFd, Failure> {
        let files = self.provider().files().map_err(text)?;
        let vm = files.vm().ok_or("the VM has no statistics")?;
        vm.try_clone_to_owned().map_err(text)
    }
}
