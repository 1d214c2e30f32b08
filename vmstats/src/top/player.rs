//! News of a recording, as time passes in it.
//!
//! In: a recording, and a speed. Out: what was new until the position, each with its
//! moment. Of the samples only those of the last minutes before the position are read,
//! so that hours open in a moment.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::history::{AGE_MAX, shown_at};
use super::observed::News;
use super::vm_id::VmId;
use crate::excerpt;
use crate::failure::Failure;
use crate::intervals::Intervals;
use crate::recording::Recording;
use crate::recording::row::{self, EventKind};
use crate::sample::{Identity, Table, Timestamp};
use crate::source::{Connected, Event};

/// A recording that is played.
#[derive(Debug)]
pub(super) struct Player {
    recording: Recording,
    /// All events, in the order of time.
    events: Vec<row::Event>,
    begin: Timestamp,
    end: Timestamp,
    position: Timestamp,
    /// The begin of the first sample that was not told yet.
    next: Timestamp,
    /// The place of the first event that was not told yet.
    next_event: usize,
    last_look: Instant,
    /// The virtual machines by their addresses.
    ids: HashMap<String, VmId>,
    /// The names in the recording.
    names: HashMap<VmId, Arc<str>>,
    /// The virtual machines whose description was told.
    told: HashSet<VmId>,
}

impl Player {
    /// Opens a recording at its first moment.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let (recording, (begin, end)) = excerpt::open(path)?;
        let mut player = Self {
            events: recording.events()?,
            recording,
            begin,
            end,
            position: begin,
            next: begin,
            next_event: 0,
            last_look: Instant::now(),
            ids: HashMap::new(),
            names: HashMap::new(),
            told: HashSet::new(),
        };
        // The first rates need two samples.
        let first = player.intervals().at(begin).saturating_mul(2);
        player.seek(begin.plus(first));
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

    /// Returns the times from one sample to the next.
    pub(super) fn intervals(&self) -> &Intervals {
        &self.recording.about().intervals
    }

    /// Goes to a moment, as near as the recording has it. Returns whether all news are
    /// told again, so that a reader must forget the earlier ones.
    pub(super) fn seek(&mut self, moment: Timestamp) -> bool {
        let before = self.position;
        self.position = moment.clamp(self.begin, self.end);
        if self.position >= before && self.position.since(before) < AGE_MAX {
            return false;
        }
        self.next = self.position.minus(AGE_MAX);
        self.next_event = 0;
        self.told.clear();
        true
    }

    /// Returns the moment that shows the next sample of a virtual machine, or the sample
    /// before the one that is shown at `moment`. Returns `None` at the first and the last
    /// sample.
    pub(super) fn beside(
        &mut self,
        vm: VmId,
        moment: Timestamp,
        is_forward: bool,
    ) -> Result<Option<Timestamp>, Failure> {
        let Some(name) = self.names.get(&vm).cloned() else {
            return Ok(None);
        };
        let from = moment.minus(AGE_MAX);
        let (mut before, mut shown) = (None, None);
        let mut later = [None, None];
        for recorded in self.recording.samples(from) {
            let recorded = recorded?;
            if recorded.vm != name {
                continue;
            }
            let end = recorded.sample.window.end;
            if end <= moment {
                (before, shown) = (shown, Some(end));
            } else if later[0].is_none() {
                later[0] = Some(end);
            } else {
                later[1] = Some(end);
                break;
            }
        }
        if !is_forward && before.is_none() {
            // No sample within AGE_MAX: search further back.
            let mut at = shown.map_or(from, |shown: Timestamp| shown);
            for _ in 0..2 {
                let last = self
                    .recording
                    .last(&name, Timestamp(at.0.saturating_sub(1)))?;
                let Some(window) = last.map(|sample| sample.window) else {
                    break;
                };
                at = window.begin;
                if shown.is_some_and(|shown| window.end < shown) {
                    before = Some(window.end);
                    break;
                }
                shown = shown.or(Some(window.end));
            }
        }
        let (target, next) = if is_forward {
            (later[0], later[1])
        } else {
            (before, shown)
        };
        Ok(target.map(|end| shown_at(end, next, self.intervals().at(end))))
    }

    /// Goes on for the time since the last call at a speed; a speed of 0 is a pause.
    /// Returns the news until then.
    pub(super) fn news(&mut self, speed: f64) -> Result<Vec<(Timestamp, News)>, Failure> {
        let passed = self.last_look.elapsed().mul_f64(speed);
        self.last_look = Instant::now();
        self.position = self.position.plus(passed).min(self.end);
        let mut news = Vec::new();
        while let Some(event) = self.events.get(self.next_event)
            && event.time <= self.position
        {
            self.next_event += 1;
            let event = event.clone();
            self.tell(&event, &mut news);
        }
        let mut samples = Vec::new();
        for recorded in self.recording.samples(self.next) {
            let recorded = recorded?;
            // Compare begins: a slow reply may end after the position although its request
            // lies before.
            if recorded.sample.window.begin > self.position {
                break;
            }
            samples.push(recorded);
        }
        for recorded in samples {
            let window = recorded.sample.window;
            self.next = self.next.max(Timestamp(window.begin.0.saturating_add(1)));
            let (id, identity) = self.id(&recorded.vm);
            self.names.insert(id, Arc::clone(&recorded.vm));
            if self.told.insert(id) {
                let connected = self.connected(identity.clone(), recorded.sample.run, Vec::new());
                let news_of_vm = News::Vm(id, identity.endpoint.clone(), connected);
                news.push((window.begin, news_of_vm));
            }
            let event = Event::Sampled(recorded.sample);
            news.push((window.end, News::Vm(id, identity.endpoint, event)));
        }
        news.sort_by_key(|(moment, _)| *moment);
        Ok(news)
    }

    /// Makes news of an event. What cannot be read and restarts are part of the samples.
    fn tell(&mut self, event: &row::Event, news: &mut Vec<(Timestamp, News)>) {
        let text = event.text.clone();
        let told = match (&event.vm, event.kind) {
            (_, EventKind::Absent | EventKind::Restarted) => return,
            (Some(vm), EventKind::Connected | EventKind::Failed | EventKind::Gone) => {
                let (id, identity) = self.id(vm);
                let endpoint = identity.endpoint.clone();
                let event = match event.kind {
                    EventKind::Connected => {
                        self.told.insert(id);
                        // Skip the first part: the recorder writes `VERSION; PROBLEM; …`.
                        let problems = text.split("; ").skip(1).map(str::to_owned);
                        self.connected(identity, 0, problems.collect())
                    }
                    EventKind::Failed => Event::Failed(text),
                    _ => Event::Gone,
                };
                News::Vm(id, endpoint, event)
            }
            _ => News::Told(text),
        };
        news.push((event.time, told));
    }

    /// Returns the number and the identity of a virtual machine of the recording.
    fn id(&mut self, vm: &str) -> (VmId, Identity) {
        let mut vms = self.recording.vms().iter();
        // Before it answers for the first time, a virtual machine is named by its address.
        let recorded = vms.find(|recorded| recorded.vm == vm || recorded.identity.endpoint == vm);
        let mut identity = recorded.map(|one| one.identity.clone()).unwrap_or_default();
        if identity.endpoint.is_empty() {
            identity.endpoint = vm.to_owned();
        }
        let next = VmId(self.ids.len());
        let id = *self.ids.entry(identity.endpoint.clone()).or_insert(next);
        (id, identity)
    }

    fn connected(&self, identity: Identity, run: u32, problems: Vec<String>) -> Event {
        let layouts = self.recording.layouts().iter();
        let tables: Vec<Arc<Table>> = layouts.map(|layout| Arc::clone(&layout.table)).collect();
        Event::Connected(Arc::new(Connected {
            identity,
            tables,
            run,
            problems,
        }))
    }
}
