//! A recording as OpenMetrics with timestamps.
//!
//! In: samples in the order of time. Out: text in the order of OpenMetrics: family by
//! family, and within a family object by object. A recording may be longer than the
//! memory, so that the lines are sorted in a file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use qapi_stats::stats::StatsSchema;
use stats_runtime::exposition::{Catalog, Format, Metric, Options, Point};

use super::spool::Spool;
use crate::excerpt::Excerpt;
use crate::exposed;
use crate::failure::Failure;
use crate::printable::{is_unsafe, printable};
use crate::sample::{Identity, Object, ObjectId, Table};
use crate::selection::Selection;

/// Writes a part of a recording.
///
/// # Errors
///
/// Returns an error if the recording cannot be read, a temporary file cannot be written,
/// or the part has no samples.
pub(super) fn run(
    excerpt: &mut Excerpt,
    names: &Selection,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let labels = labels(&excerpt.identities());
    let mut text = Text {
        catalog: Catalog::new(&Options::new()),
        metrics: Vec::new(),
        families: Vec::new(),
        spool: Spool::new()?,
        chains: HashMap::new(),
        refused: HashSet::new(),
    };
    let mut is_empty = true;
    excerpt.each(|recorded| {
        is_empty = false;
        let Some(options) = labels.get(&recorded.vm) else {
            return Ok(());
        };
        for object in &recorded.sample.objects {
            text.add(&recorded.vm, options, object, names)?;
        }
        Ok(())
    })?;
    if is_empty {
        return Err(Failure::other("the part of the recording has no samples"));
    }
    text.write(out)?;
    for omitted in text.catalog.omitted() {
        writeln!(io::stderr(), "vmstats: {}", printable(&omitted.to_string()))?;
    }
    for refused in &text.refused {
        writeln!(io::stderr(), "vmstats: {}", printable(refused))?;
    }
    Ok(())
}

/// Returns the labels of each virtual machine. A name that two of them have is followed
/// by the endpoint, because their series would be mixed.
fn labels(identities: &HashMap<Arc<str>, Identity>) -> HashMap<Arc<str>, Options> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for identity in identities.values() {
        *counts.entry(identity.label()).or_default() += 1;
    }
    let label = |identity: &Identity| {
        let name = identity.label();
        if counts.get(name).is_some_and(|count| *count > 1) {
            format!("{name} ({})", identity.endpoint)
        } else {
            name.to_owned()
        }
    };
    let options = identities.iter().filter_map(|(vm, identity)| {
        let options = Options::new().label("vm", printable(&label(identity)));
        let options = options.ok()?;
        Some((Arc::clone(vm), options))
    });
    options.collect()
}

/// The lines of one object's metric.
type Key = (usize, Arc<str>, ObjectId);

/// The text, while it is collected.
struct Text {
    catalog: Catalog,
    metrics: Vec<(Arc<Table>, Vec<Metric>)>,
    families: Vec<BTreeMap<(Arc<str>, ObjectId), usize>>,
    spool: Spool,
    chains: HashMap<Key, usize>,
    refused: HashSet<String>,
}

impl Text {
    /// Adds the values of an object.
    fn add(
        &mut self,
        vm: &Arc<str>,
        options: &Options,
        object: &Object,
        names: &Selection,
    ) -> io::Result<()> {
        let label = exposed::label(&object.table.target, &object.id);
        for metric in self.metrics(&object.table) {
            let value = |name: &str| exposed::value(object.value(name)?);
            let Some(number) =
                value(metric.statistic()).filter(|_| names.has_name(metric.statistic()))
            else {
                continue;
            };
            let sum = metric.sum_statistic().and_then(value);
            let point = Point::new(&number)
                .with_sum(sum.as_ref())
                .read_at(object.window.middle().0);
            let key = (metric.family(), Arc::clone(vm), object.id.clone());
            let mut lines = String::new();
            let format = Format::OpenMetrics;
            match { &self.catalog }.write(&mut lines, format, &metric, options, &label, &point) {
                Ok(()) => {
                    let chain = self.chain(key);
                    self.spool.append(chain, lines.as_bytes())?;
                }
                Err(reason) => {
                    let name = metric.statistic();
                    self.refused
                        .insert(format!("values of '{name}' are left out: {reason}"));
                }
            }
        }
        Ok(())
    }

    fn metrics(&mut self, table: &Arc<Table>) -> Vec<Metric> {
        let known = self.metrics.iter();
        if let Some((_, metrics)) = known.rev().find(|(known, _)| Arc::ptr_eq(known, table)) {
            return metrics.clone();
        }
        let stats = table.stats.iter().filter_map(|stat| stat.schema.clone());
        let metrics = self.catalog.describe(&StatsSchema {
            provider: table.provider.clone(),
            target: table.target.clone(),
            stats: stats.collect(),
        });
        self.metrics.push((Arc::clone(table), metrics.clone()));
        metrics
    }

    fn chain(&mut self, key: Key) -> usize {
        if let Some(chain) = self.chains.get(&key) {
            return *chain;
        }
        let chain = self.spool.chain();
        let (family, vm, object) = key.clone();
        while self.families.len() <= family {
            self.families.push(BTreeMap::new());
        }
        if let Some(objects) = self.families.get_mut(family) {
            objects.insert((vm, object), chain);
        }
        self.chains.insert(key, chain);
        chain
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for (family, objects) in self.families.iter().enumerate() {
            if objects.is_empty() {
                continue;
            }
            // The help has the statistic's name. A backslash has a meaning there, so that
            // `printable` does not fit.
            let fit = |one: char| if is_fit(one) { one } else { '\u{fffd}' };
            let metadata = self.catalog.metadata(Format::OpenMetrics, family);
            out.write_all({ metadata.chars().map(fit) }.collect::<String>().as_bytes())?;
            for chain in objects.values() {
                self.spool.copy(*chain, out)?;
            }
        }
        out.write_all(Catalog::END.as_bytes())
    }
}

fn is_fit(character: char) -> bool {
    character == '\n' || !is_unsafe(character)
}
