//! News of a recording, as time passes in it.
//!
//! In: a recording, and a speed. Out: what was new until the position. Only the last
//! minutes before the position are read, so that hours open in a moment.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::AGE_MAX;
use super::observed::News;
use super::vm_id::VmId;
use crate::failure::Failure;
use crate::recording::Recording;
use crate::sample::{Table, Timestamp};
use crate::source::{Connected, Event};

/// A recording that is played.
#[derive(Debug)]
pub(super) struct Player {
    recording: Recording,
    begin: Timestamp,
    end: Timestamp,
    position: Timestamp,
    /// The begin of the first sample that was not told yet.
    next: Timestamp,
    last_look: Instant,
    /// The virtual machines that were told, by their names in the recording.
    told: HashMap<String, VmId>,
}

impl Player {
    /// Opens a recording at its first moment.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let recording = Recording::open(path)?;
        let Some((begin, end)) = recording.span() else {
            return Err(Failure::other(format!(
                "{}: the recording has no samples",
                path.display()
            )));
        };
        let mut player = Self {
            recording,
            begin,
            end,
            position: begin,
            next: begin,
            last_look: Instant::now(),
            told: HashMap::new(),
        };
        // The first rates need two samples.
        let first = player.interval() * 2;
        player.seek(Timestamp(begin.0.saturating_add(nanos(first))));
        Ok(player)
    }

    /// Returns the first and the last moment.
    pub(super) fn span(&self) -> (Timestamp, Timestamp) {
        (self.begin, self.end)
    }

    /// Returns the moment that was reached.
    pub(super) fn position(&self) -> Timestamp {
        self.position
    }

    /// Returns the time between two samples.
    pub(super) fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(self.recording.about().interval_seconds)
            .ok()
            .filter(|interval| !interval.is_zero())
            .unwrap_or(Duration::from_secs(1))
    }

    /// Goes to a moment, as near as the recording has it. The virtual machines and their
    /// last minutes are told again.
    pub(super) fn seek(&mut self, moment: Timestamp) {
        self.position = moment.max(self.begin).min(self.end);
        self.next = Timestamp(self.position.0.saturating_sub(nanos(AGE_MAX)));
        self.told.clear();
    }

    /// Goes on for the time since the last call at a speed; a speed of 0 is a pause.
    /// Returns the news until then.
    pub(super) fn news(&mut self, speed: f64) -> Result<Vec<News>, Failure> {
        let passed = self.last_look.elapsed().mul_f64(speed);
        self.last_look = Instant::now();
        let position = self.position.0.saturating_add(nanos(passed));
        self.position = Timestamp(position).min(self.end);
        let mut news = Vec::new();
        let mut samples = Vec::new();
        for recorded in self.recording.samples(self.next) {
            let recorded = recorded?;
            // The answer to a question that was asked before may have come later.
            if recorded.sample.window.begin > self.position {
                break;
            }
            samples.push(recorded);
        }
        for recorded in samples {
            let begin = recorded.sample.window.begin.0;
            self.next = self.next.max(Timestamp(begin.saturating_add(1)));
            let count = self.told.len();
            let id = match self.told.get(&*recorded.vm) {
                Some(id) => *id,
                None => {
                    let id = VmId(count);
                    self.told.insert(recorded.vm.to_string(), id);
                    let connected = self.connected(&recorded.vm, recorded.sample.run);
                    let event = Event::Connected(Arc::new(connected));
                    news.push(News::Vm(id, recorded.vm.to_string(), event));
                    id
                }
            };
            let event = Event::Sampled(recorded.sample);
            news.push(News::Vm(id, recorded.vm.to_string(), event));
        }
        Ok(news)
    }

    fn connected(&self, vm: &str, run: u32) -> Connected {
        let mut vms = self.recording.vms().iter();
        let recorded = vms.find(|recorded| recorded.vm == vm);
        let mut identity = recorded.map(|one| one.identity.clone()).unwrap_or_default();
        if identity.endpoint.is_empty() {
            identity.endpoint = vm.to_owned();
        }
        let layouts = self.recording.layouts().iter();
        let tables: Vec<Arc<Table>> = layouts.map(|layout| Arc::clone(&layout.table)).collect();
        Connected {
            identity,
            tables,
            run,
            problems: Vec::new(),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
