//! The provider of one VM's statistics and of those of its vCPUs.
//!
//! In: queries, and vCPUs that come and go. Out: calls of sinks. The provider
//! knows no byte offsets, which are the layout's.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use kvm_stats::{open, record};
use qapi_stats::stats::StatsTarget;

use super::error::Error;
use super::object_files::ObjectFiles;
use super::stats_file::{LayoutCache, check_layouts};
use super::vm_stats_files::{Files, Vcpu, VmStatsFiles};
use crate::lock::Lock;
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};

/// A provider of KVM's statistics of one VM.
///
/// A clone is another handle to the same files: register one, and keep one to add
/// and remove vCPUs.
///
/// The provider keeps statistics fds open and needs nothing else: the fds of the
/// VM and of its vCPUs may be closed, or belong to another process. A recorded file
/// can take the place of a statistics fd.
///
/// On Linux 6.5 and later a statistics fd keeps its VM alive in the kernel:
/// [`clear`](Self::clear) the provider when the VM ends, or its memory stays. On
/// earlier kernels, unless they have "KVM: Grab a reference to KVM for VM and vCPU
/// stats file descriptors", a statistics fd that outlives its VM makes the kernel
/// read freed memory: clear the provider **before** the last fd of the VM and of its
/// vCPUs is closed, and do not pass the files to another process.
///
/// vCPUs may be added and removed from any thread while queries run. A query
/// answers for the vCPUs that existed when it began. Once
/// [`remove_vcpu`](Self::remove_vcpu) has returned, no new query reads that vCPU;
/// its fd is closed when the last query ends that had begun before. No lock is
/// held while the kernel is read or a sink is called.
///
/// A query costs one `pread` for each object, and no allocation once the buffers
/// have grown.
#[derive(Clone, Default)]
pub struct KvmProvider {
    /// The files to read. A query clones the inner `Arc` and releases the lock, so
    /// that it reads a snapshot; the price is a copy of the list when a vCPU comes
    /// or goes during a query.
    files: Arc<Lock<Arc<VmStatsFiles>>>,
    /// The compiled layouts and buffers, which siblings share.
    cache: Arc<LayoutCache>,
}

/// A vCPU that was removed from its provider, with its open statistics file. A VMM
/// that keeps the vCPU of an unplugged processor for its return, because KVM has no
/// ioctl to destroy one, keeps this value beside it. Dropping the value closes the
/// file.
pub struct ParkedVcpu(Arc<Vcpu>);

impl ParkedVcpu {
    /// Returns the vCPU's QOM path.
    #[must_use]
    pub fn qom_path(&self) -> &str {
        &self.0.qom_path
    }
}

impl fmt::Debug for ParkedVcpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ParkedVcpu").field(&self.qom_path()).finish()
    }
}

/// Copies of statistics files, for [`kvm_stats::Image::read`] or for keeping.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The VM's file.
    pub vm: Option<Vec<u8>>,
    /// The vCPUs' files with their QOM paths, in the order in which the vCPUs were
    /// added.
    pub vcpus: Vec<(Box<str>, Vec<u8>)>,
}

impl KvmProvider {
    /// Creates a provider without a VM and without vCPUs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a provider for `vm`, without vCPUs. `vm` is KVM's fd of a VM, from
    /// any crate: kvm-ioctls' `VmFd` of any version, a `File`, an `OwnedFd`.
    ///
    /// # Errors
    ///
    /// Fails as [`kvm_stats::open`] and [`set_vm_fd`](Self::set_vm_fd) do.
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
    pub fn with_vm(vm: &impl AsRawFd) -> Result<Self, Error> {
        let provider = Self::new();
        provider.set_vm_fd(open(vm)?)?;
        Ok(provider)
    }

    /// Creates a provider for statistics fds that are open already: of a restored
    /// VM, or received from another process.
    ///
    /// # Errors
    ///
    /// Fails as [`set_vm_fd`](Self::set_vm_fd) and
    /// [`add_vcpu_fd`](Self::add_vcpu_fd) do.
    pub fn from_fds<P: Into<Box<str>>>(
        vm: Option<OwnedFd>,
        vcpus: impl IntoIterator<Item = (P, OwnedFd)>,
    ) -> Result<Self, Error> {
        let provider = Self::new();
        if let Some(vm) = vm {
            provider.set_vm_fd(vm)?;
        }
        for (qom_path, stats) in vcpus {
            provider.add_vcpu_fd(qom_path, stats)?;
        }
        Ok(provider)
    }

    /// Creates an empty provider for another VM of this process, which shares the
    /// compiled layouts and the buffers of this one. They are most of a provider's
    /// memory.
    #[must_use]
    pub fn for_another_vm(&self) -> Self {
        Self {
            files: Arc::default(),
            cache: Arc::clone(&self.cache),
        }
    }

    /// Creates an empty provider for other objects of the same VM, which shares the
    /// compiled layouts and the buffers of this one.
    #[must_use]
    pub fn object_files(&self, target: StatsTarget) -> ObjectFiles {
        ObjectFiles::sharing(target, Arc::clone(&self.cache))
    }

    /// Sets the statistics fd of the VM, or a recorded file, in place of the one
    /// before.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Stats`] if the file's header or descriptors cannot be read, and
    /// [`Error::TooManyLayouts`] or [`Error::LayoutsTooLarge`] if no honest VM has such
    /// files. Nothing has changed then.
    pub fn set_vm_fd(&self, stats: OwnedFd) -> Result<(), Error> {
        let file = self.cache.open(stats)?;
        let before = self.change(|files| {
            check_layouts(files.vcpus.layouts(), Some(&file))?;
            Ok(files.vm.replace(Arc::new(file)))
        })?;
        drop(before);
        Ok(())
    }

    /// Removes the VM's file: the process that gave the file has taken it back. The vCPUs
    /// stay. Returns whether there was a file.
    pub fn remove_vm(&self) -> bool {
        let removed = self.change(|files| Ok(files.vm.take()));
        removed.is_ok_and(|file| file.is_some())
    }

    /// Adds a vCPU. Call this before the vCPU runs for the first time: the call
    /// waits until a running vCPU leaves the kernel, which may be never.
    ///
    /// `qom_path` is the vCPU's name for clients, by the caller's convention. The
    /// vCPU that was added last comes first in replies. The vCPU gets the lowest index
    /// that is free, and has it again when it comes back from being parked, unless
    /// another vCPU has got it meanwhile. `vcpu` is KVM's fd of a
    /// vCPU, from any crate.
    ///
    /// # Errors
    ///
    /// Fails as [`kvm_stats::open`] and [`add_vcpu_fd`](Self::add_vcpu_fd) do.
    pub fn add_vcpu(
        &self,
        qom_path: impl Into<Box<str>>,
        vcpu: &impl AsRawFd,
    ) -> Result<(), Error> {
        self.add_vcpu_fd(qom_path, open(vcpu)?)
    }

    /// Adds a vCPU by its statistics fd, or by a recorded file.
    ///
    /// # Errors
    ///
    /// Returns [`Error::DuplicateVcpu`] if a vCPU has this path, and otherwise fails as
    /// [`set_vm_fd`](Self::set_vm_fd) does. Nothing has changed then.
    pub fn add_vcpu_fd(&self, qom_path: impl Into<Box<str>>, stats: OwnedFd) -> Result<(), Error> {
        let file = Arc::new(self.cache.open(stats)?);
        self.insert(Vcpu {
            number: 0,
            qom_path: qom_path.into(),
            file,
        })
    }

    /// Adds a vCPU with its index by its statistics fd, or by a recorded file: the vCPUs
    /// are another process's, which counts them.
    ///
    /// # Errors
    ///
    /// Returns [`Error::DuplicateIndex`] if a vCPU has this index, and otherwise fails as
    /// [`add_vcpu_fd`](Self::add_vcpu_fd) does. Nothing has changed then.
    pub fn add_vcpu_fd_at(
        &self,
        index: u64,
        qom_path: impl Into<Box<str>>,
        stats: OwnedFd,
    ) -> Result<(), Error> {
        let file = Arc::new(self.cache.open(stats)?);
        let qom_path = qom_path.into();
        self.change(|files| {
            files.check_path(&qom_path)?;
            if files.has_vcpu_with(index) {
                return Err(Error::DuplicateIndex { index });
            }
            files.add_vcpu(Vcpu {
                number: index,
                qom_path,
                file,
            })
        })
    }

    /// Adds a vCPU that was [removed](Self::remove_vcpu), without an ioctl: a
    /// sandbox may forbid it by now, and it would wait for a running vCPU. The
    /// counters continue where they were.
    ///
    /// # Errors
    ///
    /// Returns [`Error::DuplicateVcpu`] if another vCPU has this path now.
    pub fn add_parked_vcpu(&self, parked: ParkedVcpu) -> Result<(), Error> {
        self.insert(Vcpu::clone(&parked.0))
    }

    /// Adds a vCPU under its index, or under the lowest free one if another vCPU has
    /// the index.
    fn insert(&self, mut vcpu: Vcpu) -> Result<(), Error> {
        self.change(|files| {
            files.check_path(&vcpu.qom_path)?;
            if files.has_vcpu_with(vcpu.number) {
                vcpu.number = files.vcpus.free_number();
            }
            files.add_vcpu(vcpu)
        })
    }

    /// Removes the vCPU at `qom_path`. Returns `None` if the path is unknown. No
    /// query that begins later reads the vCPU; once the returned value is dropped,
    /// its fd is closed when the queries that began earlier have ended. Clients keep
    /// seeing the vCPU's schema.
    pub fn remove_vcpu(&self, qom_path: &str) -> Option<ParkedVcpu> {
        // Look first, so that an unknown path copies no list.
        self.snapshot().vcpus.position(qom_path)?;
        let removed = self.change(|files| Ok(files.vcpus.remove(qom_path)));
        removed.ok().flatten().map(ParkedVcpu)
    }

    /// Removes the VM and all vCPUs, and forgets their schema: the VM has ended, or
    /// is replaced by a new one at a reboot. The provider stays registered, and the
    /// new VM is added in the usual way. A query that began earlier reads the old files
    /// until it ends: on kernels before 6.5 wait for such queries, too, before the last
    /// fd of the VM is closed. Its counters begin at zero: emit the event
    /// RESET, from which clients learn that.
    pub fn clear(&self) {
        let before = self.change(|files| Ok(std::mem::take(files)));
        // Close the fds after the lock is released, because closing the last fd of
        // a VM makes the kernel destroy the VM, which takes long.
        drop(before);
    }

    /// Copies the current contents of the statistics files. `vmstats serve` can
    /// serve a folder of such files in the VM's place.
    ///
    /// # Errors
    ///
    /// Returns the error of [`record`] for the first file that cannot be copied.
    pub fn record(&self) -> Result<Recording, Error> {
        let files = Files(self.snapshot());
        let vm = files.vm().map(record).transpose()?;
        let copy = |(qom_path, fd): (&str, _)| Ok((qom_path.into(), record(fd)?));
        let vcpus = files.vcpus().map(copy).collect::<Result<_, Error>>()?;
        Ok(Recording { vm, vcpus })
    }

    /// Returns the open statistics files, for callers that read the files
    /// themselves or pass them to another process.
    ///
    /// # Errors
    ///
    /// Returns [`Error::UnsafeKernel`] on kernels before 6.5, where a file that outlives
    /// its VM endangers the host.
    pub fn files(&self) -> Result<Files, Error> {
        if !kvm_stats::keeps_vm_alive() {
            return Err(Error::UnsafeKernel);
        }
        Ok(Files(self.snapshot()))
    }

    fn snapshot(&self) -> Arc<VmStatsFiles> {
        self.files.snapshot()
    }

    /// Changes the list of files: in place, or a copy of it if a query holds a
    /// snapshot.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut VmStatsFiles) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut files = self.files.lock();
        change(Arc::make_mut(&mut files))
    }
}

impl Provider for KvmProvider {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let files = self.snapshot();
        self.cache
            .with_block(|block| match (query.target(), &files.vm) {
                (StatsTarget::Vm, Some(vm)) if vm.compiled.described.has_any_of(query) => {
                    vm.query(None, block, sink)
                }
                (StatsTarget::Vcpu, _) => files.vcpus.query(query, block, sink),
                _ => Ok(()),
            })?;
        Ok(())
    }

    fn vcpus(&self) -> Vec<(u64, String)> {
        let files = self.snapshot();
        let of = |vcpu: &Arc<Vcpu>| (vcpu.number, vcpu.qom_path.to_string());
        let mut vcpus: Vec<_> = files.vcpus.objects().iter().map(of).collect();
        vcpus.sort_unstable();
        vcpus
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        let files = self.snapshot();
        files.vcpus.write_schema(StatsTarget::Vcpu, sink);
        if let Some(vm) = &files.vm {
            sink.schema(StatsTarget::Vm);
            vm.compiled
                .described
                .schema()
                .for_each(|stat| sink.stat(stat));
        }
        Ok(())
    }
}

impl fmt::Debug for KvmProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.snapshot();
        f.debug_struct("KvmProvider")
            .field("vm", &files.vm.is_some())
            .field("vcpus", &files.vcpus.objects().len())
            .finish_non_exhaustive()
    }
}
