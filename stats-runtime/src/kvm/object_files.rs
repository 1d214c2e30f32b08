//! A provider of statistics files in the kernel's format that are not KVM's.
//!
//! In: files of objects, which come and go, and queries. Out: calls of sinks. This file
//! knows neither a VM nor who writes the files.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use qapi_stats::stats::StatsTarget;

use super::error::Error;
use super::file_list::{FileList, Object};
use super::stats_file::LayoutCache;
use crate::lock::Lock;
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};

/// A provider of the statistics of objects whose files have the kernel's format, such as
/// the memfds of [`kvm_stats::Writer`]s of another process.
///
/// A clone is another handle to the same files: register one, and keep one to add and
/// remove objects. Objects may be added and removed from any thread while queries run, as
/// the vCPUs of a [`KvmProvider`](super::KvmProvider).
///
/// The header and the descriptors of a file are read once, when it is added; a writer that
/// changes them later changes nothing. A file that cannot be read later, because its
/// writer has shortened it, fails the queries of this provider: register the provider to
/// be [skipped](crate::Registration::skip_when_failing), so that the others answer.
/// A read must not block, so add no file of a file system whose server may be silent.
///
/// ```
/// use kvm_stats::Writer;
/// use qapi_stats::stats::StatsTarget;
/// use stats_runtime::kvm::ObjectFiles;
/// use stats_runtime::{Registration, Registry};
///
/// let disk = Writer::builder("block-disk0").counter("reads").build()?;
/// let objects = ObjectFiles::new(StatsTarget::Unknown("block".into()));
/// objects.add("/machine/disk0", disk.try_clone_fd()?)?;
///
/// let registry = Registry::new();
/// let registration = Registration::new().only_when_named().skip_when_failing();
/// registry.register_with("block", objects.clone(), registration)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ObjectFiles {
    target: StatsTarget,
    /// The files to read, of which a query takes a snapshot.
    files: Arc<Lock<Arc<FileList<()>>>>,
    cache: Arc<LayoutCache>,
}

impl ObjectFiles {
    /// Creates a provider without objects, of the kind that `target` names.
    #[must_use]
    pub fn new(target: StatsTarget) -> Self {
        Self::sharing(target, Arc::default())
    }

    /// Creates a provider without objects that uses the layouts and buffers of a cache.
    pub(super) fn sharing(target: StatsTarget, cache: Arc<LayoutCache>) -> Self {
        Self {
            target,
            files: Arc::default(),
            cache,
        }
    }

    /// Adds an object by its file. The object that was added last comes first in replies.
    ///
    /// # Errors
    ///
    /// Returns [`Error::DuplicateObject`] if an object has this path,
    /// [`Error::Stats`] if the file's header or descriptors cannot be read, and
    /// [`Error::TooManyLayouts`] or [`Error::LayoutsTooLarge`] if the descriptions of the
    /// files' statistics take too much memory. Nothing has changed then.
    pub fn add(&self, qom_path: impl Into<Box<str>>, file: OwnedFd) -> Result<(), Error> {
        let file = Arc::new(self.cache.open(file)?);
        let qom_path = qom_path.into();
        let mut files = self.files.lock();
        if files.position(&qom_path).is_some() {
            return Err(Error::DuplicateObject {
                qom_path: qom_path.into(),
            });
        }
        let object = Object {
            number: (),
            qom_path,
            file,
        };
        Arc::make_mut(&mut files).add(object, None)
    }

    /// Removes the object at `qom_path`. Returns whether there was one. Its file is closed
    /// when the queries that began earlier have ended. Clients keep seeing the object's
    /// schema.
    pub fn remove(&self, qom_path: &str) -> bool {
        // Look first, so that an unknown path copies no list.
        if self.files.snapshot().position(qom_path).is_none() {
            return false;
        }
        let removed = Arc::make_mut(&mut self.files.lock()).remove(qom_path);
        // The lock is released by now, because closing a file may take long.
        removed.is_some()
    }

    /// Returns duplicates of the objects' files with their QOM paths, in the order in which
    /// the objects were added, to pass them to another process.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if the process has no room for the descriptors.
    pub fn duplicate_files(&self) -> io::Result<Vec<(Box<str>, OwnedFd)>> {
        let files = self.files.snapshot();
        let duplicate = |object: &Arc<Object<()>>| {
            let file = object.file.fd.try_clone()?;
            Ok((object.qom_path.clone(), file))
        };
        files.objects().iter().map(duplicate).collect()
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.snapshot().objects().len()
    }

    /// Returns whether the provider has no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.snapshot().objects().is_empty()
    }
}

impl Provider for ObjectFiles {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() != self.target {
            return Ok(());
        }
        let files = self.files.snapshot();
        let read = |block: &mut _| files.query(query, block, sink);
        Ok(self.cache.with_block(read)?)
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        let files = self.files.snapshot();
        files.write_schema(self.target.clone(), sink);
        Ok(())
    }
}

impl fmt::Debug for ObjectFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectFiles")
            .field("target", &self.target)
            .field("objects", &self.files.snapshot().objects().len())
            .finish_non_exhaustive()
    }
}
