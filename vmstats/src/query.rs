//! `vmstats query` and `vmstats schemas`.
//!
//! In: arguments. Out: a monitor's answer, as JSON or as a table.

use std::io::Write;

use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsResult, StatsSchema,
    StatsVCPUFilter,
};
use qapi_stats::wire::{Context, Value, from_value, to_json};

use crate::cli::{Asking, Format, Query, Schemas, Target};
use crate::client::{Client, ClientError};
use crate::failure::Failure;
use crate::table;

/// Runs `vmstats query`.
///
/// # Errors
///
/// What the monitor or the connection to it says.
pub fn query(arguments: &Query, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.target != Target::Vcpu && !arguments.vcpus.is_empty() {
        return Err(Failure::usage("--vcpu goes with --target vcpu only"));
    }
    let mut client = connect(&arguments.asking)?;
    let filter = filter(arguments, &mut client)?;
    let value = client.execute_raw(&QueryStats(filter))?;
    if arguments.asking.format == Format::Json {
        return print_json(&value, out);
    }
    let results: Vec<StatsResult> = typed(value)?;
    let schemas = client.execute(&QueryStatsSchemas { provider: None })?;
    table::results(&results, &schemas, &arguments.target.into(), out)?;
    Ok(())
}

/// Runs `vmstats schemas`.
///
/// # Errors
///
/// What the monitor or the connection to it says.
pub fn schemas(arguments: &Schemas, out: &mut dyn Write) -> Result<(), Failure> {
    let provider = arguments.provider.as_deref().map(provider);
    let mut client = connect(&arguments.asking)?;
    let value = client.execute_raw(&QueryStatsSchemas { provider })?;
    if arguments.asking.format == Format::Json {
        return print_json(&value, out);
    }
    let schemas: Vec<StatsSchema> = typed(value)?;
    table::schemas(&schemas, out)?;
    Ok(())
}

fn connect(asking: &Asking) -> Result<Client, ClientError> {
    let endpoint = asking.endpoint.clone();
    Client::connect(
        &endpoint.with_credentials(asking.tls.as_deref()),
        asking.timeout,
    )
}

fn typed<T: qapi_stats::wire::Decode>(value: Value) -> Result<T, ClientError> {
    from_value(&value, &Context::tolerant())
        .map_err(|error| ClientError::Protocol(format!("the reply does not fit: {error}")))
}

fn print_json(value: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{}", to_json(value))?;
    Ok(())
}

fn provider(name: &str) -> StatsProvider {
    let Ok(provider) = name.parse();
    provider
}

/// The request's filter. Names without a provider are asked of every provider
/// that has statistics of the target: the protocol knows names only by
/// provider.
fn filter(arguments: &Query, client: &mut Client) -> Result<StatsFilter, Failure> {
    let vcpus = (!arguments.vcpus.is_empty()).then(|| arguments.vcpus.clone());
    let target = match arguments.target {
        Target::Vm => StatsFilterBranch::Vm,
        Target::Vcpu => StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus }),
        Target::Cryptodev => StatsFilterBranch::Cryptodev,
    };
    let mut providers: Vec<StatsProvider> = arguments
        .providers
        .iter()
        .map(|name| provider(name))
        .collect();
    if providers.is_empty() && arguments.names.is_some() {
        let schemas = client.execute(&QueryStatsSchemas { provider: None })?;
        let of_target = schemas
            .into_iter()
            .filter(|schema| schema.target == target.tag());
        providers = of_target.map(|schema| schema.provider).collect();
    }
    let asks_some = !arguments.providers.is_empty() || arguments.names.is_some();
    let request = |provider| StatsRequest {
        provider,
        names: arguments.names.clone(),
    };
    let requests = asks_some.then(|| providers.into_iter().map(request).collect());
    Ok(StatsFilter {
        target,
        providers: requests,
    })
}
