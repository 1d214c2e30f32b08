//! The processes that may be QEMUs, and their open files.
//!
//! In: `/proc`. Out: process ids with the names of their programs, lists of files, command
//! lines. Processes that end meanwhile are left out. This file takes no file of any process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::why_not::WhyNot;
use crate::printable::printable;
use crate::threads::spawn;

/// The most bytes of a command line that are read.
const COMMAND_LINE_SIZE_MAX: u64 = 1 << 20;

/// The time in which the kernel returns a command line. Longer than that takes only memory
/// of the process that a file system of its owner's provides.
pub(super) const COMMAND_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// The most files of a process that are looked at.
const FILES_MAX: usize = 1 << 16;

/// The kind of a program, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// An emulator of machines, such as `qemu-system-x86_64`, `qemu-kvm` or `kvm`.
    Emulator,
    /// A program with a name of QEMU's, which is either one of its tools, such as
    /// `qemu-img`, or an emulator that was renamed.
    Relative,
    /// Any other program.
    Other(String),
}

impl Program {
    /// Sorts a program by its file's name, or by the first 15 bytes of that.
    fn of(name: &str) -> Self {
        // A wrapped program of NixOS has a leading period.
        let plain = name.trim_start_matches('.');
        let is_emulator = plain.starts_with("qemu-system") || plain.starts_with("qemu-kvm");
        if is_emulator || matches!(plain, "qemu" | "kvm") {
            Self::Emulator
        } else if plain.starts_with("qemu") {
            Self::Relative
        } else {
            Self::Other(name.to_owned())
        }
    }
}

/// Returns the ids of all processes whose programs have a name of QEMU's.
///
/// # Errors
///
/// Returns an error if `/proc` cannot be read.
pub(super) fn candidates() -> io::Result<Vec<(u32, Program)>> {
    let mut candidates = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match program(pid) {
            Some(Program::Other(_)) | None => {}
            Some(program) => candidates.push((pid, program)),
        }
    }
    Ok(candidates)
}

/// Returns the kind of a process's program. Returns `None` if the process has none, such as
/// a thread of the kernel, or has ended.
pub(super) fn program(pid: u32) -> Option<Program> {
    let link = fs::read_link(path(pid, "exe"));
    let by_file = match &link {
        Ok(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Program::of(name.trim_end_matches(" (deleted)"))
        }
        // Other users' programs are not shown without CAP_SYS_PTRACE.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Program::Other("unknown".to_owned())
        }
        Err(_) => return None,
    };
    if !matches!(by_file, Program::Other(_)) {
        return Some(by_file);
    }
    // The name by which the program was started. Not argv[0], because that is memory of the
    // process, which can let its readers wait.
    let name = fs::read(path(pid, "comm")).ok()?;
    match Program::of(String::from_utf8_lossy(&name).trim_end()) {
        Program::Other(_) if link.is_ok() => Some(by_file),
        by_name => Some(by_name),
    }
}

/// Returns the number of open files of a process, which Linux tells since 6.2.
pub(super) fn file_count(pid: u32) -> Option<u64> {
    let folder = fs::metadata(path(pid, "fd")).ok()?;
    Some(folder.len())
}

/// The statistics files that a process keeps open, with their numbers in that process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileList {
    /// The file of each vCPU, by KVM's number of the vCPU.
    pub(super) vcpus: BTreeMap<u32, i32>,
    /// The file of the whole VM.
    pub(super) vm: Option<i32>,
    /// The number of files of vCPUs that have another one too.
    pub(super) duplicates: usize,
    has_vm: bool,
    has_vcpu: bool,
}

impl FileList {
    /// Reads the list of a process's open files.
    pub(super) fn read(pid: u32) -> Result<Self, WhyNot> {
        let unreadable = |error: io::Error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            WhyNot::of("reading the list of open files", errno)
        };
        let mut list = Self::default();
        let files = fs::read_dir(path(pid, "fd")).map_err(unreadable)?;
        for file in files.take(FILES_MAX) {
            let file = file.map_err(unreadable)?;
            let number = file.file_name();
            let number = number.to_str().and_then(|number| number.parse().ok());
            // A file that was closed meanwhile has no link.
            if let (Some(number), Ok(link)) = (number, fs::read_link(file.path())) {
                list.add(
                    number,
                    &String::from_utf8_lossy(link.as_os_str().as_bytes()),
                );
            }
        }
        Ok(list)
    }

    fn add(&mut self, fd: i32, link: &str) {
        let Some(kind) = link.strip_prefix("anon_inode:kvm-") else {
            return;
        };
        let vcpu = kind.strip_prefix("vcpu-stats:");
        if let Some(vcpu) = vcpu.and_then(|vcpu| vcpu.parse().ok()) {
            // QEMU opens another file when a vCPU that was removed comes back, and keeps the
            // old one. Both are files of the same vCPU of KVM's.
            let newest = self.vcpus.get(&vcpu).map_or(fd, |other| fd.max(*other));
            self.duplicates += usize::from(self.vcpus.insert(vcpu, newest).is_some());
        } else if kind == "vm-stats" {
            self.vm = Some(fd);
        }
        self.has_vm |= kind == "vm";
        self.has_vcpu |= kind.starts_with("vcpu:");
    }

    /// Returns why the process has no statistics file. Returns `None` if it has some.
    pub(super) fn why_empty(&self) -> Option<WhyNot> {
        if !self.vcpus.is_empty() || self.vm.is_some() {
            None
        } else if self.has_vcpu {
            Some(WhyNot::NoFiles)
        } else if self.has_vm {
            Some(WhyNot::NoVcpus)
        } else {
            Some(WhyNot::NoKvm)
        }
    }
}

/// The command line of a process, which a thread reads.
///
/// The bytes are memory of that process, which may be mapped from a file system that never
/// answers. Such a thread is left alone, so that it holds up nobody.
#[derive(Debug)]
pub(super) struct CommandLine {
    receiver: Receiver<io::Result<Vec<u8>>>,
    deadline: Instant,
}

impl CommandLine {
    /// Begins to read the command line of a process.
    pub(super) fn read(pid: u32) -> Result<Self, WhyNot> {
        let (sender, receiver) = mpsc::channel();
        let read = move || {
            let mut bytes = Vec::new();
            let outcome = File::open(path(pid, "cmdline"))
                .and_then(|file| file.take(COMMAND_LINE_SIZE_MAX).read_to_end(&mut bytes));
            // Fails if the time is over.
            let _ = sender.send(outcome.map(|_| bytes));
        };
        spawn("command line", read).map_err(|_| failed(Errno::AGAIN))?;
        let deadline = Instant::now() + COMMAND_LINE_TIMEOUT;
        Ok(Self { receiver, deadline })
    }

    /// Waits for the bytes, but at most `patience`. Returns `None` if they may come later.
    pub(super) fn wait(&self, patience: Duration) -> Option<Result<Vec<u8>, WhyNot>> {
        match self.receiver.recv_timeout(patience) {
            Ok(Ok(bytes)) => Some(Ok(bytes)),
            Ok(Err(error)) => Some(Err(failed(
                Errno::from_io_error(&error).unwrap_or(Errno::IO),
            ))),
            Err(_) if Instant::now() < self.deadline => None,
            Err(_) => Some(Err(WhyNot::SlowCommandLine)),
        }
    }
}

fn failed(errno: Errno) -> WhyNot {
    WhyNot::of("reading the command line", errno)
}

/// Returns what is known about the program of a process that is not a QEMU.
pub(super) fn not_qemu(pid: u32) -> WhyNot {
    match program(pid) {
        None => WhyNot::Ended,
        Some(Program::Other(program)) => WhyNot::NotQemu {
            program: printable(&program).into_owned(),
        },
        Some(Program::Emulator | Program::Relative) => WhyNot::NoKvm,
    }
}

fn path(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(links: &[&str]) -> FileList {
        let mut list = FileList::default();
        for (fd, link) in (0..).zip(links) {
            list.add(fd, link);
        }
        list
    }

    #[test]
    fn program_is_an_emulator_when_its_name_says_so() {
        for name in [
            "qemu-system-x86_64",
            "qemu-system-x86",
            ".qemu-system-x86",
            "qemu-kvm",
            "qemu",
            "kvm",
        ] {
            assert_eq!(Program::of(name), Program::Emulator, "{name}");
        }
        for name in ["qemu-img", "qemu-nbd", "qemu-x86_64", "qemu10"] {
            assert_eq!(Program::of(name), Program::Relative, "{name}");
        }
        for name in ["", "bash", "kvm-nx-lpage-re", "my-qemu"] {
            assert_eq!(Program::of(name), Program::Other(name.to_owned()), "{name}");
        }
    }

    #[test]
    fn list_says_why_when_no_statistics_file_is_open() {
        let (vm, vcpu) = ("anon_inode:kvm-vm", "anon_inode:kvm-vcpu:0");
        let stats = "anon_inode:kvm-vcpu-stats:0";
        assert_eq!(
            list(&["/dev/kvm", "socket:[1]"]).why_empty(),
            Some(WhyNot::NoKvm)
        );
        assert_eq!(list(&[vm]).why_empty(), Some(WhyNot::NoVcpus));
        assert_eq!(list(&[vm, vcpu]).why_empty(), Some(WhyNot::NoFiles));
        assert_eq!(list(&[vm, vcpu, stats]).why_empty(), None);
        // A path of that name begins with a slash.
        assert!(list(&["/anon_inode:kvm-vcpu-stats:0"]).vcpus.is_empty());
    }

    #[test]
    fn newest_file_is_listed_when_a_vcpu_has_two() {
        let one = "anon_inode:kvm-vcpu-stats:1";
        let list = list(&[one, "anon_inode:kvm-vcpu-stats:0", one]);
        assert_eq!(list.vcpus, BTreeMap::from([(0, 1), (1, 2)]));
        assert_eq!(list.duplicates, 1);
    }
}
