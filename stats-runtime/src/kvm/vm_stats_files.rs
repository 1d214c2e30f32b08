//! The open statistics files of a VM and of its vCPUs.
//!
//! In: a query. Out: rows for a sink, with the vCPUs in QEMU's order. The list
//! takes no lock, because a query works on a snapshot of it.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use kvm_stats::DataBlock;

use super::error::Error;
use super::stats_file::{CompiledLayout, StatsFile};
use crate::provider::{StatsQuery, StatsSink};

/// The files to read. `Arc::make_mut` copies the list while a query holds a
/// snapshot.
#[derive(Clone, Default)]
pub(super) struct VmStatsFiles {
    pub(super) vm: Option<Arc<StatsFile>>,
    /// The vCPUs in the order in which they were added.
    pub(super) vcpus: Vec<Arc<Vcpu>>,
    /// The distinct layouts of the vCPUs, that of the newest vCPU first. A live VM
    /// has one. The layout of the vCPU that was added last stays here when that vCPU
    /// is removed.
    pub(super) vcpu_layouts: Vec<Arc<CompiledLayout>>,
}

#[derive(Clone)]
pub(super) struct Vcpu {
    /// The vCPU's number, which stays when others go.
    pub(super) index: u64,
    pub(super) qom_path: Box<str>,
    pub(super) file: Arc<StatsFile>,
}

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
        let vcpus = self.0.vcpus.iter();
        vcpus.map(|vcpu| (&*vcpu.qom_path, vcpu.file.fd.as_fd()))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.vcpus()).finish_non_exhaustive()
    }
}

impl VmStatsFiles {
    /// Writes the rows of the vCPUs that the query wants.
    pub(super) fn query_vcpus(
        &self,
        query: &StatsQuery<'_>,
        block: &mut DataBlock,
        sink: &mut dyn StatsSink,
    ) -> Result<(), Error> {
        // A request may name statistics that no vCPU has, thousands of times:
        // read nothing then.
        if !self
            .vcpu_layouts
            .iter()
            .any(|compiled| compiled.described.has_any_of(query))
        {
            return Ok(());
        }
        // QEMU prepends to its list, so the vCPU that was added last comes first.
        for Vcpu { qom_path, file, .. } in self.vcpus.iter().rev().map(Arc::as_ref) {
            if query.wants_vcpu(qom_path) {
                file.query(Some(qom_path), block, sink)?;
            }
        }
        Ok(())
    }

    /// Returns the index of the vCPU at `qom_path`.
    pub(super) fn position(&self, qom_path: &str) -> Option<usize> {
        self.vcpus
            .iter()
            .position(|vcpu| &*vcpu.qom_path == qom_path)
    }

    /// Returns the lowest index that no vCPU has.
    pub(super) fn free_index(&self) -> u64 {
        let taken: BTreeSet<u64> = self.vcpus.iter().map(|vcpu| vcpu.index).collect();
        // The indexes in order are 0, 1, 2 and so on up to the first gap.
        let gap = (0..).zip(&taken).find(|(index, taken)| index != *taken);
        gap.map_or(taken.len() as u64, |(index, _)| index)
    }

    /// Adds a vCPU, whose path must be unique.
    pub(super) fn add_vcpu(&mut self, vcpu: Arc<Vcpu>) {
        self.vcpus.push(vcpu);
        self.vcpu_layouts.clear();
        self.find_shapes();
    }

    /// Removes and returns the vCPU at `qom_path`.
    pub(super) fn remove_vcpu(&mut self, qom_path: &str) -> Option<Arc<Vcpu>> {
        let removed = self.vcpus.remove(self.position(qom_path)?);
        self.vcpu_layouts.truncate(1);
        self.find_shapes();
        Some(removed)
    }

    /// Adds the layouts that are missing in `vcpu_layouts`.
    fn find_shapes(&mut self) {
        for vcpu in self.vcpus.iter().rev() {
            let compiled = &vcpu.file.compiled;
            if !self
                .vcpu_layouts
                .iter()
                .any(|known| Arc::ptr_eq(known, compiled))
            {
                self.vcpu_layouts.push(Arc::clone(compiled));
            }
        }
    }
}
