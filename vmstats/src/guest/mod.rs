//! The demo guest: a tiny virtual machine whose statistics really move.
//!
//! In: how many vCPUs. Out: a running guest and the provider of its
//! statistics. It knows no monitor and no client.

#[cfg(target_arch = "x86_64")]
mod code;
mod error;
#[cfg_attr(not(target_arch = "x86_64"), path = "elsewhere.rs")]
mod machine;
mod threads;

use std::sync::Arc;

use stats_runtime::kvm::{KvmProvider, raise_nofile_limit};

pub use error::GuestError;
use machine::Machine;
use threads::Threads;

/// The most vCPUs that a guest may have: `KVM_MAX_VCPUS` of today's x86
/// kernels. A kernel that allows fewer says so when the guest boots.
pub const VCPUS_MAX: u32 = 1024;

/// Files that this program may have open besides the guest's.
const OTHER_FILES: u64 = 256;

/// What guest to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestConfig {
    /// How many vCPUs it has, from 1 to [`VCPUS_MAX`].
    pub vcpus: u32,
    /// How many of them run, from the first on. The others exist and have
    /// statistics, but never enter the guest.
    pub running: u32,
}

/// A guest that does nothing but be measured.
///
/// Each vCPU that runs writes to an I/O port, sleeps (HLT) until its timer
/// wakes it, and begins again, about a thousand times a second: seven short
/// sleeps, then a long one. So its exits, its interrupts and the histograms of
/// how it was polled for and waited for all move.
///
/// Dropping it stops it, as [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Guest {
    // Dropped in this order: first nothing may run any more.
    threads: Threads,
    machine: Machine,
    provider: Arc<KvmProvider>,
    qom_paths: Vec<String>,
}

/// The QOM path of the vCPU of this number: where QEMU puts vCPUs.
#[must_use]
pub fn qom_path(index: impl std::fmt::Display) -> String {
    format!("/machine/unattached/device[{index}]")
}

impl Guest {
    /// Boots a guest. When this returns, its threads run.
    ///
    /// Raises the process's soft limit of open files if it is too low.
    ///
    /// # Errors
    ///
    /// [`GuestError`], naming what failed and for which vCPU.
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
        // A vCPU's own, and its statistics.
        raise_nofile_limit(2 * u64::from(vcpus) + OTHER_FILES)?;
        let provider = KvmProvider::new();
        provider.set_vm_fd(stats)?;
        let mut qom_paths = Vec::new();
        for index in 0..vcpus {
            let qom_path = qom_path(index);
            let vcpu = machine.add_vcpu(index)?;
            // Before it runs: the kernel holds this call up while it does.
            provider.add_vcpu(qom_path.as_str(), vcpu)?;
            qom_paths.push(qom_path);
        }
        let threads = Threads::start(machine.take_vcpus(running), machine.run_size())?;
        Ok(Self {
            threads,
            machine,
            provider: Arc::new(provider),
            qom_paths,
        })
    }

    /// The provider of the statistics of this guest and of all its vCPUs. It
    /// answers for as long as it is kept, also when the guest has stopped.
    #[must_use]
    pub fn provider(&self) -> &Arc<KvmProvider> {
        &self.provider
    }

    /// Where the vCPUs are in QEMU's tree of objects, in the order of their
    /// indexes.
    #[must_use]
    pub fn qom_paths(&self) -> &[String] {
        &self.qom_paths
    }

    /// How many vCPUs the guest has.
    #[must_use]
    pub fn vcpus(&self) -> usize {
        self.qom_paths.len()
    }

    /// How many of them run, or would if the guest was not paused.
    #[must_use]
    pub fn running(&self) -> usize {
        self.vcpus() - self.machine.idle_vcpus()
    }

    /// The ids of the threads that the vCPUs run on, in the order of their
    /// indexes; those that never run have none and are not among them.
    #[must_use]
    pub fn thread_ids(&self) -> &[u32] {
        self.threads.ids()
    }

    /// Stops all vCPUs where they are. When this returns, none is in the
    /// guest. A guest that is paused stays so.
    ///
    /// # Errors
    ///
    /// [`GuestError`] if a vCPU has ended on its own.
    pub fn pause(&self) -> Result<(), GuestError> {
        self.threads.pause()
    }

    /// Lets all vCPUs go on. A guest that runs stays so.
    ///
    /// # Errors
    ///
    /// [`GuestError`] if a vCPU has ended on its own.
    pub fn resume(&self) -> Result<(), GuestError> {
        self.threads.resume()
    }

    /// Stops the guest for good. When this returns, its threads have ended.
    ///
    /// # Errors
    ///
    /// [`GuestError`] if a vCPU had ended on its own before.
    pub fn stop(mut self) -> Result<(), GuestError> {
        self.threads.stop()
    }
}
