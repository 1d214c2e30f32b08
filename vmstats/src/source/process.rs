//! The process that runs a virtual machine, and the threads of its vCPUs.
//!
//! In: what a monitor and the kernel tell. Out: types by which one run of a virtual
//! machine is told from the next. This file reads no statistics.

use crate::sample::ObjectId;

/// The marks that tell one run of a virtual machine from the next at the same address.
#[derive(Clone, Debug)]
pub(super) struct Incarnation {
    /// The process that listens, if it is known.
    pub(super) peer: Option<Peer>,
    /// The ids of the vCPUs' threads.
    pub(super) threads: Vec<i64>,
}

impl Incarnation {
    /// Returns whether the virtual machine has run on since an earlier look: the same
    /// process listens, and one of the vCPUs' threads is the same. Threads count because
    /// libvirtd listens for its virtual machines; others may be of vCPUs that were
    /// plugged in meanwhile.
    ///
    /// `was_gone` tells that the socket was away, as it is when QEMU has ended. Only a
    /// thread that is the same shows then that the virtual machine has run on.
    pub(super) fn continues(&self, earlier: &Self, was_gone: bool) -> bool {
        let has_threads = !self.threads.is_empty() && !earlier.threads.is_empty();
        let mut threads = self.threads.iter();
        self.peer == earlier.peer
            && ((!has_threads && !was_gone)
                || threads.any(|thread| earlier.threads.contains(thread)))
    }
}

/// A process of this host, such as the one that listens at a monitor's socket. The time tells
/// it from a later process with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process's id.
    pub(super) process: u32,
    /// The moment at which the process started, in clock ticks since the host's boot.
    started: Option<u64>,
}

/// A vCPU of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vcpu {
    /// The index.
    pub(super) index: i64,
    /// The id of the thread that runs the vCPU; 0 if the vCPU has no thread.
    pub(super) thread: i64,
    /// The QOM path.
    pub(super) qom_path: String,
}

impl Vcpu {
    /// Returns the identity of the vCPU.
    pub(super) fn id(&self) -> ObjectId {
        ObjectId {
            index: Some(self.index),
            qom_path: Some(self.qom_path.clone()),
        }
    }

    /// Returns whether a thread runs the vCPU.
    pub(super) fn has_thread(&self) -> bool {
        self.thread > 0
    }

    #[cfg(test)]
    pub(super) fn new(index: i64, thread: i64) -> Self {
        Self {
            index,
            thread,
            qom_path: format!("/machine/cpu[{index}]"),
        }
    }
}

impl Peer {
    /// Makes the description of a process.
    pub(super) fn of(process: u32) -> Self {
        Self {
            process,
            started: start_time(process),
        }
    }

    /// Returns the time in nanoseconds since 1970 at which the process started.
    pub(super) fn started_nanos(&self) -> Option<u64> {
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let nanos_per_tick = 1_000_000_000u64.checked_div(ticks_per_second)?;
        let boot = boot_time()?.checked_mul(1_000_000_000)?;
        boot.checked_add(self.started?.checked_mul(nanos_per_tick)?)
    }
}

/// Returns the time of the host's boot in seconds since 1970: `btime` of `/proc/stat`.
fn boot_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let seconds = { stat.lines() }.find_map(|line| line.strip_prefix("btime "))?;
    seconds.trim().parse().ok()
}

/// Returns the moment at which a process started: field 22 of `/proc/PID/stat`.
fn start_time(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in brackets, which may have blanks and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_goes_on_while_a_thread_and_the_peer_stay() {
        let of = |process, threads: &[i64]| Incarnation {
            peer: Some(Peer {
                process,
                started: Some(7),
            }),
            threads: threads.to_vec(),
        };
        let first = of(1, &[10, 11]);
        for was_gone in [false, true] {
            assert!(of(1, &[10, 12]).continues(&first, was_gone));
            assert!(!of(1, &[12]).continues(&first, was_gone));
            assert!(!of(2, &[10, 11]).continues(&first, was_gone));
        }
        assert!(of(1, &[]).continues(&first, false));
        assert!(!of(1, &[]).continues(&first, true));
    }
}
