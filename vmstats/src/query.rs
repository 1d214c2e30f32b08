//! `vmstats query` and `vmstats schemas`.
//!
//! In: arguments. Out: a monitor's answer, as JSON or as a table.

use std::io::Write;

use qapi::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsResult, StatsSchema,
    StatsVCPUFilter,
};
use qapi::wire::{Context, Value, from_value, to_json};

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
    let filter = filter(arguments)?;
    let mut client = connect(&arguments.asking)?;
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
    Client::connect(&asking.endpoint, asking.timeout)
}

fn typed<T: qapi::wire::Decode>(value: Value) -> Result<T, ClientError> {
    from_value(value, &Context::tolerant())
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

fn filter(arguments: &Query) -> Result<StatsFilter, Failure> {
    if arguments.names.is_some() && arguments.providers.is_empty() {
        return Err(Failure::usage(
            "--names needs --provider: a statistic is known by its provider and its name",
        ));
    }
    if arguments.target != Target::Vcpu && !arguments.vcpus.is_empty() {
        return Err(Failure::usage("--vcpu goes with --target vcpu only"));
    }
    let vcpus = (!arguments.vcpus.is_empty()).then(|| arguments.vcpus.clone());
    let target = match arguments.target {
        Target::Vm => StatsFilterBranch::Vm,
        Target::Vcpu => StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus }),
        Target::Cryptodev => StatsFilterBranch::Cryptodev,
    };
    let request =
        |name: &String| StatsRequest { provider: provider(name), names: arguments.names.clone() };
    let providers = (!arguments.providers.is_empty())
        .then(|| arguments.providers.iter().map(request).collect());
    Ok(StatsFilter { target, providers })
}
