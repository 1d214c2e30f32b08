//! The provider: where statistics come from.
//!
//! In: a [`StatsQuery`]. Out: calls on a [`StatsSink`]. A provider knows
//! neither the wire nor who asks; the registry knows its name.

use std::fmt;

use qapi_stats::stats::StatsTarget;

pub(crate) use crate::sink::{SchemaSink, StatsSink};

/// A source of statistics.
///
/// # Contract
///
/// - Both methods may be called from any thread, and from several at once;
///   nothing of this library is locked meanwhile, so a provider may register
///   and remove providers, itself included.
/// - A provider answers what it has for the query's target and nothing for
///   targets it does not know; that is not an error. It may write more than
///   was asked for (the registry drops names and vCPUs that the query does not
///   want), but asking [`StatsQuery::wants_name`] first saves work.
/// - On `Err` the whole request fails with that description; whatever was
///   written before does not reach the client.
/// - A provider that panics fails the request, with an error that names it.
/// - Clients see results, and statistics within one, in the order in which
///   they are written. QEMU's own providers write newest first.
/// - A provider whose calls can block holds up the client that asked, and
///   nobody else. One that is registered
///   [with a deadline](crate::Registry::register_with_deadline) does so no
///   longer than that; it is called from a thread of its own, once at a time.
pub trait Provider: Send + Sync {
    /// Writes the current values of what `query` asks for.
    ///
    /// # Errors
    ///
    /// A description for the client, if a value cannot be had.
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError>;

    /// Describes every statistic this provider can answer.
    ///
    /// # Errors
    ///
    /// A description for the client, if the schema cannot be had.
    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError>;
}

/// What one provider is asked.
#[derive(Clone, Copy, Debug)]
pub struct StatsQuery<'a> {
    target: &'a StatsTarget,
    names: Option<&'a [String]>,
    vcpus: Option<&'a [String]>,
}

impl<'a> StatsQuery<'a> {
    /// A query for everything about `target`.
    #[must_use]
    pub fn all(target: &'a StatsTarget) -> Self {
        Self {
            target,
            names: None,
            vcpus: None,
        }
    }

    /// A query for some statistics of some vCPUs. Both lists are sorted, and
    /// `None` stands for all.
    pub(crate) fn new(
        target: &'a StatsTarget,
        names: Option<&'a [String]>,
        vcpus: Option<&'a [String]>,
    ) -> Self {
        Self {
            target,
            names,
            vcpus,
        }
    }

    /// The kind of object whose statistics are wanted.
    #[must_use]
    pub fn target(&self) -> &'a StatsTarget {
        self.target
    }

    /// The statistics wanted, sorted; `None`: all.
    pub(crate) fn names(&self) -> Option<&'a [String]> {
        self.names
    }

    /// The vCPUs wanted, sorted; `None`: all.
    pub(crate) fn vcpus(&self) -> Option<&'a [String]> {
        self.vcpus
    }

    /// Whether the statistic called `name` is wanted.
    #[must_use]
    pub fn wants_name(&self, name: &str) -> bool {
        self.names.is_none_or(|names| contains(names, name))
    }

    /// Whether the vCPU at `qom_path` is wanted.
    #[must_use]
    pub fn wants_vcpu(&self, qom_path: &str) -> bool {
        self.vcpus.is_none_or(|vcpus| contains(vcpus, qom_path))
    }

    /// Whether a result about a vCPU is wanted. One that does not say which
    /// vCPU is wanted only where all are.
    pub(crate) fn wants_vcpu_result(&self, qom_path: Option<&str>) -> bool {
        match qom_path {
            Some(qom_path) => self.wants_vcpu(qom_path),
            None => self.vcpus.is_none(),
        }
    }
}

/// Whether a sorted list contains a name.
fn contains(sorted: &[String], name: &str) -> bool {
    sorted
        .binary_search_by(|other| other.as_str().cmp(name))
        .is_ok()
}

/// Why a provider could not answer, in words for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    desc: String,
}

impl ProviderError {
    /// An error with the given description.
    #[must_use]
    pub fn new(desc: impl Into<String>) -> Self {
        Self { desc: desc.into() }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.desc)
    }
}

impl std::error::Error for ProviderError {}
