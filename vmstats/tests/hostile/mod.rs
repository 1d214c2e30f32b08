//! Files that hang whoever reads them: a file system in user space whose server falls
//! silent.
//!
//! Root mounts it without libfuse, by the kernel's protocol (linux/fuse.h). A request that
//! the server has taken and does not answer cannot be interrupted, not even by SIGKILL.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, Timespec};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A request of the kernel's, by its number in linux/fuse.h.
pub(crate) mod request {
    pub(crate) const LOOKUP: u32 = 1;
    pub(crate) const FORGET: u32 = 2;
    pub(crate) const GETATTR: u32 = 3;
    pub(crate) const OPEN: u32 = 14;
    pub(crate) const READ: u32 = 15;
    pub(crate) const RELEASE: u32 = 18;
    pub(crate) const FLUSH: u32 = 25;
    pub(crate) const INIT: u32 = 26;
}

/// The time after which the server ends by itself, so that a test that hangs fails.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The bytes of a request's header and of a reply's.
const HEADER: usize = 40;
const REPLY_HEADER: usize = 16;

/// The longest request: the kernel asks for at least 8 KiB, and nobody writes.
const REQUEST_MAX: usize = 64 << 10;

/// The inodes of the root and of its only file.
const ROOT: u64 = 1;
const INODE: u64 = 2;

/// A mounted file system with one file, `stats`. Dropping it ends all requests with an
/// error.
///
/// Once the server is [silent](Self::fall_silent), no process that has the file open can
/// look at it, close it, end, or start a program (which closes the file in the child): let
/// the test do all of that before, or in a process that it can spare.
pub(crate) struct SilentFiles {
    folder: tempfile::TempDir,
    /// The files that the test has opened, which are closed after the end of the server.
    files: Vec<OwnedFd>,
    state: Arc<State>,
    server: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    is_silent: AtomicBool,
    is_ended: AtomicBool,
    /// The kinds of the requests that the silent server has not answered.
    unanswered: Mutex<BTreeSet<u32>>,
}

impl SilentFiles {
    /// Mounts the file system; `None`, with the reason printed, where that is not
    /// possible.
    pub(crate) fn mount() -> Option<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open("/dev/fuse");
        let device = match device {
            Ok(device) => device,
            Err(error) => {
                skip::because(format_args!("/dev/fuse: {error}"));
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,allow_other",
            device.as_raw_fd()
        );
        let options = CString::new(options).unwrap();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        if let Err(error) = mount("silent", folder.path(), "fuse", flags, &*options) {
            skip::because(format_args!(
                "a file system of FUSE cannot be mounted: {error}"
            ));
            return None;
        }
        let state = Arc::<State>::default();
        let of_server = Arc::clone(&state);
        let server = thread::spawn(move || serve(&device, &of_server));
        Some(Self {
            folder,
            files: Vec::new(),
            state,
            server: Some(server),
        })
    }

    /// The path of the file. Opening it works until the server is silent.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("stats")
    }

    /// Opens the file. The file system keeps the fd, and closes it after the server's end.
    pub(crate) fn open(&mut self) {
        self.files.push(File::open(self.path()).unwrap().into());
    }

    /// The fd of the file that was opened last.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.files.last().unwrap().as_fd()
    }

    /// Answers no request any more.
    pub(crate) fn fall_silent(&self) {
        self.state.is_silent.store(true, Ordering::SeqCst);
    }

    /// Waits until somebody makes a request of this kind of the silent server.
    pub(crate) fn wait_for(&self, request: u32) {
        let begin = Instant::now();
        while !self.state.unanswered.lock().unwrap().contains(&request) {
            assert!(begin.elapsed() < Duration::from_secs(20), "no {request}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for SilentFiles {
    fn drop(&mut self) {
        // The end of the server closes its device, which ends all requests.
        self.state.is_ended.store(true, Ordering::SeqCst);
        let _ = self.server.take().map(JoinHandle::join);
        self.files.clear();
        let _ = unmount(self.folder.path(), UnmountFlags::DETACH);
    }
}

/// Answers requests until the server is silent, and takes them until its end.
fn serve(device: &File, state: &State) {
    let begin = Instant::now();
    let mut request = vec![0; REQUEST_MAX];
    while !state.is_ended.load(Ordering::SeqCst) && begin.elapsed() < SILENCE_MAX {
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let _ = poll(&mut [PollFd::new(device, PollFlags::IN)], Some(&pause));
        let len = match { device }.read(&mut request) {
            Ok(len) => len,
            // A request that was interrupted before it was taken, or none.
            Err(error)
                if [Some(Errno::AGAIN), Some(Errno::NOENT), Some(Errno::INTR)]
                    .contains(&Errno::from_io_error(&error)) =>
            {
                continue;
            }
            Err(_) => return,
        };
        let header = &request[..len.min(HEADER)];
        let opcode = number(header, 4);
        if state.is_silent.load(Ordering::SeqCst) {
            state.unanswered.lock().unwrap().insert(opcode);
            continue;
        }
        let unique = &header[8..16];
        let node = u64::from_ne_bytes(header[16..24].try_into().unwrap());
        let (error, body) = answer(opcode, node, &request[HEADER..len]);
        if opcode == request::FORGET {
            continue;
        }
        let len = u32::try_from(REPLY_HEADER + body.len()).unwrap();
        let reply = [&len.to_ne_bytes()[..], &error.to_ne_bytes(), unique, &body].concat();
        // Fails if the request was interrupted meanwhile.
        let _ = { device }.write(&reply);
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Returns the error of a reply, or 0, and its body.
fn answer(opcode: u32, node: u64, body: &[u8]) -> (i32, Vec<u8>) {
    match opcode {
        // struct fuse_init_out: version 7.31, which has 64 bytes.
        request::INIT => {
            let mut reply = [7_u32, 31, 0, 0, 0, 4096, 1].map(u32::to_ne_bytes).concat();
            reply.resize(64, 0);
            (0, reply)
        }
        // struct fuse_entry_out, whose attributes are never cached: a look at the file asks
        // the server.
        request::LOOKUP if body == b"stats\0" => {
            let mut reply = [INODE, 0, 60, 0].map(u64::to_ne_bytes).concat();
            reply.extend([0; 8]);
            reply.extend(attributes(INODE));
            (0, reply)
        }
        request::LOOKUP => (-Errno::NOENT.raw_os_error(), Vec::new()),
        // struct fuse_attr_out.
        request::GETATTR => {
            let mut reply = vec![0; 16];
            reply.extend(attributes(node));
            (0, reply)
        }
        // struct fuse_open_out, with FOPEN_DIRECT_IO: each read asks the server.
        request::OPEN => {
            let mut reply = vec![0; 8];
            reply.extend([1_u32, 0].map(u32::to_ne_bytes).concat());
            (0, reply)
        }
        request::READ | request::FLUSH | request::RELEASE => (0, Vec::new()),
        _ => (-Errno::NOSYS.raw_os_error(), Vec::new()),
    }
}

/// Returns the attributes of an inode, `struct fuse_attr`.
fn attributes(inode: u64) -> Vec<u8> {
    let mode: u32 = if inode == ROOT { 0o040_755 } else { 0o100_644 };
    let mut bytes = [inode, 4096, 8, 0, 0, 0].map(u64::to_ne_bytes).concat();
    let rest = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    bytes.extend(rest.map(u32::to_ne_bytes).concat());
    bytes
}

/// Returns the state of a process as `/proc` has it, such as `D`; `None` once it has
/// ended.
pub(crate) fn process_state(process: u32) -> Option<char> {
    let stat = Path::new("/proc").join(process.to_string()).join("stat");
    let stat = std::fs::read_to_string(stat).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.chars().next().filter(|state| !"ZX".contains(*state))
}
