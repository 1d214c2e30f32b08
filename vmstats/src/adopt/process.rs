//! The processes that may be QEMUs, and their open files.
//!
//! In: `/proc`. Out: process ids with the names of their programs, lists of files, command
//! lines. Processes that end meanwhile are left out. This file takes no file of any process.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use super::why_not::WhyNot;
use crate::printable::printable;
use crate::threads::spawn;

/// The most bytes of a command line that are read.
const COMMAND_LINE_SIZE_MAX: u64 = 1 << 20;

/// The time in which the kernel returns a command line. Only a command line in memory
/// that the owner mapped from a file system of their own, such as FUSE, takes longer.
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

/// The inode that all anonymous files share, such as the files of KVM and of event
/// counters, and the mount ID of that inode, which no other file system has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedInode {
    mount: String,
    number: String,
}

impl SharedInode {
    /// Finds the inode by a file of this process.
    pub(super) fn find() -> Result<Self, WhyNot> {
        let failed = |errno| WhyNot::of("finding the inode of KVM's files", errno);
        let file = eventfd(0, EventfdFlags::CLOEXEC).map_err(failed)?;
        let info = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
        let info = fs::read_to_string(info).map_err(|error| failed(errno_of(&error)))?;
        let field = |name| field(&info, name).ok_or_else(|| failed(Errno::NOSYS));
        Ok(Self {
            mount: field("mnt_id:")?.to_owned(),
            number: field("ino:")?.to_owned(),
        })
    }
}

/// The files of a process that may be KVM's, by their numbers in that process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileList {
    /// The files that can only be read, as statistics files are.
    pub(super) readable: Vec<i32>,
    /// The files that can be written too, as those of VMs and vCPUs are.
    pub(super) writable: Vec<i32>,
}

impl FileList {
    /// Lists the open files of a process that have the shared inode.
    ///
    /// Reads `/proc/PID/fdinfo`, because the links in `/proc/PID/fd` are shown to the user of
    /// the process only, or with CAP_DAC_READ_SEARCH, which could read every file of the host.
    pub(super) fn read(pid: u32, inode: &SharedInode) -> Result<Self, WhyNot> {
        let unreadable =
            |error: io::Error| WhyNot::of("reading the list of open files", errno_of(&error));
        let mut list = Self::default();
        let files = fs::read_dir(path(pid, "fdinfo")).map_err(unreadable)?;
        for file in files.take(FILES_MAX) {
            let file = file.map_err(unreadable)?;
            let fd = file.file_name();
            let fd = fd.to_str().and_then(|fd| fd.parse().ok());
            // A file that was closed meanwhile cannot be read.
            if let (Some(fd), Ok(info)) = (fd, fs::read_to_string(file.path())) {
                list.add(fd, &info, inode);
            }
        }
        Ok(list)
    }

    fn add(&mut self, fd: i32, info: &str, inode: &SharedInode) {
        let has = |name, value: &str| field(info, name) == Some(value);
        if !has("ino:", &inode.number) || !has("mnt_id:", &inode.mount) {
            return;
        }
        // The flags are octal, and the last two bits tell how the file was opened.
        match field(info, "flags:").and_then(|flags| flags.bytes().last()) {
            Some(b'0' | b'4') => self.readable.push(fd),
            _ => self.writable.push(fd),
        }
    }
}

/// Returns the value of the first line of a file's description that begins with a name.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut values = info.lines().filter_map(|line| line.strip_prefix(name));
    values.next().map(str::trim)
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The command line of a process, which a thread reads.
///
/// The bytes are memory of that process, which may be mapped from a file system that
/// never answers. If the thread blocks, the caller does not wait for the thread.
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
            // Ignore the error: sending fails only if the receiver no longer waits for
            // the bytes.
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
            Ok(Err(error)) => Some(Err(failed(errno_of(&error)))),
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
    fn file_is_listed_when_it_has_the_shared_inode_and_mount() {
        let inode = SharedInode {
            mount: "15".to_owned(),
            number: "1057".to_owned(),
        };
        let mut list = FileList::default();
        for (fd, info) in [
            (1, "pos:\t0\nflags:\t02000000\nmnt_id:\t15\nino:\t1057\n"),
            (2, "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\n"),
            (3, "pos:\t0\nflags:\t02004000\nmnt_id:\t15\nino:\t1057\n"),
            // Other files with one of the numbers.
            (4, "pos:\t0\nflags:\t02000000\nmnt_id:\t16\nino:\t1057\n"),
            (5, "pos:\t0\nflags:\t02000000\nmnt_id:\t15\nino:\t10570\n"),
            (6, ""),
        ] {
            list.add(fd, info, &inode);
        }
        assert_eq!((list.readable, list.writable), (vec![1, 3], vec![2]));
    }

    #[test]
    fn command_line_is_given_up_when_the_kernel_does_not_return_it() {
        let (_sender, receiver) = mpsc::channel();
        let now = Instant::now();
        let line = |deadline| CommandLine { receiver, deadline };
        let mut slow = line(now + Duration::from_secs(60));
        assert_eq!(slow.wait(Duration::from_millis(1)), None);
        slow.deadline = now;
        let outcome = slow.wait(Duration::from_millis(1));
        assert_eq!(outcome, Some(Err(WhyNot::SlowCommandLine)));
    }

    #[test]
    fn own_event_counter_is_listed_and_a_path_is_not() {
        let inode = SharedInode::find().unwrap();
        let counter = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let path = File::open("/dev/null").unwrap();
        let list = FileList::read(std::process::id(), &inode).unwrap();
        assert!(list.writable.contains(&counter.as_raw_fd()));
        let all = [list.writable, list.readable].concat();
        assert!(!all.contains(&path.as_raw_fd()));
    }
}
