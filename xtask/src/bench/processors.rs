//! The processors on which the measured threads run.
//!
//! In: the processors that this process may use. Out: one processor for client
//! and server, and another one for the guest if the machine has two.

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::vm::Vm;
use crate::tools::{Failure, text};

/// The highest priority of a thread without real-time scheduling.
const NICE_MIN: i32 = -20;

pub(super) struct Processors {
    allowed: CpuSet,
    /// The processor of the client and the server.
    ours: usize,
    /// The processor of the guest.
    guests: usize,
}

impl Processors {
    pub(super) fn choose() -> Result<Self, Failure> {
        let allowed = sched_getaffinity(None).map_err(text)?;
        let ours = sched_getcpu();
        let mut others = (0..CpuSet::MAX_CPU).filter(|cpu| *cpu != ours && allowed.is_set(*cpu));
        let guests = others.next().unwrap_or(ours);
        Ok(Self {
            allowed,
            ours,
            guests,
        })
    }

    /// Pins this thread, and the threads that it starts, to the processor of
    /// client and server; otherwise the scheduler's choice would decide the
    /// result.
    pub(super) fn pin(&self) -> Result<(), Failure> {
        sched_setaffinity(None, &only(self.ours)).map_err(text)
    }

    /// Pins the vCPUs that run to the guest's processor, and raises their
    /// priority if that is allowed.
    pub(super) fn pin_guest(&self, vm: &Vm) -> Result<(), Failure> {
        for id in vm.thread_ids() {
            let id = Pid::from_raw(i32::try_from(*id).map_err(text)?);
            sched_setaffinity(id, &only(self.guests)).map_err(text)?;
            let _ = setpriority_process(id, NICE_MIN);
        }
        Ok(())
    }

    /// Allows this thread its original processors again.
    pub(super) fn release(&self) -> Result<(), Failure> {
        sched_setaffinity(None, &self.allowed).map_err(text)
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}
