//! The state of the screen.
//!
//! In: news, and what the keys mean. Out: the rows that are shown, and what is selected.
//! This file knows neither keys nor a terminal.

use std::collections::BTreeSet;
use std::time::Duration;

use regex_lite::Regex;

use super::column::Column;
use super::history::{AGE_MAX, Entry, shown_at};
use super::list::{self, Folding, Order, natural};
use super::observed::{News, Observed, Severity};
use super::records::is_zero;
use super::series::StatKey;
use super::stats::{self, Origin, Scope, Since, StatRow};
use super::vm_id::VmId;
use crate::sample::{Sample, Timestamp};
use crate::time_span::length;

/// The part of the screen that the keys act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    /// The list of virtual machines.
    Machines,
    /// The statistics of the selected row.
    Stats,
    /// One statistic, which takes the whole screen.
    Detail,
}

/// Something that covers the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlay {
    /// The keys, from the line with this number on.
    Help(usize),
    /// The meaning of the selected statistic.
    Meaning,
}

/// The column that statistics are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatsColumn {
    /// The name.
    Name,
    /// The rate.
    Rate,
    /// The total.
    Total,
}

impl StatsColumn {
    /// All columns, from left to right.
    pub(super) const ALL: [Self; 3] = [Self::Name, Self::Rate, Self::Total];
}

/// A question at the bottom of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// A regular expression for names of statistics.
    Names,
    /// A regular expression for names of virtual machines.
    Machines,
    /// The interval in seconds.
    Interval,
    /// How far to jump, or to which time.
    Jump {
        /// True for a jump to an earlier moment.
        is_back: bool,
    },
}

/// A question with the answer so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    /// The question.
    pub(super) question: Question,
    /// The answer so far.
    pub(super) text: String,
}

/// How the screen is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// True if the terminal has colours.
    pub(super) has_color: bool,
    /// True if only ASCII is drawn.
    pub(super) is_ascii: bool,
}

/// A recording that is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Replay {
    /// How many times as fast as it was.
    pub(super) speed: f64,
    /// The first and the last moment.
    pub(super) span: (Timestamp, Timestamp),
}

/// Everything that the screen shows.
#[derive(Debug)]
pub(super) struct State {
    /// The virtual machines.
    pub(super) observed: Observed,
    /// The current moment.
    pub(super) now: Timestamp,
    /// The moment that is shown instead of the current one.
    pub(super) paused: Option<Timestamp>,
    /// The recording that is played; `None` for running virtual machines.
    pub(super) replay: Option<Replay>,
    /// True if a recording was played to its end.
    pub(super) is_at_end: bool,
    /// The order of the list.
    pub(super) order: Order,
    /// The order of the statistics.
    pub(super) stats_order: (StatsColumn, bool),
    /// The selected row; `None` is the first.
    pub(super) selected: Option<(VmId, Scope)>,
    /// The virtual machines whose vCPUs are shown.
    pub(super) unfolded: BTreeSet<VmId>,
    /// The selected statistic; `None` is the first.
    pub(super) stat: Option<StatKey>,
    /// The part that keys act on.
    pub(super) focus: Focus,
    /// The cover of the screen.
    pub(super) overlay: Option<Overlay>,
    /// The filter of statistics.
    pub(super) names: Option<Regex>,
    /// The filter of virtual machines.
    pub(super) machines: Option<Regex>,
    /// True if statistics that are 0 are shown.
    pub(super) has_zeros: bool,
    /// The question at the bottom.
    pub(super) prompt: Option<Prompt>,
    /// A sentence at the bottom, until the next key.
    pub(super) message: Option<String>,
    /// How the screen is drawn.
    pub(super) look: Look,
}

impl State {
    /// Begins at a moment.
    pub(super) fn new(observed: Observed, order: Order, now: Timestamp, look: Look) -> Self {
        Self {
            observed,
            now,
            paused: None,
            replay: None,
            is_at_end: false,
            order,
            stats_order: (StatsColumn::Rate, false),
            selected: None,
            unfolded: BTreeSet::new(),
            stat: None,
            focus: Focus::Machines,
            overlay: None,
            names: None,
            machines: None,
            has_zeros: false,
            prompt: None,
            message: None,
            look,
        }
    }

    /// Returns the moment that is shown.
    pub(super) fn moment(&self) -> Timestamp {
        self.paused.unwrap_or(self.now)
    }

    /// Returns the rows of the list.
    pub(super) fn list(&self) -> Vec<list::Row<'_>> {
        let folding = Folding::Unfolded(&self.unfolded);
        list::rows(
            &self.observed,
            self.moment(),
            &self.order,
            folding,
            self.machines.as_ref(),
        )
    }

    /// Returns the place of the selected row in the list.
    pub(super) fn selected_place(&self, list: &[list::Row<'_>]) -> usize {
        let Some((vm, scope)) = &self.selected else {
            return 0;
        };
        let exact = list
            .iter()
            .position(|row| row.vm == *vm && row.scope == *scope);
        // A vCPU that was unplugged or folded in leaves its virtual machine selected.
        exact
            .or_else(|| list.iter().position(|row| row.vm == *vm))
            .unwrap_or(0)
    }

    /// Returns the statistics of a row, sorted, and the number of hidden ones that are 0.
    /// If the virtual machine cannot be read, its statistics keep their order, and have
    /// no values.
    pub(super) fn stats<'a>(&'a self, vm: VmId, scope: &Scope) -> (Vec<StatRow<'a>>, usize) {
        let Some((before, after)) = self.observed.last_two(vm, self.moment()) else {
            return (Vec::new(), 0);
        };
        let before = before.map(|entry| &*entry.sample);
        let origin = match self.observed.baseline {
            None => Origin::Start,
            Some(_) => Origin::Baseline(self.baseline(vm).filter(|baseline| {
                // A baseline was set while an earlier moment is shown.
                baseline.window.end <= after.end()
            })),
        };
        let mut rows = stats::rows(scope, before, &after.sample, origin);
        if let Some(names) = &self.names {
            rows.retain(|row| names.is_match(&row.stat.name) || names.is_match(&row.label()));
        }
        let all = rows.len();
        if !self.has_zeros {
            rows.retain(|row| !is_zero(row));
        }
        let hidden = all - rows.len();
        let (column, is_inverted) = self.stats_order;
        rows.sort_by(|left, right| {
            let by_name = || natural(&left.stat.name, &right.stat.name);
            let order = match column {
                StatsColumn::Name => by_name(),
                StatsColumn::Rate => rank(right).total_cmp(&rank(left)),
                StatsColumn::Total => total(right).cmp(&total(left)),
            };
            let order = if is_inverted { order.reverse() } else { order };
            order.then_with(by_name)
        });
        let (severity, state) = self.observed.state(vm, self.moment());
        if severity == Severity::Bad {
            for row in &mut rows {
                (row.value, row.elapsed) = (None, None);
                row.since = Since::Baseline(None);
                row.reason = Some(state.clone());
            }
        }
        (rows, hidden)
    }

    /// Returns the sample from which the totals of a virtual machine count.
    pub(super) fn baseline(&self, vm: VmId) -> Option<&Sample> {
        let machine = self.observed.machines.get(&vm)?;
        machine.baseline.as_deref()
    }

    /// Returns the place of the selected statistic among rows.
    pub(super) fn stat_place(&self, rows: &[StatRow<'_>]) -> usize {
        let selected = self.stat.as_ref();
        let place = selected.and_then(|key| rows.iter().position(|row| is_key(row, key)));
        place.unwrap_or(0)
    }

    /// Lets the keys act on another part of the screen. The selected row remains selected
    /// when the order of rows changes, even if it was selected only by being the first.
    pub(super) fn set_focus(&mut self, focus: Focus) {
        if self.focus == Focus::Machines {
            self.step(0);
        }
        self.focus = focus;
    }

    /// Moves the selection in the part that keys act on.
    pub(super) fn step(&mut self, by: isize) {
        match self.focus {
            Focus::Machines => {
                let list = self.list();
                let place = moved(self.selected_place(&list), by, list.len());
                let row = list.get(place).map(|row| (row.vm, row.scope.clone()));
                self.selected = row;
            }
            Focus::Stats | Focus::Detail => {
                let list = self.list();
                let Some(row) = list.get(self.selected_place(&list)) else {
                    return;
                };
                let (rows, _) = self.stats(row.vm, &row.scope);
                let place = moved(self.stat_place(&rows), by, rows.len());
                self.stat = rows.get(place).map(key);
            }
        }
    }

    /// Folds the vCPUs of the selected virtual machine out or in.
    pub(super) fn fold(&mut self) {
        let list = self.list();
        let row = list.get(self.selected_place(&list));
        let Some((vm, scope)) = row.map(|row| (row.vm, row.scope.clone())) else {
            return;
        };
        if !self.unfolded.remove(&vm) {
            self.unfolded.insert(vm);
        }
        // A vCPU that is folded in leaves its virtual machine selected.
        self.selected = Some((
            vm,
            if self.unfolded.contains(&vm) {
                scope
            } else {
                Scope::Vm
            },
        ));
    }

    /// Folds all vCPUs out, or in if all are out.
    pub(super) fn fold_all(&mut self) {
        let all: BTreeSet<VmId> = self.observed.machines.keys().copied().collect();
        if self.unfolded.is_superset(&all) {
            self.unfolded.clear();
        } else {
            self.unfolded = all;
        }
    }

    /// Opens what is selected: the vCPUs of a virtual machine, then its statistics, then
    /// one statistic.
    pub(super) fn open(&mut self) {
        match self.focus {
            Focus::Machines => {
                let list = self.list();
                let row = list.get(self.selected_place(&list));
                let is_folded = row
                    .is_some_and(|row| row.scope == Scope::Vm && !self.unfolded.contains(&row.vm));
                if is_folded {
                    self.fold();
                } else {
                    self.set_focus(Focus::Stats);
                }
            }
            Focus::Stats => {
                // Remember what is selected, because the order of rows changes.
                self.step(0);
                if self.stat.is_some() {
                    self.focus = Focus::Detail;
                }
            }
            Focus::Detail => {}
        }
    }

    /// Goes back from what was opened: a chart, statistics, or the vCPUs of a virtual
    /// machine.
    pub(super) fn back(&mut self) {
        match self.focus {
            Focus::Detail => self.focus = Focus::Stats,
            Focus::Stats => self.focus = Focus::Machines,
            Focus::Machines => {
                let list = self.list();
                let selected = list.get(self.selected_place(&list)).map(|row| row.vm);
                if selected.is_some_and(|vm| self.unfolded.contains(&vm)) {
                    self.fold();
                } else {
                    self.unfolded.clear();
                }
            }
        }
    }

    /// Sorts by the next column to the right or to the left.
    pub(super) fn sort_beside(&mut self, shown: &[Column], is_right: bool) {
        if self.focus == Focus::Machines {
            let sortable: Vec<&Column> = shown.iter().filter(|one| one.is_sortable()).collect();
            let place = sortable.iter().position(|one| **one == self.order.column);
            let place = beside(place.unwrap_or(0), sortable.len(), is_right);
            if let Some(column) = sortable.get(place) {
                self.order.column = (*column).clone();
            }
        } else {
            let all = StatsColumn::ALL;
            let place = all.iter().position(|one| *one == self.stats_order.0);
            let place = beside(place.unwrap_or(0), all.len(), is_right);
            if let Some(column) = all.get(place) {
                self.stats_order.0 = *column;
            }
        }
    }

    /// Inverts the order of the part that keys act on.
    pub(super) fn invert(&mut self) {
        if self.focus == Focus::Machines {
            self.order.is_inverted = !self.order.is_inverted;
        } else {
            self.stats_order.1 = !self.stats_order.1;
        }
    }

    /// Returns the selected virtual machine; `None` if the list is empty.
    pub(super) fn selected_vm(&self) -> Option<VmId> {
        let list = self.list();
        list.get(self.selected_place(&list)).map(|row| row.vm)
    }

    /// Shows the sample after or before the one that is shown. Other virtual machines
    /// than the selected one show their last sample at that time. Returns whether there
    /// is such a sample.
    pub(super) fn step_time(&mut self, is_forward: bool) -> bool {
        let Some(vm) = self.selected_vm() else {
            return false;
        };
        let history = &self.observed.history;
        let moment = self.moment();
        let target = if is_forward {
            history.after(vm, moment)
        } else {
            self.observed
                .last_two(vm, moment)
                .and_then(|(before, _)| before)
        };
        let Some(end) = target.map(Entry::end) else {
            return false;
        };
        let next = history.after(vm, end).map_or(self.now, Entry::end);
        let interval = self.observed.interval_at(end);
        self.paused = Some(shown_at(end, Some(next), interval));
        true
    }

    /// Returns a sentence for the first or the last sample.
    pub(super) fn end_of_history(&self, is_forward: bool) -> String {
        if self.replay.is_some() {
            let end = if is_forward { "last" } else { "first" };
            format!("this is the {end} sample of the recording")
        } else if is_forward {
            "this is the last sample; space goes on".to_owned()
        } else {
            format!(
                "this is the first sample; those of the last {} are kept",
                length(AGE_MAX)
            )
        }
    }

    /// Returns the first and the last moment that can be shown.
    pub(super) fn span(&self) -> (Timestamp, Timestamp) {
        let begin = || self.observed.history.begin().unwrap_or(self.now);
        self.replay
            .map_or_else(|| (begin(), self.now), |replay| replay.span)
    }

    /// Shows a moment of running virtual machines, as near as there are samples.
    pub(super) fn jump(&mut self, moment: Timestamp) {
        let (begin, _) = self.span();
        if moment < begin || moment > self.now {
            self.message = Some(self.end_of_history(moment > self.now));
        }
        self.paused = Some(moment.max(begin).min(self.now));
    }

    /// Returns the interval at the moment that is shown.
    pub(super) fn interval(&self) -> Duration {
        self.observed.interval_at(self.moment())
    }

    /// Takes news into account, which came at a moment.
    pub(super) fn apply(&mut self, moment: Timestamp, news: News) {
        self.observed.history.pin(self.paused);
        self.observed.apply(moment, news);
    }
}

/// Returns what identifies the statistic of a row.
pub(super) fn key(row: &StatRow<'_>) -> StatKey {
    StatKey {
        provider: row.table.provider.clone(),
        target: row.table.target.clone(),
        name: row.stat.name.clone(),
    }
}

/// Returns whether a row is about a statistic.
pub(super) fn is_key(row: &StatRow<'_>, key: &StatKey) -> bool {
    row.stat.name == key.name
        && row.table.provider == key.provider
        && row.table.target == key.target
}

/// Returns the rate of a row; statistics without one come after all that have one.
fn rank(row: &StatRow<'_>) -> f64 {
    use crate::rates::Amount;
    match row.value.as_ref().map(|value| &value.amount) {
        Some(Amount::Count { per_second, .. } | Amount::Histogram { per_second, .. }) => {
            *per_second
        }
        Some(_) => -1.0,
        None => -2.0,
    }
}

/// Returns the total of a row.
pub(super) fn total(row: &StatRow<'_>) -> Option<u128> {
    use crate::rates::Amount;
    if let Since::Baseline(growth) = row.since {
        return growth;
    }
    Some(match &row.value.as_ref()?.amount {
        Amount::Count { total, .. } | Amount::Sum(total) => *total,
        Amount::Histogram { totals, .. } => totals.iter().map(|count| u128::from(*count)).sum(),
        Amount::True(count) => u128::try_from(*count).unwrap_or(u128::MAX),
        Amount::Highest(highest) => u128::from(*highest),
    })
}

fn moved(place: usize, by: isize, length: usize) -> usize {
    place
        .saturating_add_signed(by)
        .min(length.saturating_sub(1))
}

fn beside(place: usize, length: usize, is_right: bool) -> usize {
    if is_right {
        (place + 1).min(length.saturating_sub(1))
    } else {
        place.saturating_sub(1)
    }
}
