//! HMP, the human monitor: lines in, text out.
//!
//! In: a command line. Out: what a person reads, lines ended by CR LF. Values
//! come typed from the registry; what a line means and how a value looks are
//! QEMU's.

mod args;
mod line;
mod render;
#[cfg(feature = "server")]
mod socket;

use qapi::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsVCPUFilter};
use qapi::wire::Error;

use crate::host::Host;
use crate::registry::Registry;
use args::Words;
pub use line::{LINE_BYTES_MAX, LineMonitor};
#[cfg(feature = "server")]
pub use socket::LineServer;

/// Executes a line about the vCPU of the given index, or about the first.
///
/// # Errors
///
/// That there is no such vCPU. All that is wrong with the line itself is told
/// in the text, as in QEMU.
pub fn execute(
    registry: &Registry,
    host: &dyn Host,
    line: &str,
    cpu_index: Option<i64>,
) -> Result<String, Error> {
    let cpu = match cpu_index {
        Some(index) => Some(vcpu_path(host, index)?),
        None => vcpu_path(host, 0).ok(),
    };
    let mut words = Words::new(line);
    Ok(match words.next().as_deref() {
        None => String::new(),
        Some("help" | "?") => help(words),
        Some("info") => match words.next().as_deref() {
            None => HELP_INFO_STATS.to_owned(),
            Some("stats") => info_stats(registry, words, cpu.as_deref()),
            Some(other) => unknown(&format!("info {other}")),
        },
        Some(other) => unknown(other),
    })
}

fn vcpu_path(host: &dyn Host, index: i64) -> Result<String, Error> {
    let mut vcpus = host.vcpus().into_iter();
    vcpus
        .find(|vcpu| i64::try_from(vcpu.index) == Ok(index))
        .map(|vcpu| vcpu.qom_path)
        .ok_or_else(|| Error::generic("Parameter 'cpu-index' expects a CPU number"))
}

fn unknown(command: &str) -> String {
    format!("unknown command: '{command}'\r\n")
}

// The texts, their slip included, are QEMU's: clients compare them.
const HELP: &str = "help|? [cmd] -- show the help\r\n";
const HELP_INFO_STATS: &str = "info stats target [names] [provider] -- show statistics for the given target (vm or vcpu); \
     optionally filter byname (comma-separated list, or * for all) and provider\r\n";

fn help(mut topic: Words<'_>) -> String {
    match (topic.next().as_deref(), topic.next().as_deref()) {
        (None, _) => format!("{HELP}{HELP_INFO_STATS}"),
        (Some("help" | "?"), _) => HELP.to_owned(),
        (Some("info"), None | Some("stats")) => HELP_INFO_STATS.to_owned(),
        (Some("info"), Some(other)) => unknown(&format!("info {other}")),
        (Some(other), _) => unknown(other),
    }
}

/// `info stats TARGET [NAMES] [PROVIDER]`.
fn info_stats(registry: &Registry, mut words: Words<'_>, cpu: Option<&str>) -> String {
    const USAGE: &str = "Try \"help info stats\" for more information\r\n";
    let Some(target) = words.next() else {
        return format!("stats: string expected\r\n{USAGE}");
    };
    let (names, provider) = (words.next(), words.next());
    if words.next().is_some() {
        return format!("stats: extraneous characters at the end of line\r\n{USAGE}");
    }
    let Some(target) = branch(&target, cpu) else {
        return format!("invalid stats target {target}\r\n");
    };
    let provider = match provider.map(|name| known_provider(registry, &name).ok_or(name)) {
        Some(Err(name)) => return format!("invalid stats provider {name}\r\n"),
        Some(Ok(provider)) => Some(provider),
        None => None,
    };
    show(registry, target, names.as_deref(), provider)
        .unwrap_or_else(|error| format!("{error}\r\n"))
}

/// What to ask about a target: of the vCPUs, the one that the line is about.
fn branch(target: &str, cpu: Option<&str>) -> Option<StatsFilterBranch> {
    match target {
        "vm" => Some(StatsFilterBranch::Vm),
        "vcpu" => Some(StatsFilterBranch::Vcpu(StatsVCPUFilter {
            vcpus: Some(cpu.into_iter().map(str::to_owned).collect()),
        })),
        "cryptodev" => Some(StatsFilterBranch::Cryptodev),
        _ => None,
    }
}

fn known_provider(registry: &Registry, name: &str) -> Option<StatsProvider> {
    let Ok(provider) = name.parse::<StatsProvider>();
    let is_known = provider.index().is_some() || registry.names().contains(&provider);
    is_known.then_some(provider)
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
        (None, Some(_)) => Some(registry.names()),
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
