//! Recorded statistics files, read as if they were live.
//!
//! In: a folder with `vm.bin`, `vcpu0.bin`, `vcpu1.bin` and so on. Out: a KVM
//! provider that reads these files as it reads the kernel's files.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use demo_guest::qom_path;
use demo_guest::raise_nofile_limit;
use kvm_stats::{IMAGE_SIZE_MAX, Image};
use stats_runtime::kvm::KvmProvider;

use crate::byte_order;
use crate::cli::KvmTarget;
use crate::failure::Failure;

/// The statistics files of a VM and of its vCPU, recorded from the demo's guest
/// for machines without KVM.
const RECORDED: [(&str, &[u8]); 2] = [
    ("vm.bin", include_bytes!("../recorded/vm.bin")),
    ("vcpu0.bin", include_bytes!("../recorded/vcpu0.bin")),
];

/// Recorded files that have been opened.
#[derive(Debug)]
pub struct Replay {
    /// The provider that reads the files.
    pub provider: KvmProvider,
    /// The QOM paths of the vCPUs, in the order of the files' numbers.
    pub qom_paths: Vec<String>,
}

/// Opens the recorded files of a folder.
///
/// # Errors
///
/// Returns an error that names the file which cannot be opened or is not a
/// statistics file.
pub fn open(folder: &Path) -> Result<Replay, Failure> {
    let cannot = |path: &Path, why: &dyn std::fmt::Display| {
        Failure::other(format!("{}: {why}", path.display()))
    };
    let path = folder.join("vm.bin");
    let vm = open_image(&path, KvmTarget::Vm).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => {
                "; expected a recording of `vmstats record`, or a folder of statistics files"
            }
            _ => "",
        };
        cannot(&path, &format!("{error}{hint}"))
    })?;
    let provider = KvmProvider::new();
    provider
        .set_vm_fd(OwnedFd::from(vm))
        .map_err(|error| cannot(&path, &error))?;
    let vcpus = vcpu_count(folder).map_err(|error| cannot(folder, &error))?;
    raise_nofile_limit(vcpus + OTHER_FILES).map_err(|error| Failure::other(error.to_string()))?;
    let mut qom_paths = Vec::new();
    for index in 0..vcpus {
        let path = folder.join(format!("vcpu{index}.bin"));
        let vcpu = open_image(&path, KvmTarget::Vcpu).map_err(|error| cannot(&path, &error))?;
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

/// The number of files that the program may have open besides the recorded ones.
const OTHER_FILES: u64 = 256;

/// Returns one more than the highest number of a vCPU's file. If a lower number
/// has no file, opening that file fails; counting the files would hide the gap.
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

/// Opens a recorded file. Refuses a file of another kind of object than its name
/// says, and one in the byte order that this machine does not have, because the
/// provider reads it as it would read a live file.
fn open_image(path: &Path, target: KvmTarget) -> io::Result<File> {
    let file = open_file(path)?;
    let mut bytes = Vec::new();
    let mut limited = (&file).take(IMAGE_SIZE_MAX as u64);
    limited.read_to_end(&mut bytes)?;
    if byte_order::is_foreign(&bytes) {
        let order = byte_order::FOREIGN;
        let why = format!("a {order} copy, which only `vmstats decode` reads");
        return Err(io::Error::other(why));
    }
    // The provider reports a malformed file.
    let id = Image::read(&bytes).ok().map(|image| image.id().to_owned());
    let found = id.as_deref().and_then(target_of_id);
    if let (Some(id), Some(found)) = (id, found.filter(|found| *found != target)) {
        let found = found.name();
        let why = format!("the statistics of a {found}, by their id '{id}'");
        return Err(io::Error::other(why));
    }
    Ok(file)
}

/// Returns the kind of object with this id of the kernel's: `kvm-TID` or
/// `kvm-TID/vcpu-NUMBER`. Returns `None` if the id has neither form.
#[must_use]
pub fn target_of_id(id: &str) -> Option<KvmTarget> {
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let object = id.strip_prefix("kvm-")?;
    match object.split_once("/vcpu-") {
        Some((thread, number)) => {
            (is_number(thread) && is_number(number)).then_some(KvmTarget::Vcpu)
        }
        None => is_number(object).then_some(KvmTarget::Vm),
    }
}

/// Opens a recorded file. Refuses a file that is not regular, because opening a
/// pipe would wait for its other end.
///
/// # Errors
///
/// Returns the kernel's error, or that the file is not a regular one.
pub fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

/// Opens the files that were recorded from the demo's guest.
///
/// # Errors
///
/// Returns an error if the files cannot be written to a temporary folder.
pub fn recorded() -> Result<Replay, Failure> {
    let cannot = |error| Failure::other(format!("cannot unpack the recorded files: {error}"));
    let folder = tempfile::tempdir().map_err(cannot)?;
    for (name, bytes) in RECORDED {
        fs::write(folder.path().join(name), bytes).map_err(cannot)?;
    }
    // The open files outlive the folder.
    open(folder.path())
}
