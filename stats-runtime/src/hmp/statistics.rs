//! The human monitor's command `info stats`.
//!
//! In: the command's arguments. Out: text for people, in QEMU's form. The values
//! come typed from the registry.

use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsSchema, StatsTarget,
    StatsVCPUFilter,
};
use qapi_stats::wire::{Error, OpenValues as _};

use super::args::{Arguments, Usage};
use super::render;
use super::state::HmpState;
use crate::monitor::Monitor;
use crate::registry::Registry;

/// Executes `info stats TARGET [NAMES] [PROVIDER]`.
pub(super) fn info_stats(
    state: &mut HmpState,
    monitor: &Monitor,
    mut arguments: Arguments<'_>,
) -> Result<String, Usage> {
    let target = arguments.string()?;
    let names = arguments.optional_string()?;
    let provider = arguments.optional_string()?;
    arguments.end()?;
    let cpu = state.vcpu(monitor).map(|vcpu| vcpu.qom_path);
    let (target, names) = (target.as_str(), names.as_deref());
    Ok(report(
        monitor.registry(),
        target,
        names,
        provider,
        cpu.as_deref(),
    ))
}

fn report(
    registry: &Registry,
    target: &str,
    names: Option<&str>,
    provider: Option<String>,
    cpu: Option<&str>,
) -> String {
    let Some(target) = branch(registry, target, cpu) else {
        return format!("invalid stats target {target}\r\n");
    };
    let provider = match provider.map(|name| known_provider(registry, &name).ok_or(name)) {
        Some(Err(name)) => return format!("invalid stats provider {name}\r\n"),
        Some(Ok(provider)) => Some(provider),
        None => None,
    };
    show(registry, target, names, provider).unwrap_or_else(|error| format!("{error}\r\n"))
}

/// Returns the filter for a target, or `None` if the name of the target is
/// unknown. Of the vCPUs, the filter wants only the one that the line is about.
fn branch(registry: &Registry, target: &str, cpu: Option<&str>) -> Option<StatsFilterBranch> {
    let target = StatsTarget::from(target);
    let is_known = target.index().is_some() || registry.is_registered("StatsTarget", target.name());
    is_known.then(|| match StatsFilterBranch::from(&target) {
        StatsFilterBranch::Vcpu(_) => StatsFilterBranch::Vcpu(StatsVCPUFilter {
            vcpus: Some(cpu.into_iter().map(str::to_owned).collect()),
        }),
        branch => branch,
    })
}

fn known_provider(registry: &Registry, name: &str) -> Option<StatsProvider> {
    let provider = StatsProvider::from(name);
    let is_known = provider.index().is_some() || registry.names().contains(&provider);
    is_known.then_some(provider)
}

/// Returns the providers that have one of the schemas.
fn answering(registry: &Registry, schemas: &[StatsSchema]) -> Vec<StatsProvider> {
    let names = registry.names().into_iter();
    let has_schema = |name: &StatsProvider| schemas.iter().any(|other| other.provider == *name);
    names.filter(has_schema).collect()
}

fn show(
    registry: &Registry,
    target: StatsFilterBranch,
    names: Option<&str>,
    provider: Option<StatsProvider>,
) -> Result<String, Error> {
    let schemas = registry.schemas(provider.as_ref())?;
    let names: Option<Vec<String>> = names
        .filter(|names| *names != "*")
        .map(|names| names.split(',').map(str::to_owned).collect());
    let shows_provider = provider.is_none();
    let providers = match (provider, &names) {
        (Some(provider), _) => Some(vec![provider]),
        // Name all providers that answer a request without a name, and no other.
        (None, Some(_)) => Some(answering(registry, &schemas)),
        (None, None) => None,
    };
    let request = |provider| StatsRequest {
        provider,
        names: names.clone(),
    };
    let tag = target.tag();
    let filter = StatsFilter {
        target,
        providers: providers.map(|providers| providers.into_iter().map(request).collect()),
    };
    let mut text = String::new();
    for result in registry.query(&filter)? {
        let schema = schemas
            .iter()
            .find(|schema| schema.provider == result.provider && schema.target == tag);
        if let Some(schema) = schema {
            render::result(&mut text, &result, &schema.stats, shows_provider);
        }
    }
    Ok(text)
}
