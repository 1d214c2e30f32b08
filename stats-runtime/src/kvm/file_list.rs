//! The open statistics files of objects that have QOM paths.
//!
//! In: files at paths, and queries. Out: rows for a sink, and the schema, in QEMU's
//! order. A list takes no lock, because a query works on a snapshot of it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use kvm_stats::DataBlock;
use qapi_stats::stats::StatsTarget;

use super::error::Error;
use super::stats_file::{CompiledLayout, StatsFile, check_layouts};
use crate::provider::{SchemaSink, StatsQuery, StatsSink};

/// An object with its statistics file. `N` is a number for vCPUs, and nothing for
/// objects that have no number.
#[derive(Clone)]
pub(super) struct Object<N> {
    /// The object's number, which stays when others go.
    pub(super) number: N,
    pub(super) qom_path: Box<str>,
    pub(super) file: Arc<StatsFile>,
}

/// The files to read. `Arc::make_mut` copies the list while a query holds a
/// snapshot.
#[derive(Clone)]
pub(super) struct FileList<N> {
    /// The objects in the order in which they were added.
    objects: Vec<Arc<Object<N>>>,
    /// The distinct layouts of the objects, that of the newest object first. The vCPUs
    /// of a live VM have one. The layout of the object that was added last stays here
    /// when that object is removed.
    layouts: Vec<Arc<CompiledLayout>>,
}

impl<N> Default for FileList<N> {
    fn default() -> Self {
        Self {
            objects: Vec::new(),
            layouts: Vec::new(),
        }
    }
}

impl<N> FileList<N> {
    /// Returns the objects in the order in which they were added.
    pub(super) fn objects(&self) -> &[Arc<Object<N>>] {
        &self.objects
    }

    /// Returns the distinct layouts.
    pub(super) fn layouts(&self) -> &[Arc<CompiledLayout>] {
        &self.layouts
    }

    /// Writes the rows of the objects that the query wants.
    pub(super) fn query(
        &self,
        query: &StatsQuery<'_>,
        block: &mut DataBlock,
        sink: &mut dyn StatsSink,
    ) -> Result<(), Error> {
        // A request may name statistics that no object has, thousands of times:
        // read nothing then.
        if !self
            .layouts
            .iter()
            .any(|compiled| compiled.described.has_any_of(query))
        {
            return Ok(());
        }
        // QEMU prepends to its list, so the object that was added last comes first.
        for Object { qom_path, file, .. } in self.objects.iter().rev().map(Arc::as_ref) {
            if query.wants_vcpu(qom_path) {
                file.query(Some(qom_path), block, sink)?;
            }
        }
        Ok(())
    }

    /// Writes the schema of all objects, unless there never was one.
    pub(super) fn write_schema(&self, target: StatsTarget, sink: &mut dyn SchemaSink) {
        let Some((newest, older)) = self.layouts.split_first() else {
            return;
        };
        sink.schema(target);
        newest.described.schema().for_each(|stat| sink.stat(stat));
        // Files that were recorded on different kernels have different
        // statistics. List each name once, because clients expect that.
        let mut seen: HashSet<&str> = HashSet::new();
        if !older.is_empty() {
            seen.extend(newest.described.schema().map(|stat| stat.name.as_str()));
        }
        for stat in older
            .iter()
            .flat_map(|compiled| compiled.described.schema())
        {
            if seen.insert(&stat.name) {
                sink.stat(stat);
            }
        }
    }

    /// Returns the index of the object at `qom_path`.
    pub(super) fn position(&self, qom_path: &str) -> Option<usize> {
        self.objects
            .iter()
            .position(|object| &*object.qom_path == qom_path)
    }

    /// Adds an object, whose path must be unique. `vm` is a file that the provider has
    /// beside those of the list.
    ///
    /// # Errors
    ///
    /// Returns [`Error::TooManyLayouts`] or [`Error::LayoutsTooLarge`] as
    /// [`check_layouts`] does. Nothing has changed then.
    pub(super) fn add(&mut self, object: Object<N>, vm: Option<&StatsFile>) -> Result<(), Error> {
        let mut layouts = vec![Arc::clone(&object.file.compiled)];
        add_missing(&mut layouts, &self.objects);
        check_layouts(&layouts, vm)?;
        self.objects.push(Arc::new(object));
        self.layouts = layouts;
        Ok(())
    }

    /// Removes and returns the object at `qom_path`.
    pub(super) fn remove(&mut self, qom_path: &str) -> Option<Arc<Object<N>>> {
        let removed = self.objects.remove(self.position(qom_path)?);
        self.layouts.truncate(1);
        add_missing(&mut self.layouts, &self.objects);
        Some(removed)
    }
}

/// Adds the objects' layouts that are missing in `layouts`.
fn add_missing<N>(layouts: &mut Vec<Arc<CompiledLayout>>, objects: &[Arc<Object<N>>]) {
    for object in objects.iter().rev() {
        let compiled = &object.file.compiled;
        if !layouts.iter().any(|known| Arc::ptr_eq(known, compiled)) {
            layouts.push(Arc::clone(compiled));
        }
    }
}

impl FileList<u64> {
    /// Returns the lowest number that no object has.
    pub(super) fn free_number(&self) -> u64 {
        let taken: BTreeSet<u64> = self.objects.iter().map(|object| object.number).collect();
        // The numbers in order are 0, 1, 2 and so on up to the first gap.
        let gap = (0..).zip(&taken).find(|(number, taken)| number != *taken);
        gap.map_or(taken.len() as u64, |(number, _)| number)
    }
}
