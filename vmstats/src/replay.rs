//! Recorded stats files, served as if they were live.
//!
//! In: a folder with `vm.bin`, `vcpu0.bin`, `vcpu1.bin` and so on. Out: a KVM
//! provider that reads them as it reads stats fds.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use stats_runtime::kvm::{KvmProvider, raise_nofile_limit};

use crate::failure::Failure;
use demo_guest::qom_path;

/// A stats file of a VM and of one vCPU, recorded from this program's guest,
/// for machines without KVM.
const RECORDED: [(&str, &[u8]); 2] = [
    ("vm.bin", include_bytes!("../recorded/vm.bin")),
    ("vcpu0.bin", include_bytes!("../recorded/vcpu0.bin")),
];

/// A provider over recorded files, and the vCPUs' QOM paths.
#[derive(Debug)]
pub struct Replay {
    /// The provider.
    pub provider: KvmProvider,
    /// The QOM paths in the order of the files' numbers.
    pub qom_paths: Vec<String>,
}

/// Opens the recorded files of a folder.
///
/// # Errors
///
/// The file that cannot be opened or is no stats file, and why.
pub fn open(folder: &Path) -> Result<Replay, Failure> {
    let cannot = |path: &Path, why: &dyn std::fmt::Display| {
        Failure::other(format!("{}: {why}", path.display()))
    };
    let path = folder.join("vm.bin");
    let vm = open_file(&path).map_err(|error| cannot(&path, &error))?;
    let provider = KvmProvider::new();
    provider
        .set_vm_fd(OwnedFd::from(vm))
        .map_err(|error| cannot(&path, &error))?;
    let vcpus = vcpu_count(folder).map_err(|error| cannot(folder, &error))?;
    raise_nofile_limit(vcpus + OTHER_FILES).map_err(|error| Failure::other(error.to_string()))?;
    let mut qom_paths = Vec::new();
    for index in 0..vcpus {
        let path = folder.join(format!("vcpu{index}.bin"));
        let vcpu = open_file(&path).map_err(|error| cannot(&path, &error))?;
        let qom_path = qom_path(index);
        provider
            .add_vcpu_fd(qom_path.as_str(), OwnedFd::from(vcpu))
            .map_err(|error| cannot(&path, &error))?;
        qom_paths.push(qom_path);
    }
    Ok(Replay {
        provider,
        qom_paths,
    })
}

/// Files that the program has open besides the recorded ones.
const OTHER_FILES: u64 = 256;

/// One more than the highest number of a vCPU's file: one that is missing in
/// between is an error, not the end.
fn vcpu_count(folder: &Path) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("vcpu")?.strip_suffix(".bin"))
            .and_then(|number| number.parse::<u16>().ok());
        count = count.max(number.map_or(0, |number| u64::from(number) + 1));
    }
    Ok(count)
}

/// Opens a recorded file. What is no regular file is refused: opening a pipe
/// would wait for its other end.
///
/// # Errors
///
/// What the kernel says, or that it is no regular file.
pub fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

/// Opens the files that were recorded from this program's guest.
///
/// # Errors
///
/// What writing them into a temporary folder says.
pub fn recorded() -> Result<Replay, Failure> {
    let cannot = |error| Failure::other(format!("cannot unpack the recorded files: {error}"));
    let folder = tempfile::tempdir().map_err(cannot)?;
    for (name, bytes) in RECORDED {
        fs::write(folder.path().join(name), bytes).map_err(cannot)?;
    }
    // The files stay open when the folder is gone.
    open(folder.path())
}
