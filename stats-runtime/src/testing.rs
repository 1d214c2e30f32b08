//! A check of providers, for the tests of a VMM.
//!
//! In: a provider. Out: everything in which its values do not fit its schema, in
//! words.

use std::collections::{BTreeMap, BTreeSet};

use qapi_stats::stats::{StatsSchemaValue, StatsTarget, StatsType, StatsUnit};

use crate::provider::{Provider, SchemaSink, StatsQuery, StatsSink, is_qapi_name};

/// Returns the faults of a provider: values that the schema does not describe, or
/// describes as another kind; objects and names that come twice; histograms whose
/// length changes; numbers that a client would misread. An empty list is what a VMM's
/// test wants.
///
/// ```
/// use qapi_stats::stats::{StatsSchemaValue, StatsTarget};
/// use stats_runtime::{StatsSet, testing::faults};
///
/// let balloon = StatsSet::new(StatsTarget::Vm)
///     .value(StatsSchemaValue::cumulative("inflations"), || Some(3));
/// assert_eq!(faults(&balloon), Vec::<String>::new());
/// ```
#[must_use]
pub fn faults(provider: &dyn Provider) -> Vec<String> {
    let mut described = Described::default();
    if let Err(error) = provider.schemas(&mut described) {
        described
            .faults
            .push(format!("its schema cannot be read: {error}"));
    }
    let Described {
        targets,
        mut faults,
        ..
    } = described;
    for (target, stats) in &targets {
        let mut lengths = BTreeMap::new();
        // Twice, because what may change is what must not.
        for _ in 0..2 {
            let mut values = Values {
                target,
                stats,
                lengths: &mut lengths,
                object: None,
                paths: BTreeSet::new(),
                names: BTreeSet::new(),
                faults: &mut faults,
            };
            let outcome = provider.query(&StatsQuery::all(target), &mut values);
            if let Err(error) = outcome {
                faults.push(format!("target {target} cannot be queried: {error}"));
            }
        }
    }
    let mut seen = BTreeSet::new();
    faults.retain(|fault| seen.insert(fault.clone()));
    faults
}

/// The schema of a provider, and its own faults.
#[derive(Default)]
struct Described {
    targets: Vec<(StatsTarget, BTreeMap<String, StatsSchemaValue>)>,
    names: BTreeSet<String>,
    faults: Vec<String>,
}

impl SchemaSink for Described {
    fn schema(&mut self, target: StatsTarget) {
        if self.targets.iter().any(|(other, _)| *other == target) {
            self.faults
                .push(format!("target {target} is described twice"));
        }
        self.targets.push((target, BTreeMap::new()));
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        let name = &stat.name;
        let Some((_, stats)) = self.targets.last_mut() else {
            self.faults
                .push(format!("'{name}' is described without a target"));
            return;
        };
        if !self.names.insert(name.clone()) {
            self.faults.push(format!("'{name}' is described twice"));
        }
        if !is_qapi_name(name) {
            self.faults.push(format!(
                "the name '{}' has other characters than ASCII letters, digits, '-', '_' and '.'",
                name.escape_debug()
            ));
        }
        if (stat.exponent != 0) != stat.base.is_some() {
            self.faults.push(format!(
                "'{name}' has a base without an exponent, or the reverse"
            ));
        }
        let is_linear = stat.type_ == StatsType::LinearHistogram;
        if is_linear != stat.bucket_size.is_some_and(|size| size > 0) {
            self.faults.push(format!(
                "'{name}' is a linear histogram without a bucket size, or has one and is none"
            ));
        }
        stats.insert(name.clone(), stat.clone());
    }
}

/// The kind of a value as a provider wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Number,
    Boolean,
    Buckets(usize),
}

/// A sink that compares values with their descriptions.
struct Values<'a> {
    target: &'a StatsTarget,
    stats: &'a BTreeMap<String, StatsSchemaValue>,
    /// The number of buckets of each histogram so far.
    lengths: &'a mut BTreeMap<String, usize>,
    object: Option<Option<String>>,
    paths: BTreeSet<Option<String>>,
    names: BTreeSet<String>,
    faults: &'a mut Vec<String>,
}

impl Values<'_> {
    fn check(&mut self, name: &str, written: Written) {
        if self.object.is_none() {
            self.faults
                .push(format!("'{name}' is written without an object"));
        }
        if !self.names.insert(name.to_owned()) {
            self.faults
                .push(format!("'{name}' is written twice for one object"));
        }
        let Some(stat) = self.stats.get(name) else {
            let target = self.target;
            self.faults
                .push(format!("'{name}' of target {target} is not described"));
            return;
        };
        let expected_boolean = stat.unit == Some(StatsUnit::Boolean);
        let fits = match written {
            Written::Number => !expected_boolean && !stat.is_histogram(),
            Written::Boolean => expected_boolean,
            Written::Buckets(_) => stat.is_histogram(),
        };
        if !fits {
            self.faults.push(format!(
                "the value of '{name}' is not of the kind that is described"
            ));
        }
        if let Written::Buckets(len) = written {
            let first = *self.lengths.entry(name.to_owned()).or_insert(len);
            if len == 0 || len != first {
                self.faults
                    .push(format!("'{name}' has {first} buckets, then {len}"));
            }
        }
    }
}

impl StatsSink for Values<'_> {
    fn result(&mut self, qom_path: Option<&str>) {
        let path = qom_path.map(str::to_owned);
        if *self.target == StatsTarget::Vcpu && path.is_none() {
            self.faults
                .push("a result about a vCPU has no QOM path".to_owned());
        }
        if !self.paths.insert(path.clone()) {
            let path = qom_path.unwrap_or("without a path");
            self.faults.push(format!("the object {path} comes twice"));
        }
        self.object = Some(path);
        self.names.clear();
    }

    fn scalar(&mut self, name: &str, _: u64) {
        self.check(name, Written::Number);
    }

    fn boolean(&mut self, name: &str, _: bool) {
        self.check(name, Written::Boolean);
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        self.check(name, Written::Buckets(buckets.len()));
    }
}
