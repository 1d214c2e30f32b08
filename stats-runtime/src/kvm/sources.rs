//! What a provider reads: the open files of a VM and of its vCPUs.
//!
//! In: a query. Out: rows for a sink, of vCPUs in QEMU's order. It knows no
//! locks: what there is was decided when the query began.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::error::Error;
use super::source::{Shape, Source};
use super::values::DataBlock;
use crate::provider::{StatsQuery, StatsSink};
use crate::sink::Columns;

/// What is read; replaced as a whole if a query still looks at it.
#[derive(Clone, Default)]
pub(super) struct Sources {
    pub(super) vm: Option<Arc<Source>>,
    /// In the order in which they were added.
    pub(super) vcpus: Vec<Arc<Vcpu>>,
    /// The shape of the vCPU added last, which stays known when it goes.
    pub(super) vcpu_shape: Option<Arc<Shape>>,
}

pub(super) struct Vcpu {
    pub(super) qom_path: Box<str>,
    pub(super) source: Source,
}

/// The open statistics files of a provider. Those of vCPUs that are removed
/// stay open for as long as this is kept.
pub struct Files(pub(super) Arc<Sources>);

impl Files {
    /// The VM's.
    #[must_use]
    pub fn vm(&self) -> Option<BorrowedFd<'_>> {
        self.0.vm.as_ref().map(|vm| vm.fd.as_fd())
    }

    /// Every vCPU's with its QOM path, in the order in which they were added.
    pub fn vcpus(&self) -> impl ExactSizeIterator<Item = (&str, BorrowedFd<'_>)> {
        let vcpus = self.0.vcpus.iter();
        vcpus.map(|vcpu| (&*vcpu.qom_path, vcpu.source.fd.as_fd()))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.vcpus()).finish_non_exhaustive()
    }
}

impl Sources {
    /// Answers for the vCPUs that are wanted.
    pub(super) fn query_vcpus(
        &self,
        query: &StatsQuery<'_>,
        block: &mut DataBlock,
        sink: &mut dyn StatsSink,
    ) -> Result<(), Error> {
        let mut columns = Wanted::new(query);
        // QEMU prepends to its list, so the last one comes first.
        for Vcpu { qom_path, source } in self.vcpus.iter().rev().map(Arc::as_ref) {
            if query.wants_vcpu(qom_path) {
                let columns = columns.of(&source.shape);
                source.query(Some(qom_path), columns, block, sink)?;
            }
        }
        Ok(())
    }

    /// The place of the vCPU at `qom_path`.
    pub(super) fn position(&self, qom_path: &str) -> Option<usize> {
        self.vcpus
            .iter()
            .position(|vcpu| &*vcpu.qom_path == qom_path)
    }

    /// The distinct shapes of the vCPUs, the newest first; without vCPUs the
    /// last one's. On a live VM that is one.
    pub(super) fn vcpu_shapes(&self) -> Vec<Arc<Shape>> {
        let mut shapes: Vec<Arc<Shape>> = self.vcpu_shape.iter().cloned().collect();
        for vcpu in self.vcpus.iter().rev() {
            if !shapes
                .iter()
                .any(|shape| Arc::ptr_eq(shape, &vcpu.source.shape))
            {
                shapes.push(Arc::clone(&vcpu.source.shape));
            }
        }
        shapes
    }
}

/// The columns that a query wants: looked up once for all vCPUs of a shape.
pub(super) struct Wanted<'q> {
    query: &'q StatsQuery<'q>,
    last: Option<(Arc<Shape>, Arc<Columns>)>,
}

impl<'q> Wanted<'q> {
    pub(super) fn new(query: &'q StatsQuery<'q>) -> Self {
        Self { query, last: None }
    }

    pub(super) fn of(&mut self, shape: &Arc<Shape>) -> &Arc<Columns> {
        self.last.take_if(|(last, _)| !Arc::ptr_eq(last, shape));
        let (_, columns) = self.last.get_or_insert_with(|| {
            let columns = shape.filters.choose(shape.layout.columns(), self.query);
            (Arc::clone(shape), columns)
        });
        columns
    }
}
