//! One QEMU over time: its files are taken, given to the host, and kept up to date.
//!
//! In: a process, and the time. Out: packets to the host, and what people should know, once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use stats_handover::{Error, Handover};
use tracing::{info, warn};

use super::connector::{Connector, RETRY_DELAY_MAX, RETRY_DELAY_MIN};
use super::process::{FileList, file_count};
use super::qemu::{Qemu, is_readable};
use super::take::{Files, exits};
use super::why_not::{NO_VM_STATISTICS, WhyNot};

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
    /// A file of a vCPU with its number, by which old files are told from new ones.
    witness: Option<(u32, OwnedFd)>,
    /// The time at which the files were given, until the connection counts as accepted.
    given_at: Option<Instant>,
    /// The time that the next try waits after a connection that the host refused.
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
    pub(super) fn look(&mut self, now: Instant) {
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
        if let Err(why_not) = self.update(is_due) {
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
    fn update(&mut self, all: bool) -> Result<(), WhyNot> {
        let list = self.qemu.list()?;
        if let Some(given) = &mut self.given {
            if !all && list == given.list {
                return Ok(());
            }
            let files = self.qemu.take(&list)?;
            return given.change(list, files);
        }
        let files = self.qemu.take(&list)?;
        let given = Given::new(&self.qemu, list, files)?;
        let vcpus = given.list.vcpus.len();
        let missing = match given.list.vm {
            None => format!("; {NO_VM_STATISTICS}"),
            Some(_) => String::new(),
        };
        info!("{}", self.line(&format!("{vcpus} vCPUs{missing}")));
        if given.list.duplicates > 0 {
            info!(
                "{}",
                self.line(&format!(
                    "{} vCPUs were removed and came back, and have two files: the newer is taken",
                    given.list.duplicates
                ))
            );
        }
        self.given = Some(given);
        self.told = None;
        Ok(())
    }

    /// Ends the hand-over, and logs the reason if it is a new one that stays.
    fn refuse(&mut self, why_not: WhyNot, now: Instant) {
        if self.given.take().is_some() {
            // QEMU has closed its files, and may open others.
            self.found_at = now;
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

    /// Gives the files to the host, if they are not given.
    pub(super) fn give(&mut self, connector: &mut Connector, now: Instant) {
        let Some(given) = &mut self.given else { return };
        if let Some(connection) = given.handover.connection() {
            if !is_readable(connection) {
                given.note_life(now);
                return;
            }
            given.handover.end();
        }
        if given.note_loss(now) {
            let text = "the host closed the connection at once: its log has the reason";
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
        let is_rebound = self.is_rebound(&files);
        if self.list.vm.is_some() && files.vm.is_none() && is_rebound {
            sent(self.handover.remove_vm())?;
        }
        let gone: Vec<u32> = { self.list.vcpus.keys() }
            .filter(|index| !files.vcpus.contains_key(index))
            .copied()
            .collect();
        for index in gone {
            sent(self.handover.remove_vcpu(index))?;
        }
        self.witness = match files.vcpus.first_key_value() {
            Some((index, file)) => Some((*index, duplicate(file.as_fd())?)),
            None => None,
        };
        for (index, file) in files.vcpus {
            let path = format!("vcpu-{index}");
            sent(self.handover.add_vcpu_fd(index, &path, file))?;
        }
        let vm = { self.list.vm }.filter(|_| !is_rebound);
        self.list = list;
        match files.vm {
            Some(file) => sent(self.handover.set_vm_fd(file))?,
            // QEMU has closed the file after its query. The file goes on to count.
            None => self.list.vm = vm,
        }
        Ok(())
    }

    /// Returns whether the files are those of a new VM in the same process: the count of a
    /// vCPU is less than that in its earlier file.
    fn is_rebound(&self, files: &Files) -> bool {
        let Some((index, old)) = &self.witness else {
            return false;
        };
        // Read the old file first, because both count on if they are the same.
        let before = exits(old.as_fd());
        let after = { files.vcpus.get(index) }.and_then(|file| exits(file.as_fd()));
        matches!((before, after), (Some(before), Some(after)) if after < before)
    }

    /// Notes that the connection is open.
    fn note_life(&mut self, now: Instant) {
        if { self.given_at }.is_some_and(|time| now >= time + ACCEPTED_AFTER) {
            self.given_at = None;
            self.delay = RETRY_DELAY_MIN;
        }
    }

    /// Notes that the connection has gone. Returns whether the host has closed the first
    /// connection before it counted as accepted, which people should know.
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
