//! The demo guest: a tiny virtual machine whose statistics really move.
//!
//! In: a number of vCPUs. Out: a running guest and the provider of its
//! statistics. This crate knows no monitor and no client.

#[cfg(target_arch = "x86_64")]
mod code;
mod error;
mod file_limit;
#[cfg_attr(not(target_arch = "x86_64"), path = "unsupported.rs")]
mod machine;
mod threads;

use std::fmt;

use stats_runtime::kvm::KvmProvider;

pub use error::GuestError;
pub use file_limit::{FileLimitError, raise_nofile_limit};
use machine::Machine;
use threads::Threads;

/// The largest number of vCPUs that a guest may have: `KVM_MAX_VCPUS` of today's
/// x86 kernels. [`Guest::boot`] fails if the running kernel allows fewer.
pub const VCPUS_MAX: u32 = 1024;

/// The number of files that the process may have open besides the guest's.
const OTHER_FILES: u64 = 256;

/// The size of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestConfig {
    /// The number of vCPUs, from 1 to [`VCPUS_MAX`].
    pub vcpus: u32,
    /// The number of vCPUs that run, counted from the first. The others exist
    /// and have statistics, but never enter the guest.
    pub running: u32,
}

/// A guest that only produces statistics.
///
/// Each vCPU that runs writes to an I/O port, sleeps (HLT) until its timer
/// wakes it, and begins again, about a thousand times a second: seven short
/// sleeps, then a long one. Therefore the counters of exits and interrupts and
/// the histograms of halt polling and of waiting all move.
///
/// Dropping a guest stops it, as [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Guest {
    // The threads are dropped first: no vCPU may run without its memory.
    threads: Threads,
    machine: Machine,
    provider: KvmProvider,
    qom_paths: Vec<String>,
}

/// Returns the QOM path of the vCPU with this index: the path that QEMU gives
/// the vCPU.
#[must_use]
pub fn qom_path(index: impl fmt::Display) -> String {
    format!("/machine/unattached/device[{index}]")
}

impl Guest {
    /// Boots a guest and returns when its threads run.
    ///
    /// Raises the process's soft limit of open files if the limit is too low.
    ///
    /// # Errors
    ///
    /// Returns a [`GuestError`] that names what failed and for which vCPU.
    pub fn boot(config: GuestConfig) -> Result<Self, GuestError> {
        let GuestConfig { vcpus, running } = config;
        if !(1..=VCPUS_MAX).contains(&vcpus) {
            return Err(GuestError::Vcpus {
                asked: vcpus,
                most: VCPUS_MAX,
            });
        }
        if running > vcpus {
            return Err(GuestError::Running { running, vcpus });
        }
        let (mut machine, stats) = Machine::open(vcpus)?;
        // Two files per vCPU: the vCPU and its statistics.
        raise_nofile_limit(2 * u64::from(vcpus) + OTHER_FILES)?;
        let provider = KvmProvider::new();
        provider.set_vm_fd(stats)?;
        let mut qom_paths = Vec::new();
        for index in 0..vcpus {
            let qom_path = qom_path(index);
            let vcpu = machine.add_vcpu(index)?;
            // Open the statistics before the vCPU runs, because the kernel
            // delays this call for as long as the vCPU is in the guest.
            provider.add_vcpu(qom_path.as_str(), vcpu)?;
            qom_paths.push(qom_path);
        }
        let threads = Threads::start(machine.take_vcpus(running), machine.run_size())?;
        Ok(Self {
            threads,
            machine,
            provider,
            qom_paths,
        })
    }

    /// Returns the provider of the statistics of this guest and of all its
    /// vCPUs. The provider goes on answering when the guest has stopped.
    #[must_use]
    pub fn provider(&self) -> &KvmProvider {
        &self.provider
    }

    /// Returns the QOM paths of the vCPUs, in the order of their indexes.
    #[must_use]
    pub fn qom_paths(&self) -> &[String] {
        &self.qom_paths
    }

    /// Returns the number of vCPUs.
    #[must_use]
    pub fn vcpus(&self) -> usize {
        self.qom_paths.len()
    }

    /// Returns the number of vCPUs that run while the guest is not paused.
    #[must_use]
    pub fn running(&self) -> usize {
        self.vcpus() - self.machine.idle_vcpus()
    }

    /// Returns the ids of the vCPUs' threads, in the order of the vCPUs'
    /// indexes. A vCPU that never runs has no thread.
    #[must_use]
    pub fn thread_ids(&self) -> &[u32] {
        self.threads.ids()
    }

    /// Pauses the guest and returns when no vCPU is in the guest. Does nothing
    /// if the guest is paused.
    ///
    /// # Errors
    ///
    /// Returns the [`GuestError`] of a vCPU that has ended on its own.
    pub fn pause(&self) -> Result<(), GuestError> {
        self.threads.pause()
    }

    /// Lets all vCPUs go on. Does nothing if the guest is not paused.
    ///
    /// # Errors
    ///
    /// Returns the [`GuestError`] of a vCPU that has ended on its own.
    pub fn resume(&self) -> Result<(), GuestError> {
        self.threads.resume()
    }

    /// Stops the guest for good and returns when its threads have ended.
    ///
    /// # Errors
    ///
    /// Returns the [`GuestError`] of a vCPU that has ended on its own.
    pub fn stop(mut self) -> Result<(), GuestError> {
        self.threads.stop()
    }
}
