//! The way in which a provider takes part in requests, and the reasons to refuse
//! a provider.
//!
//! In: the VMM's choices. Out: the same, for the registry. This file calls no
//! provider.

use std::fmt;
use std::time::Duration;

use qapi_stats::stats::StatsProvider;

use crate::provider::is_qapi_name;

/// The way in which a provider takes part in clients' requests.
///
/// ```
/// use std::time::Duration;
/// use stats_runtime::Registration;
///
/// let of_a_device_in_another_process = Registration::new()
///     .only_when_named()
///     .skip_when_failing()
///     .cached(Duration::from_millis(500))
///     .deadline(Duration::from_millis(100));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Registration {
    pub(super) only_when_named: bool,
    pub(super) skip_when_failing: bool,
    pub(super) age_max: Option<Duration>,
    pub(super) time_max: Option<Duration>,
}

impl Registration {
    /// Returns the defaults: the provider answers every request, and its failure
    /// is the request's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the provider answer only requests that name the provider: `query-stats`
    /// whose `providers` has the name, and `query-stats-schemas` whose `provider` is
    /// the name.
    ///
    /// Clients that know only QEMU's providers then see what they would see without
    /// this provider. libvirt needs that: it asks without a filter, gives up if a VM
    /// has more than one result, and refuses all schemas if a statistic's name comes
    /// twice. The provider is listed in `query-qmp-schema` in any case, where other
    /// clients find the name.
    #[must_use]
    pub fn only_when_named(self) -> Self {
        Self {
            only_when_named: true,
            ..self
        }
    }

    /// Leaves the provider out of an answer if it fails, instead of failing the
    /// request. [`Registry::skipped`](crate::Registry::skipped) counts the
    /// failures. A request that names only this provider is then answered with an
    /// empty list.
    ///
    /// What the provider writes is recorded first, so that half an answer does not
    /// reach the client.
    #[must_use]
    pub fn skip_when_failing(self) -> Self {
        Self {
            skip_when_failing: true,
            ..self
        }
    }

    /// Answers from the last values of the provider while they are not older than
    /// `age_max`. The provider is then asked for all statistics of a target,
    /// whatever a client wants. A provider that fails is asked again by the next
    /// request. Schemas are not cached.
    #[must_use]
    pub fn cached(self, age_max: Duration) -> Self {
        Self {
            age_max: Some(age_max),
            ..self
        }
    }

    /// Fails the request with an error that names the provider if the provider does
    /// not answer within `time_max`; the late answer is discarded.
    ///
    /// The provider runs on a thread of its own, which starts with the first call
    /// and serves one request at a time; further requests wait until their own time
    /// has passed. A provider that never returns costs that thread and nothing
    /// more.
    ///
    /// The answer is recorded value by value. A provider that writes
    /// [rows](crate::StatsSink::row) therefore loses what rows save.
    #[must_use]
    pub fn deadline(self, time_max: Duration) -> Self {
        Self {
            time_max: Some(time_max),
            ..self
        }
    }
}

/// The error that a provider cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// A provider of this name is registered. Clients would get two schemas for one
    /// provider, which they take for an error.
    AlreadyRegistered {
        /// The name.
        name: StatsProvider,
    },
    /// The name cannot be a value of a QAPI enumeration.
    InvalidName {
        /// The name.
        name: StatsProvider,
    },
}

/// A statistic that is described by two providers, both of which answer every request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DuplicateStatistic {
    /// The name of the statistic.
    pub statistic: String,
    /// One of the providers.
    pub first: StatsProvider,
    /// The other provider.
    pub second: StatsProvider,
}

impl fmt::Display for DuplicateStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            statistic,
            first,
            second,
        } = self;
        write!(
            f,
            "the providers '{first}' and '{second}' both describe a statistic '{statistic}', which \
             makes libvirt refuse all statistics: rename it, or register one of them to answer \
             only when it is named"
        )
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { name } => {
                write!(f, "a provider called '{name}' is registered already")
            }
            Self::InvalidName { name } => write!(
                f,
                "'{}' cannot be the name of a provider: use ASCII letters, digits, '-', '_' and \
                 '.', at most {NAME_BYTES_MAX}",
                name.name().escape_debug()
            ),
        }
    }
}

impl std::error::Error for RegisterError {}

/// The longest name of a provider in bytes, so that an introspection of all
/// providers stays short.
const NAME_BYTES_MAX: usize = 255;

/// Returns whether a provider can have a name.
pub(super) fn is_valid_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && is_qapi_name(name)
}
