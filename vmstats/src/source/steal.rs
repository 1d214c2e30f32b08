//! The time that vCPUs waited for a processor of the host.
//!
//! In: the threads of the vCPUs, as the monitor tells them. Out: statistics of a provider
//! `sched`, read from the host's kernel without privileges, or the reason why they cannot
//! be read. A thread's id is believed only if the thread belongs to the monitor's process.
//!
//! `/proc/PID/task/TID/schedstat` has three numbers: the time on a processor, the time of
//! waiting for one while runnable (both in nanoseconds), and the number of timeslices
//! (Linux: `Documentation/scheduler/sched-stats.rst`). KVM selects `SCHED_INFO`, which
//! counts them whether or not `schedstats` is enabled.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget};

use super::process::{Peer, Vcpu};
use crate::sample::{Absence, Clock, Object, ObjectId, Table, Value, Window};

/// The name of the provider, which no monitor has.
pub const PROVIDER: &str = "sched";

/// The statistic of the time that a vCPU's thread ran.
pub const RUN: &str = "run_ns";

/// The statistic that is the steal time of a vCPU.
pub const RUN_DELAY: &str = "run_delay_ns";

/// The time after which threads that could not be read are looked for again. The reason
/// may have been a thread that had just ended, or a lack of files.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// The schedstat files of a virtual machine's vCPUs.
#[derive(Debug)]
pub(super) struct Steal {
    table: Arc<Table>,
    /// A flag for each of the file's numbers: true if the table has the number.
    wanted: Vec<bool>,
    threads: Vec<Thread>,
    /// The threads that could not be opened, since `followed`.
    absences: Vec<Absence>,
    followed: Instant,
}

/// A thread that runs a vCPU.
#[derive(Debug)]
struct Thread {
    id: ObjectId,
    /// Kept open: if the thread ends and the kernel reuses its id, this descriptor fails
    /// instead of reading the other thread.
    schedstat: File,
}

/// Describes the statistics, in the order of the file's numbers.
pub(super) fn schema() -> StatsSchema {
    StatsSchema {
        provider: provider(),
        target: StatsTarget::Vcpu,
        stats: vec![
            StatsSchemaValue::cumulative(RUN).seconds(-9),
            StatsSchemaValue::cumulative(RUN_DELAY).seconds(-9),
            StatsSchemaValue::cumulative("timeslices"),
        ],
    }
}

/// Returns the provider of the steal time, which no monitor has.
pub(super) fn provider() -> StatsProvider {
    StatsProvider::Unknown(PROVIDER.into())
}

impl Steal {
    /// Makes a reader of the statistics in a table.
    pub(super) fn new(table: Arc<Table>) -> Self {
        let names = schema().stats.into_iter();
        let wanted = names.map(|stat| table.position(&stat.name).is_some());
        Self {
            wanted: wanted.collect(),
            table,
            threads: Vec::new(),
            absences: Vec::new(),
            followed: Instant::now(),
        }
    }

    /// Opens the files of these vCPUs. `process` is the one that runs them, or the reason why
    /// it is not known.
    pub(super) fn follow(&mut self, process: &Result<u32, String>, vcpus: &[Vcpu]) {
        if let Err(reason) = process {
            self.absences.push(absence(None, reason.clone()));
            return;
        }
        for vcpu in vcpus {
            let id = vcpu.id();
            if !vcpu.has_thread() {
                let reason = "the vCPU has no thread, because it does not run".to_owned();
                self.absences.push(absence(Some(id), reason));
                continue;
            }
            match File::open(format!("/proc/{0}/task/{0}/schedstat", vcpu.thread)) {
                Ok(schedstat) => self.threads.push(Thread { id, schedstat }),
                Err(error) => {
                    let reason = format!("/proc/{}/schedstat: {error}", vcpu.thread);
                    self.absences.push(absence(Some(id), reason));
                }
            }
        }
    }

    /// Appends the statistics of all vCPUs. Returns whether the vCPUs have to be asked for
    /// again: a thread has ended, or could not be read for some time.
    pub(super) fn read(
        &self,
        clock: Clock,
        objects: &mut Vec<Object>,
        absences: &mut Vec<Absence>,
    ) -> bool {
        absences.extend(self.absences.iter().cloned());
        let mut is_outdated =
            !self.absences.is_empty() && self.followed.elapsed() >= RETRY_INTERVAL;
        for thread in &self.threads {
            let begin = clock.now();
            match read(&thread.schedstat) {
                Ok(numbers) => objects.push(Object {
                    table: Arc::clone(&self.table),
                    id: thread.id.clone(),
                    window: Window {
                        begin,
                        end: clock.now(),
                    },
                    values: numbers
                        .into_iter()
                        .zip(&self.wanted)
                        .filter(|(_, is_wanted)| **is_wanted)
                        .map(|(number, _)| Value::Number(number))
                        .collect(),
                }),
                Err(reason) => {
                    is_outdated = true;
                    absences.push(absence(Some(thread.id.clone()), reason));
                }
            }
        }
        is_outdated
    }
}

fn absence(object: Option<ObjectId>, reason: String) -> Absence {
    Absence {
        provider: provider(),
        target: StatsTarget::Vcpu,
        object,
        reason,
    }
}

/// Reads the three numbers of a schedstat file.
fn read(file: &File) -> Result<[u64; 3], String> {
    let mut buffer = [0; 128];
    let count = file.read_at(&mut buffer, 0).map_err(|error| {
        // ESRCH: the thread of this file has ended.
        format!("the vCPU's thread has ended ({error})")
    })?;
    let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
    let numbers: Option<Vec<u64>> = text
        .split_whitespace()
        .map(|number| number.parse().ok())
        .collect();
    let numbers = numbers.and_then(|numbers| <[u64; 3]>::try_from(numbers).ok());
    numbers.ok_or_else(|| "this kernel's schedstat has another form".to_owned())
}

/// Returns the process that the vCPUs' threads belong to.
pub(super) fn process(peer: Option<&Peer>, vcpus: &[Vcpu]) -> Result<u32, String> {
    let Some(peer) = peer else {
        return Err("the monitor's process is not known to be on this host".to_owned());
    };
    if vcpus.is_empty() {
        return Err("the monitor does not tell the threads of the vCPUs".to_owned());
    }
    // A vCPU that does not run yet has no thread, whatever the others have.
    let running: Vec<&Vcpu> = vcpus.iter().filter(|vcpu| vcpu.has_thread()).collect();
    if running.is_empty() {
        return Err("no vCPU has a thread (QEMU without KVM has one for all)".to_owned());
    }
    if namespaces(peer.process).is_some_and(|levels| levels > 1) {
        return Err(
            "the virtual machine is in a pid namespace of its own, in which threads have other \
             ids"
            .to_owned(),
        );
    }
    let mut groups = running.iter().map(|vcpu| {
        let thread = vcpu.thread;
        group(thread).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!(
                "no thread {thread} is to be seen here: it has just ended, is in another pid \
                 namespace, or /proc has hidepid"
            ),
            _ => format!("/proc/{thread}/status: {error}"),
        })
    });
    let group = groups.next().transpose()?.unwrap_or(peer.process);
    let mut is_one = true;
    for other in groups {
        is_one &= other? == group;
    }
    // libvirt opens the socket itself, so that the peer is libvirtd, and names the threads.
    let is_named = || {
        running
            .iter()
            .all(|vcpu| name(vcpu.thread).is_some_and(|name| is_vcpu_name(&name, vcpu.index)))
    };
    if is_one && (group == peer.process || is_named()) {
        Ok(group)
    } else {
        Err(format!(
            "the threads that the monitor tells are not of the process that listens ({})",
            peer.process
        ))
    }
}

/// Returns whether a thread's name is QEMU's for a vCPU under KVM: `CPU 0/KVM`.
fn is_vcpu_name(name: &str, index: i64) -> bool {
    name == format!("CPU {index}/KVM")
}

/// Returns the process of a thread: `Tgid` of its status.
fn group(thread: i64) -> io::Result<u32> {
    let group = status(thread, "Tgid:")?;
    group.trim().parse().map_err(io::Error::other)
}

/// Returns the number of pid namespaces that a process is in, below this program's.
fn namespaces(process: u32) -> Option<usize> {
    let ids = status(process, "NSpid:").ok()?;
    Some(ids.split_whitespace().count())
}

/// Returns a field of `/proc/ID/status`.
fn status(id: impl std::fmt::Display, field: &str) -> io::Result<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let line = line.ok_or_else(|| io::Error::other(format!("no line '{field}'")))?;
    Ok(line.to_owned())
}

fn name(thread: i64) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{thread}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_vcpu(index: i64) -> Vcpu {
        let thread = nix::unistd::gettid().as_raw().into();
        Vcpu::new(index, thread)
    }

    fn own_process(vcpus: &[Vcpu]) -> Result<u32, String> {
        process(Some(&Peer::of(std::process::id())), vcpus)
    }

    #[test]
    fn numbers_of_a_thread_of_the_peer_are_read() {
        let mut steal = Steal::new(Arc::new(Table::new(schema())));
        let vcpus = [own_vcpu(0)];
        steal.follow(&own_process(&vcpus), &vcpus);
        let (mut objects, mut absences) = (Vec::new(), Vec::new());
        steal.read(Clock::start(), &mut objects, &mut absences);
        assert_eq!(absences, []);
        assert_eq!(objects.len(), 1);
        assert!(matches!(
            objects[0].value("run_ns"),
            Some(Value::Number(1..))
        ));
    }

    #[test]
    fn steal_of_other_vcpus_is_read_when_one_has_no_thread() {
        let mut steal = Steal::new(Arc::new(Table::new(schema())));
        let vcpus = [Vcpu::new(0, 0), own_vcpu(1)];
        steal.follow(&own_process(&vcpus), &vcpus);
        let (mut objects, mut absences) = (Vec::new(), Vec::new());
        steal.read(Clock::start(), &mut objects, &mut absences);
        let [object] = objects.as_slice() else {
            panic!("{objects:?}");
        };
        assert_eq!(object.id, vcpus[1].id());
        let [absence] = absences.as_slice() else {
            panic!("{absences:?}");
        };
        assert_eq!(absence.object, Some(vcpus[0].id()));
        assert!(absence.reason.contains("no thread"), "{absence:?}");
    }

    #[test]
    fn steal_is_absent_with_its_reason_when_a_thread_is_not_the_peers() {
        let reason = |peer: Option<Peer>, vcpu: Vcpu| process(peer.as_ref(), &[vcpu]).unwrap_err();
        let own = Peer::of(std::process::id());
        assert!(reason(None, own_vcpu(0)).contains("on this host"));
        // Process 1 is not this one.
        let other = Vcpu::new(0, 1);
        assert!(reason(Some(own.clone()), other).contains("not of the process"));
        assert!(reason(Some(own.clone()), Vcpu::new(0, 0)).contains("no vCPU has a thread"));
        let gone = Vcpu::new(0, i64::from(i32::MAX));
        assert!(reason(Some(own), gone).contains("no thread"));
        assert!(is_vcpu_name("CPU 3/KVM", 3) && !is_vcpu_name("CPU 3/KVM", 2));
    }
}
