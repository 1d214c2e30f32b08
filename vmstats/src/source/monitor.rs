//! Samples of one virtual machine, by its monitor.
//!
//! In: a client and the names of statistics. Out: the identity of the virtual machine,
//! and samples. Values are decoded one by one, so that one of a kind that this program
//! does not know leaves the others readable.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use qapi_stats::machine::commands::{QueryCpusFast, QueryUuid};
use qapi_stats::misc::commands::QueryName;
use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsTarget, StatsVCPUFilter, StatsValue,
};
use qapi_stats::wire::message::Return;
use qapi_stats::wire::{Context, Node, from_node};

use super::process::{Incarnation, Peer, Vcpu};
use super::steal::{self, Steal};
use crate::client::{Client, ClientError};
use crate::sample::{
    Absence, BUCKETS_MAX, Clock, Identity, Object, ObjectId, Sample, Stat, Table, Value, Window,
};
use crate::selection::{Selection, TargetPlan};

/// The number of statistics that a table may have: KVM has 45 of a vCPU. Others are left
/// out.
const STATS_MAX: usize = 1000;

/// The number of objects in a sample: two of each vCPU, of which QEMU has up to 4,096.
const OBJECTS_MAX: usize = 16_384;

/// The number of tables: one of each provider and target.
const TABLES_MAX: usize = 64;

/// The number of bytes in the name of a statistic, a provider or a virtual machine, or in
/// a QOM path.
const NAME_BYTES_MAX: usize = 1024;

/// The nil UUID, which a monitor tells if the virtual machine has none.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// A connected monitor that is asked for samples.
#[derive(Debug)]
pub struct Monitor {
    client: Client,
    clock: Clock,
    selection: Selection,
    identity: Identity,
    incarnation: Incarnation,
    plans: Vec<TargetPlan>,
    tables: HashMap<(StatsTarget, StatsProvider), Arc<Table>>,
    vcpus: HashMap<String, i64>,
    with_steal: bool,
    /// True if the steal time is read from the host's kernel.
    reads_steal: bool,
    steal: Option<Steal>,
    problems: Vec<String>,
    /// The number of statistics that the bounds leave out of the schemas.
    left_out_of_schemas: usize,
    /// The largest number of statistics that they leave out of an object's values.
    left_out_of_values: usize,
    /// The process that runs the vCPUs.
    process: Option<Peer>,
    /// Its start, in nanoseconds since 1970.
    started: Option<u64>,
    /// True if a reply had something that the schemas and the list of vCPUs lack.
    is_outdated: bool,
    /// The names in replies for which the schemas and the list of vCPUs were asked again.
    /// Each name causes that once, so that a monitor that never describes it is not asked
    /// each time.
    strangers: HashSet<String>,
}

/// The values of one object in a reply.
struct Decoded {
    table: Arc<Table>,
    values: Vec<Value>,
    /// The reason why a value is absent that the monitor told.
    unread: Option<String>,
}

impl Monitor {
    /// Asks a monitor who it is and which statistics it has. `with_steal` adds the time
    /// that vCPUs waited for a processor, from the host's kernel.
    ///
    /// # Errors
    ///
    /// Returns the client's error if the monitor cannot be asked for statistics.
    pub fn open(
        mut client: Client,
        endpoint: &str,
        selection: Selection,
        clock: Clock,
        with_steal: bool,
    ) -> Result<Self, ClientError> {
        let name = optional(client.execute(&QueryName {}))?.and_then(|info| info.name);
        let uuid = optional(client.execute(&QueryUuid {}))?.map(|info| info.uuid);
        let version = client.version().to_string();
        let peer = client.peer_process().map(Peer::of);
        let identity = Identity {
            endpoint: endpoint.to_owned(),
            name: name.filter(|name| !name.is_empty()).map(cut),
            uuid: uuid
                .filter(|uuid| uuid != NO_UUID && !uuid.is_empty())
                .map(cut),
            version: cut(version),
            process: None,
        };
        let mut monitor = Self {
            client,
            clock,
            selection,
            identity,
            incarnation: Incarnation {
                peer,
                threads: Vec::new(),
            },
            plans: Vec::new(),
            tables: HashMap::new(),
            vcpus: HashMap::new(),
            with_steal,
            reads_steal: with_steal,
            steal: None,
            problems: Vec::new(),
            left_out_of_schemas: 0,
            left_out_of_values: 0,
            process: None,
            started: None,
            is_outdated: false,
            strangers: HashSet::new(),
        };
        monitor.refresh()?;
        Ok(monitor)
    }

    /// Returns the identity of the virtual machine.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the descriptions of the selected statistics.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// Returns the parts of the selection that nothing of this monitor matches, as
    /// sentences.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Returns the number of statistics that the monitor has and the last sample lacks,
    /// because there are too many, or because their names are too long.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out_of_schemas.max(self.left_out_of_values)
    }

    /// Returns the process that runs the vCPUs, if it is known and on this host.
    #[must_use]
    pub fn process(&self) -> Option<&Peer> {
        self.process.as_ref()
    }

    /// Returns the time in nanoseconds since 1970 at which the process of the virtual
    /// machine started, if it is known and on this host.
    #[must_use]
    pub fn started(&self) -> Option<u64> {
        self.started
    }

    /// Returns the number of vCPUs, if the monitor tells it.
    #[must_use]
    pub fn vcpus(&self) -> Option<usize> {
        (!self.vcpus.is_empty()).then_some(self.vcpus.len())
    }

    pub(super) fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    /// Asks for all selected statistics.
    ///
    /// # Errors
    ///
    /// Returns the client's error if the connection broke or no reply came in time. A
    /// refused request is an absence in the sample instead.
    pub fn sample(&mut self, run: u32) -> Result<Sample, ClientError> {
        let begin = self.clock.now();
        let mut objects = Vec::new();
        let mut absences = Vec::new();
        self.left_out_of_values = 0;
        for plan in self.plans.clone() {
            match self.ask(&plan) {
                Ok((reply, window)) => {
                    let to = (&mut objects, &mut absences);
                    self.decode(&reply, &plan.target, window, to)?;
                }
                Err(ClientError::Refused(error)) => {
                    absences.extend(self.refused(&plan.target, &error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        if std::mem::take(&mut self.is_outdated) {
            self.refresh()?;
            for object in &mut objects {
                object.id.index = self.index(object.id.qom_path.as_deref());
            }
        }
        if let Some(steal) = &self.steal {
            // The thread of an unplugged vCPU has ended.
            self.is_outdated = steal.read(self.clock, &mut objects, &mut absences);
        }
        objects.retain(|object| self.selection.has_object(&object.table.target, &object.id));
        objects.sort_by(|left, right| left.order().cmp(&right.order()));
        Ok(Sample {
            window: Window {
                begin,
                end: self.clock.now(),
            },
            run,
            objects,
            absences,
        })
    }

    /// Asks for the schemas and the vCPUs again.
    fn refresh(&mut self) -> Result<(), ClientError> {
        let mut schemas = self.client.execute(&QueryStatsSchemas { provider: None })?;
        // A recording that is served tells the steal time itself.
        let is_told = { schemas.iter() }.any(|schema| schema.provider == steal::provider());
        self.reads_steal = self.with_steal && !is_told;
        if self.reads_steal {
            schemas.push(steal::schema());
        }
        let all: usize = schemas.iter().map(|schema| schema.stats.len()).sum();
        for schema in &mut schemas {
            let stats = &mut schema.stats;
            stats.retain(|stat| stat.name.len() <= NAME_BYTES_MAX);
            stats.truncate(STATS_MAX);
        }
        let kept: usize = schemas.iter().map(|schema| schema.stats.len()).sum();
        self.left_out_of_schemas = all - kept;
        let plan = self.selection.plan(&schemas);
        self.problems = plan.problems;
        self.tables.clear();
        for mut schema in schemas {
            let of_target = plan.targets.iter();
            let Some(plan) = { of_target }.find(|plan| plan.target == schema.target) else {
                continue;
            };
            schema
                .stats
                .retain(|stat| plan.has(&schema.provider, &stat.name));
            if !schema.stats.is_empty() && self.tables.len() < TABLES_MAX {
                let key = (schema.target.clone(), schema.provider.clone());
                // A provider that is described twice is asked once.
                self.tables
                    .entry(key)
                    .or_insert_with(|| Arc::new(Table::new(schema)));
            }
        }
        self.plans = plan.targets;
        let is_asked =
            |provider: &StatsProvider| !self.reads_steal || *provider != steal::provider();
        self.plans.retain_mut(|plan| {
            let requests = plan.providers.as_mut();
            requests.is_none_or(|requests| {
                requests.retain(|request| is_asked(&request.provider));
                !requests.is_empty()
            })
        });
        self.refresh_vcpus()
    }

    fn refresh_vcpus(&mut self) -> Result<(), ClientError> {
        let vcpus = optional(self.client.execute(&QueryCpusFast {}))?;
        let vcpus: Vec<Vcpu> = vcpus
            .into_iter()
            .flatten()
            .map(|vcpu| Vcpu {
                index: vcpu.cpu_index,
                thread: vcpu.thread_id,
                qom_path: vcpu.qom_path,
            })
            .collect();
        self.incarnation.threads = vcpus.iter().map(|vcpu| vcpu.thread).collect();
        let process = steal::process(self.incarnation.peer.as_ref(), &vcpus);
        let of_steal = (StatsTarget::Vcpu, steal::provider());
        let table = self.tables.get(&of_steal).filter(|_| self.reads_steal);
        self.steal = table.map(|table| {
            let mut steal = Steal::new(Arc::clone(table));
            steal.follow(&process, &vcpus);
            steal
        });
        let process = process.ok();
        self.identity.process = process.filter(|_| self.steal.is_some());
        let process = process.map(Peer::of);
        if process != self.process {
            self.started = process.as_ref().and_then(Peer::started_nanos);
            self.process = process;
        }
        // Otherwise a vCPU that is unplugged later and plugged in again would stay unknown.
        for vcpu in &vcpus {
            self.strangers.remove(&vcpu.qom_path);
        }
        let ids: Vec<ObjectId> = vcpus.iter().map(Vcpu::id).collect();
        self.problems.extend(self.selection.missing_vcpus(&ids));
        self.vcpus = vcpus
            .into_iter()
            .map(|vcpu| (vcpu.qom_path, vcpu.index))
            .collect();
        Ok(())
    }

    fn ask(&mut self, plan: &TargetPlan) -> Result<(Return, Window), ClientError> {
        let begin = self.clock.now();
        let reply = self.client.execute_raw(&QueryStats(StatsFilter {
            target: self.branch(&plan.target),
            providers: plan.providers.clone(),
        }))?;
        let end = self.clock.now();
        Ok((reply, Window { begin, end }))
    }

    /// Returns the part of a request that names the objects. Only the chosen vCPUs are
    /// asked for, because QEMU before 8.1 interrupts each vCPU that is.
    fn branch(&self, target: &StatsTarget) -> StatsFilterBranch {
        if *target != StatsTarget::Vcpu {
            return target.into();
        }
        let vcpus = self.vcpus.iter().map(|(path, index)| ObjectId {
            index: Some(*index),
            qom_path: Some(path.clone()),
        });
        let vcpus: Vec<ObjectId> = vcpus.collect();
        StatsFilterBranch::Vcpu(StatsVCPUFilter {
            vcpus: self.selection.chosen_vcpus(&vcpus),
        })
    }

    /// Returns an absence for each provider of a target that refused.
    fn refused(&self, target: &StatsTarget, reason: &str) -> Vec<Absence> {
        let mut providers: Vec<_> = self.tables.keys().collect();
        // The steal time is the kernel's, whatever the monitor refuses.
        providers.retain(|(of, provider)| of == target && *provider != steal::provider());
        providers
            .into_iter()
            .map(|(_, provider)| Absence {
                provider: provider.clone(),
                target: target.clone(),
                object: None,
                reason: reason.to_owned(),
            })
            .collect()
    }

    /// Appends the objects of a reply.
    fn decode(
        &mut self,
        reply: &Return,
        target: &StatsTarget,
        window: Window,
        (objects, absences): (&mut Vec<Object>, &mut Vec<Absence>),
    ) -> Result<(), ClientError> {
        let results = reply.value().elements();
        for result in results.ok_or_else(|| malformed("is no list"))? {
            if objects.len() >= OBJECTS_MAX {
                return Err(malformed("has too many objects"));
            }
            let text = |name| result.get(name).and_then(Node::as_str);
            let provider = text("provider").ok_or_else(|| malformed("has no 'provider'"))?;
            let Ok(provider) = short(provider)?.parse();
            let qom_path = text("qom-path").map(short).transpose()?;
            let qom_path = qom_path.map(str::to_owned);
            let index = self.index(qom_path.as_deref());
            if let Some(path) = qom_path.as_deref().filter(|_| index.is_none())
                && *target == StatsTarget::Vcpu
            {
                self.meet(path);
            }
            let stats = result.get("stats").and_then(Node::elements);
            let stats = stats.ok_or_else(|| malformed("has no list 'stats'"))?;
            let id = ObjectId { index, qom_path };
            let Decoded {
                table,
                values,
                unread,
            } = self.values(target, provider, stats)?;
            absences.extend(unread.map(|reason| Absence {
                provider: table.provider.clone(),
                target: target.clone(),
                object: Some(id.clone()),
                reason,
            }));
            objects.push(Object {
                table,
                id,
                window,
                values,
            });
        }
        Ok(())
    }

    /// Puts the values of an object into the order of its table. A statistic that the
    /// table lacks is added to the table.
    fn values<'a>(
        &mut self,
        target: &StatsTarget,
        provider: StatsProvider,
        stats: impl Iterator<Item = Node<'a>>,
    ) -> Result<Decoded, ClientError> {
        let key = (target.clone(), provider);
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(&key) {
            return Err(malformed("has too many providers"));
        }
        let table = self.tables.entry(key).or_insert_with_key(|key| {
            let (target, provider) = key.clone();
            Arc::new(Table {
                provider,
                target,
                stats: Vec::new(),
            })
        });
        let mut values = vec![Value::Absent; table.stats.len()];
        let mut strangers = Vec::new();
        let mut unread = None;
        let mut places: Option<HashMap<String, usize>> = None;
        let mut left_out = 0;
        let mut next = 0;
        for stat in stats {
            let name = stat.get("name").and_then(Node::as_str);
            let name = name.ok_or_else(|| malformed("has a statistic without a 'name'"))?;
            let value = stat
                .get("value")
                .ok_or_else(|| malformed("has a statistic without a 'value'"))?;
            // Values come in the order of the schema, so the next one is nearly always
            // the one looked for.
            let is_next = table.stats.get(next).is_some_and(|stat| stat.name == name);
            let place = if is_next {
                Some(next)
            } else {
                // An index, because an order that is not that of the schema would make each
                // search long.
                let places = places.get_or_insert_with(|| places_of(table));
                places.get(name).copied()
            };
            let place = match place {
                Some(place) => place,
                None if table.stats.len() >= STATS_MAX || name.len() > NAME_BYTES_MAX => {
                    left_out += 1;
                    continue;
                }
                None => {
                    strangers.push(format!("{} {name}", table.provider));
                    let table = Arc::make_mut(table);
                    table.stats.push(Stat::undescribed(name.to_owned()));
                    values.push(Value::Absent);
                    let place = table.stats.len() - 1;
                    let places = places.get_or_insert_default();
                    places.insert(name.to_owned(), place);
                    place
                }
            };
            next = place + 1;
            match decode_value(value) {
                Ok(value) => {
                    if let Some(slot) = values.get_mut(place) {
                        *slot = value;
                    }
                }
                Err(problem) => unread = unread.or_else(|| Some(format!("'{name}' {problem}"))),
            }
        }
        if left_out > 0 {
            unread =
                unread.or_else(|| Some(format!("{left_out} statistics are beyond the bounds")));
            self.left_out_of_values = self.left_out_of_values.max(left_out);
        }
        let table = Arc::clone(table);
        for stranger in strangers {
            self.meet(&stranger);
        }
        Ok(Decoded {
            table,
            values,
            unread,
        })
    }

    /// Returns the index of the vCPU with a QOM path.
    fn index(&self, qom_path: Option<&str>) -> Option<i64> {
        self.vcpus.get(qom_path?).copied()
    }

    /// Notes that a reply had something unknown, which is looked for once.
    fn meet(&mut self, stranger: &str) {
        if self.strangers.len() < STATS_MAX && self.strangers.insert(stranger.to_owned()) {
            self.is_outdated = true;
        }
    }
}

/// Returns the places of the statistics of a table.
fn places_of(table: &Table) -> HashMap<String, usize> {
    let stats = table.stats.iter().enumerate();
    stats
        .map(|(place, stat)| (stat.name.clone(), place))
        .collect()
}

/// Returns the value of a statistic, or what is wrong with it.
fn decode_value(value: Node<'_>) -> Result<Value, &'static str> {
    match from_node::<StatsValue>(value, &Context::tolerant()) {
        Ok(StatsValue::Scalar(number)) => Ok(Value::Number(number)),
        Ok(StatsValue::Boolean(value)) => Ok(Value::Boolean(value)),
        Ok(list @ StatsValue::List(_)) => {
            let buckets = list.lowest_first();
            if buckets.len() > BUCKETS_MAX {
                return Err("has too many buckets");
            }
            Ok(Value::Buckets(buckets.into()))
        }
        Err(_) => Err("has a value of an unknown kind"),
    }
}

/// Cuts a name that is too long for a recording and a screen.
fn cut(mut name: String) -> String {
    let ends = (0..=NAME_BYTES_MAX.min(name.len())).rev();
    let end = { ends }.find(|end| name.is_char_boundary(*end));
    // The empty name has a boundary.
    name.truncate(end.unwrap_or(0));
    name
}

/// Refuses a name that is too long for a recording and a screen.
fn short(name: &str) -> Result<&str, ClientError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(malformed("has a name that is too long"));
    }
    Ok(name)
}

/// Returns `None` instead of an error if the monitor refuses the command.
fn optional<T>(reply: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(ClientError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn malformed(what: &str) -> ClientError {
    ClientError::Protocol(format!("the reply to query-stats {what}"))
}
