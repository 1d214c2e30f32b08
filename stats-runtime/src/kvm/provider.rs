//! The provider: the statistics fds of one VM and of its vCPUs.
//!
//! In: queries, and vCPUs that come and go. Out: calls on sinks. It knows no
//! byte offsets; those are the layout's.

use std::collections::HashSet;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError, RwLock};

use kvm_ioctls::{VcpuFd, VmFd};
use qapi_stats::stats::StatsTarget;

use super::error::Error;
use super::fd::{vcpu_stats_fd, vm_stats_fd};
use super::image::record;
use super::source::Stock;
use super::sources::{Files, Sources, Vcpu};
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};

/// Answers with KVM's statistics of one VM.
///
/// It holds statistics fds, which are all it needs: the VM and vCPU fds they
/// came from may be closed, and be another process's. Such an fd keeps its VM
/// alive in the kernel, so drop the provider when that VM's owner exits.
/// Anything else that answers `pread` will do, a recorded file for one.
///
/// vCPUs may be added and removed from any thread while queries run. A query
/// answers for the vCPUs that there were when it began: once
/// [`remove_vcpu`](Self::remove_vcpu) has returned, no query that begins reads
/// that vCPU, and its fd is closed when the last query ends that had begun
/// before. Nothing is locked while the kernel is read or a sink is called.
///
/// A query costs one `pread` for each object that it wants and, once the
/// buffers have grown, no allocation.
#[derive(Default)]
pub struct KvmProvider {
    /// Locked to copy or replace the `Arc`, never longer.
    sources: RwLock<Arc<Sources>>,
    /// What its siblings have too.
    stock: Arc<Stock>,
}

/// Copies of statistics files, for [`Image::read`](super::Image::read) or to
/// be kept.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The VM's.
    pub vm: Option<Vec<u8>>,
    /// Every vCPU's with its QOM path, in the order in which they were added.
    pub vcpus: Vec<(Box<str>, Vec<u8>)>,
}

impl KvmProvider {
    /// A provider without a VM and without vCPUs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A provider for `vm`, still without vCPUs.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] or [`Error::Ioctl`], and what
    /// [`set_vm_fd`](Self::set_vm_fd) answers.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use kvm_ioctls::Kvm;
    /// use stats_runtime::kvm::KvmProvider;
    ///
    /// let vm = Kvm::new()?.create_vm()?;
    /// let provider = KvmProvider::with_vm(&vm)?;
    /// let vcpu = vm.create_vcpu(0)?;
    /// // Before the vCPU runs for the first time.
    /// provider.add_vcpu("/machine/unattached/device[0]", &vcpu)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_vm(vm: &VmFd) -> Result<Self, Error> {
        let provider = Self::new();
        provider.set_vm_fd(vm_stats_fd(vm)?)?;
        Ok(provider)
    }

    /// A provider for another VM of this process, without a VM and without
    /// vCPUs. It shares with this one what is the same for both, which is the
    /// greater part of what a provider holds: the compiled layout of the
    /// statistics, and buffers.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self {
            sources: RwLock::default(),
            stock: Arc::clone(&self.stock),
        }
    }

    /// Answers for the VM from this statistics fd, or from a recorded file,
    /// instead of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::ShortRead`] or [`Error::Malformed`] if the
    /// file's header and descriptors cannot be had; then nothing changes.
    pub fn set_vm_fd(&self, stats: OwnedFd) -> Result<(), Error> {
        let source = self.stock.open(stats)?;
        let before = self.change(|sources| Ok(sources.vm.replace(Arc::new(source))))?;
        drop(before);
        Ok(())
    }

    /// Adds a vCPU. Call this before it runs for the first time: until it
    /// leaves the kernel, a running vCPU holds this call up, which then may
    /// take for ever.
    ///
    /// `qom_path` names it to clients, by the caller's convention. The vCPU
    /// added last is answered first.
    ///
    /// # Errors
    ///
    /// [`Error::Ioctl`], and what [`add_vcpu_fd`](Self::add_vcpu_fd) answers.
    pub fn add_vcpu(&self, qom_path: impl Into<Box<str>>, vcpu: &VcpuFd) -> Result<(), Error> {
        self.add_vcpu_fd(qom_path, vcpu_stats_fd(vcpu)?)
    }

    /// Adds a vCPU by its statistics fd, or by a recorded file.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateVcpu`] if a vCPU has this path; [`Error::Read`],
    /// [`Error::ShortRead`] or [`Error::Malformed`] if the file's header and
    /// descriptors cannot be had. Then nothing changes.
    pub fn add_vcpu_fd(&self, qom_path: impl Into<Box<str>>, stats: OwnedFd) -> Result<(), Error> {
        let source = self.stock.open(stats)?;
        let vcpu = Vcpu {
            qom_path: qom_path.into(),
            source,
        };
        self.change(|sources| {
            if sources.position(&vcpu.qom_path).is_some() {
                return Err(Error::DuplicateVcpu {
                    qom_path: vcpu.qom_path.into(),
                });
            }
            sources.add_vcpu(vcpu);
            Ok(())
        })
    }

    /// Removes the vCPU at `qom_path` and says whether there was one. No query
    /// that begins later reads it; its fd is closed as soon as those that
    /// began earlier have ended. Clients keep seeing its schema.
    pub fn remove_vcpu(&self, qom_path: &str) -> bool {
        if self.snapshot().position(qom_path).is_none() {
            return false;
        }
        let removed = self.change(|sources| Ok(sources.remove_vcpu(qom_path)));
        // The fd is closed here and not under the lock: behind the last one of
        // a VM that is gone, the kernel takes that VM down.
        removed.is_ok_and(|removed| removed.is_some())
    }

    /// Copies the statistics files as they are now: a folder of such files can
    /// be served in the VM's stead.
    ///
    /// # Errors
    ///
    /// What [`record`] answers for the first file that cannot be copied.
    pub fn record(&self) -> Result<Recording, Error> {
        let files = self.files();
        let vm = files.vm().map(record).transpose()?;
        let copy = |(qom_path, fd): (&str, _)| Ok((qom_path.into(), record(fd)?));
        let vcpus = files.vcpus().map(copy).collect::<Result<_, Error>>()?;
        Ok(Recording { vm, vcpus })
    }

    /// The statistics files as they are now, for who wants to read them too or
    /// to hand them to another process.
    #[must_use]
    pub fn files(&self) -> Files {
        Files(self.snapshot())
    }

    fn snapshot(&self) -> Arc<Sources> {
        Arc::clone(&self.sources.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the sources: in place, or a copy of them if a query looks at
    /// them.
    fn change<T>(&self, change: impl FnOnce(&mut Sources) -> Result<T, Error>) -> Result<T, Error> {
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut sources))
    }
}

impl Provider for KvmProvider {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let sources = self.snapshot();
        self.stock
            .with_block(|block| match (query.target(), &sources.vm) {
                (StatsTarget::Vm, Some(vm)) if vm.shape.layout.has_any_of(query) => {
                    vm.query(None, block, sink)
                }
                (StatsTarget::Vcpu, _) => sources.query_vcpus(query, block, sink),
                _ => Ok(()),
            })?;
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        let sources = self.snapshot();
        if let Some((newest, older)) = sources.vcpu_shapes.split_first() {
            sink.schema(StatsTarget::Vcpu);
            newest.layout.schema().for_each(|stat| sink.stat(stat));
            // Files that were recorded on other kernels have statistics of
            // their own; a client wants each name once.
            let mut seen: HashSet<&str> = HashSet::new();
            if !older.is_empty() {
                seen.extend(newest.layout.schema().map(|stat| stat.name.as_str()));
            }
            for stat in older.iter().flat_map(|shape| shape.layout.schema()) {
                if seen.insert(&stat.name) {
                    sink.stat(stat);
                }
            }
        }
        if let Some(vm) = &sources.vm {
            sink.schema(StatsTarget::Vm);
            vm.shape.layout.schema().for_each(|stat| sink.stat(stat));
        }
        Ok(())
    }
}

impl fmt::Debug for KvmProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.snapshot();
        f.debug_struct("KvmProvider")
            .field("vm", &sources.vm.is_some())
            .field("vcpus", &sources.vcpus.len())
            .finish_non_exhaustive()
    }
}
