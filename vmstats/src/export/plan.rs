//! The metrics that the statistics of a table have.
//!
//! In: the tables of all virtual machines. Out: for each table, places of values with
//! their metrics. A hostile monitor takes no metric from others: Linux's statistics mean
//! what they mean in Linux, and another name keeps its first description while anybody has
//! it, which is that of most monitors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use qapi_stats::stats::{StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget};
use stats_runtime::exposition::{Catalog, Metric, Options};

use super::answer::Answer;
use super::choice::{Choice, is_misdescribed};
use super::own::OwnMetrics;
use crate::sample::{Kind, Table};

/// The target in the names of metrics that are sums over the vCPUs of a virtual machine.
pub(super) const SUMS: &str = "vcpus";

/// The target in the names of metrics that are totals over the virtual machines of a host.
const HOST: &str = "host";

/// The number of statistics of a table that can have a metric. KVM has some 60.
const STATISTICS_MAX: usize = 1000;

/// The longest name of a statistic that can have a metric, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The metrics of a table.
#[derive(Debug)]
pub(super) struct Plan {
    table: Arc<Table>,
    /// The metrics of each object.
    pub(super) objects: Vec<Column>,
    /// The metrics of all vCPUs together.
    pub(super) sums: Vec<Column>,
    /// The metrics of all virtual machines together.
    pub(super) host: Vec<Column>,
    /// The number of statistics that are chosen and have no metric.
    pub(super) dropped: usize,
}

/// A statistic that has a metric.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The metric.
    pub(super) metric: Metric,
    /// The provider.
    pub(super) provider: StatsProvider,
    /// The kind of object, or [`SUMS`].
    pub(super) target: StatsTarget,
    /// How its values behave in the table.
    pub(super) kind: Kind,
    /// The place of its value in the table.
    pub(super) place: usize,
    /// The place of the value that is its sum.
    pub(super) sum_place: Option<usize>,
}

impl Column {
    /// Returns whether the metric is of all vCPUs of a virtual machine together.
    pub(super) fn is_sum(&self) -> bool {
        self.target.name() == SUMS
    }
}

/// The metrics of all tables.
#[derive(Debug)]
pub(super) struct Plans {
    choice: Choice,
    /// The metrics with their names.
    pub(super) catalog: Catalog,
    /// The metrics about the exporter and its virtual machines.
    pub(super) own: OwnMetrics,
    /// Tables that are equal have one plan. The order is that in which they took names.
    plans: Vec<Arc<Plan>>,
    /// The place in `plans` of each table, by the address of the table, which is not that
    /// of another table as long as it is in here.
    of_tables: HashMap<usize, (Arc<Table>, usize)>,
}

impl Plans {
    /// Makes the metrics that need no table.
    pub(super) fn new(choice: Choice) -> Self {
        let (catalog, own) = begin(&choice);
        Self {
            choice,
            catalog,
            own,
            plans: Vec::new(),
            of_tables: HashMap::new(),
        }
    }

    /// Returns the plan of a table that an answer of the last update has.
    pub(super) fn of(&self, table: &Arc<Table>) -> Option<&Arc<Plan>> {
        let (_, place) = self.of_tables.get(&address(table))?;
        self.plans.get(*place)
    }

    /// Returns all plans.
    pub(super) fn plans(&self) -> &[Arc<Plan>] {
        &self.plans
    }

    /// Makes the plans of all tables in these answers, and forgets the others.
    pub(super) fn update(&mut self, answers: &[Arc<Answer>]) {
        let mut tables: Vec<Arc<Table>> = { self.plans.iter() }
            .map(|plan| Arc::clone(&plan.table))
            .collect();
        let planned = tables.len();
        let mut counts = vec![0usize; planned];
        let mut seen = HashSet::new();
        for answer in answers {
            let mut of_answer = HashSet::new();
            for object in &answer.sample.objects {
                let address = address(&object.table);
                let place = match self.of_tables.get(&address) {
                    Some((_, place)) => *place,
                    None => {
                        let place = tables.iter().position(|table| *table == object.table);
                        let place = place.unwrap_or_else(|| {
                            tables.push(Arc::clone(&object.table));
                            counts.push(0);
                            tables.len() - 1
                        });
                        let table = Arc::clone(&object.table);
                        self.of_tables.insert(address, (table, place));
                        place
                    }
                };
                seen.insert(address);
                // A virtual machine has one voice, however many vCPUs it has.
                if of_answer.insert(place)
                    && let Some(count) = counts.get_mut(place)
                {
                    *count += 1;
                }
            }
        }
        self.of_tables.retain(|address, _| seen.contains(address));
        let count = |place: usize| counts.get(place).copied().unwrap_or_default();
        let mut order: Vec<usize> = (0..tables.len())
            .filter(|place| count(*place) > 0)
            .collect();
        order.sort_by_key(|place| {
            // A name stays with the table that has it, even if others are more by now.
            let votes = if *place < planned {
                usize::MAX
            } else {
                count(*place)
            };
            (std::cmp::Reverse(votes), *place)
        });
        let is_same = order.len() == planned && order.iter().copied().eq(0..planned);
        if !is_same {
            self.rebuild(&tables, &order);
        }
    }

    /// Makes all plans again, in this order of tables.
    fn rebuild(&mut self, tables: &[Arc<Table>], order: &[usize]) {
        (self.catalog, self.own) = begin(&self.choice);
        self.plans.clear();
        let mut places = HashMap::new();
        for old in order {
            if let Some(table) = tables.get(*old) {
                places.insert(*old, self.plans.len());
                let plan = Plan::new(table, &self.choice, &mut self.catalog);
                self.plans.push(Arc::new(plan));
            }
        }
        for (_, place) in self.of_tables.values_mut() {
            if let Some(new) = places.get(place) {
                *place = *new;
            }
        }
    }
}

fn begin(choice: &Choice) -> (Catalog, OwnMetrics) {
    let mut catalog = Catalog::new(&Options::new()).with_buckets(choice.buckets);
    let own = OwnMetrics::define(&mut catalog);
    (catalog, own)
}

fn address(table: &Arc<Table>) -> usize {
    Arc::as_ptr(table).addr()
}

impl Plan {
    fn new(table: &Arc<Table>, choice: &Choice, catalog: &mut Catalog) -> Self {
        let (provider, target) = (&table.provider, &table.target);
        let chosen = |name: &str| choice.has(provider, target, name);
        let stats = table.stats.iter().enumerate();
        let mut described: Vec<_> = stats
            .filter(|(_, stat)| stat.name.len() <= NAME_BYTES_MAX)
            .filter_map(|(place, stat)| Some((place, stat.kind, stat.schema.clone()?)))
            .filter(|(_, _, stat)| !is_misdescribed(provider, target, stat))
            .collect();
        described.truncate(STATISTICS_MAX);
        let is_vcpu = *target == StatsTarget::Vcpu;
        let mut plan = Self {
            table: Arc::clone(table),
            objects: Vec::new(),
            sums: Vec::new(),
            host: Vec::new(),
            dropped: 0,
        };
        if is_vcpu {
            let sums = described.iter();
            let sums = sums.filter_map(|(place, kind, stat)| Some((*place, sum(*kind, stat)?)));
            let sums: Vec<_> = sums.collect();
            let all_vcpus = StatsTarget::Unknown(SUMS.into());
            if choice.top.is_some() {
                let host = StatsTarget::Unknown(HOST.into());
                plan.host = columns(catalog, table, &host, sums.clone());
                plan.host
                    .retain(|column| matches!(column.kind, Kind::Counter | Kind::Histogram));
            }
            plan.sums = columns(catalog, table, &all_vcpus, sums);
        }
        if !is_vcpu || choice.per_vcpu {
            let stats = described
                .into_iter()
                .map(|(place, _, stat)| (place, stat))
                .collect();
            plan.objects = columns(catalog, table, target, stats);
        }
        let mut exported = HashSet::new();
        for column in plan.objects.iter().chain(&plan.sums) {
            exported.insert(column.place);
            exported.extend(column.sum_place);
        }
        let is_chosen = |column: &Column| {
            let stat = plan.table.stats.get(column.place);
            stat.is_some_and(|stat| chosen(&stat.name))
        };
        plan.objects.retain(is_chosen);
        plan.sums.retain(is_chosen);
        plan.host.retain(is_chosen);
        let stats = table.stats.iter().enumerate();
        let dropped = stats.filter(|(place, stat)| chosen(&stat.name) && !exported.contains(place));
        plan.dropped = dropped.count();
        plan
    }
}

/// Returns the description of a statistic's sum over vCPUs; `None` if the values of such
/// a statistic have no sum that means anything.
fn sum(kind: Kind, stat: &StatsSchemaValue) -> Option<StatsSchemaValue> {
    match kind {
        Kind::Counter | Kind::Gauge | Kind::Histogram => Some(stat.clone()),
        // The number of vCPUs of which it is true, which `vcpus` in the name tells.
        Kind::Boolean => Some(StatsSchemaValue::instant(stat.name.as_str())),
        Kind::Peak => {
            let mut highest = stat.clone();
            highest.name.push_str("_max");
            Some(highest)
        }
        Kind::Unknown => None,
    }
}

/// Describes statistics, each with its place in the table.
fn columns(
    catalog: &mut Catalog,
    table: &Table,
    target: &StatsTarget,
    stats: Vec<(usize, StatsSchemaValue)>,
) -> Vec<Column> {
    let places: HashMap<String, usize> = { stats.iter() }
        .map(|(place, stat)| (stat.name.clone(), *place))
        .collect();
    let schema = StatsSchema {
        provider: table.provider.clone(),
        target: target.clone(),
        stats: stats.into_iter().map(|(_, stat)| stat).collect(),
    };
    let metrics = catalog.describe(&schema).into_iter();
    metrics
        .filter_map(|metric| {
            let sum = metric.sum_statistic();
            let place = *places.get(metric.statistic())?;
            Some(Column {
                provider: table.provider.clone(),
                target: target.clone(),
                kind: table.stats.get(place)?.kind,
                place,
                sum_place: sum.and_then(|sum| places.get(sum).copied()),
                metric,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Object, ObjectId, Timestamp, Value, Window};

    fn table(stats: Vec<StatsSchemaValue>) -> Arc<Table> {
        Arc::new(Table::new(StatsSchema {
            provider: StatsProvider::Kvm,
            target: StatsTarget::Vcpu,
            stats,
        }))
    }

    fn choice() -> Choice {
        Choice::all()
    }

    #[test]
    fn sums_have_other_names_than_their_vcpus_where_they_mean_another_thing() {
        let mut catalog = Catalog::new(&Options::new());
        let table = table(vec![
            StatsSchemaValue::cumulative("exits"),
            StatsSchemaValue::instant("blocking").boolean(),
            StatsSchemaValue::peak("depth"),
        ]);
        let plan = Plan::new(&table, &choice(), &mut catalog);
        let names = plan.sums.iter().map(|column| column.metric.statistic());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["exits", "blocking", "depth_max"]
        );
        assert!(plan.objects.is_empty() && plan.dropped == 0);
    }

    fn answer(table: &Arc<Table>) -> Arc<Answer> {
        let now = Timestamp(0);
        let window = Window {
            begin: now,
            end: now,
        };
        let object = Object {
            table: Arc::clone(table),
            id: ObjectId::default(),
            window,
            values: vec![Value::Number(1)],
        };
        Arc::new(Answer::of_objects(window, vec![object]))
    }

    #[test]
    fn name_stays_with_its_first_description_and_is_free_when_nobody_has_it() {
        let counter = answer(&table(vec![StatsSchemaValue::cumulative("x")]));
        let gauge = answer(&table(vec![StatsSchemaValue::instant("x")]));
        let mut plans = Plans::new(choice());
        let mut kinds = |answers: &[&Arc<Answer>]| {
            let answers: Vec<_> = answers.iter().map(|one| Arc::clone(one)).collect();
            plans.update(&answers);
            let sums = plans.plans().iter().flat_map(|plan| &plan.sums);
            sums.map(|column| column.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&[&gauge, &counter, &counter]), [Kind::Counter]);
        assert_eq!(kinds(&[&gauge, &gauge, &counter]), [Kind::Counter]);
        assert_eq!(kinds(&[&gauge]), [Kind::Gauge]);
        assert_eq!(kinds(&[&gauge, &counter, &counter]), [Kind::Gauge]);
    }

    #[test]
    fn liar_loses_its_own_statistic_when_it_describes_one_of_linux() {
        let liar = answer(&table(vec![StatsSchemaValue::instant("exits")]));
        let honest = answer(&table(vec![StatsSchemaValue::cumulative("exits")]));
        let mut plans = Plans::new(choice());
        plans.update(&[Arc::clone(&liar), Arc::clone(&liar), Arc::clone(&honest)]);
        let of = |answer: &Answer| {
            let plan = plans.of(&answer.sample.objects[0].table).unwrap();
            (plan.sums.len(), plan.dropped)
        };
        assert_eq!(of(&honest), (1, 0));
        assert_eq!(of(&liar), (0, 1));
    }

    #[test]
    fn statistics_beyond_the_limits_are_dropped_and_counted() {
        let mut catalog = Catalog::new(&Options::new());
        let many = (0..STATISTICS_MAX + 5).map(|number| format!("s{number}"));
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let stats = std::iter::once(long).chain(many);
        let table = table(
            stats
                .map(|name| StatsSchemaValue::cumulative(&*name))
                .collect(),
        );
        let plan = Plan::new(&table, &choice(), &mut catalog);
        assert_eq!((plan.sums.len(), plan.dropped), (STATISTICS_MAX, 6));
    }
}
