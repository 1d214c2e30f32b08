//! The thread that writes lines.
//!
//! In: news of virtual machines. Out: lines in the tail of a recording, whose names and
//! numbers go on where the recorder before ended. Nothing here connects to monitors.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::progress::tell;
use super::sealer::Sealer;
use crate::failure::Failure;
use crate::recording::folder::{About, RecordedVm};
use crate::recording::line::{write_absences, write_event, write_row};
use crate::recording::row::{Event, EventKind, Layout, Row};
use crate::sample::{Clock, Identity, Sample, Table, Timestamp};
use crate::source::{self, Connected, Update};

/// A tail that is older is sealed.
const TAIL_AGE_MAX: Duration = Duration::from_secs(600);

/// A difference of clocks that is a step, not slewing.
const STEP_NANOS_MIN: u64 = 500_000_000;

/// The number of samples between two changes of the highest number in the description.
const SAMPLE_NUMBERS: u64 = 1_000_000;

/// A monitor that is being recorded.
#[derive(Default)]
struct Monitor {
    /// The name of its virtual machine in the rows.
    vm: Option<Arc<str>>,
    /// The run of the virtual machine in the rows.
    run: u32,
    /// The reason why nothing can be read.
    failure: Option<String>,
    /// The parts of the selection that nothing matches.
    problems: Vec<String>,
    /// The tables with the places of their layouts.
    tables: Vec<(Arc<Table>, usize)>,
}

/// The number of samples and events that could not be written.
#[derive(Default)]
struct Lost {
    samples: u64,
    events: u64,
}

/// The writer of a recording's lines.
pub(super) struct Recorder {
    folder: Folder,
    about: About,
    clock: Clock,
    sealer: Sealer,
    tail_bytes_max: u64,
    /// The monitors by their addresses.
    monitors: HashMap<String, Monitor>,
    /// The last run of each virtual machine that this recorder met, as its source counts.
    runs: HashMap<Arc<str>, u32>,
    /// The values that cannot be read of each virtual machine, as the tail says it.
    absences: HashMap<Arc<str>, String>,
    tail_begin: Instant,
    /// The samples and events that could not be written since the last line that was.
    lost: Lost,
    /// The number of samples that could not be written.
    lost_samples: u64,
    /// The number of samples with values that were written.
    samples: u64,
    /// The number of the last sample.
    number: u64,
    /// The nanoseconds by which the wall clock is ahead, as the recording says it.
    wall_ahead: i64,
    /// The last reason why nothing was read.
    last_reason: Option<String>,
    /// True if the description in the folder has everything that a line needs.
    is_described: bool,
    /// True if the last line could not be written.
    is_failing: bool,
    /// True if the last try to begin another tail failed.
    is_stuck: bool,
}

impl Recorder {
    /// Makes a recorder for a folder. A tail is sealed when it is larger than
    /// `tail_bytes_max`.
    pub(super) fn new(
        folder: Folder,
        about: About,
        clock: Clock,
        sealer: Sealer,
        tail_bytes_max: u64,
    ) -> Self {
        Self {
            folder,
            number: about.sample_max,
            about,
            clock,
            sealer,
            tail_bytes_max,
            monitors: HashMap::new(),
            runs: HashMap::new(),
            absences: HashMap::new(),
            tail_begin: Instant::now(),
            lost: Lost::default(),
            lost_samples: 0,
            samples: 0,
            wall_ahead: clock.wall_ahead_nanos(),
            last_reason: None,
            is_described: true,
            is_failing: false,
            is_stuck: false,
        }
    }

    /// Writes an event that is about the recording.
    pub(super) fn note(&mut self, kind: EventKind, text: String) {
        self.event(None, kind, text);
    }

    /// Writes the lines of an update.
    pub(super) fn take(&mut self, update: Update) {
        match update {
            Update::Place(_, Some(reason)) => {
                tell(&reason);
                self.last_reason = Some(reason.clone());
                self.event(None, EventKind::Failed, reason);
            }
            Update::Place(_, None) => {}
            Update::Vm(vm, event) => self.news(&vm.endpoint.to_string(), event),
        }
    }

    fn news(&mut self, endpoint: &str, event: source::Event) {
        match event {
            source::Event::Found => {}
            source::Event::Connected(connected) => self.connected(endpoint, &connected),
            source::Event::Sampled(sample) => self.sample(endpoint, &sample),
            source::Event::Failed(reason) => self.failed(endpoint, reason),
            source::Event::Gone => {
                tell(&format!("{endpoint}: the socket is gone"));
                let vm = self.vm(endpoint);
                self.monitors.remove(endpoint);
                self.event(Some(&vm), EventKind::Gone, String::new());
            }
        }
    }

    fn monitor(&mut self, endpoint: &str) -> &mut Monitor {
        self.monitors.entry(endpoint.to_owned()).or_default()
    }

    /// Returns the name in the rows; the address if the monitor has not answered yet.
    fn vm(&mut self, endpoint: &str) -> Arc<str> {
        let vm = self.monitor(endpoint).vm.clone();
        vm.unwrap_or_else(|| Arc::from(endpoint))
    }

    /// Tells why nothing can be read of a virtual machine, unless it was told before.
    fn failed(&mut self, endpoint: &str, reason: String) {
        let monitor = self.monitor(endpoint);
        if monitor.failure.as_ref() == Some(&reason) {
            return;
        }
        monitor.failure = Some(reason.clone());
        tell(&format!("{endpoint}: {reason}"));
        let vm = self.vm(endpoint);
        self.last_reason = Some(reason.clone());
        self.event(Some(&vm), EventKind::Failed, reason);
    }

    fn connected(&mut self, endpoint: &str, connected: &Connected) {
        let (vm, is_restarted) = self.meet(endpoint, connected);
        let monitor = self.monitor(endpoint);
        monitor.failure = None;
        if monitor.problems != connected.problems {
            monitor.problems.clone_from(&connected.problems);
            for problem in &connected.problems {
                tell(&format!("{endpoint}: {problem}"));
            }
        }
        let text = std::iter::once(&connected.identity.version).chain(&connected.problems);
        let text: Vec<&str> = text.map(String::as_str).collect();
        self.event(Some(&vm), EventKind::Connected, text.join("; "));
        if is_restarted {
            let run = self.monitor(endpoint).run;
            self.event(Some(&vm), EventKind::Restarted, format!("run {run}"));
        }
    }

    /// Describes a virtual machine. Returns its name in the rows, and whether it was
    /// started again since this recorder met it.
    fn meet(&mut self, endpoint: &str, connected: &Connected) -> (Arc<str>, bool) {
        let identity = Identity {
            endpoint: endpoint.to_owned(),
            ..connected.identity.clone()
        };
        let vms = &mut self.about.vms;
        let known = vms.iter().position(|vm| is_same(&vm.identity, &identity));
        let place = known.unwrap_or_else(|| {
            vms.push(RecordedVm {
                vm: unique_name(vms, &identity),
                identity: identity.clone(),
                run: 0,
            });
            vms.len() - 1
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the place was found or added just now"
        )]
        let vm = &mut vms[place];
        let name: Arc<str> = Arc::from(vm.vm.as_str());
        let before = self.runs.insert(Arc::clone(&name), connected.run);
        let is_restarted = before.is_some_and(|before| before != connected.run);
        // The recorder before cannot have seen what happened since.
        let is_unsure = before.is_none() && known.is_some();
        if is_restarted || is_unsure {
            vm.run = vm.run.saturating_add(1);
        }
        if is_restarted || is_unsure || known.is_none() || vm.identity != identity {
            self.is_described = false;
        }
        vm.identity = identity;
        let run = vm.run;
        let monitor = self.monitor(endpoint);
        monitor.vm = Some(Arc::clone(&name));
        monitor.run = run;
        (name, is_restarted)
    }

    /// Returns the place of the layout of a table, which is described before a line needs
    /// it.
    fn layout(&mut self, endpoint: &str, table: &Arc<Table>) -> usize {
        let mut known = self.monitor(endpoint).tables.iter();
        if let Some((_, place)) = known.find(|(known, _)| Arc::ptr_eq(known, table)) {
            return *place;
        }
        let mut variant = 0;
        let mut found = None;
        for (place, layout) in self.about.layouts.iter_mut().enumerate() {
            if layout.table.provider != table.provider || layout.table.target != table.target {
                continue;
            }
            if let Some(merged) = layout.merged(table) {
                // A monitor that is connected again describes the same table.
                if merged != *layout {
                    *layout = merged;
                    self.is_described = false;
                }
                found = Some(place);
                break;
            }
            variant += 1;
        }
        let place = found.unwrap_or_else(|| {
            let layout = Layout::new(Arc::clone(table), variant);
            self.about.layouts.push(layout);
            self.is_described = false;
            self.about.layouts.len() - 1
        });
        let known = &mut self.monitor(endpoint).tables;
        known.retain(|(known, _)| known.provider != table.provider || known.target != table.target);
        known.push((Arc::clone(table), place));
        place
    }

    fn sample(&mut self, endpoint: &str, sample: &Sample) {
        let vm = self.vm(endpoint);
        let run = self.monitor(endpoint).run;
        self.number = self.number.saturating_add(1);
        if self.number > self.about.sample_max {
            self.about.sample_max = self.number.saturating_add(SAMPLE_NUMBERS);
            self.is_described = false;
        }
        let mut lines = Vec::new();
        let absences = write_absences(&sample.absences);
        let told = self.absences.get(&vm).map_or("[]", String::as_str);
        let is_news = told != absences;
        if is_news {
            let event = Event {
                // The values of this sample are absent too.
                time: sample.window.begin,
                vm: Some(Arc::clone(&vm)),
                kind: EventKind::Absent,
                text: absences.clone(),
            };
            write_event(&event, &mut lines);
        }
        for object in &sample.objects {
            let place = self.layout(endpoint, &object.table);
            let row = Row {
                sample: self.number,
                vm: Arc::clone(&vm),
                run,
                object: object.clone(),
            };
            if let Some(layout) = self.about.layouts.get(place) {
                write_row(&row, layout, &mut lines);
            }
        }
        if !self.write(&lines) {
            self.lost.samples += 1;
            self.lost_samples += 1;
            return;
        }
        if is_news {
            self.absences.insert(vm, absences);
        }
        if sample.objects.is_empty() {
            let problems = self.monitor(endpoint).problems.join("; ");
            let absence = sample.absences.first();
            let reason = match absence {
                _ if !problems.is_empty() => problems,
                Some(absence) => absence.reason.clone(),
                None => "the virtual machine has no statistics".to_owned(),
            };
            self.failed(endpoint, format!("nothing is recorded: {reason}"));
        } else {
            self.monitor(endpoint).failure = None;
            self.samples += 1;
        }
    }

    fn event(&mut self, vm: Option<&Arc<str>>, kind: EventKind, text: String) {
        if !self.try_event(vm, kind, text) {
            self.lost.events += 1;
        }
    }

    fn try_event(&mut self, vm: Option<&Arc<str>>, kind: EventKind, text: String) -> bool {
        let mut line = Vec::new();
        let time = self.clock.now();
        write_event(&new_event(time, vm, kind, text), &mut line);
        self.write(&line)
    }

    /// Writes lines. Returns whether they were written, after an event about those that
    /// were lost before.
    fn write(&mut self, lines: &[u8]) -> bool {
        let mut all = Vec::new();
        if let Some(text) = self.lost.text() {
            let time = self.clock.now();
            write_event(&new_event(time, None, EventKind::Lost, text), &mut all);
        }
        all.extend_from_slice(lines);
        let outcome = self.describe().and_then(|()| self.folder.append(&all));
        match outcome {
            Ok(()) => {
                self.lost = Lost::default();
                if self.is_failing {
                    tell("the recording goes on");
                }
                self.is_failing = false;
                true
            }
            Err(error) => {
                if !self.is_failing {
                    tell(&format!(
                        "cannot write the recording: {error}; trying again"
                    ));
                }
                self.is_failing = true;
                false
            }
        }
    }

    /// Writes the description, unless the one in the folder has everything.
    fn describe(&mut self) -> io::Result<()> {
        if !self.is_described {
            let file = self.folder.describe(&self.about)?;
            self.is_described = true;
            self.sealer.sync(file);
        }
        Ok(())
    }

    /// Seals the tail when it is due, and notes a step of the wall clock.
    pub(super) fn look(&mut self) {
        self.look_at_clock(self.clock.wall_ahead_nanos());
        let is_due = self.folder.tail_bytes() >= self.tail_bytes_max
            || self.tail_begin.elapsed() >= TAIL_AGE_MAX;
        if is_due && self.folder.tail_bytes() > 0 {
            self.switch();
        }
    }

    fn look_at_clock(&mut self, ahead: i64) {
        if ahead.abs_diff(self.wall_ahead) >= STEP_NANOS_MIN {
            let step = i128::from(ahead) - i128::from(self.wall_ahead);
            let text = format!("the wall clock was set by {} ms", step / 1_000_000);
            // Note the step at the next look if the disk is full now.
            if !self.try_event(None, EventKind::Clock, text) {
                return;
            }
        }
        self.wall_ahead = ahead;
    }

    fn switch(&mut self) {
        match self.folder.switch() {
            Ok(number) => {
                self.is_stuck = false;
                self.tail_begin = Instant::now();
                // Each segment can be read without the ones before.
                self.absences.clear();
                self.seal(number);
            }
            Err(error) => {
                if !self.is_stuck {
                    tell(&format!(
                        "cannot begin another tail: {error}; the lines go on into this one"
                    ));
                }
                self.is_stuck = true;
            }
        }
    }

    /// Seals a tail soon.
    pub(super) fn seal(&self, number: u64) {
        self.sealer.seal(number, self.about.layouts.clone());
    }

    /// Returns a text about what was recorded so far.
    pub(super) fn progress(&self) -> String {
        let vms = self.monitors.len();
        let failing = self.monitors.values().filter(|one| one.failure.is_some());
        format!(
            "{} samples of {vms} VMs, {} fail, {} lost",
            self.samples,
            failing.count(),
            self.lost_samples
        )
    }

    /// Seals everything.
    ///
    /// # Errors
    ///
    /// Returns an error if something could not be written, or nothing was recorded.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.about.sample_max = self.number;
        self.is_described = false;
        let is_written = self.write(&[]);
        if self.folder.tail_bytes() > 0 {
            self.switch();
        }
        self.sealer.finish()?;
        if let Some(text) = self.lost.text().filter(|_| !is_written) {
            return Err(Failure::other(text));
        }
        if self.samples > 0 {
            return Ok(());
        }
        let reason = self.last_reason;
        let reason = reason.unwrap_or_else(|| "no monitor answered in time".to_owned());
        Err(Failure::other(format!("nothing was recorded: {reason}")))
    }
}

impl Lost {
    /// Returns a sentence; `None` if nothing was lost.
    fn text(&self) -> Option<String> {
        match (self.samples, self.events) {
            (0, 0) => None,
            (samples, 0) => Some(format!("{samples} samples could not be written")),
            (0, events) => Some(format!("{events} events could not be written")),
            (samples, events) => Some(format!(
                "{samples} samples and {events} events could not be written"
            )),
        }
    }
}

fn new_event(time: Timestamp, vm: Option<&Arc<str>>, kind: EventKind, text: String) -> Event {
    Event {
        time,
        vm: vm.cloned(),
        kind,
        text,
    }
}

/// Returns whether two identities are of one virtual machine. Another one may have the
/// socket later.
fn is_same(one: &Identity, other: &Identity) -> bool {
    one.endpoint == other.endpoint && one.name == other.name && one.uuid == other.uuid
}

/// Returns a name for the rows that no virtual machine has: its own name, or its address
/// if one elsewhere has this name, with a number if needed.
fn unique_name(vms: &[RecordedVm], identity: &Identity) -> String {
    let label = identity.label();
    let is_elsewhere =
        |vm: &RecordedVm| vm.vm == label && vm.identity.endpoint != identity.endpoint;
    let first = if vms.iter().any(is_elsewhere) {
        &identity.endpoint
    } else {
        label
    };
    let mut name = first.to_owned();
    let mut number = 1_u64;
    while vms.iter().any(|vm| vm.vm == name) {
        number += 1;
        name = format!("{first}-{number}");
    }
    name
}

#[cfg(test)]
mod tests;
