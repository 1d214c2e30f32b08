//! Statistics files, taken from another process.
//!
//! In: a process and the list of its files. Out: duplicates of these files, each checked to
//! be what the list said. This file sends nothing.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kvm_stats::{Error, FileKind, Header, Stats, identify};
use rustix::io::{Errno, pread};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use stats_handover::VCPU_INDEX_MAX;

use super::process::FileList;
use super::why_not::WhyNot;
use crate::threads::spawn;

/// The longest id of a statistics file is that of a vCPU of the highest number in a VM of the
/// highest process id, and is shorter than this.
const ID_SIZE_MAX: usize = 64;

/// The files of one VM.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The file of each vCPU, by the number in the file's own id.
    pub(super) vcpus: BTreeMap<u32, OwnedFd>,
    /// The file of the whole VM.
    pub(super) vm: Option<OwnedFd>,
}

/// Takes the files of a list from the process of a pidfd.
///
/// A file becomes a vCPU's only if the kernel says that it is one's: nothing is read from
/// another file, which could let its readers wait for ever.
pub(super) fn take(pidfd: BorrowedFd<'_>, list: &FileList) -> Result<Files, WhyNot> {
    let mut files = Files::default();
    for (index, fd) in &list.vcpus {
        let file = take_one(pidfd, *fd, FileKind::VcpuStats(*index))?;
        if *index > VCPU_INDEX_MAX {
            return Err(WhyNot::VcpuIndex { index: *index });
        }
        let by_id = vcpu_in(&read_id(file.as_fd())?);
        if by_id != Some(*index) {
            return Err(WhyNot::Unreadable {
                reason: format!("its id names the vCPU {by_id:?}, and its link {index}"),
            });
        }
        files.vcpus.insert(*index, file);
    }
    if let Some(fd) = list.vm {
        // QEMU closes this file after each query: it may have gone since the list was read.
        files.vm = take_one(pidfd, fd, FileKind::VmStats).ok();
    }
    Ok(files)
}

fn take_one(pidfd: BorrowedFd<'_>, fd: i32, expected: FileKind) -> Result<OwnedFd, WhyNot> {
    let file = match pidfd_getfd(pidfd, fd, PidfdGetfdFlags::empty()) {
        Ok(file) => file,
        Err(Errno::BADF) => return Err(WhyNot::Changed { fd }),
        Err(errno) => return Err(WhyNot::of("taking a file of the process", errno)),
    };
    if identify(&file).is_ok_and(|kind| kind == expected) {
        return Ok(file);
    }
    // Close the stranger's file in a thread: the last close of a file whose file system does
    // not answer waits, and would hold up all other VMs.
    let _ = spawn("close", move || drop(file));
    Err(WhyNot::Changed { fd })
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
