//! `vmstats query` and `vmstats schemas`.
//!
//! In: arguments. Out: a monitor's answer, as JSON or as a table.

use std::io::Write;

use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsSchema, StatsVCPUFilter,
};
use qapi_stats::wire::message::Return;
use qapi_stats::wire::to_json;

use crate::cli::{ConnectionArgs, Format, QueryArgs, SchemasArgs, Target};
use crate::client::{Client, ClientError};
use crate::failure::Failure;
use crate::table;

/// Runs `vmstats query`.
///
/// # Errors
///
/// Returns an error if the arguments contradict each other, or if the monitor
/// does not answer.
pub fn query(arguments: &QueryArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.target != Target::Vcpu && !arguments.vcpus.is_empty() {
        return Err(Failure::usage("--vcpu needs --target vcpu"));
    }
    let mut client = connect(&arguments.connection)?;
    let request = QueryStats(filter(arguments, &mut client)?);
    if arguments.format == Format::Json {
        return print_json(&client.execute_raw(&request)?, out);
    }
    let results = client.execute(&request)?;
    let schemas = all_schemas(&mut client)?;
    table::results(&results, &schemas, &arguments.target.into(), out)?;
    Ok(())
}

/// Runs `vmstats schemas`.
///
/// # Errors
///
/// Returns an error if the monitor does not answer.
pub fn schemas(arguments: &SchemasArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let provider = arguments.provider.as_deref().map(provider);
    let mut client = connect(&arguments.connection)?;
    let request = QueryStatsSchemas { provider };
    if arguments.format == Format::Json {
        return print_json(&client.execute_raw(&request)?, out);
    }
    table::schemas(&client.execute(&request)?, out)?;
    Ok(())
}

fn connect(arguments: &ConnectionArgs) -> Result<Client, ClientError> {
    Client::connect(&arguments.endpoint(), arguments.timeout)
}

fn all_schemas(client: &mut Client) -> Result<Vec<StatsSchema>, ClientError> {
    client.execute(&QueryStatsSchemas { provider: None })
}

fn print_json(reply: &Return, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{}", to_json(&reply.value()))?;
    Ok(())
}

fn provider(name: &str) -> StatsProvider {
    let Ok(provider) = name.parse();
    provider
}

/// Makes the filter of the request. In the protocol, names belong to a provider.
/// Therefore `--names` without `--provider` asks every provider that has
/// statistics of the target.
fn filter(arguments: &QueryArgs, client: &mut Client) -> Result<StatsFilter, Failure> {
    let vcpus = (!arguments.vcpus.is_empty()).then(|| arguments.vcpus.clone());
    let target = match arguments.target {
        Target::Vm => StatsFilterBranch::Vm,
        Target::Vcpu => StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus }),
        Target::Cryptodev => StatsFilterBranch::Cryptodev,
    };
    let names = &arguments.names;
    let named = arguments.providers.iter().map(|name| provider(name));
    let mut providers: Vec<StatsProvider> = named.collect();
    if providers.is_empty() && names.is_some() {
        let schemas = all_schemas(client)?.into_iter();
        let of_target = schemas.filter(|schema| schema.target == target.tag());
        providers = of_target.map(|schema| schema.provider).collect();
    }
    let is_filtered = !arguments.providers.is_empty() || names.is_some();
    let request = |provider| StatsRequest {
        provider,
        names: names.clone(),
    };
    Ok(StatsFilter {
        target,
        providers: is_filtered.then(|| providers.into_iter().map(request).collect()),
    })
}
