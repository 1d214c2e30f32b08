//! Which processor does what, for as long as is measured.
//!
//! In: the processors that this process may use. Out: one for who asks and who
//! answers, and another for the guest, if there is one.

use std::time::Duration;
use std::{fs, thread};

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::vm::{Vm, text};
use crate::tools::Failure;

/// The highest priority of threads that are not in real time.
const NICE_MIN: i32 = -20;

/// How long a thread takes to begin, at most.
const START_TIME: Duration = Duration::from_millis(50);

pub(super) struct Processors {
    allowed: CpuSet,
    /// Of the client and the server.
    ours: usize,
    /// Of the guest.
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

    /// Whether the guest has one of its own.
    pub(super) fn are_two(&self) -> bool {
        self.ours != self.guests
    }

    /// Keeps this thread, and those that it starts, on its processor: whether
    /// client and server happen to share one would decide everything else.
    pub(super) fn pin(&self) -> Result<(), Failure> {
        sched_setaffinity(None, &only(self.ours)).map_err(text)
    }

    /// Keeps the vCPUs that run away from it.
    pub(super) fn pin_guest(&self, vm: &Vm) -> Result<(), Failure> {
        for id in vm.thread_ids() {
            self.keep_away(i32::try_from(*id).map_err(text)?)?;
        }
        Ok(())
    }

    /// Keeps the threads of this name away from it, which have just been
    /// started: they give themselves their name.
    pub(super) fn pin_named(&self, name: &str) -> Result<(), Failure> {
        thread::sleep(START_TIME);
        let mut count = 0;
        for task in fs::read_dir("/proc/self/task").map_err(text)?.flatten() {
            let comm = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if comm.trim() == name {
                let id = task.file_name().to_string_lossy().parse().map_err(text)?;
                self.keep_away(id)?;
                count += 1;
            }
        }
        if count == 0 {
            return Err(format!("no thread is called {name}"));
        }
        Ok(())
    }

    /// Keeps a thread away from it, and lets it go before what other programs
    /// do, where that is allowed.
    fn keep_away(&self, id: i32) -> Result<(), Failure> {
        let id = Pid::from_raw(id);
        sched_setaffinity(id, &only(self.guests)).map_err(text)?;
        let _ = setpriority_process(id, NICE_MIN);
        Ok(())
    }

    /// Lets this thread go where it was allowed to.
    pub(super) fn release(&self) -> Result<(), Failure> {
        sched_setaffinity(None, &self.allowed).map_err(text)
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}
