//! Tables and records for scripts.
//!
//! In: news of running virtual machines. Out: a table or lines after each interval. One
//! virtual machine that does not answer delays no table by more than half an interval.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write;
use std::time::{Duration, Instant};

use super::column::{Column, unknown};
use super::list::{Folding, Order, Row, cell, fit, rows};
use super::live::Live;
use super::observed::{Condition, Observed, Severity};
use super::records::{Form, Records};
use super::vm_id::VmId;
use crate::cli::TopArgs;
use crate::failure::{Failure, warn};
use crate::sample::Timestamp;
use crate::shutdown::{PendingSignals, ShutdownSignal};
use crate::table;
use crate::time_span::time;

/// The time after a tick by which samples have come, unless monitors are slow.
const GRACE_MAX: Duration = Duration::from_millis(500);

/// The text about a virtual machine whose socket is gone.
const GONE: &str = "the socket is gone";

/// The longest time without a look at the signals.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Prints until a signal comes, or once.
pub(super) fn run(arguments: &TopArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    let order = order(arguments);
    let options = arguments.fleet.options();
    let places = arguments.fleet.places();
    let place_count = { places.iter() }
        .map(ToString::to_string)
        .collect::<HashSet<_>>()
        .len();
    let columns = Column::all(Some(&order.column));
    let mut batch = Batch {
        arguments,
        observed: Observed::new(columns, options.interval),
        order,
        place_count,
        was_found: false,
        printed: HashMap::new(),
        records: match (arguments.json, arguments.csv) {
            (true, _) => Some(Records::new(Form::Json, arguments.skip_zeros)),
            (_, true) => Some(Records::new(Form::Csv, arguments.skip_zeros)),
            _ => None,
        },
        told: HashMap::new(),
    };
    let begin = Instant::now();
    let mut live = Live::start(places, options.clone())?;
    let grace = GRACE_MAX.min(options.interval / 2);
    let patience = if arguments.once {
        options.timeout
    } else {
        grace
    };
    let tick = if arguments.once {
        begin
    } else {
        begin + options.interval
    };
    let mut due = Due {
        earliest: tick,
        latest: begin + options.interval + patience,
    };
    loop {
        if !batch.wait(&mut live, due, &signals) {
            return Ok(());
        }
        let now = live.now();
        batch.check_places()?;
        batch.check_sort()?;
        batch.print(now, out)?;
        out.flush()?;
        if arguments.once {
            return batch.verdict(now);
        }
        batch.tell_failures(now);
        live.forget(&batch.forget_gone(now));
        // Skip missed ticks: a slow terminal gets fewer tables, not a backlog.
        let ticks = begin.elapsed().as_secs_f64() / options.interval.as_secs_f64();
        let tick = begin + options.interval.mul_f64(ticks.floor() + 1.0);
        due = Due {
            earliest: tick,
            latest: tick + grace,
        };
    }
}

/// The time of the next table.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// The moment before which nothing is printed, even if nothing is waited for.
    earliest: Instant,
    /// The moment at which monitors that have not answered are waited for no longer.
    latest: Instant,
}

fn order(arguments: &TopArgs) -> Order {
    let word = arguments.sort.as_deref().unwrap_or(super::column::EXITS);
    Order {
        column: Column::parse(word),
        is_inverted: false,
    }
}

struct Batch<'a> {
    arguments: &'a TopArgs,
    observed: Observed,
    order: Order,
    place_count: usize,
    /// True if there was a virtual machine at any time.
    was_found: bool,
    /// The end of the sample of each virtual machine that was printed last.
    printed: HashMap<VmId, Timestamp>,
    records: Option<Records>,
    /// The state of each virtual machine that was written to the standard error stream.
    told: HashMap<VmId, String>,
}

impl Batch<'_> {
    /// Waits until each virtual machine that answers has a new sample, or until it is
    /// due. Returns whether the program goes on.
    fn wait(&mut self, live: &mut Live, due: Due, signals: &ShutdownSignal) -> bool {
        loop {
            if signals.wait_timeout(Duration::ZERO) {
                return false;
            }
            let left = |moment: Instant| moment.saturating_duration_since(Instant::now());
            let early = left(due.earliest);
            let is_due = early.is_zero() && self.is_complete(live.now());
            if is_due || left(due.latest).is_zero() {
                return true;
            }
            let left = if early.is_zero() {
                left(due.latest)
            } else {
                early
            };
            if let Some(news) = live.wait(left.min(WAIT_MAX)) {
                self.observed.apply(live.now(), news);
                self.was_found |= !self.observed.machines.is_empty();
            }
        }
    }

    fn is_complete(&self, now: Timestamp) -> bool {
        let is_searched = self.observed.places.len() >= self.place_count;
        // An empty host is complete, because nothing can answer.
        is_searched
            && self
                .observed
                .machines
                .iter()
                .all(|(id, machine)| match machine.condition() {
                    Condition::Failed(_) | Condition::Gone => true,
                    Condition::Connecting if self.arguments.once => false,
                    Condition::Connecting => self.observed.state(*id, now).0 == Severity::Bad,
                    Condition::Answering => match self.observed.last_two(*id, now) {
                        Some((Some(_), last)) => {
                            self.printed.get(id) != Some(&last.end())
                                || self.observed.state(*id, now).0 == Severity::Bad
                        }
                        _ => false,
                    },
                })
    }

    /// Fails if nothing was ever found, and a place has a reason for that.
    fn check_places(&self) -> Result<(), Failure> {
        let problems: Vec<&str> = { self.observed.places.values() }
            .filter_map(|problem| problem.as_deref())
            .collect();
        if !self.was_found && !problems.is_empty() {
            Err(Failure::other(problems.join("; ")))
        } else {
            Ok(())
        }
    }

    /// Fails if the order is by a statistic that nothing has.
    fn check_sort(&self) -> Result<(), Failure> {
        let Column::Stat(name) = &self.order.column else {
            return Ok(());
        };
        let mut names = self.observed.stat_names().peekable();
        // As long as nothing was described, nothing is known to be missing.
        let is_missing =
            names.peek().is_some() && self.observed.stat_names().all(|one| one != name);
        // Nobody asked for the default order, so its absence is accepted.
        if is_missing && self.arguments.sort.is_some() {
            return Err(Failure::usage(format!(
                "--sort: {}",
                unknown(name, self.observed.stat_names())
            )));
        }
        Ok(())
    }

    fn print(&mut self, now: Timestamp, out: &mut dyn Write) -> Result<(), Failure> {
        let unfolded = BTreeSet::new();
        let folding = if self.arguments.per_vcpu {
            Folding::VcpusOnly
        } else {
            Folding::Unfolded(&unfolded)
        };
        let mut list = rows(&self.observed, now, &self.order, folding, None);
        // Print that a virtual machine is gone once: a restart needs its samples, but
        // further lines say nothing new.
        list.retain(|row| {
            let is_told = self.told.get(&row.vm).is_some_and(|told| told == GONE);
            !(is_told && self.observed.is_gone(row.vm, now))
        });
        if self.arguments.skip_zeros && self.records.is_none() {
            list.retain(|row| !is_idle(row, &self.observed.columns));
        }
        let limit = self.arguments.limit.map(usize::try_from);
        if let Some(Ok(limit)) = limit {
            list.truncate(limit);
        }
        match &mut self.records {
            Some(records) => {
                let printed = &self.printed;
                write_records(records, (&self.observed, printed), &list, now, out)?;
            }
            None => print_table(&list, &self.observed.columns, &self.order, now, out)?,
        }
        for id in self.observed.machines.keys() {
            if let Some(entry) = self.observed.history.at(*id, now) {
                self.printed.insert(*id, entry.end());
            }
        }
        Ok(())
    }

    /// Drops the virtual machines that were gone long before a moment, and returns them.
    fn forget_gone(&mut self, now: Timestamp) -> Vec<VmId> {
        let gone = self.observed.forget_gone(now);
        for id in &gone {
            self.printed.remove(id);
            self.told.remove(id);
        }
        gone
    }

    /// Returns a failure that names each virtual machine of which nothing was read in the
    /// interval, and each place where there is nothing.
    fn verdict(&self, now: Timestamp) -> Result<(), Failure> {
        let failed = self.failures(now).into_iter().map(|(_, text)| text);
        let nowhere = self.observed.places.values().flatten().cloned();
        let reasons: Vec<String> = failed.chain(nowhere).collect();
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(Failure::other(reasons.join("; ")))
        }
    }

    fn failures(&self, now: Timestamp) -> Vec<(VmId, String)> {
        let machines = self.observed.machines.iter().filter_map(|(id, machine)| {
            let (severity, state) = self.observed.state(*id, now);
            let has_rates = matches!(self.observed.last_two(*id, now), Some((Some(_), _)));
            let reason = match severity {
                Severity::Bad => state,
                _ if has_rates => return None,
                _ => "no second answer in time".to_owned(),
            };
            Some((*id, format!("{}: {reason}", machine.endpoint)))
        });
        machines.collect()
    }

    /// Writes the failures that are new to the standard error stream.
    fn tell_failures(&mut self, now: Timestamp) {
        for (id, machine) in &self.observed.machines {
            let reason = match machine.condition() {
                Condition::Failed(reason) => reason.as_str(),
                Condition::Gone => GONE,
                Condition::Answering if self.observed.state(*id, now).0 == Severity::Bad => {
                    "no answer"
                }
                Condition::Connecting | Condition::Answering => {
                    self.told.remove(id);
                    continue;
                }
            };
            if self.told.get(id).is_none_or(|told| told != reason) {
                self.told.insert(*id, reason.to_owned());
                warn(&format!("{}: {reason}", machine.endpoint));
            }
        }
    }
}

/// Returns whether all rates of a row are 0.
fn is_idle(row: &Row<'_>, columns: &[Column]) -> bool {
    let Some(numbers) = row.numbers else {
        return false;
    };
    let mut rates = columns
        .iter()
        .zip(numbers.iter())
        .filter(|(column, _)| matches!(column, Column::Stat(_) | Column::Steal | Column::Run));
    rates.all(|(_, number)| number.is_none_or(|number| number == 0.0))
}

fn print_table(
    list: &[Row<'_>],
    columns: &[Column],
    order: &Order,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let width = u16::try_from(table::width()).unwrap_or(u16::MAX);
    let columns_fit: Vec<Column> = columns
        .iter()
        .filter(|column| **column != Column::Trend)
        .cloned()
        .collect();
    // The gaps of a printed table have two cells.
    let gaps = u16::try_from(columns_fit.len()).unwrap_or(u16::MAX);
    let (places, _) = fit(&columns_fit, width.saturating_sub(gaps / 2), &order.column);
    let shown: Vec<&Column> = { places.iter() }
        .filter_map(|place| columns_fit.get(*place))
        .collect();
    let titles: Vec<String> = shown.iter().map(|column| column.title()).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut printed = table::columns(&titles);
    for (place, column) in shown.iter().enumerate() {
        if !column.is_text() {
            table::right_align(&mut printed, place);
        }
    }
    for row in list {
        let cells = shown.iter().map(|column| {
            let place = columns.iter().position(|other| other == *column);
            place.map_or_else(String::new, |place| cell(row, column, place))
        });
        printed.add_row(cells);
    }
    table::heading(out, &format!("{} UTC", time(now)))?;
    if list.is_empty() {
        writeln!(out, "no virtual machine")?;
    } else {
        table::print(out, &printed)?;
    }
    writeln!(out)?;
    Ok(())
}

fn write_records(
    records: &mut Records,
    (observed, printed): (&Observed, &HashMap<VmId, Timestamp>),
    list: &[Row<'_>],
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for row in list {
        let Some(machine) = observed.machines.get(&row.vm) else {
            continue;
        };
        match (row.state.0, observed.last_two(row.vm, now)) {
            (Severity::Bad, _) => records.write_failure(machine, now, &row.state.1, out)?,
            // Write each sample once: a script that sums rows would count its growth twice.
            (_, Some((_, after))) if printed.get(&row.vm) == Some(&after.end()) => {
                records.write_failure(machine, now, "no new answer yet", out)?;
            }
            (_, Some((before, after))) => {
                let before = before.map(|entry| &*entry.sample);
                records.write((machine, &row.scope), before, &after.sample, out)?;
            }
            (_, None) => records.write_failure(machine, now, "no answer yet", out)?,
        }
    }
    Ok(())
}
