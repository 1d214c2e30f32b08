//! The statistics that the arguments select among those that a monitor has.
//!
//! In: arguments and schemas. Out: a request for each target, and sentences about
//! the arguments that nothing matches. This file asks no monitor.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use std::sync::Arc;

use qapi_stats::stats::{StatsProvider, StatsRequest, StatsSchema, StatsTarget};

use crate::nearest::{hint, listed};
use crate::sample::ObjectId;
use crate::selector::{NamePattern, NamePatterns, VcpuSelector};

/// The choice that the arguments make.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    target: Option<StatsTarget>,
    providers: Vec<StatsProvider>,
    names: Vec<NamePattern>,
    /// The names that are chosen of single providers. Shared, because a thousand monitors
    /// have a copy of the selection.
    names_of: Arc<[(StatsProvider, Vec<String>)]>,
    /// The chosen vCPUs; all of them if it is empty.
    vcpus: Vec<VcpuSelector>,
}

/// The requests that a selection needs.
#[derive(Debug)]
pub struct Plan {
    /// The targets that have statistics of the selection.
    pub targets: Vec<TargetPlan>,
    /// Sentences about the parts of the selection that nothing matches.
    pub problems: Vec<String>,
}

/// The request for one target.
#[derive(Clone, Debug)]
pub struct TargetPlan {
    /// The target.
    pub target: StatsTarget,
    /// The providers with their statistics; `None` asks for everything.
    pub providers: Option<Vec<StatsRequest>>,
}

impl VcpuSelector {
    fn selects(&self, id: &ObjectId) -> bool {
        match self {
            Self::Numbers(numbers) => id.index.is_some_and(|index| numbers.contains(&index)),
            Self::Path(path) => id.qom_path.as_ref() == Some(path),
        }
    }
}

impl TargetPlan {
    /// Returns whether a provider is asked.
    #[must_use]
    pub fn has_provider(&self, provider: &StatsProvider) -> bool {
        self.providers
            .as_ref()
            .is_none_or(|requests| requests.iter().any(|one| one.provider == *provider))
    }

    /// Returns whether a provider is asked for a statistic.
    #[must_use]
    pub fn has(&self, provider: &StatsProvider, name: &str) -> bool {
        self.providers.as_ref().is_none_or(|requests| {
            let request = requests.iter().find(|one| one.provider == *provider);
            request.is_some_and(|request| {
                let mut names = request.names.iter().flatten();
                request.names.is_none() || names.any(|one| one == name)
            })
        })
    }
}

impl Selection {
    /// Makes a selection. Whatever is empty selects everything. A choice of vCPUs implies
    /// their target.
    #[must_use]
    pub fn new(
        target: Option<StatsTarget>,
        providers: Vec<StatsProvider>,
        names: &[NamePatterns],
        vcpus: Vec<VcpuSelector>,
    ) -> Self {
        let names = names.iter().flat_map(|names| names.0.clone());
        Self {
            target: target.or((!vcpus.is_empty()).then_some(StatsTarget::Vcpu)),
            providers,
            names: names.collect(),
            names_of: Arc::default(),
            vcpus,
        }
    }

    /// Makes a selection of names alone.
    #[must_use]
    pub fn of_names(names: &[NamePatterns]) -> Self {
        Self::new(None, Vec::new(), names, Vec::new())
    }

    /// Selects only these statistics of a provider, and all of other providers. A name
    /// that a monitor does not have causes no complaint.
    #[must_use]
    pub fn with_names_of(mut self, provider: StatsProvider, names: Vec<String>) -> Self {
        let others = self.names_of.iter().cloned();
        self.names_of = others.chain([(provider, names)]).collect();
        self
    }

    /// Returns whether the arguments narrow nothing but the target.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.providers.is_empty()
            && self.names.is_empty()
            && self.names_of.is_empty()
            && self.vcpus.is_empty()
    }

    /// Returns the chosen target.
    #[must_use]
    pub fn target(&self) -> Option<&StatsTarget> {
        self.target.as_ref()
    }

    /// Returns whether the selection has the name itself rather than a pattern.
    #[must_use]
    pub fn names_literally(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|pattern| pattern.is_literal() && pattern.matches(name))
    }

    /// Returns whether the selection has names or patterns.
    #[must_use]
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Returns whether an object is selected: any but the vCPUs that are not chosen.
    #[must_use]
    pub fn has_object(&self, target: &StatsTarget, id: &ObjectId) -> bool {
        let mut vcpus = self.vcpus.iter();
        *target != StatsTarget::Vcpu || self.vcpus.is_empty() || vcpus.any(|vcpu| vcpu.selects(id))
    }

    /// Returns the QOM paths of the chosen ones of these vCPUs; `None` if all are wanted.
    #[must_use]
    pub fn chosen_vcpus(&self, vcpus: &[ObjectId]) -> Option<Vec<String>> {
        if self.vcpus.is_empty() {
            return None;
        }
        let chosen = vcpus
            .iter()
            .filter(|id| self.has_object(&StatsTarget::Vcpu, id));
        Some(chosen.filter_map(|id| id.qom_path.clone()).collect())
    }

    /// Returns a sentence for each choice of vCPUs of which one is not among these.
    #[must_use]
    pub fn missing_vcpus(&self, vcpus: &[ObjectId]) -> Vec<String> {
        let missing = self.vcpus.iter().filter_map(|selector| match selector {
            VcpuSelector::Numbers(numbers) => {
                let found = vcpus.iter().filter(|id| selector.selects(id)).count();
                let found = i64::try_from(found).unwrap_or(i64::MAX);
                let wanted = (numbers.end() - numbers.start()).saturating_add(1);
                (found < wanted).then(|| no_such_number(numbers, vcpus))
            }
            VcpuSelector::Path(path) => {
                let paths = vcpus.iter().filter_map(|id| id.qom_path.as_deref());
                let paths: Vec<&str> = paths.collect();
                (!paths.contains(&path.as_str()))
                    .then(|| format!("no vCPU '{path}' ({})", hint(path, &paths)))
            }
        });
        missing.collect()
    }

    /// Chooses among the statistics of a monitor.
    #[must_use]
    pub fn plan(&self, schemas: &[StatsSchema]) -> Plan {
        let problems = [
            self.missing_target(schemas),
            self.missing_providers(schemas),
            self.missing_names(schemas),
        ];
        let plans = targets(schemas)
            .into_iter()
            .filter_map(|target| self.plan_target(target, schemas));
        Plan {
            targets: plans.collect(),
            problems: problems.concat(),
        }
    }

    fn plan_target(&self, target: &StatsTarget, schemas: &[StatsSchema]) -> Option<TargetPlan> {
        let mut requests: Vec<StatsRequest> = Vec::new();
        for schema in schemas.iter().filter(|schema| schema.target == *target) {
            if !self.has_schema(schema) {
                continue;
            }
            let names = schema.stats.iter().map(|stat| stat.name.clone());
            let names = names.filter(|name| self.has_name_of(&schema.provider, name));
            let names: Vec<String> = names.collect();
            // A provider that is asked twice answers twice.
            let is_asked = requests
                .iter()
                .any(|request| request.provider == schema.provider);
            if !names.is_empty() && !is_asked {
                requests.push(StatsRequest {
                    provider: schema.provider.clone(),
                    names: (self.has_names() || self.names_of(&schema.provider).is_some())
                        .then_some(names),
                });
            }
        }
        let is_filtered =
            self.has_names() || !self.providers.is_empty() || !self.names_of.is_empty();
        (!requests.is_empty()).then(|| TargetPlan {
            target: target.clone(),
            providers: is_filtered.then_some(requests),
        })
    }

    /// Returns whether a schema is of the chosen target and of a chosen provider.
    fn has_schema(&self, schema: &StatsSchema) -> bool {
        self.target
            .as_ref()
            .is_none_or(|target| schema.target == *target)
            && (self.providers.is_empty() || self.providers.contains(&schema.provider))
    }

    /// Returns whether a statistic with this name is selected.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|pattern| pattern.matches(name))
    }

    fn has_name_of(&self, provider: &StatsProvider, name: &str) -> bool {
        self.has_name(name)
            && self
                .names_of(provider)
                .is_none_or(|names| names.iter().any(|other| other == name))
    }

    /// Returns the names that are chosen of a provider alone.
    fn names_of(&self, provider: &StatsProvider) -> Option<&[String]> {
        let mut names_of = self.names_of.iter();
        let (_, names) = names_of.find(|(other, _)| other == provider)?;
        Some(names)
    }

    fn missing_target(&self, schemas: &[StatsSchema]) -> Vec<String> {
        let existing = targets(schemas);
        let missing = self.target.iter().filter(|target| {
            // `nothing` has the sentence for a monitor without any statistics.
            !existing.is_empty() && !existing.contains(target)
        });
        let names: Vec<&str> = existing.iter().map(|target| target.name()).collect();
        missing
            .map(|target| {
                let existing = listed(&names, "and");
                format!("no statistics of target '{target}' (there are those of {existing})")
            })
            .collect()
    }

    fn missing_providers(&self, schemas: &[StatsSchema]) -> Vec<String> {
        let existing: BTreeSet<&str> = schemas
            .iter()
            .map(|schema| schema.provider.name())
            .collect();
        let existing: Vec<&str> = existing.into_iter().collect();
        let mut problems = Vec::new();
        for provider in &self.providers {
            let of_provider = schemas.iter().filter(|schema| schema.provider == *provider);
            let has: Vec<&str> = of_provider.map(|schema| schema.target.name()).collect();
            if has.is_empty() {
                let hint = hint(provider.name(), &existing);
                problems.push(format!("no provider '{provider}' ({hint})"));
            } else if let Some(target) = &self.target
                && !has.contains(&target.name())
            {
                let has = listed(&has, "and");
                problems.push(format!(
                    "provider '{provider}' has no statistics of target '{target}' (it has those \
                     of {has})"
                ));
            }
        }
        problems
    }

    fn missing_names(&self, schemas: &[StatsSchema]) -> Vec<String> {
        let chosen = |chosen: bool| {
            let schemas = schemas
                .iter()
                .filter(move |schema| self.has_schema(schema) == chosen);
            schemas.flat_map(|schema| schema.stats.iter().map(move |stat| (schema, &stat.name)))
        };
        let names: Vec<&str> = chosen(true).map(|(_, name)| name.as_str()).collect();
        // Without statistics, the missing target or provider is the problem.
        if names.is_empty() {
            return Vec::new();
        }
        let missing = self
            .names
            .iter()
            .filter(|pattern| !names.iter().any(|name| pattern.matches(name)));
        missing
            .map(|pattern| {
                let text = pattern.text();
                if let Some((schema, _)) = chosen(false).find(|(_, name)| pattern.matches(name)) {
                    let StatsSchema {
                        provider, target, ..
                    } = schema;
                    return format!(
                        "'{text}' is a statistic of provider '{provider}' and target '{target}'"
                    );
                }
                if pattern.is_literal() {
                    format!("no statistic '{text}' ({})", hint(text, &names))
                } else {
                    let count = names.len();
                    format!(
                        "no statistic matches '{text}' (`vmstats schemas` lists the {count} that there \
                         are)"
                    )
                }
            })
            .collect()
    }
}

fn no_such_number(numbers: &RangeInclusive<i64>, vcpus: &[ObjectId]) -> String {
    let (first, last) = (numbers.start(), numbers.end());
    let wanted = if first == last {
        format!("no vCPU {first}")
    } else {
        format!("not all of the vCPUs {first} to {last} exist")
    };
    let existing = vcpus.iter().filter_map(|id| id.index);
    match (existing.clone().min(), existing.max()) {
        (Some(only), Some(last)) if only == last => format!("{wanted} (there is only {only})"),
        (Some(first), Some(last)) => format!("{wanted} (there are {first} to {last})"),
        _ => format!("{wanted} (there are none)"),
    }
}

/// Returns the provider with a name.
#[must_use]
pub fn provider(name: &str) -> StatsProvider {
    let Ok(provider) = name.trim().parse();
    provider
}

/// Returns the targets of the schemas, each once: the VM, its vCPUs, the others.
#[must_use]
pub fn targets(schemas: &[StatsSchema]) -> BTreeSet<&StatsTarget> {
    schemas.iter().map(|schema| &schema.target).collect()
}
