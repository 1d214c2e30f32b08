//! One process that may be a QEMU: its identity and its statistics files.
//!
//! In: a process id. Out: its name, its UUID and its statistics files, or the reason why
//! it keeps none open. This file sends nothing, and prints nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::command_line::Identity;
use super::process::{CommandLine, FileList, Program, SharedInode, not_qemu};
use super::take::{Files, take};
use super::why_not::WhyNot;
use crate::readable::is_readable;

/// A process, which keeps its id while this value lives.
#[derive(Debug)]
pub(super) struct Qemu {
    /// The process's id.
    pub(super) pid: u32,
    /// The name of the VM: that of the command line, or `qemu-PID`.
    pub(super) name: String,
    /// The UUID of the VM, if the command line has one.
    pub(super) uuid: Option<String>,
    program: Program,
    pidfd: OwnedFd,
    /// The command line, until it has come.
    command_line: Option<CommandLine>,
}

impl Qemu {
    /// Opens a process, and begins to read its command line.
    pub(super) fn open(pid: u32, program: Program) -> Result<Self, WhyNot> {
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let id = id.ok_or(WhyNot::Ended)?;
        let pidfd = pidfd_open(id, PidfdFlags::empty())
            .map_err(|errno| WhyNot::of("opening the process", errno))?;
        Ok(Self {
            pid,
            name: format!("qemu-{pid}"),
            uuid: None,
            program,
            pidfd,
            // Ignore the error: command lines of other processes that never come may
            // occupy all threads. The QEMU is then adopted under the name `qemu-PID`.
            command_line: CommandLine::read(pid).ok(),
        })
    }

    /// Sets the name and the UUID if the command line comes within `patience`. Returns
    /// whether both are final.
    ///
    /// # Errors
    ///
    /// Returns an error once if the command line cannot be read: the name is `qemu-PID` then.
    pub(super) fn identify(&mut self, patience: Duration) -> Result<bool, WhyNot> {
        let Some(command_line) = &self.command_line else {
            return Ok(true);
        };
        let Some(outcome) = command_line.wait(patience) else {
            return Ok(false);
        };
        self.command_line = None;
        let Identity { name, uuid } = Identity::parse(&outcome?);
        self.uuid = uuid;
        if let Some(name) = name {
            self.name = name;
        }
        Ok(true)
    }

    /// Returns the pidfd of the process.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Returns whether the process has ended.
    pub(super) fn has_ended(&self) -> bool {
        is_readable(self.pidfd())
    }

    /// Lists the open files of the process that may be KVM's.
    pub(super) fn list(&self, inode: &SharedInode) -> Result<FileList, WhyNot> {
        FileList::read(self.pid, inode)
    }

    /// Takes the statistics files of a list that [`list`](Self::list) returned.
    pub(super) fn take(&self, list: &FileList) -> Result<Files, WhyNot> {
        let files = match take(self.pidfd(), list) {
            Err(WhyNot::NoKvm) if self.program != Program::Emulator => Err(not_qemu(self.pid)),
            files => files,
        }?;
        // A process that has ended could have left its id to another one before the list
        // was read. While the process lives, everything that was read belongs to the
        // process.
        if self.has_ended() {
            return Err(WhyNot::Ended);
        }
        Ok(files)
    }

    /// Returns whether a reason concerns a QEMU: tools such as `qemu-img` have no VM, and
    /// need no explanation.
    pub(super) fn is_worth_telling(&self, why_not: &WhyNot) -> bool {
        match why_not {
            WhyNot::Ended | WhyNot::NotQemu { .. } => false,
            WhyNot::NoKvm | WhyNot::NotPermitted(_) => self.program == Program::Emulator,
            _ => true,
        }
    }
}
