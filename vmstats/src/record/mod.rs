//! `vmstats record`: the statistics of many virtual machines, in a folder.
//!
//! In: places of monitors. Out: the files of a recording, which `recording/` reads. One
//! thread writes lines, and another one turns them into segments.

mod folder;
mod progress;
mod sealer;

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use self::folder::{Folder, Opened};
use self::progress::{Progress, tell};
use self::sealer::{Job, Ring, Sealer};
use crate::cli::RecordArgs;
use crate::failure::Failure;
use crate::recording::folder::{About, RecordedVm};
use crate::recording::line::{write_absences, write_event, write_row};
use crate::recording::row::{Event, EventKind, Layout, Row};
use crate::sample::{Clock, Identity, Sample, Table};
use crate::shutdown::PendingSignals;
use crate::source::{self, Fleet, Update};

/// A tail that is older is sealed.
const TAIL_AGE_MAX: Duration = Duration::from_secs(600);
/// A tail that is larger is sealed. A recorder needs some times the size in memory.
const TAIL_BYTES_MAX: u64 = 8 << 20;
/// A tail that is smaller is not sealed because of the recording's size.
const TAIL_BYTES_MIN: u64 = 64 << 10;
/// The time between two looks at signals, the command and the clock.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// A difference of clocks that is a step, not slewing.
const STEP_NANOS_MIN: u64 = 500_000_000;

/// Runs `vmstats record`.
///
/// # Errors
///
/// Returns an error if the folder is of something else or in use, if the command cannot be
/// started, or if nothing could be recorded.
pub fn run(arguments: &RecordArgs) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    let clock = Clock::start();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    let Opened {
        folder,
        about,
        pending,
        is_torn,
    } = Folder::open(&arguments.output, |about| {
        about.host = format!("Linux {}", release.unwrap_or_default().trim_end());
        // Readers take a longer time than some intervals for a gap, so that a shorter one
        // would make gaps of all older samples.
        let interval = arguments.fleet.interval.as_secs_f64();
        about.interval_seconds = about.interval_seconds.max(interval);
    })?;
    let sealer = Sealer::start(
        &arguments.output,
        Ring {
            keep: arguments.keep,
            size: arguments.size,
        },
        clock,
    )?;
    let size = arguments
        .size
        .map_or(u64::MAX, |size| (size / 8).max(TAIL_BYTES_MIN));
    let mut recorder = Recorder {
        folder,
        about,
        clock,
        sealer,
        vms: HashMap::new(),
        tail_bytes_max: size.min(TAIL_BYTES_MAX),
        tail_begin: Instant::now(),
        lost: 0,
        samples: 0,
        number: 0,
        wall_ahead: clock.wall_ahead_nanos(),
        last_reason: None,
        is_described: true,
        is_stuck: false,
    };
    for number in pending {
        recorder.seal(number);
    }
    if is_torn {
        let text = "the recorder before was killed while it wrote a line";
        recorder.event(None, EventKind::Lost, text.to_owned());
    }
    let mut command = start(arguments)?;
    let (fleet, updates) =
        Fleet::start(arguments.fleet.places(), arguments.fleet.options(), clock)?;
    let begin = Instant::now();
    let mut progress = Progress::new();
    let mut looked = begin;
    let status = loop {
        match updates.recv_timeout(LOOK_INTERVAL) {
            Ok(update) => recorder.take(update),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break None,
        }
        if looked.elapsed() < LOOK_INTERVAL {
            continue;
        }
        looked = Instant::now();
        recorder.look();
        progress.show(|| recorder.progress());
        if let Some(child) = &mut command
            && let Some(status) = child
                .try_wait()
                .map_err(|error| Failure::other(format!("cannot wait for the command: {error}")))?
        {
            break Some(status);
        }
        let is_over = arguments
            .duration
            .is_some_and(|duration| begin.elapsed() >= duration);
        if is_over || signals.wait_timeout(Duration::ZERO) {
            break None;
        }
    };
    fleet.stop();
    progress.end();
    let status = match (status, &mut command) {
        (None, Some(child)) => Some(end(child)?),
        (status, _) => status,
    };
    recorder.finish()?;
    match status {
        Some(status) => pass_on(status),
        None => Ok(()),
    }
}

/// Asks the command to end, and waits for it. A signal of the terminal reached it already.
fn end(child: &mut Child) -> Result<ExitStatus, Failure> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(id) = id {
        // Fails if the command has ended.
        let _ = kill_process(id, Signal::TERM);
    }
    let status = child.wait();
    status.map_err(|error| Failure::other(format!("cannot wait for the command: {error}")))
}

/// Ends the program with the status of the command, as a shell does.
fn pass_on(status: ExitStatus) -> Result<(), Failure> {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or(0),
    };
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        code => Err(Failure::Command(code.unwrap_or(u8::MAX))),
    }
}

fn start(arguments: &RecordArgs) -> Result<Option<Child>, Failure> {
    let Some((program, rest)) = arguments.command.split_first() else {
        return Ok(None);
    };
    let child = Command::new(program).args(rest).spawn();
    let explain = |error| Failure::other(format!("{}: {error}", program.display()));
    child.map(Some).map_err(explain)
}

/// A virtual machine that is being recorded.
#[derive(Default)]
struct Recorded {
    /// The name in the rows.
    vm: Option<Arc<str>>,
    /// The reason why its monitor cannot be asked.
    failure: Option<String>,
    /// The values that cannot be read, as the tail says it.
    absences: Option<String>,
    /// The tables with the places of their layouts.
    tables: Vec<(Arc<Table>, usize)>,
    /// The number of runs that ended with their sockets. The fleet counts from 0 again
    /// when a socket comes back.
    runs_before: u32,
    /// The number of the last run in the rows.
    run: u32,
}

struct Recorder {
    folder: Folder,
    about: About,
    clock: Clock,
    sealer: Sealer,
    vms: HashMap<String, Recorded>,
    tail_bytes_max: u64,
    tail_begin: Instant,
    /// The number of samples that could not be written since the last one that was.
    lost: u64,
    samples: u64,
    /// The number of the last sample.
    number: u64,
    wall_ahead: i64,
    /// The last reason why nothing was read.
    last_reason: Option<String>,
    /// True if the description on the disk has everything that a line needs.
    is_described: bool,
    /// True if the last try to begin another tail failed.
    is_stuck: bool,
}

impl Recorder {
    fn take(&mut self, update: Update) {
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
        let recorded = self.vms.entry(endpoint.to_owned()).or_default();
        let vm = recorded.vm.clone().unwrap_or_else(|| Arc::from(endpoint));
        match event {
            source::Event::Found => {}
            source::Event::Connected(connected) => {
                recorded.failure = None;
                let identity = &connected.identity;
                let vm = self.meet(endpoint, identity);
                let text = std::iter::once(&identity.version).chain(&connected.problems);
                let text: Vec<&str> = text.map(String::as_str).collect();
                self.event(Some(&vm), EventKind::Connected, text.join("; "));
            }
            source::Event::Sampled(sample) => self.sample(endpoint, &vm, &sample),
            source::Event::Failed(reason) => {
                if recorded.failure.as_ref() != Some(&reason) {
                    recorded.failure = Some(reason.clone());
                    self.last_reason = Some(reason.clone());
                    tell(&format!("{endpoint}: {reason}"));
                    self.event(Some(&vm), EventKind::Failed, reason);
                }
            }
            source::Event::Gone => {
                recorded.runs_before = recorded.run.saturating_add(1);
                tell(&format!("{endpoint}: the socket is gone"));
                self.event(Some(&vm), EventKind::Gone, String::new());
            }
        }
    }

    /// Describes a virtual machine, and returns its name in the rows: its own, unless
    /// another one has it.
    fn meet(&mut self, endpoint: &str, identity: &Identity) -> Arc<str> {
        let identity = Identity {
            endpoint: endpoint.to_owned(),
            ..identity.clone()
        };
        let vms = &mut self.about.vms;
        let label = identity.label().to_owned();
        let is_taken = vms.iter().any(|vm| vm.vm == label);
        let known = vms.iter_mut().find(|vm| vm.identity.endpoint == endpoint);
        let (name, is_new) = if let Some(known) = known {
            let is_new = known.identity != identity;
            known.identity = identity;
            (known.vm.clone(), is_new)
        } else {
            let vm = if is_taken { endpoint.to_owned() } else { label };
            vms.push(RecordedVm {
                vm: vm.clone(),
                identity,
            });
            (vm, true)
        };
        let name: Arc<str> = Arc::from(name);
        self.vms.entry(endpoint.to_owned()).or_default().vm = Some(Arc::clone(&name));
        if is_new {
            self.is_described = false;
        }
        name
    }

    /// Writes the description. A full disk is told, and the description is written before
    /// the next line.
    fn describe(&mut self) -> bool {
        match self.folder.describe(&self.about) {
            Ok(()) => {
                self.is_described = true;
                true
            }
            Err(error) => {
                self.is_described = false;
                self.tell_unwritten(&error);
                false
            }
        }
    }

    fn tell_unwritten(&self, error: &io::Error) {
        if self.lost == 0 {
            tell(&format!(
                "cannot write the recording: {error}; trying again"
            ));
        }
    }

    /// Returns the place of the layout of a table, which is described before a line needs
    /// it.
    fn layout(&mut self, endpoint: &str, table: &Arc<Table>) -> usize {
        let known = self.vms.entry(endpoint.to_owned()).or_default();
        let known = known
            .tables
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, table));
        if let Some((_, place)) = known {
            return *place;
        }
        let mut variant = 0;
        let mut found = None;
        for (place, layout) in self.about.layouts.iter_mut().enumerate() {
            if layout.table.provider != table.provider || layout.table.target != table.target {
                continue;
            }
            if let Some(merged) = layout.merged(table) {
                *layout = merged;
                found = Some(place);
                break;
            }
            variant += 1;
        }
        let place = found.unwrap_or_else(|| {
            self.about
                .layouts
                .push(Layout::new(Arc::clone(table), variant));
            self.about.layouts.len() - 1
        });
        self.is_described = false;
        let known = self.vms.entry(endpoint.to_owned()).or_default();
        known
            .tables
            .retain(|(known, _)| known.provider != table.provider || known.target != table.target);
        known.tables.push((Arc::clone(table), place));
        place
    }

    fn sample(&mut self, endpoint: &str, vm: &Arc<str>, sample: &Sample) {
        self.number += 1;
        let mut lines = Vec::new();
        if self.lost > 0 {
            let text = format!("{} samples could not be written", self.lost);
            self.write_event(None, EventKind::Lost, text, &mut lines);
        }
        let absences = write_absences(&sample.absences);
        let recorded = self.vms.entry(endpoint.to_owned()).or_default();
        let told = recorded.absences.as_deref().unwrap_or("[]");
        let is_news = told != absences;
        let run = recorded.runs_before.saturating_add(sample.run);
        recorded.run = run;
        if is_news {
            self.write_event(Some(vm), EventKind::Absent, absences.clone(), &mut lines);
        }
        for object in &sample.objects {
            let place = self.layout(endpoint, &object.table);
            let row = Row {
                sample: self.number,
                vm: Arc::clone(vm),
                run,
                object: object.clone(),
            };
            if let Some(layout) = self.about.layouts.get(place) {
                write_row(&row, layout, &mut lines);
            }
        }
        if !self.write(&lines) {
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            self.lost = 0;
            tell("the recording goes on");
        }
        self.samples += 1;
        if is_news {
            self.vms.entry(endpoint.to_owned()).or_default().absences = Some(absences);
        }
    }

    fn write_event(&self, vm: Option<&Arc<str>>, kind: EventKind, text: String, to: &mut Vec<u8>) {
        let event = Event {
            time: self.clock.now(),
            vm: vm.cloned(),
            kind,
            text,
        };
        write_event(&event, to);
    }

    fn event(&mut self, vm: Option<&Arc<str>>, kind: EventKind, text: String) {
        let mut line = Vec::new();
        self.write_event(vm, kind, text, &mut line);
        self.write(&line);
    }

    /// Writes lines. Returns whether they were written.
    fn write(&mut self, lines: &[u8]) -> bool {
        if !self.is_described && !self.describe() {
            return false;
        }
        match self.folder.append(lines) {
            Ok(()) => true,
            Err(error) => {
                self.tell_unwritten(&error);
                false
            }
        }
    }

    /// Seals the tail when it is due, and notes a step of the wall clock.
    fn look(&mut self) {
        let ahead = self.clock.wall_ahead_nanos();
        if ahead.abs_diff(self.wall_ahead) >= STEP_NANOS_MIN {
            let step = i128::from(ahead) - i128::from(self.wall_ahead);
            let text = format!("the wall clock was set by {} ms", step / 1_000_000);
            self.event(None, EventKind::Clock, text);
        }
        self.wall_ahead = ahead;
        let is_due = self.folder.tail_bytes() >= self.tail_bytes_max
            || self.tail_begin.elapsed() >= TAIL_AGE_MAX;
        if is_due && self.folder.tail_bytes() > 0 {
            self.switch();
        }
    }

    fn switch(&mut self) {
        match self.folder.switch() {
            Ok(number) => {
                self.is_stuck = false;
                self.tail_begin = Instant::now();
                // Each segment can be read without the ones before.
                for vm in self.vms.values_mut() {
                    vm.absences = None;
                }
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

    fn seal(&self, number: u64) {
        let layouts = self.about.layouts.clone();
        self.sealer.seal(Job { number, layouts });
    }

    fn progress(&self) -> String {
        let vms = self.vms.len();
        let failed = self.vms.values().filter(|vm| vm.failure.is_some()).count();
        format!(
            "{} samples of {vms} VMs, {failed} fail, {} lost",
            self.samples, self.lost
        )
    }

    fn finish(mut self) -> Result<(), Failure> {
        if self.folder.tail_bytes() > 0 {
            self.switch();
        }
        self.sealer.finish()?;
        if self.lost > 0 {
            return Err(Failure::other(format!(
                "{} samples could not be written",
                self.lost
            )));
        }
        match self.last_reason {
            Some(reason) if self.samples == 0 => {
                Err(Failure::other(format!("nothing was recorded: {reason}")))
            }
            None if self.samples == 0 => Err(Failure::other(
                "nothing was recorded: no monitor answered in time",
            )),
            _ => Ok(()),
        }
    }
}
