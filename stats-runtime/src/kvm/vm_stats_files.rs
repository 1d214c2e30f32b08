//! The open statistics files of a VM and of its vCPUs.
//!
//! In: the files. Out: the files, for a provider's queries and for other programs. This
//! file knows no statistic.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::error::Error;
use super::file_list::{FileList, Object};
use super::stats_file::StatsFile;

/// The files to read. `Arc::make_mut` copies the lists while a query holds a
/// snapshot.
#[derive(Clone, Default)]
pub(super) struct VmStatsFiles {
    pub(super) vm: Option<Arc<StatsFile>>,
    pub(super) vcpus: FileList<u64>,
}

/// A vCPU, whose number is its index.
pub(super) type Vcpu = Object<u64>;

/// The open statistics files of a provider. The files of removed vCPUs stay open
/// for as long as this value exists.
pub struct Files(pub(super) Arc<VmStatsFiles>);

impl Files {
    /// The VM's file.
    #[must_use]
    pub fn vm(&self) -> Option<BorrowedFd<'_>> {
        self.0.vm.as_ref().map(|vm| vm.fd.as_fd())
    }

    /// The vCPUs' files with their QOM paths, in the order in which the vCPUs were
    /// added.
    pub fn vcpus(&self) -> impl ExactSizeIterator<Item = (&str, BorrowedFd<'_>)> {
        let vcpus = self.0.vcpus.objects().iter();
        vcpus.map(|vcpu| (&*vcpu.qom_path, vcpu.file.fd.as_fd()))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.vcpus()).finish_non_exhaustive()
    }
}

impl VmStatsFiles {
    /// Refuses the path of a vCPU that the list has.
    pub(super) fn check_path(&self, qom_path: &str) -> Result<(), Error> {
        match self.vcpus.position(qom_path) {
            Some(_) => Err(Error::DuplicateVcpu {
                qom_path: qom_path.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Returns whether a vCPU has this index.
    pub(super) fn has_vcpu_with(&self, index: u64) -> bool {
        let mut vcpus = self.vcpus.objects().iter();
        vcpus.any(|vcpu| vcpu.number == index)
    }

    /// Adds a vCPU, whose path and index must be unique.
    pub(super) fn add_vcpu(&mut self, vcpu: Vcpu) -> Result<(), Error> {
        self.vcpus.add(vcpu, self.vm.as_deref())
    }
}
