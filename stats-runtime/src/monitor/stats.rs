//! The commands of `stats.json`: `query-stats` and `query-stats-schemas`.
//!
//! In: decoded arguments. Out: replies, which the registry writes as JSON into
//! the output. This file knows no host.

use qapi_stats::stats::commands::QueryStatsSchemas;
use qapi_stats::stats::{StatsFilter, StatsFilterBranch};
use qapi_stats::wire::{Error, Writer};

use super::Monitor;
use crate::sink::{JsonResults, JsonSchemas};

impl qapi_stats::stats::Commands for Monitor {
    fn query_stats(&self, filter: StatsFilter, reply: &mut Writer<'_>) -> Result<(), Error> {
        // A target that a provider has declared takes no member of its own.
        if let StatsFilterBranch::Unknown { members, .. } = &filter.target
            && let Some((name, _)) = members.iter().next()
        {
            let desc = format!("Parameter '{name}' is unexpected");
            return Err(Error::generic(desc));
        }
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
