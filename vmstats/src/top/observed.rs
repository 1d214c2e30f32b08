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
use crate::printable::printable;
use crate::sample::{Sample, Timestamp};
use crate::source::{Connected, Event};

/// How long a note about a virtual machine is shown.
const NOTE_AGE_MAX: Duration = Duration::from_secs(30);

/// The number of notes that are kept of a virtual machine.
const NOTES_MAX: usize = 64;

/// News of a fleet or of a recording.
#[derive(Debug)]
pub(super) enum News {
    /// News of the virtual machine with this id and address.
    Vm(VmId, String, Event),
    /// A place was searched: `None` if it has a socket, else the reason for finding
    /// nothing.
    Place(String, Option<String>),
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
    /// The relation to its monitor.
    pub(super) condition: Condition,
    /// The moment of the last change of the condition.
    pub(super) since: Timestamp,
    /// The moment of the first news.
    pub(super) found: Timestamp,
    /// The sample from which on growth is counted, after a reset of the baseline.
    pub(super) baseline: Option<Arc<Sample>>,
    notes: VecDeque<(Timestamp, String)>,
}

impl Machine {
    /// Returns the name for people.
    pub(super) fn label(&self) -> &str {
        match &self.connected {
            Some(connected) => connected.identity.label(),
            None => {
                let last = self.endpoint.rsplit('/').next();
                last.filter(|last| !last.is_empty())
                    .unwrap_or(&self.endpoint)
            }
        }
    }

    fn note(&mut self, at: Timestamp, text: String) {
        self.notes.push_back((at, text));
        if self.notes.len() > NOTES_MAX {
            self.notes.pop_front();
        }
    }

    /// Returns what happened shortly before a moment, the latest first.
    pub(super) fn notes(&self, moment: Timestamp) -> impl Iterator<Item = &str> {
        let recent = self
            .notes
            .iter()
            .rev()
            .filter(move |(at, _)| *at <= moment && moment.since(*at) < NOTE_AGE_MAX);
        recent.map(|(_, text)| text.as_str())
    }
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
    /// The places, each with the reason why nothing is there.
    pub(super) places: BTreeMap<String, Option<String>>,
    /// The time from one sample to the next.
    pub(super) interval: Duration,
}

impl Observed {
    /// Begins without virtual machines.
    pub(super) fn new(columns: Vec<Column>, interval: Duration) -> Self {
        Self {
            columns,
            machines: BTreeMap::new(),
            history: History::default(),
            places: BTreeMap::new(),
            interval,
        }
    }

    /// Takes news into account, which came at the moment `now`.
    pub(super) fn apply(&mut self, now: Timestamp, news: News) {
        let (id, endpoint, event) = match news {
            News::Place(place, problem) => {
                self.places.insert(place, problem);
                return;
            }
            News::Vm(id, endpoint, event) => (id, endpoint, event),
        };
        let machine = self.machines.entry(id).or_insert_with(|| Machine {
            endpoint,
            connected: None,
            condition: Condition::Connecting,
            since: now,
            found: now,
            baseline: None,
            notes: VecDeque::new(),
        });
        let set = |machine: &mut Machine, condition| {
            if machine.condition != condition {
                machine.condition = condition;
                machine.since = now;
            }
        };
        match event {
            Event::Found => set(machine, Condition::Connecting),
            Event::Connected(connected) => {
                machine.connected = Some(connected);
                set(machine, Condition::Answering);
            }
            Event::Failed(reason) => set(machine, Condition::Failed(reason)),
            Event::Gone => set(machine, Condition::Gone),
            Event::Sampled(sample) => {
                set(machine, Condition::Answering);
                let last = self.history.at(id, Timestamp(u64::MAX));
                let last = last.map(|entry| Arc::clone(&entry.sample));
                let figures = figures(&self.columns, last.as_deref(), &sample);
                for note in &figures.notes {
                    machine.note(sample.window.end, note.clone());
                }
                self.history.push(id, sample, figures);
            }
        }
    }

    /// Drops the virtual machines that were gone long before a moment.
    pub(super) fn forget_gone(&mut self, now: Timestamp) {
        let gone: Vec<VmId> = self
            .machines
            .iter()
            .filter(|(_, machine)| {
                machine.condition == Condition::Gone
                    && now.since(machine.since) > super::history::AGE_MAX
            })
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.machines.remove(&id);
            self.history.forget(id);
        }
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
        let changed_later = machine.since > moment;
        match &machine.condition {
            Condition::Failed(reason) if !changed_later => return (Severity::Bad, reason.clone()),
            Condition::Gone if !changed_later => return (Severity::Bad, "gone".to_owned()),
            _ => {}
        }
        let silent = |since: Timestamp| {
            let silence = moment.since(since);
            (silence > self.patience()).then(|| {
                (
                    Severity::Bad,
                    format!("no answer for {} s", silence.as_secs()),
                )
            })
        };
        let Some(entry) = self.history.at(id, moment) else {
            return silent(machine.since)
                .unwrap_or_else(|| (Severity::Notable, "connecting".to_owned()));
        };
        if let Some(silent) = silent(entry.end()) {
            return silent;
        }
        let problems = machine.connected.iter().flat_map(|one| &one.problems);
        let problems = problems.map(String::as_str);
        let told: Vec<&str> = machine.notes(moment).chain(problems).collect();
        if told.is_empty() {
            (Severity::Good, "ok".to_owned())
        } else {
            (Severity::Notable, told.join("; "))
        }
    }

    /// Returns whether a virtual machine was there at a moment.
    pub(super) fn is_there(&self, id: VmId, moment: Timestamp) -> bool {
        let is_found = |machine: &Machine| machine.found <= moment;
        self.machines.get(&id).is_some_and(is_found) || self.history.at(id, moment).is_some()
    }

    /// Returns the silence after which a virtual machine is said not to answer.
    fn patience(&self) -> Duration {
        self.interval + self.interval.max(Duration::from_secs(1))
    }

    /// Returns the last two samples of a virtual machine at a moment.
    pub(super) fn last_two(&self, id: VmId, moment: Timestamp) -> Option<(Option<&Entry>, &Entry)> {
        let mut last = self.history.until(id, moment).rev();
        let after = last.next()?;
        Some((last.next(), after))
    }

    /// Counts growth from the samples of a moment on.
    pub(super) fn set_baseline(&mut self, moment: Option<Timestamp>) {
        for (id, machine) in &mut self.machines {
            machine.baseline = moment
                .and_then(|moment| self.history.at(*id, moment))
                .map(|entry| Arc::clone(&entry.sample));
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
