//! `vmstats query --watch`: rates at an interval.
//!
//! In: places of monitors and a selection. Out: for each sample after the first of a
//! virtual machine, a table of what moved or lines for programs. A monitor that fails is
//! told, and tried again.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::records::{Form, Records};
use crate::changes;
use crate::cli::{Format, QueryArgs};
use crate::client::TIMEOUT;
use crate::failure::{Failure, warn};
use crate::sample::{Clock, Identity, Sample};
use crate::selection::Selection;
use crate::source::{Connected, Event, Fleet, FleetOptions, Update};
use crate::table;

/// Prints rates until the output is closed or the program is ended.
///
/// # Errors
///
/// Returns an error if the format has no rates, or if there is one monitor and it cannot
/// be asked or a part of the selection matches nothing.
pub(super) fn watch(
    arguments: &QueryArgs,
    selection: Selection,
    interval: Duration,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if arguments.format == Format::Json {
        return Err(Failure::usage(
            "--watch shows rates, which no reply has: choose --format table, jsonl or csv",
        ));
    }
    let reach = &arguments.monitors.reach;
    let options = FleetOptions {
        interval,
        timeout: reach.timeout.unwrap_or(TIMEOUT),
        credentials: reach.tls.clone(),
        selection,
        with_steal: true,
    };
    let (_fleet, updates) = Fleet::start(arguments.monitors.places(), options, Clock::start())?;
    let mut watched = Watched {
        format: arguments.format,
        is_one: arguments.monitors.is_one(),
        is_one_place: arguments.monitors.is_one_place(),
        records: Records::new(match arguments.format {
            Format::Csv => Form::Csv,
            _ => Form::Jsonl,
        }),
        machines: HashMap::new(),
    };
    for update in updates {
        watched.handle(update, out)?;
    }
    Ok(())
}

/// The virtual machines that are watched.
struct Watched {
    format: Format,
    /// True if there is a single monitor, whose failure ends the program.
    is_one: bool,
    /// True if monitors are looked for at a single place, which must have one.
    is_one_place: bool,
    records: Records,
    /// The virtual machines that answered, by their numbers in the fleet.
    machines: HashMap<usize, Machine>,
}

/// A virtual machine that answered, with its last sample.
struct Machine {
    connected: Arc<Connected>,
    last: Option<Arc<Sample>>,
}

impl Watched {
    fn handle(&mut self, update: Update, out: &mut dyn Write) -> Result<(), Failure> {
        match update {
            Update::Place(_, None) | Update::Vm(_, Event::Found) => Ok(()),
            Update::Place(_, Some(problem)) => {
                if self.is_one_place && self.machines.is_empty() {
                    return Err(Failure::other(problem));
                }
                warn(&problem);
                Ok(())
            }
            Update::Vm(vm, Event::Connected(connected)) => {
                let problems = connected.problems.join("; ");
                let last = self
                    .machines
                    .remove(&vm.id)
                    .and_then(|machine| machine.last);
                self.machines.insert(vm.id, Machine { connected, last });
                if problems.is_empty() {
                    Ok(())
                } else {
                    self.fail(&format!("{}: {problems}", vm.endpoint))
                }
            }
            Update::Vm(vm, Event::Failed(reason)) => {
                let is_known = self.machines.contains_key(&vm.id);
                let told = format!("{}: {reason}", vm.endpoint);
                if self.is_one && !is_known {
                    return Err(Failure::other(reason));
                }
                warn(&told);
                Ok(())
            }
            Update::Vm(vm, Event::Gone) => {
                self.machines.remove(&vm.id);
                warn(&format!("{}: the socket is gone", vm.endpoint));
                Ok(())
            }
            Update::Vm(vm, Event::Sampled(sample)) => {
                let Some(machine) = self.machines.get_mut(&vm.id) else {
                    return Ok(());
                };
                let before = machine.last.replace(Arc::clone(&sample));
                let identity = &machine.connected.identity;
                match before {
                    Some(before) => print(
                        (self.format, self.is_one, &mut self.records),
                        identity,
                        (&before, &sample),
                        out,
                    ),
                    None if self.format == Format::Table && !sample.absences.is_empty() => {
                        if !self.is_one {
                            table::heading(out, &format!("== {}", identity.endpoint))?;
                        }
                        Ok(changes::print_absences(&sample, out)?)
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// Ends the program if there is a single monitor. Otherwise tells the problem.
    fn fail(&self, problem: &str) -> Result<(), Failure> {
        if self.is_one {
            return Err(Failure::other(problem));
        }
        warn(problem);
        Ok(())
    }
}

fn print(
    (format, is_one, records): (Format, bool, &mut Records),
    identity: &Identity,
    (before, after): (&Sample, &Sample),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if format == Format::Table {
        if !is_one {
            table::heading(out, &format!("== {}", identity.endpoint))?;
        }
        changes::print(before, after, out)?;
    } else {
        records.changes(identity, before, after, out)?;
    }
    // A reader in a pipe wants each sample when it is taken.
    Ok(out.flush()?)
}
