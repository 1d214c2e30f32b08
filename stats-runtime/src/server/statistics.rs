//! A server's statistics of itself, as a provider.
//!
//! In: the server's counters. Out: their values and descriptions, from one table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qapi_stats::stats::{StatsSchemaValue, StatsTarget, StatsType, StatsUnit};

use super::report::Counters;
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};

/// The provider of a server's statistics of itself: its clients now; the clients
/// that it has accepted, refused and disconnected, with the reason; commands; and
/// bytes. They are statistics of the target `vm`.
///
/// Register it under a name of the VMM's choice, and so that it answers only
/// requests that name it: libvirt takes no statistics of a VM that has more than
/// KVM's. It may outlive the server.
///
/// ```
/// use stats_runtime::server::{Options, Server};
/// use stats_runtime::{Monitor, NoHost, Registration, Registry};
///
/// let registry = Registry::new();
/// let monitor = Monitor::new(registry.clone(), NoHost);
/// let server = Server::start(monitor, [], Options::new())?;
/// let when_named = Registration::new().only_when_named();
/// registry.register_with("qmp-server", server.statistics(), when_named)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerStatistics {
    counters: Arc<Counters>,
}

impl ServerStatistics {
    pub(super) fn new(counters: &Arc<Counters>) -> Self {
        Self {
            counters: Arc::clone(counters),
        }
    }
}

/// One statistic: its name, its type, its unit, and its counter.
type Row = (
    &'static str,
    StatsType,
    Option<StatsUnit>,
    fn(&Counters) -> &AtomicU64,
);

const ROWS: [Row; 10] = [
    ("clients", StatsType::Instant, None, |all| &all.clients),
    ("accepted-clients", StatsType::Cumulative, None, |all| {
        &all.accepted
    }),
    (
        "refused-clients-too-many",
        StatsType::Cumulative,
        None,
        |all| &all.refused_too_many,
    ),
    (
        "refused-clients-not-listed",
        StatsType::Cumulative,
        None,
        |all| &all.refused_not_listed,
    ),
    ("accept-errors", StatsType::Cumulative, None, |all| {
        &all.accept_errors
    }),
    ("evicted-clients", StatsType::Cumulative, None, |all| {
        &all.evicted
    }),
    ("late-clients", StatsType::Cumulative, None, |all| &all.late),
    ("commands", StatsType::Cumulative, None, |all| &all.commands),
    (
        "received-bytes",
        StatsType::Cumulative,
        Some(StatsUnit::Bytes),
        |all| &all.received_bytes,
    ),
    (
        "sent-bytes",
        StatsType::Cumulative,
        Some(StatsUnit::Bytes),
        |all| &all.sent_bytes,
    ),
];

impl Provider for ServerStatistics {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() == StatsTarget::Vm {
            sink.result(None);
            for (name, _, _, counter) in ROWS {
                sink.scalar(name, counter(&self.counters).load(Ordering::Relaxed));
            }
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.schema(StatsTarget::Vm);
        for (name, type_, unit, _) in ROWS {
            sink.stat(&StatsSchemaValue::new(name, type_).in_unit(unit));
        }
        Ok(())
    }
}
