//! A recording as providers of statistics that move as they were recorded.
//!
//! In: a part of a recording, and the name of a virtual machine. Out: providers whose values
//! are those of the last sample before the playback position. Values between two samples are
//! not made up: a client that asks more often than the recorder did sees the same values
//! again. In a gap, and before the first sample, the providers refuse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use demo_guest::qom_path;
use qapi_stats::stats::{StatsProvider, StatsTarget};

use stats_runtime::{Provider, ProviderError, Registry, SchemaSink, StatsQuery, StatsSink};

use crate::excerpt::Excerpt;
use crate::failure::{Failure, warn};
use crate::lock::Lock;
use crate::recording::folder::RecordedVm;
use crate::recording::row::Layout;
use crate::recording::{Recorded, is_recording};
use crate::sample::{Identity, Object, Sample, Table, Timestamp, Value};
use crate::threads::spawn;
use crate::time_span::{self, Part, PlacedPart};

/// A virtual machine of a recording that is being played.
#[derive(Debug)]
pub struct Playback {
    /// The identity that was recorded.
    pub identity: Identity,
    /// The providers.
    pub registry: Registry,
}

/// The contents of the playback position.
#[derive(Clone, Debug)]
struct Moment {
    /// The last sample.
    sample: Arc<Sample>,
    /// The reason why the values are not those of now: a gap, or a file that is damaged.
    absence: Option<String>,
}

/// The playback position. The playing thread replaces it as a whole; otherwise an answer
/// could mix two samples.
type Current = Arc<Lock<Moment>>;

impl Playback {
    /// Starts to play a recording. Returns `None` if the place is not a recording.
    ///
    /// # Errors
    ///
    /// Returns an error if the recording cannot be read, if the choice of a virtual machine
    /// is missing or matches none, or if the part has no sample of it.
    pub fn start(place: &PlacedPart, vm: Option<&str>) -> Result<Option<Self>, Failure> {
        if !is_recording(&place.folder) {
            return Ok(None);
        }
        let place = PlacedPart {
            part: match place.part.clone() {
                Part::At(moment) => Part::Between(Some(moment), None),
                part => part,
            },
            ..place.clone()
        };
        let mut excerpt = Excerpt::open(&place)?;
        let folder = place.folder.display();
        let wrong = |problem: String| Failure::other(format!("{folder}: {problem}"));
        let RecordedVm { vm, identity, .. } =
            choose(excerpt.recording.vms(), vm).map_err(wrong)?.clone();
        let (from, to) = excerpt.span;
        let gap_min = excerpt.intervals().gap_min(from);
        let before = excerpt.recording.last(&vm, from)?;
        let first = before.filter(|before| from.since(before.window.end) < gap_min);
        let first = match first {
            Some(first) => first,
            None => first_between(&mut excerpt, &vm)?.ok_or_else(|| {
                let (from, to) = (time_span::date_time(from), time_span::date_time(to));
                wrong(format!("no sample of {vm} from {from} to {to}"))
            })?,
        };
        let begin = first.window.end;
        let current: Current = Arc::new(Lock::new(Moment {
            sample: first,
            absence: (begin > from).then(|| nothing_recorded(from, begin)),
        }));
        let registry = register(excerpt.recording.layouts(), &current)?;
        // `Recording` has parts that cannot move to another thread, so that the thread opens
        // its own.
        let play = move || {
            if let Err(failure) = play(&place, &vm, &current) {
                let absence = format!("the playback ended: {failure}");
                warn(&absence);
                current.lock().absence = Some(absence);
            }
        };
        spawn("playback", play)?;
        Ok(Some(Self { identity, registry }))
    }
}

/// Finds the virtual machine to play, by its name, UUID or endpoint.
fn choose<'a>(vms: &'a [RecordedVm], wanted: Option<&str>) -> Result<&'a RecordedVm, String> {
    let labels: Vec<&str> = vms.iter().map(|one| one.identity.label()).collect();
    let labels = labels.join(", ");
    let Some(wanted) = wanted else {
        return match vms {
            [only] => Ok(only),
            [] => Err("the recording has no VM".to_owned()),
            _ => Err(format!(
                "the recording has several VMs; choose one with --vm: {labels}"
            )),
        };
    };
    let mut found = vms.iter().filter(|one| {
        let identity = &one.identity;
        let names = [identity.name.as_deref(), identity.uuid.as_deref()];
        names.contains(&Some(wanted))
            || [identity.label(), &identity.endpoint, &one.vm].contains(&wanted)
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => Err(format!(
            "several VMs are called {wanted}; choose one by its endpoint, such as {} or {}",
            first.identity.endpoint, second.identity.endpoint
        )),
        (None, _) => Err(format!("no VM is called {wanted}; there are: {labels}")),
    }
}

fn first_between(excerpt: &mut Excerpt, vm: &str) -> Result<Option<Arc<Sample>>, Failure> {
    let (from, to) = excerpt.span;
    for recorded in excerpt.recording.samples(from) {
        let recorded = recorded?;
        if recorded.sample.window.begin > to {
            break;
        }
        if recorded.vm.as_ref() == vm {
            return Ok(Some(recorded.sample));
        }
    }
    Ok(None)
}

/// Registers a provider for each one of the recording.
fn register(layouts: &[Layout], current: &Current) -> Result<Registry, Failure> {
    let registry = Registry::new();
    let mut providers: Vec<(StatsProvider, Vec<Layout>)> = Vec::new();
    for layout in layouts {
        let provider = &layout.table.provider;
        match providers.iter_mut().find(|(known, _)| known == provider) {
            Some((_, layouts)) => layouts.push(layout.clone()),
            None => providers.push((provider.clone(), vec![layout.clone()])),
        }
    }
    for (name, layouts) in providers {
        let provider = Played {
            name: name.clone(),
            layouts,
            current: Arc::clone(current),
        };
        registry
            .register(name, provider)
            .map_err(|error| Failure::other(error.to_string()))?;
    }
    Ok(registry)
}

/// Replaces the playback position until the part ends. The last sample then remains, as the
/// values of a folder of statistics files do, unless the virtual machine ended before the part.
fn play(place: &PlacedPart, vm: &str, current: &Current) -> Result<(), Failure> {
    let mut excerpt = Excerpt::open(place)?;
    let (from, to) = excerpt.span;
    let intervals = excerpt.intervals().clone();
    let begin = Instant::now();
    let wait_until = |moment: Timestamp| {
        thread::sleep(moment.since(from).saturating_sub(begin.elapsed()));
    };
    let mut last = current.lock().sample.window.end;
    excerpt.each(|Recorded { vm: of, sample }| {
        if of.as_ref() != vm {
            return Ok(());
        }
        let next = sample.window.end;
        let gap_min = intervals.gap_min(last);
        if next.since(last) >= gap_min {
            wait_until(last.plus(gap_min));
            current.lock().absence = Some(nothing_recorded(last, next));
        }
        wait_until(next);
        last = next;
        *current.lock() = Moment {
            sample,
            absence: None,
        };
        Ok(())
    })?;
    let gap_min = intervals.gap_min(last);
    if to.since(last) >= gap_min {
        wait_until(last.plus(gap_min));
        current.lock().absence = Some(nothing_recorded(last, to));
    }
    Ok(())
}

fn nothing_recorded(from: Timestamp, to: Timestamp) -> String {
    let (from, to) = (time_span::date_time(from), time_span::date_time(to));
    format!("nothing was recorded from {from} to {to}")
}

/// A provider of a recording.
struct Played {
    name: StatsProvider,
    /// The tables of the provider. Several of one target contradict each other.
    layouts: Vec<Layout>,
    current: Current,
}

impl Played {
    /// Returns the description of an object's statistics: the recording's, which has those
    /// of all virtual machines, or the object's own if they contradict each other.
    fn described<'a>(&'a self, table: &'a Arc<Table>) -> &'a Table {
        let mut layouts = self.layouts.iter();
        let covering = layouts.find(|layout| layout.covers(table));
        covering.map_or(table, |layout| &layout.table)
    }
}

/// Returns the QOM path of each vCPU by its index. A vCPU of which only the index was
/// recorded gets the path that a guest of the demo would have.
fn paths(sample: &Sample) -> BTreeMap<u64, String> {
    let mut paths = BTreeMap::new();
    for object in &sample.objects {
        let Some(index) = vcpu_index(object) else {
            continue;
        };
        match &object.id.qom_path {
            Some(path) => {
                paths.insert(index, path.clone());
            }
            None => {
                paths.entry(index).or_insert_with(|| qom_path(index));
            }
        }
    }
    paths
}

fn vcpu_index(object: &Object) -> Option<u64> {
    let index = object
        .id
        .index
        .filter(|_| object.table.target == StatsTarget::Vcpu);
    index.and_then(|index| u64::try_from(index).ok())
}

impl Provider for Played {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let Moment { sample, absence } = self.current.lock().clone();
        if let Some(reason) = absence {
            return Err(ProviderError::not_now(reason));
        }
        let paths = paths(&sample);
        for object in &sample.objects {
            let table = &object.table;
            if table.provider != self.name || table.target != *query.target() {
                continue;
            }
            let path = vcpu_index(object).and_then(|index| paths.get(&index));
            sink.result(path.or(object.id.qom_path.as_ref()).map(String::as_str));
            let values = table.stats.iter().zip(&object.values);
            for (stat, value) in values.filter(|(stat, _)| query.wants_name(&stat.name)) {
                match value {
                    Value::Number(number) => sink.scalar(&stat.name, *number),
                    Value::Boolean(value) => sink.boolean(&stat.name, *value),
                    Value::Buckets(counts) => sink.histogram(&stat.name, counts),
                    Value::Absent => {}
                }
            }
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        let sample = Arc::clone(&self.current.lock().sample);
        let mut tables: Vec<&Table> = Vec::new();
        let objects = sample.objects.iter().map(|object| &object.table);
        let current = objects.filter(|table| table.provider == self.name);
        let current = current.map(|table| self.described(table));
        // A target of which the sample has no object may have one later.
        let others = self.layouts.iter().map(|layout| layout.table.as_ref());
        for table in current.chain(others) {
            if !tables.iter().any(|known| known.target == table.target) {
                tables.push(table);
            }
        }
        for table in tables {
            sink.schema(table.target.clone());
            for schema in table.stats.iter().filter_map(|stat| stat.schema.as_ref()) {
                sink.stat(schema);
            }
        }
        Ok(())
    }

    fn vcpus(&self) -> Vec<(u64, String)> {
        let sample = Arc::clone(&self.current.lock().sample);
        paths(&sample).into_iter().collect()
    }
}
