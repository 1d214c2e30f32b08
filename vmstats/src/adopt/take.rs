//! Statistics files, taken from another process.
//!
//! In: a process and the list of its files. Out: duplicates of these files, each checked to
//! be KVM's. This file sends nothing.

use std::collections::BTreeMap;
use std::fs;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use kvm_stats::{Error, FileKind, Header, Stats, identify};
use rustix::io::{Errno, pread};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use stats_handover::VCPU_INDEX_MAX;

use super::process::FileList;
use super::why_not::WhyNot;
use crate::threads::spawn;

/// The size of the buffer for the id of a statistics file. The longest id,
/// `kvm-PID/vcpu-INDEX` with the highest numbers, is shorter.
const ID_SIZE_MAX: usize = 64;

/// The statistics files of one VM.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The file of each vCPU, by the number in the file's own id.
    pub(super) vcpus: BTreeMap<u32, OwnedFd>,
    /// The file of the whole VM.
    pub(super) vm: Option<OwnedFd>,
    /// The number of vCPUs that had another file too.
    pub(super) duplicates: usize,
}

/// Takes the statistics files among those of a list from the process of a pidfd.
///
/// Identifies each file by the kernel's description and reads only statistics files,
/// because a read of any other file could block for ever.
///
/// # Errors
///
/// Returns the reason if the process has no statistics file.
pub(super) fn take(pidfd: BorrowedFd<'_>, list: &FileList) -> Result<Files, WhyNot> {
    let mut files = Files::default();
    let mut others = Vec::new();
    // Sort, so that the file with the highest descriptor number of a vCPU is kept: QEMU
    // keeps the old file of a vCPU that was unplugged and plugged again. Both files have
    // the same counters.
    let mut fds = list.readable.clone();
    fds.sort_unstable();
    for fd in fds {
        let (file, kind) = take_one(pidfd, fd)?;
        match kind {
            FileKind::VcpuStats(index) => {
                check_id(file.as_fd(), index)?;
                files.duplicates += usize::from(files.vcpus.insert(index, file).is_some());
            }
            FileKind::VmStats => files.vm = Some(file),
            _ => others.push(file),
        }
    }
    if !others.is_empty() {
        close(others);
    }
    if files.vcpus.is_empty() && files.vm.is_none() {
        return Err(why_none(pidfd, list));
    }
    Ok(files)
}

fn take_one(pidfd: BorrowedFd<'_>, fd: i32) -> Result<(OwnedFd, FileKind), WhyNot> {
    match pidfd_getfd(pidfd, fd, PidfdGetfdFlags::empty()) {
        Ok(file) => {
            let kind = identify(&file).unwrap_or(FileKind::Other);
            Ok((file, kind))
        }
        Err(Errno::BADF) => Err(WhyNot::Changed { fd }),
        Err(errno) => Err(WhyNot::of("taking a file of the process", errno)),
    }
}

/// Drops a value that holds files of other processes in a new thread, because the last
/// close of a file may block: the last close of a KVM file destroys the VM, which takes
/// some 20 ms, and a file that the process has exchanged for the listed file closes only
/// when its file system answers.
pub(super) fn close<T: Send + 'static>(files: T) {
    // If no thread can be started, the files stay open: to close one here could take for ever.
    let files = ManuallyDrop::new(files);
    let _ = spawn("close", move || drop(ManuallyDrop::into_inner(files)));
}

/// Returns what the kernel says about a file of this process.
fn link(file: &OwnedFd) -> String {
    let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    link.unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the reason why a process has no statistics file, found from its files of a VM
/// and of vCPUs.
fn why_none(pidfd: BorrowedFd<'_>, list: &FileList) -> WhyNot {
    let taken = list
        .writable
        .iter()
        .filter_map(|fd| take_one(pidfd, *fd).ok());
    let files: Vec<OwnedFd> = taken.map(|(file, _)| file).collect();
    let links: Vec<String> = files.iter().map(link).collect();
    close(files);
    let has = |start: &str| links.iter().any(|link| link.starts_with(start));
    if has("anon_inode:kvm-vcpu:") {
        WhyNot::NoFiles
    } else if has("anon_inode:kvm-vm") {
        WhyNot::NoVcpus
    } else {
        WhyNot::NoKvm
    }
}

/// Checks that the file's own id names the vCPU that its link names.
fn check_id(file: BorrowedFd<'_>, index: u32) -> Result<(), WhyNot> {
    if index > VCPU_INDEX_MAX {
        return Err(WhyNot::VcpuIndex { index });
    }
    let id = read_id(file)?;
    if vcpu_in(&id) == Some(index) {
        return Ok(());
    }
    Err(WhyNot::Unreadable {
        reason: format!("its id is {id:?}, and its link names the vCPU {index}"),
    })
}

/// Reads the id of a statistics file of KVM's.
fn read_id(file: BorrowedFd<'_>) -> Result<String, WhyNot> {
    let unreadable = |reason: String| WhyNot::Unreadable { reason };
    let mut header = [0; Header::SIZE];
    pread(file, &mut header, 0).map_err(|errno| unreadable(errno.to_string()))?;
    let header =
        Header::parse(&header).map_err(|error| unreadable(Error::from(error).to_string()))?;
    let mut id = [0; ID_SIZE_MAX];
    let range = header.id();
    let size = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let room = id.get_mut(..size.min(ID_SIZE_MAX)).unwrap_or_default();
    let len = pread(file, room, range.start).map_err(|errno| unreadable(errno.to_string()))?;
    let id = id.get(..len).unwrap_or_default();
    let id = id.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(id).into_owned())
}

/// Returns the number of the vCPU in an id such as `kvm-4711/vcpu-0`.
fn vcpu_in(id: &str) -> Option<u32> {
    let (vm, vcpu) = id.split_once('/')?;
    vm.strip_prefix("kvm-")?.parse::<u32>().ok()?;
    vcpu.strip_prefix("vcpu-")?.parse().ok()
}

/// Returns how often a vCPU has left its guest, as its file counts. Returns `None` if this
/// kernel does not count that.
pub(super) fn exits(file: BorrowedFd<'_>) -> Option<u64> {
    let stats = Stats::new(file.try_clone_to_owned().ok()?).ok()?;
    let exits = stats.find("exits")?;
    let mut values = stats.buffer();
    stats.read(&mut values).ok()?;
    values.get(exits).first().copied()
}

#[cfg(test)]
mod tests {
    use super::vcpu_in;

    #[test]
    fn vcpu_is_found_only_in_an_id_of_the_kernels_form() {
        assert_eq!(vcpu_in("kvm-4711/vcpu-12"), Some(12));
        for id in [
            "",
            "kvm-4711",
            "kvm-/vcpu-1",
            "kvm-1/vcpu-",
            "vm-1/vcpu-1",
            "kvm-1/vcpu-x",
        ] {
            assert_eq!(vcpu_in(id), None, "{id}");
        }
    }
}
