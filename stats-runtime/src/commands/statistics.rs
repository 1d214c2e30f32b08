//! `query-stats` and `query-stats-schemas`.
//!
//! In: decoded arguments. Out: replies, written straight into the output. It
//! knows the registry and no host.

use qapi_stats::stats::StatsFilter;
use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::wire::command::{Call, Prepared, Request};
use qapi_stats::wire::{Context, Dict, Error, Writer};

use super::Monitor;
use crate::registry::PreparedQuery;
use crate::sink::{JsonResults, JsonSchemas};

impl qapi_stats::stats::Commands for Monitor {
    fn query_stats(&self, filter: StatsFilter, reply: &mut Writer<'_>) -> Result<(), Error> {
        let mut results = JsonResults::new(reply);
        self.registry().query_into(&filter, &mut results)?;
        results.finish();
        Ok(())
    }

    fn query_stats_schemas(
        &self,
        arguments: QueryStatsSchemas,
        reply: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let mut schemas = JsonSchemas::new(reply);
        self.registry()
            .schemas_into(arguments.provider.as_ref(), &mut schemas)?;
        schemas.finish();
        Ok(())
    }
}

impl Monitor {
    /// Prepares a call if it is a `query-stats`, which clients send over and
    /// over.
    pub(super) fn prepare_query(
        &self,
        name: &str,
        arguments: &Dict,
        context: &Context<'_>,
    ) -> Option<Prepared> {
        if name != QueryStats::INFO.name {
            return None;
        }
        let arguments = arguments.clone();
        let call = Call {
            name,
            arguments,
            context,
        };
        let query = self.registry().prepare(|| call.arguments().ok())?;
        Some(Prepared::new(query))
    }

    /// Whether a query was prepared by this monitor, or one that would have
    /// done the same.
    pub(super) fn is_query_current(&self, query: &PreparedQuery) -> bool {
        self.executes(QueryStats::INFO.name) && self.registry().is_current(query)
    }

    /// `query-stats` with a filter that was prepared.
    pub(super) fn repeat_query(
        &self,
        query: &PreparedQuery,
        reply: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let mut results = JsonResults::new(reply);
        self.registry().repeat_into(query, &mut results)?;
        results.finish();
        Ok(())
    }
}
