//! A server's statistics of itself, as a provider.
//!
//! In: the server's counters. Out: a set that describes and reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use super::report::Counters;
use crate::set::StatsSet;

/// The place of a number among the counters.
type Counter = fn(&Counters) -> &AtomicU64;

/// Returns the provider of a server's statistics of itself. The set keeps the
/// counters alive, so that it may outlive the server.
pub(super) fn of(counters: &Arc<Counters>) -> StatsSet {
    let cumulative = StatsSchemaValue::cumulative;
    let rows: [(StatsSchemaValue, Counter); 10] = [
        (StatsSchemaValue::instant("clients"), |all| &all.clients),
        (cumulative("accepted-clients"), |all| &all.accepted),
        (cumulative("refused-clients-too-many"), |all| {
            &all.refused_too_many
        }),
        (cumulative("refused-clients-not-listed"), |all| {
            &all.refused_not_listed
        }),
        (cumulative("accept-errors"), |all| &all.accept_errors),
        (cumulative("evicted-clients"), |all| &all.evicted),
        (cumulative("late-clients"), |all| &all.late),
        (cumulative("commands"), |all| &all.commands),
        (cumulative("received-bytes").bytes(), |all| {
            &all.received_bytes
        }),
        (cumulative("sent-bytes").bytes(), |all| &all.sent_bytes),
    ];
    let set = StatsSet::new(StatsTarget::Vm);
    rows.into_iter().fold(set, |set, (description, counter)| {
        let counters = Arc::clone(counters);
        set.value(description, move || {
            Some(counter(&counters).load(Ordering::Relaxed))
        })
    })
}
