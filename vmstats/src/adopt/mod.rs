//! `vmstats adopt`: QEMUs whose monitors are taken are observed through the statistics files
//! that they keep open.
//!
//! In: the processes of this host. Out: hand-overs of their files to `vmstats host`. This
//! module serves nobody, reads no counter but to tell old files from new ones, and has one
//! capability.

mod adoption;
mod command_line;
mod connector;
mod list;
mod privileges;
mod process;
mod qemu;
mod take;
mod why_not;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use tracing::warn;

use self::adoption::Adoption;
use self::connector::Connector;
use self::list::Row;
use self::privileges::{keep_one_capability, reach_without_capability};
use self::process::{Program, SharedInode, candidates, not_qemu, program};
use self::qemu::Qemu;
use self::take::close;
use self::why_not::WhyNot;
use crate::cli::AdoptArgs;
use crate::failure::{Failure, warn as say};
use crate::shutdown::PendingSignals;
use crate::source::raise_file_limit;

/// The most processes that are watched.
const PROCESSES_MAX: usize = 4096;

/// Runs `vmstats adopt`.
///
/// # Errors
///
/// Returns an error if the capabilities cannot be dropped, on kernels before Linux 6.5, or if
/// a selection has no QEMU.
pub fn run(arguments: &AdoptArgs, out: &mut dyn Write) -> Result<(), Failure> {
    // Drop the capabilities before any thread starts: each thread has its own sets and
    // would keep all of them.
    let has_capability = keep_one_capability()?;
    if !has_capability {
        say(&reach_without_capability());
    }
    let inode = SharedInode::find().map_err(|why_not| Failure::other(why_not.to_string()))?;
    let is_old_kernel = !kvm_stats::keeps_vm_alive();
    if arguments.list {
        let rows: Vec<_> = { selected(&arguments.pids)?.into_iter() }
            .filter_map(|(pid, program)| Qemu::open(pid, program).ok())
            .filter_map(|qemu| Row::of(qemu, &inode, is_old_kernel))
            .collect();
        return list::show(&rows, arguments.json, out);
    }
    if is_old_kernel {
        return Err(Failure::other(WhyNot::OldKernel.to_string()));
    }
    adopt(arguments, &inode)
}

/// Adopts QEMUs until a signal comes or, with `--once` or selected process IDs, until
/// every watched process has ended or was refused.
fn adopt(arguments: &AdoptArgs, inode: &SharedInode) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    raise_file_limit();
    let is_complete = arguments.once || !arguments.pids.is_empty();
    let mut connector = Connector::new(arguments.socket.clone());
    let mut watched = Watched::default();
    watched.add(selected(&arguments.pids)?);
    loop {
        watched.look(inode, &mut connector);
        if is_complete && watched.is_over() {
            return if watched.has_adopted {
                Ok(())
            } else {
                Err(Failure::other(
                    "no QEMU was adopted: `vmstats adopt --list` says why",
                ))
            };
        }
        if signals.wait_timeout(arguments.interval) {
            return Ok(());
        }
        if !is_complete {
            watched.add(selected(&[])?);
        }
    }
}

/// Returns the processes to look at: those of a selection, or all whose program has a name of
/// QEMU's.
fn selected(pids: &[u32]) -> Result<Vec<(u32, Program)>, Failure> {
    if pids.is_empty() {
        return candidates().map_err(|error| Failure::other(format!("cannot read /proc: {error}")));
    }
    let look = |pid: &u32| match program(*pid) {
        Some(Program::Other(_)) | None => {
            let reason = not_qemu(*pid);
            Err(Failure::other(format!("--pid {pid}: {reason}")))
        }
        Some(program) => Ok((*pid, program)),
    };
    pids.iter().map(look).collect()
}

/// All processes that are watched, by their ids.
#[derive(Default)]
struct Watched {
    processes: BTreeMap<u32, Adoption>,
    has_adopted: bool,
    is_full: bool,
}

impl Watched {
    /// Begins to watch processes that are not watched yet.
    fn add(&mut self, found: Vec<(u32, Program)>) {
        // Forget ended processes first; otherwise a new process that reuses the id of an
        // ended process counts as watched.
        self.forget_ended();
        for (pid, program) in found {
            if self.processes.contains_key(&pid) {
                continue;
            }
            if self.processes.len() >= PROCESSES_MAX {
                if !self.is_full {
                    warn!("more than {PROCESSES_MAX} QEMUs: the others are not adopted");
                }
                self.is_full = true;
                return;
            }
            // A process that has ended meanwhile cannot be opened.
            if let Ok(qemu) = Qemu::open(pid, program) {
                self.processes
                    .insert(pid, Adoption::new(qemu, Instant::now()));
            }
        }
        self.is_full = false;
    }

    /// Ends the hand-overs of processes that have ended.
    fn forget_ended(&mut self) {
        let ended = { self.processes.iter() }.filter(|(_, known)| known.qemu().has_ended());
        let ended: Vec<u32> = ended.map(|(pid, _)| *pid).collect();
        let mut removed = Vec::with_capacity(ended.len());
        for pid in ended {
            if let Some(mut known) = self.processes.remove(&pid) {
                known.end();
                removed.push(known);
            }
        }
        if !removed.is_empty() {
            close(removed);
        }
    }

    /// Looks at all processes, and gives their files to the host.
    fn look(&mut self, inode: &SharedInode, connector: &mut Connector) {
        self.forget_ended();
        let is_host_new = self.has_lost_all();
        for known in self.processes.values_mut() {
            known.look(inode, Instant::now());
            known.give(connector, is_host_new, Instant::now());
            self.has_adopted |= known.is_adopted();
        }
    }

    /// Returns whether several connections to the host were open and all of them are
    /// closed now.
    fn has_lost_all(&self) -> bool {
        let connections = self.processes.values().filter_map(Adoption::is_connected);
        let (open, closed): (Vec<bool>, Vec<bool>) = connections.partition(|is_open| *is_open);
        open.is_empty() && closed.len() > 1
    }

    /// Returns whether every process has ended or was refused.
    fn is_over(&self) -> bool {
        let mut processes = self.processes.values();
        processes.all(|known| known.why_not().is_some())
    }
}
