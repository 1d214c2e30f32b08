//! One QEMU over time: its files are taken, given to the host, and kept up to date.
//!
//! In: a process, and the time. Out: packets to the host, and what people should know, once.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use stats_handover::{Error, Handover};
use tracing::{info, warn};

use super::connector::{Connector, RETRY_DELAY_MAX, RETRY_DELAY_MIN};
use super::process::{FileList, SharedInode, file_count};
use super::qemu::Qemu;
use super::take::{Files, close, exits};
use super::why_not::{NO_VM_STATISTICS, WhyNot};
use crate::readable::is_readable;

/// The time after which the files are taken again: QEMU closes them and opens others when it
/// resets a confidential guest, and the others may have the same numbers.
const RETAKE_INTERVAL: Duration = Duration::from_secs(60);

/// The time that a QEMU has to open its files after its start.
const START_TIME_MAX: Duration = Duration::from_secs(5);

/// The time that one look waits for a command line.
const IDENTITY_PATIENCE: Duration = Duration::from_millis(5);

/// The time after which a connection counts as accepted, if the host has not closed it.
const ACCEPTED_AFTER: Duration = Duration::from_secs(1);

/// A process that is watched, adopted or not.
#[derive(Debug)]
pub(super) struct Adoption {
    qemu: Qemu,
    /// The number of open files at the last look.
    file_count: Option<u64>,
    found_at: Instant,
    retake_at: Instant,
    given: Option<Given>,
    /// The reason that was logged last.
    told: Option<WhyNot>,
}

/// The files of a QEMU, given or to be given.
#[derive(Debug)]
struct Given {
    handover: Handover,
    list: FileList,
    vcpus: BTreeSet<u32>,
    has_vm: bool,
    /// The index of the first vCPU and a duplicate of its file: a lower count in a later
    /// file of the vCPU means a new VM.
    witness: Option<(u32, OwnedFd)>,
    /// The time at which the files were given, until the connection counts as accepted.
    given_at: Option<Instant>,
    /// The time that the next try waits after a connection that the host closed at once.
    delay: Duration,
    retry_at: Option<Instant>,
}

impl Adoption {
    /// Watches a process from now on.
    pub(super) fn new(qemu: Qemu, now: Instant) -> Self {
        Self {
            qemu,
            file_count: None,
            found_at: now,
            retake_at: now,
            given: None,
            told: None,
        }
    }

    /// Returns the process.
    pub(super) fn qemu(&self) -> &Qemu {
        &self.qemu
    }

    /// Returns whether the process has files that are given, or will be.
    pub(super) fn is_adopted(&self) -> bool {
        self.given.is_some()
    }

    /// Returns why the process has no files. Returns `None` if it has.
    pub(super) fn why_not(&self) -> Option<&WhyNot> {
        self.told.as_ref().filter(|_| self.given.is_none())
    }

    /// Looks at the process: takes its files if they may have changed.
    pub(super) fn look(&mut self, inode: &SharedInode, now: Instant) {
        match self.qemu.identify(IDENTITY_PATIENCE) {
            Ok(true) => {}
            Ok(false) => return,
            Err(WhyNot::Ended) => return,
            Err(why_not) => warn!("{}", self.line(&why_not.to_string())),
        }
        // Count before the list is read, so that a file that is opened meanwhile is seen at
        // the next look.
        let count = file_count(self.qemu.pid);
        let is_due = now >= self.retake_at;
        if count == self.file_count && count.is_some() && !is_due {
            return;
        }
        self.file_count = count;
        if is_due {
            self.retake_at = now + RETAKE_INTERVAL;
        }
        if let Err(why_not) = self.update(inode, is_due) {
            let is_changing = matches!(why_not, WhyNot::Changed { .. });
            if is_changing {
                // Files are just being opened or closed: look again at the next round.
                self.file_count = None;
            }
            if !is_changing || self.given.is_none() {
                self.refuse(why_not, now);
            }
        }
    }

    /// Takes the files that are new, or all.
    fn update(&mut self, inode: &SharedInode, all: bool) -> Result<(), WhyNot> {
        let list = self.qemu.list(inode)?;
        if let Some(given) = &mut self.given {
            if !all && list == given.list {
                return Ok(());
            }
            let files = self.qemu.take(&list)?;
            return given.change(list, files);
        }
        let files = self.qemu.take(&list)?;
        let duplicates = files.duplicates;
        let given = Given::new(&self.qemu, list, files)?;
        info!("{}", self.line(&given.summary(duplicates)));
        self.given = Some(given);
        self.told = None;
        Ok(())
    }

    /// Ends the hand-over, and logs the reason if it is a new one that stays.
    fn refuse(&mut self, why_not: WhyNot, now: Instant) {
        self.end();
        if let Some(given) = self.given.take() {
            // QEMU has closed its files, and may open others.
            self.found_at = now;
            close(given);
        }
        let may_pass = why_not.may_pass() && now < self.found_at + START_TIME_MAX;
        if may_pass {
            self.retake_at = now;
        } else if self.told.as_ref() != Some(&why_not) {
            if self.qemu.is_worth_telling(&why_not) {
                warn!("{}", self.line(&why_not.to_string()));
            }
            self.told = Some(why_not);
        }
    }

    /// Closes the connection to the host, so that the VM is forgotten there.
    pub(super) fn end(&mut self) {
        if let Some(given) = &mut self.given {
            given.handover.end();
        }
    }

    /// Returns whether the connection to the host is open. Returns `None` if the files were
    /// not given.
    pub(super) fn is_connected(&self) -> Option<bool> {
        let connection = self.given.as_ref()?.handover.connection()?;
        Some(!is_readable(connection))
    }

    /// Gives the files to the host, unless the files were given already. If
    /// `is_host_new` is true, the host has restarted; otherwise the early end of a
    /// connection means that the host refused this VM.
    pub(super) fn give(&mut self, connector: &mut Connector, is_host_new: bool, now: Instant) {
        let Some(given) = &mut self.given else { return };
        if let Some(connection) = given.handover.connection() {
            if !is_readable(connection) {
                given.note_life(now);
                return;
            }
            given.handover.end();
        }
        if is_host_new {
            given.given_at = None;
            given.delay = RETRY_DELAY_MIN;
            given.retry_at = None;
        } else if given.note_loss(now) {
            let text =
                "vmstats host refused the hand-over: see its log (journalctl -u vmstats-host)";
            warn!("{}", self.line(text));
            return;
        }
        if given.retry_at.is_some_and(|time| now < time) {
            return;
        }
        let Some(connection) = connector.connect(now) else {
            return;
        };
        match given.handover.give(connection) {
            Ok(()) => given.given_at = Some(now),
            Err(error) => {
                given.wait(now);
                let text = error.to_string();
                warn!("{}", self.line(&text));
            }
        }
    }

    fn line(&self, text: &str) -> String {
        format!("{} (process {}): {text}", self.qemu.name, self.qemu.pid)
    }
}

impl Given {
    fn new(qemu: &Qemu, list: FileList, files: Files) -> Result<Self, WhyNot> {
        let mut handover = Handover::new(&qemu.name).map_err(refused)?;
        if let Some(uuid) = &qemu.uuid {
            handover.set_uuid(uuid).map_err(refused)?;
        }
        handover
            .set_process(duplicate(qemu.pidfd())?)
            .map_err(refused)?;
        let mut given = Self {
            handover,
            list: FileList::default(),
            vcpus: BTreeSet::new(),
            has_vm: false,
            witness: None,
            given_at: None,
            delay: RETRY_DELAY_MIN,
            retry_at: None,
        };
        given.change(list, files)?;
        Ok(given)
    }

    /// Replaces the files by others, and tells the host if it has the earlier ones.
    fn change(&mut self, list: FileList, files: Files) -> Result<(), WhyNot> {
        if let Some(file) = files.vm {
            sent(self.handover.set_vm_fd(file))?;
            self.has_vm = true;
        } else if self.has_vm && self.is_rebound(&files.vcpus) {
            // Keep the VM's file if the vCPUs are unchanged: QEMU closed only its own
            // descriptor, after a query, and the duplicate still counts.
            sent(self.handover.remove_vm())?;
            self.has_vm = false;
        }
        self.witness = match files.vcpus.first_key_value() {
            Some((index, file)) => Some((*index, duplicate(file.as_fd())?)),
            None => None,
        };
        let vcpus: BTreeSet<u32> = files.vcpus.keys().copied().collect();
        for index in self.vcpus.difference(&vcpus) {
            sent(self.handover.remove_vcpu(*index))?;
        }
        for (index, file) in files.vcpus {
            let path = format!("vcpu-{index}");
            sent(self.handover.add_vcpu_fd(index, &path, file))?;
        }
        self.vcpus = vcpus;
        self.list = list;
        Ok(())
    }

    /// Returns what was taken and what is missing, for people.
    fn summary(&self, duplicates: usize) -> String {
        let mut summary = format!("{} vCPUs", self.vcpus.len());
        if duplicates > 0 {
            let text = "were removed and came back, with a second file, which is taken";
            summary.push_str(&format!("; {duplicates} of them {text}"));
        }
        if !self.has_vm {
            summary.push_str("; ");
            summary.push_str(NO_VM_STATISTICS);
        }
        summary
    }

    /// Returns whether the files are those of a new VM in the same process: the count of a
    /// vCPU is less than that in its earlier file.
    fn is_rebound(&self, vcpus: &BTreeMap<u32, OwnedFd>) -> bool {
        let Some((index, old)) = &self.witness else {
            return false;
        };
        // Read the old file first: if both files belong to the same vCPU, the counter
        // grows between the two reads.
        let before = exits(old.as_fd());
        let after = { vcpus.get(index) }.and_then(|file| exits(file.as_fd()));
        matches!((before, after), (Some(before), Some(after)) if after < before)
    }

    /// Notes that the connection is open.
    fn note_life(&mut self, now: Instant) {
        if { self.given_at }.is_some_and(|time| now >= time + ACCEPTED_AFTER) {
            self.given_at = None;
            self.delay = RETRY_DELAY_MIN;
        }
    }

    /// Notes that the connection has gone. Returns whether the host closed the first
    /// connection before that connection counted as accepted, which the caller logs.
    fn note_loss(&mut self, now: Instant) -> bool {
        let is_refused = self.given_at.take().is_some();
        let is_first = self.delay == RETRY_DELAY_MIN;
        if is_refused {
            self.wait(now);
        }
        is_refused && is_first
    }

    fn wait(&mut self, now: Instant) {
        self.retry_at = Some(now + self.delay);
        self.delay = (self.delay * 2).min(RETRY_DELAY_MAX);
    }
}

/// Passes over a change that could not be sent: the hand-over keeps it, and gives it with
/// all other files on the next connection.
fn sent(outcome: Result<(), Error>) -> Result<(), WhyNot> {
    match outcome {
        Ok(()) | Err(Error::Send { .. }) => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: Error) -> WhyNot {
    match error {
        Error::OldKernel => WhyNot::OldKernel,
        error => WhyNot::Unreadable {
            reason: error.to_string(),
        },
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, WhyNot> {
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, 0);
    copy.map_err(|errno| WhyNot::of("duplicating a file", errno))
}

#[cfg(test)]
mod tests {
    use kvm_stats::Writer;

    use super::*;
    use crate::adopt::process::Program;

    /// Returns files whose first vCPU has left its guest so often.
    fn files(exits: u64, has_vm: bool) -> Files {
        let file = |value: u64| {
            let writer = { Writer::builder("kvm-1/vcpu-0").counter("exits") }.build();
            let writer = writer.unwrap();
            writer.counter("exits").unwrap().add(value);
            writer.try_clone_fd().unwrap()
        };
        Files {
            vcpus: BTreeMap::from([(0, file(exits))]),
            vm: has_vm.then(|| file(0)),
            duplicates: 0,
        }
    }

    #[test]
    fn file_of_the_vm_is_kept_until_the_vcpus_count_from_zero_again() {
        if !kvm_stats::keeps_vm_alive() {
            return;
        }
        let qemu = Qemu::open(std::process::id(), Program::Emulator).unwrap();
        let mut given = Given::new(&qemu, FileList::default(), files(5, true)).unwrap();
        assert!(given.has_vm);
        given.change(FileList::default(), files(5, false)).unwrap();
        assert!(given.has_vm);
        given.change(FileList::default(), files(3, false)).unwrap();
        assert!(!given.has_vm && given.handover.remove_vm().is_err());
    }

    #[test]
    fn host_that_refuses_is_asked_less_and_less_often() {
        if !kvm_stats::keeps_vm_alive() {
            return;
        }
        let qemu = Qemu::open(std::process::id(), Program::Emulator).unwrap();
        let mut given = Given::new(&qemu, FileList::default(), files(0, false)).unwrap();
        let begin = Instant::now();
        for (delay_s, is_told) in [(1, true), (2, false), (4, false)] {
            given.given_at = Some(begin);
            assert_eq!(given.note_loss(begin), is_told);
            assert_eq!(given.retry_at, Some(begin + Duration::from_secs(delay_s)));
        }
        // A connection that was accepted is made again at once.
        given.given_at = Some(begin);
        given.note_life(begin + ACCEPTED_AFTER);
        assert!(!given.note_loss(begin) && given.delay == RETRY_DELAY_MIN);
    }
}
