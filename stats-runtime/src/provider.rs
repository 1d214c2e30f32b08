//! The provider: the source of statistics.
//!
//! In: a [`StatsQuery`]. Out: calls on a [`StatsSink`]. A provider knows neither
//! the wire nor the client; the registry knows the provider's name.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use qapi_stats::stats::StatsTarget;

pub(crate) use crate::sink::{SchemaSink, StatsSink};

/// A source of statistics.
///
/// # Contract
///
/// - The methods may be called from any thread, and from several at once. This
///   library holds no lock during a call, so a provider may register and remove
///   providers, itself included.
/// - A provider writes what it has for the query's target. It writes nothing for
///   a target that it does not know, which is not an error. It may write more
///   than the query wants, because the registry drops the other names and vCPUs;
///   asking [`StatsQuery::wants_name`] first saves work.
/// - A statistic that has no value yet, such as a latency before the first
///   operation, is left out of the result. Clients would take a
///   value such as `u64::MAX` for a measurement.
/// - If a method returns `Err`, the whole request fails with that description,
///   and nothing that was written before reaches the client. A provider that is
///   registered to be [skipped](crate::Registration::skip_when_failing) is left
///   out of the answer instead.
/// - If a method panics, the request fails with an error that names the
///   provider.
/// - No two statistics of the providers that answer every request have the same
///   name: libvirt refuses the schemas of a VM otherwise.
/// - Clients see results, and the statistics of a result, in the order in which
///   they are written. QEMU's own providers write the newest first.
/// - A call that blocks delays only the client that asked. A provider that is
///   registered with a [deadline](crate::Registration::deadline) delays the client
///   no longer than the deadline; its methods are called from a thread of its own,
///   one call at a time.
pub trait Provider: Send + Sync {
    /// Writes the current values of the statistics that `query` wants.
    ///
    /// # Errors
    ///
    /// Returns a description for the client if a value cannot be read.
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError>;

    /// Writes the description of every statistic that this provider has.
    ///
    /// # Errors
    ///
    /// Returns a description for the client if the schema cannot be read.
    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError>;

    /// Returns the indexes and QOM paths of the vCPUs that this provider knows, in the
    /// order of the indexes. A monitor lists them if its host lists none. The method must
    /// not block, and is called on the caller's thread also if the provider has a
    /// deadline.
    fn vcpus(&self) -> Vec<(u64, String)> {
        Vec::new()
    }
}

/// Implements [`Provider`] for a pointer to a provider.
macro_rules! provider_behind_pointer {
    ($pointer:ident) => {
        impl<P: Provider + ?Sized> Provider for $pointer<P> {
            fn query(
                &self,
                query: &StatsQuery<'_>,
                sink: &mut dyn StatsSink,
            ) -> Result<(), ProviderError> {
                (**self).query(query, sink)
            }

            fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
                (**self).schemas(sink)
            }

            fn vcpus(&self) -> Vec<(u64, String)> {
                (**self).vcpus()
            }
        }
    };
}

provider_behind_pointer!(Arc);
provider_behind_pointer!(Box);

/// The query for one provider: a target, names of statistics, and vCPUs.
#[derive(Clone, Copy, Debug)]
pub struct StatsQuery<'a> {
    target: &'a StatsTarget,
    names: Option<&'a [String]>,
    vcpus: Option<&'a [String]>,
}

impl<'a> StatsQuery<'a> {
    /// Creates a query for all statistics of `target`.
    #[must_use]
    pub fn all(target: &'a StatsTarget) -> Self {
        Self {
            target,
            names: None,
            vcpus: None,
        }
    }

    /// Creates a query for some statistics of some vCPUs. Both lists must be
    /// sorted; `None` means all.
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

    /// Returns the kind of objects whose statistics are wanted.
    #[must_use]
    pub fn target(&self) -> &'a StatsTarget {
        self.target
    }

    /// Returns the sorted names of the wanted statistics, or `None` if all are
    /// wanted.
    pub(crate) fn names(&self) -> Option<&'a [String]> {
        self.names
    }

    /// Returns the sorted QOM paths of the wanted vCPUs, or `None` if all are
    /// wanted.
    pub(crate) fn vcpus(&self) -> Option<&'a [String]> {
        self.vcpus
    }

    /// Returns whether the statistic called `name` is wanted.
    #[must_use]
    pub fn wants_name(&self, name: &str) -> bool {
        self.names.is_none_or(|names| contains(names, name))
    }

    /// Returns whether the vCPU at `qom_path` is wanted.
    #[must_use]
    pub fn wants_vcpu(&self, qom_path: &str) -> bool {
        self.vcpus.is_none_or(|vcpus| contains(vcpus, qom_path))
    }

    /// Returns whether a result about a vCPU is wanted. A result without a QOM
    /// path is wanted only if all vCPUs are.
    pub(crate) fn wants_vcpu_result(&self, qom_path: Option<&str>) -> bool {
        match qom_path {
            Some(qom_path) => self.wants_vcpu(qom_path),
            None => self.vcpus.is_none(),
        }
    }
}

/// Returns whether a name has only the characters that a QAPI schema's names have,
/// and the dot of names with a reverse domain.
pub(crate) fn is_qapi_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(is_plain)
}

/// Returns whether a sorted list contains a name.
fn contains(sorted: &[String], name: &str) -> bool {
    sorted
        .binary_search_by(|other| other.as_str().cmp(name))
        .is_ok()
}

/// The reason why a provider could not answer: words for the client, a class for
/// the VMM, and the error that caused it.
///
/// Two errors are equal if their words and classes are.
#[derive(Clone, Debug)]
pub struct ProviderError {
    class: ProviderErrorClass,
    desc: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a [`ProviderError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderErrorClass {
    /// The values cannot be read now, for example during a migration. A later
    /// request may succeed.
    NotNow,
    /// The object has gone, for example because its device was unplugged. No later
    /// request will succeed.
    Gone,
    /// Reading the values has failed.
    Failed,
}

impl ProviderError {
    /// Creates an error of class [`Failed`](ProviderErrorClass::Failed) with a
    /// description.
    #[must_use]
    pub fn new(desc: impl Into<String>) -> Self {
        Self {
            class: ProviderErrorClass::Failed,
            desc: desc.into(),
            source: None,
        }
    }

    /// Creates an error of class [`NotNow`](ProviderErrorClass::NotNow).
    #[must_use]
    pub fn not_now(desc: impl Into<String>) -> Self {
        Self {
            class: ProviderErrorClass::NotNow,
            ..Self::new(desc)
        }
    }

    /// Creates an error of class [`Gone`](ProviderErrorClass::Gone).
    #[must_use]
    pub fn gone(desc: impl Into<String>) -> Self {
        Self {
            class: ProviderErrorClass::Gone,
            ..Self::new(desc)
        }
    }

    /// Sets the error that caused this one, which [`Error::source`] returns.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into().into()),
            ..self
        }
    }

    /// Returns the class of the error.
    #[must_use]
    pub fn class(&self) -> ProviderErrorClass {
        self.class
    }
}

impl PartialEq for ProviderError {
    fn eq(&self, other: &Self) -> bool {
        (self.class, &self.desc) == (other.class, &other.desc)
    }
}

impl Eq for ProviderError {}

impl From<io::Error> for ProviderError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string()).with_source(error)
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.desc)
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
