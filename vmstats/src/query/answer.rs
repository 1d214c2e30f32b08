//! The statistics that a monitor answers with, as far as a selection wants them.
//!
//! In: a client and a selection. Out: replies as the monitor sent them, and
//! objects with their values. This file prints nothing.

use std::collections::HashMap;

use qapi_stats::machine::commands::{QueryCpusFast, QueryKvm};
use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget,
    StatsVCPUFilter, StatsValue,
};
use qapi_stats::wire::message::Return;
use qapi_stats::wire::{Context, Node, from_node, to_json};

use crate::client::{Client, ClientError};
use crate::failure::Failure;
use crate::sample::ObjectId;
use crate::selection::{Plan, Selection, TargetPlan};

/// The answer of one monitor.
#[derive(Debug)]
pub(super) struct Answer {
    /// The schemas of all statistics.
    pub(super) schemas: Vec<StatsSchema>,
    /// The replies to `query-stats`, as they came.
    pub(super) replies: Vec<(StatsTarget, Return)>,
    /// The objects in the replies.
    pub(super) objects: Vec<Object>,
    /// Parts of the selection that nothing matches.
    pub(super) problems: Vec<String>,
    /// The reason why the monitor has nothing to tell, although nothing was
    /// selected.
    pub(super) emptiness: Option<String>,
}

/// The statistics of one object from one provider.
#[derive(Debug)]
pub(super) struct Object {
    /// The provider.
    pub(super) provider: StatsProvider,
    /// The kind of object.
    pub(super) target: StatsTarget,
    /// The QOM path, unless the object is the only one of its kind.
    pub(super) qom_path: Option<String>,
    /// The number of a vCPU, if the monitor tells it.
    pub(super) number: Option<i64>,
    /// The statistics by name.
    pub(super) stats: Vec<(String, Value)>,
}

/// The value of a statistic.
#[derive(Debug)]
pub(super) enum Value {
    /// A value of a kind that the schema of `query-stats` has.
    Known(StatsValue),
    /// Any other value, as JSON: of a newer monitor, or of a wrong one.
    Other(String),
}

/// Asks a monitor for the statistics of a selection.
///
/// # Errors
///
/// Returns an error if the monitor does not answer, or if the selection selects
/// nothing of it.
pub(super) fn ask(client: &mut Client, selection: &Selection) -> Result<Answer, Failure> {
    let schemas = all_schemas(client)?;
    let Plan {
        targets,
        mut problems,
    } = selection.plan(&schemas);
    let mut targets = targets;
    if targets.is_empty() {
        if !problems.is_empty() || !selection.is_everything() {
            return Err(nothing(client, &schemas, problems));
        }
        targets.push(TargetPlan {
            target: selection.target().cloned().unwrap_or(StatsTarget::Vm),
            providers: None,
        });
    }
    let has_vcpus = targets.iter().any(|plan| plan.target == StatsTarget::Vcpu);
    let vcpus = if has_vcpus {
        vcpus(client)?
    } else {
        Vec::new()
    };
    problems.extend(selection.missing_vcpus(&vcpus));
    let paths = selection.chosen_vcpus(&vcpus);
    let mut replies = Vec::new();
    let mut objects = Vec::new();
    for TargetPlan { target, providers } in targets {
        let branch = match &target {
            StatsTarget::Vcpu => {
                let vcpus = paths.clone();
                // An empty list would be answered with nothing.
                if vcpus.as_ref().is_some_and(Vec::is_empty) {
                    continue;
                }
                StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus })
            }
            other => other.into(),
        };
        let reply = client.execute_raw(&QueryStats(StatsFilter {
            target: branch,
            providers,
        }))?;
        objects.extend(decode(&reply, &target, &vcpus)?);
        replies.push((target, reply));
    }
    for path in paths.iter().flatten() {
        let is_answered = |object: &Object| object.qom_path.as_deref() == Some(path);
        if !objects.iter().any(is_answered) && !problems.iter().any(|text| text.contains(path)) {
            problems.push(format!("the vCPU '{path}' has none of these statistics"));
        }
    }
    let emptiness = match objects.as_slice() {
        [] if selection.is_everything() => Some(emptiness(client, &schemas)),
        [] => return Err(nothing(client, &schemas, problems)),
        _ => None,
    };
    Ok(Answer {
        schemas,
        replies,
        objects,
        problems,
        emptiness,
    })
}

/// Asks a monitor for the schemas of all statistics.
pub(super) fn all_schemas(client: &mut Client) -> Result<Vec<StatsSchema>, ClientError> {
    client.execute(&QueryStatsSchemas { provider: None })
}

/// Returns the failure of a selection that selects nothing.
pub(super) fn nothing(
    client: &mut Client,
    schemas: &[StatsSchema],
    problems: Vec<String>,
) -> Failure {
    if problems.is_empty() {
        return Failure::other(emptiness(client, schemas));
    }
    let sentences = problems.into_iter().chain(absent_kvm(client, schemas));
    Failure::other(sentences.collect::<Vec<_>>().join("; "))
}

/// Returns the reason why a monitor has nothing to tell.
pub(super) fn emptiness(client: &mut Client, schemas: &[StatsSchema]) -> String {
    let what = if schemas.is_empty() {
        "this monitor has no statistics"
    } else {
        "this monitor has statistics of this kind, but no object that they are about"
    };
    match absent_kvm(client, schemas) {
        Some(reason) => format!("{what}; {reason}"),
        None => what.to_owned(),
    }
}

/// Returns why a monitor without the provider `kvm` has none, if it tells.
fn absent_kvm(client: &mut Client, schemas: &[StatsSchema]) -> Option<String> {
    let mut providers = schemas.iter().map(|schema| &schema.provider);
    if providers.any(|provider| *provider == StatsProvider::Kvm) {
        return None;
    }
    let info = client.execute(&QueryKvm {}).ok()?;
    let reason = if info.enabled {
        "the guest runs on KVM, but the host's kernel has no statistics for it (Linux 5.14 and \
         later have)"
    } else {
        "the guest runs without KVM, whose statistics these would be (QEMU: -accel kvm)"
    };
    Some(reason.to_owned())
}

/// Returns the vCPUs with their numbers. For a monitor without `query-cpus-fast`,
/// the numbers are the places in its reply, in which the vCPU added last comes
/// first.
fn vcpus(client: &mut Client) -> Result<Vec<ObjectId>, Failure> {
    match client.execute(&QueryCpusFast {}) {
        Ok(vcpus) => Ok(vcpus
            .into_iter()
            .map(|vcpu| ObjectId {
                index: Some(vcpu.cpu_index),
                qom_path: Some(vcpu.qom_path),
            })
            .collect()),
        Err(ClientError::Refused(_)) => {
            let all = StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None });
            let reply = client.execute_raw(&QueryStats(StatsFilter {
                target: all,
                providers: None,
            }))?;
            let mut paths: Vec<String> = Vec::new();
            for object in decode(&reply, &StatsTarget::Vcpu, &[])? {
                paths.extend(object.qom_path.filter(|path| !paths.contains(path)));
            }
            let paths = paths.into_iter().rev();
            Ok((0..)
                .zip(paths)
                .map(|(index, qom_path)| ObjectId {
                    index: Some(index),
                    qom_path: Some(qom_path),
                })
                .collect())
        }
        Err(error) => Err(error.into()),
    }
}

/// Decodes a reply value by value, so that one value of a kind that this program
/// does not know leaves the others readable.
fn decode(
    reply: &Return,
    target: &StatsTarget,
    vcpus: &[ObjectId],
) -> Result<Vec<Object>, Failure> {
    let numbers: HashMap<&str, i64> = vcpus
        .iter()
        .filter_map(|id| Some((id.qom_path.as_deref()?, id.index?)))
        .collect();
    let results = reply.value().elements();
    let results = results.ok_or_else(|| malformed("is no list"))?;
    results
        .map(|result| {
            let text = |name| result.get(name).and_then(Node::as_str);
            let provider = text("provider").ok_or_else(|| malformed("has no 'provider'"))?;
            let Ok(provider) = provider.parse();
            let qom_path = text("qom-path").map(str::to_owned);
            let stats = result.get("stats").and_then(Node::elements);
            let stats = stats.ok_or_else(|| malformed("has no list 'stats'"))?;
            let number = qom_path.as_deref().and_then(|path| numbers.get(path));
            Ok(Object {
                provider,
                target: target.clone(),
                number: number.copied(),
                qom_path,
                stats: stats.map(stat).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

fn stat(stat: Node<'_>) -> Result<(String, Value), Failure> {
    let name = stat.get("name").and_then(Node::as_str);
    let name = name.ok_or_else(|| malformed("has a statistic without a 'name'"))?;
    let value = stat
        .get("value")
        .ok_or_else(|| malformed("has a statistic without a 'value'"))?;
    let value = match from_node(value, &Context::tolerant()) {
        Ok(known) => Value::Known(known),
        Err(_) => Value::Other(to_json(&value)),
    };
    Ok((name.to_owned(), value))
}

fn malformed(what: &str) -> Failure {
    Failure::other(format!("not a QMP server: the reply to query-stats {what}"))
}

/// The schemas of the statistics of a kind of object, by provider and name.
pub(super) type Meanings<'a> =
    HashMap<(&'a StatsTarget, &'a StatsProvider, &'a str), &'a StatsSchemaValue>;

/// Collects the schemas of all statistics.
#[must_use]
pub(super) fn meanings<'a>(schemas: &'a [StatsSchema]) -> Meanings<'a> {
    let of_schema = |schema: &'a StatsSchema| {
        let (target, provider) = (&schema.target, &schema.provider);
        let stats = schema.stats.iter();
        stats.map(move |stat| ((target, provider, stat.name.as_str()), stat))
    };
    schemas.iter().flat_map(of_schema).collect()
}
