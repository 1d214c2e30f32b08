//! The virtual machines that are observed, with their samples.
//!
//! In: news of a fleet or of a recording. Out: for each virtual machine whether it
//! answers, what happened to it, and its samples. This file knows nothing of screens.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::column::Column;
use super::figures::figures;
use super::history::{Entry, History};
use super::vm_id::VmId;
use crate::intervals::Intervals;
use crate::printable::printable;
use crate::sample::{Sample, Timestamp, endpoint_label};
use crate::source::{Connected, Event};

/// How long a note about a virtual machine is shown.
const NOTE_AGE_MAX: Duration = Duration::from_secs(30);

/// The number of notes, and of relations to its monitor, that are kept of each virtual
/// machine.
const NOTES_MAX: usize = 256;

/// News of a fleet or of a recording.
#[derive(Debug)]
pub(super) enum News {
    /// News of the virtual machine with this id and address.
    Vm(VmId, String, Event),
    /// A place was searched: `None` if it has a socket, else the reason for finding
    /// nothing.
    Place(String, Option<String>),
    /// Something happened to the recording, as a sentence.
    Told(String),
}

/// The relation to the monitor of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Its monitor was not reached yet.
    Connecting,
    /// Its monitor answered the last time.
    Answering,
    /// Its monitor cannot be asked, for this reason.
    Failed(String),
    /// Its socket is gone.
    Gone,
}

/// How much a state concerns an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// All is well.
    Good,
    /// Something happened, or is not complete.
    Notable,
    /// The virtual machine cannot be read.
    Bad,
}

/// A virtual machine.
#[derive(Debug)]
pub(super) struct Machine {
    /// The address of its monitor.
    pub(super) endpoint: String,
    /// The description by its monitor.
    pub(super) connected: Option<Arc<Connected>>,
    /// The moment of the first news.
    pub(super) found: Timestamp,
    /// The sample from which totals count, if there is a baseline: the one at the
    /// baseline, or the first one after it from which counters did not begin again.
    pub(super) baseline: Option<Arc<Sample>>,
    /// The relations to its monitor in the order of time, each with its begin.
    conditions: VecDeque<(Timestamp, Condition)>,
    notes: VecDeque<(Timestamp, String)>,
}

impl Machine {
    /// Returns the relation to its monitor at a moment, and the begin of that relation.
    fn condition_at(&self, moment: Timestamp) -> (Timestamp, &Condition) {
        let mut begun = self.conditions.iter().rev();
        let last = begun.find(|(begin, _)| *begin <= moment);
        last.map_or(
            (self.found, &Condition::Connecting),
            |(begin, condition)| (*begin, condition),
        )
    }

    /// Returns the last known relation to its monitor.
    pub(super) fn condition(&self) -> &Condition {
        self.condition_at(Timestamp(u64::MAX)).1
    }

    fn set_condition(&mut self, at: Timestamp, condition: Condition) {
        if *self.condition_at(at).1 == condition {
            return;
        }
        // Insert by time: in a replay a sample is told at its begin but dated at its end,
        // so an event may arrive after one of a later date.
        let place = self.conditions.partition_point(|(begin, _)| *begin <= at);
        self.conditions.insert(place, (at, condition));
        if self.conditions.len() > NOTES_MAX {
            self.conditions.pop_front();
        }
    }

    /// Returns the name for people.
    pub(super) fn label(&self) -> &str {
        match &self.connected {
            Some(connected) => connected.identity.label(),
            None => endpoint_label(&self.endpoint),
        }
    }
}

fn keep(notes: &mut VecDeque<(Timestamp, String)>, at: Timestamp, text: String) {
    notes.push_back((at, text));
    if notes.len() > NOTES_MAX {
        notes.pop_front();
    }
}

/// Returns the notes of the time shortly before a moment, the latest first.
fn recent(notes: &VecDeque<(Timestamp, String)>, moment: Timestamp) -> impl Iterator<Item = &str> {
    let is_recent = move |at: Timestamp| at <= moment && moment.since(at) < NOTE_AGE_MAX;
    let recent = notes.iter().rev().filter(move |(at, _)| is_recent(*at));
    recent.map(|(_, text)| text.as_str())
}

/// All virtual machines.
#[derive(Debug)]
pub(super) struct Observed {
    /// The columns that figures are computed for.
    pub(super) columns: Vec<Column>,
    /// The virtual machines, by their ids.
    pub(super) machines: BTreeMap<VmId, Machine>,
    /// Their samples.
    pub(super) history: History,
    /// The moment from which totals count, instead of the start.
    pub(super) baseline: Option<Timestamp>,
    /// Sentences about all of them.
    notes: VecDeque<(Timestamp, String)>,
    /// The places, each with the reason why nothing is there.
    pub(super) places: BTreeMap<String, Option<String>>,
    /// The times from one sample to the next.
    intervals: Intervals,
}

impl Observed {
    /// Begins without virtual machines.
    pub(super) fn new(columns: Vec<Column>, intervals: impl Into<Intervals>) -> Self {
        Self {
            columns,
            machines: BTreeMap::new(),
            history: History::default(),
            baseline: None,
            notes: VecDeque::new(),
            places: BTreeMap::new(),
            intervals: intervals.into(),
        }
    }

    /// Returns the time from one sample to the next at a moment.
    pub(super) fn interval_at(&self, moment: Timestamp) -> Duration {
        self.intervals.at(moment)
    }

    /// Changes the time from one sample to the next from a moment on.
    pub(super) fn set_interval(&mut self, now: Timestamp, interval: Duration) {
        self.intervals.change(now, interval);
    }

    /// Takes news into account, which came at the moment `now`.
    pub(super) fn apply(&mut self, now: Timestamp, news: News) {
        let (id, endpoint, event) = match news {
            News::Place(place, problem) => {
                self.places.insert(place, problem);
                return;
            }
            News::Told(text) => {
                keep(&mut self.notes, now, text);
                return;
            }
            News::Vm(id, endpoint, event) => (id, endpoint, event),
        };
        let machine = self.machines.entry(id).or_insert_with(|| Machine {
            endpoint,
            connected: None,
            found: now,
            baseline: None,
            conditions: VecDeque::new(),
            notes: VecDeque::new(),
        });
        match event {
            Event::Found => machine.set_condition(now, Condition::Connecting),
            Event::Connected(connected) => {
                machine.connected = Some(connected);
                machine.set_condition(now, Condition::Answering);
            }
            Event::Failed(reason) => machine.set_condition(now, Condition::Failed(reason)),
            Event::Gone => machine.set_condition(now, Condition::Gone),
            Event::Sampled(sample) => {
                machine.set_condition(now, Condition::Answering);
                let last = self.history.at(id, Timestamp(u64::MAX));
                let last = last.map(|entry| Arc::clone(&entry.sample));
                let figures = figures(&self.columns, last.as_deref(), &sample);
                for note in &figures.notes {
                    keep(&mut machine.notes, sample.window.end, note.clone());
                }
                if self.baseline.is_some() && (machine.baseline.is_none() || figures.has_reset) {
                    machine.baseline = Some(Arc::clone(&sample));
                }
                self.history.push(id, sample, figures);
            }
        }
    }

    /// Drops the virtual machines that were gone long before a moment, and returns them.
    pub(super) fn forget_gone(&mut self, now: Timestamp) -> Vec<VmId> {
        let gone: Vec<VmId> = self
            .machines
            .iter()
            .filter(|(_, machine)| {
                let (since, condition) = machine.condition_at(now);
                *condition == Condition::Gone && now.since(since) > super::history::AGE_MAX
            })
            .map(|(id, _)| *id)
            .collect();
        for id in &gone {
            self.machines.remove(id);
            self.history.forget(*id);
        }
        gone
    }

    /// Returns the names of the virtual machines for people. Names that several have are
    /// followed by the address, because only the address is unique.
    pub(super) fn labels(&self) -> BTreeMap<VmId, String> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for machine in self.machines.values() {
            *counts.entry(machine.label()).or_default() += 1;
        }
        let labels = self.machines.iter().map(|(id, machine)| {
            let label = machine.label();
            let is_one = counts.get(label) == Some(&1);
            let text = if is_one {
                label.to_owned()
            } else {
                format!("{label} {}", machine.endpoint)
            };
            (*id, printable(&text).into_owned())
        });
        labels.collect()
    }

    /// Returns a virtual machine's state at a moment, in a few words.
    pub(super) fn state(&self, id: VmId, moment: Timestamp) -> (Severity, String) {
        let Some(machine) = self.machines.get(&id) else {
            return (Severity::Bad, String::new());
        };
        let (since, condition) = machine.condition_at(moment);
        match condition {
            Condition::Failed(reason) => return (Severity::Bad, reason.clone()),
            Condition::Gone => return (Severity::Bad, "gone".to_owned()),
            Condition::Connecting | Condition::Answering => {}
        }
        let silent = |since: Timestamp| {
            let silence = moment.since(since);
            (silence > self.patience(since, moment)).then(|| {
                (
                    Severity::Bad,
                    format!("no answer for {} s", silence.as_secs()),
                )
            })
        };
        let Some(entry) = self.history.at(id, moment) else {
            if self.history.has_dropped(id) {
                return (Severity::Notable, "not kept any more".to_owned());
            }
            return silent(since).unwrap_or_else(|| (Severity::Notable, "connecting".to_owned()));
        };
        if let Some(silent) = silent(entry.end()) {
            return silent;
        }
        let problems = machine.connected.iter().flat_map(|one| &one.problems);
        let problems = problems.map(String::as_str);
        let told: Vec<&str> = recent(&machine.notes, moment).chain(problems).collect();
        if told.is_empty() {
            (Severity::Good, "ok".to_owned())
        } else {
            (Severity::Notable, told.join("; "))
        }
    }

    /// Returns what happened to all of them shortly before a moment.
    pub(super) fn note(&self, moment: Timestamp) -> Option<&str> {
        recent(&self.notes, moment).next()
    }

    /// Returns whether a virtual machine was there at a moment.
    pub(super) fn is_there(&self, id: VmId, moment: Timestamp) -> bool {
        let is_found = |machine: &Machine| machine.found <= moment;
        self.machines.get(&id).is_some_and(is_found) || self.history.at(id, moment).is_some()
    }

    /// Returns whether the socket of a virtual machine was gone at a moment.
    pub(super) fn is_gone(&self, id: VmId, moment: Timestamp) -> bool {
        let machine = self.machines.get(&id);
        machine.is_some_and(|machine| *machine.condition_at(moment).1 == Condition::Gone)
    }

    /// Returns the silence after which a virtual machine is said not to answer: two
    /// intervals, and never less than a second more than one, because a state that
    /// changes several times a second cannot be read. The interval is the longest that
    /// was used in the silence.
    fn patience(&self, since: Timestamp, moment: Timestamp) -> Duration {
        let interval = self.intervals.between(since, moment).max();
        let interval = interval.unwrap_or_default();
        interval + interval.max(Duration::from_secs(1))
    }

    /// Returns the last two samples of a virtual machine at a moment.
    pub(super) fn last_two(&self, id: VmId, moment: Timestamp) -> Option<(Option<&Entry>, &Entry)> {
        let mut last = self.history.until(id, moment).rev();
        let after = last.next()?;
        Some((last.next(), after))
    }

    /// Counts totals from a moment on; `None` is the start.
    pub(super) fn set_baseline(&mut self, moment: Option<Timestamp>) {
        self.baseline = moment;
        for (id, machine) in &mut self.machines {
            let baseline = moment.and_then(|moment| {
                let all = self.history.until(*id, Timestamp(u64::MAX)).rev();
                let mut later = all.take_while(|entry| entry.end() > moment);
                let reset = later.find(|entry| entry.figures.has_reset);
                reset
                    .or_else(|| self.history.at(*id, moment))
                    .or_else(|| self.history.after(*id, moment))
            });
            machine.baseline = baseline.map(|entry| Arc::clone(&entry.sample));
        }
    }

    /// Returns the names of all statistics that were described or read.
    pub(super) fn stat_names(&self) -> impl Iterator<Item = &str> {
        let described = self
            .machines
            .values()
            .filter_map(|one| one.connected.as_ref());
        described
            .flat_map(|connected| &connected.tables)
            .flat_map(|table| table.stats.iter().map(|stat| stat.name.as_str()))
    }
}
