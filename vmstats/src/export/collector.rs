//! Samples of many virtual machines when somebody asks for them.
//!
//! In: places. Out: what each virtual machine answered before a deadline. Every virtual
//! machine has a thread and an open connection, so that one that hangs delays no other.
//! Scrapers have their own deadlines, and share requests and answers. This file knows no
//! metric.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Answer, Reason, SILENT, TIMEOUT, Vm, VmState};
use super::finding::{Found, Key, find};
use super::observer::Observer;
use crate::lock::Lock;
use crate::sample::{Clock, Table, Timestamp};
use crate::selection::Selection;
use crate::selector::NamePattern;
use crate::source::Place;

/// The age up to which a collection is given to a second scraper too.
const SHARED_AGE: Duration = Duration::from_millis(100);

/// The largest number of virtual machines.
const VMS_MAX: usize = 4096;

/// The stack of a virtual machine's thread, most of which is never touched.
const STACK_BYTES: usize = 512 << 10;

/// How virtual machines are asked.
#[derive(Clone, Debug)]
pub(super) struct CollectorOptions {
    /// The folder with the certificates for TLS.
    pub(super) credentials: Option<PathBuf>,
    /// The statistics to ask for.
    pub(super) selection: Selection,
}

/// The virtual machines at the places of the command line.
#[derive(Debug)]
pub(super) struct Collector {
    places: Vec<Place>,
    /// Locked while somebody looks for sockets, so that a second scraper waits and then
    /// shares what the first one found.
    scan: Lock<()>,
    shared: Arc<Shared>,
}

/// The state that the threads share.
#[derive(Debug)]
struct Shared {
    options: CollectorOptions,
    clock: Clock,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<usize, Entry>,
    ids: HashMap<Key, usize>,
    next: usize,
    /// The number of sockets at each place, or the reason for a place without any.
    places: Vec<Result<usize, String>>,
    /// The number of collections.
    generation: u64,
    began: Option<Instant>,
    /// The scrapers that wait.
    waiters: HashMap<u64, Waiter>,
    next_waiter: u64,
    /// The number of failures for each reason.
    failures: HashMap<Reason, u64>,
}

/// A scraper that waits for a collection.
#[derive(Debug)]
struct Waiter {
    /// The virtual machines that it waits for, each with the end of the wait.
    awaited: HashMap<usize, Instant>,
}

/// A virtual machine.
#[derive(Debug)]
struct Entry {
    vm: Arc<Vm>,
    wake: SyncSender<()>,
    /// The request that the thread is busy with.
    asked: Option<Asked>,
    /// True if the thread has connected, and waits for values.
    is_connected: bool,
    outcome: Option<Outcome>,
    /// The last answer with its time.
    last: Option<(Timestamp, Arc<Answer>)>,
}

/// A request to a virtual machine, without an outcome so far.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// True if a scraper has counted the request as a failure.
    is_counted: bool,
}

/// The outcome of the last request.
#[derive(Debug)]
struct Outcome {
    /// The number of the last collection that had begun. The outcome belongs to it and to
    /// all earlier ones.
    generation: u64,
    failure: Option<(Reason, String)>,
}

/// The answers of all virtual machines.
#[derive(Debug)]
pub(super) struct Collection {
    /// The virtual machines, in the order in which they were found.
    pub(super) vms: Vec<VmState>,
    /// The places, each with its number of sockets, or the reason for a place without any.
    pub(super) places: Vec<(Place, Result<usize, String>)>,
    /// The end of the collection, by the wall clock.
    pub(super) at: Timestamp,
    /// The time that the collection took.
    pub(super) duration: Duration,
    /// The number of collections so far.
    pub(super) generation: u64,
    /// The number of failures so far, for each reason.
    pub(super) failures: HashMap<Reason, u64>,
}

impl Collection {
    /// Returns the descriptions of the statistics in the answers, one for each object.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        let answers = self.vms.iter().filter_map(VmState::answer);
        let objects = answers.flat_map(|answer| &answer.sample.objects);
        objects.map(|object| &*object.table)
    }

    /// Returns the patterns that match no statistic in the answers.
    pub(super) fn unmatched<'a>(
        &self,
        patterns: &'a [NamePattern],
    ) -> impl Iterator<Item = &'a NamePattern> {
        let stats = self.tables().flat_map(|table| &table.stats);
        let names: HashSet<&str> = stats.map(|stat| stat.name.as_str()).collect();
        patterns
            .iter()
            .filter(move |pattern| !names.iter().any(|name| pattern.matches(name)))
    }
}

#[cfg(test)]
impl Collection {
    /// A collection of these virtual machines.
    pub(super) fn of(generation: u64, at: Timestamp, vms: Vec<VmState>) -> Self {
        Self {
            vms,
            places: Vec::new(),
            at,
            duration: Duration::ZERO,
            generation,
            failures: HashMap::new(),
        }
    }
}

impl Collector {
    /// Makes a collector, which asks nobody yet.
    pub(super) fn new(places: Vec<Place>, options: CollectorOptions) -> Self {
        Self {
            places,
            scan: Lock::new(()),
            shared: Arc::new(Shared {
                options,
                clock: Clock::start(),
                state: Lock::new(State::default()),
            }),
        }
    }

    /// Asks all virtual machines, and waits for their answers until the deadline. A
    /// collection that began a moment ago, or since the scraper came, is shared.
    ///
    /// Does not wait for a virtual machine whose last request failed because it hung, nor
    /// longer than from now to the deadline for a request that another scraper made.
    pub(super) fn collect(&self, arrival: Instant, deadline: Instant) -> Collection {
        let begin = Instant::now();
        let generation = self.ask(arrival);
        let mut state = self.shared.state.lock();
        let waiter = state.add_waiter(generation, begin, deadline);
        while let Some(left) = state.time_to_wait(waiter) {
            state = { &self.shared.state }.wait_while(state, left, |state| {
                let waiter = state.waiters.get(&waiter);
                waiter.is_some_and(|waiter| !waiter.awaited.is_empty())
            });
        }
        state.waiters.remove(&waiter);
        state.count_overdue(generation);
        let of_collection = |entry: &Entry| entry.state(generation);
        self.snapshot(&state, generation, begin.elapsed(), of_collection)
    }

    /// Returns the last outcomes without asking anybody.
    pub(super) fn known(&self) -> Collection {
        let state = self.shared.state.lock();
        self.snapshot(&state, state.generation, Duration::ZERO, Entry::known)
    }

    /// Begins a collection, unless one began a moment ago or since `arrival`. Returns its
    /// number.
    fn ask(&self, arrival: Instant) -> u64 {
        let _scan = self.scan.lock();
        {
            let state = self.shared.state.lock();
            // A scraper may wait long for a thread or a processor; what was asked meanwhile
            // is as new as it wants.
            let is_new = |began: Instant| began >= arrival || began.elapsed() < SHARED_AGE;
            if state.began.is_some_and(is_new) {
                return state.generation;
            }
        }
        let Found { sockets, places } = find(&self.places);
        let mut state = self.shared.state.lock();
        state.generation += 1;
        state.began = Some(Instant::now());
        state.places = places;
        let mut present = HashSet::new();
        for (key, endpoint) in sockets {
            let vm = { state.ids.get(&key).copied() }.or_else(|| {
                let id = state.next;
                let vm = Arc::new(Vm::new(id, endpoint));
                self.add(&mut state, vm, key).then_some(id)
            });
            present.extend(vm);
        }
        if state.retain(&present) {
            self.shared.state.notify();
        }
        state.wake();
        state.generation
    }

    /// Adds a virtual machine with its thread. Returns false if there are too many.
    fn add(&self, state: &mut State, vm: Arc<Vm>, key: Key) -> bool {
        if state.entries.len() >= VMS_MAX {
            return false;
        }
        let (wake, woken) = sync_channel(1);
        let (shared, of_thread) = (Arc::clone(&self.shared), Arc::clone(&vm));
        let thread = thread::Builder::new()
            .name("vm".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.observe(&of_thread, &woken));
        if thread.is_err() {
            return false;
        }
        state.next = vm.id + 1;
        state.ids.insert(key, vm.id);
        let entry = Entry {
            wake,
            asked: None,
            is_connected: false,
            outcome: None,
            last: None,
            vm,
        };
        state.entries.insert(entry.vm.id, entry);
        true
    }

    fn snapshot(
        &self,
        state: &State,
        generation: u64,
        duration: Duration,
        of_entry: impl Fn(&Entry) -> VmState,
    ) -> Collection {
        let mut vms: Vec<_> = state.entries.values().map(of_entry).collect();
        vms.sort_by_key(|vm| vm.vm.id);
        let places = self.places.iter().cloned();
        Collection {
            vms,
            at: Timestamp::of_wall_clock(),
            places: places.zip(state.places.iter().cloned()).collect(),
            duration,
            generation,
            failures: state.failures.clone(),
        }
    }
}

impl State {
    /// Removes the virtual machines whose sockets are gone, or were bound again. Their
    /// threads end. Returns whether somebody waits for nobody else.
    fn retain(&mut self, present: &HashSet<usize>) -> bool {
        self.entries.retain(|id, _| present.contains(id));
        self.ids.retain(|_, id| present.contains(id));
        let mut is_done = false;
        for waiter in self.waiters.values_mut() {
            waiter.awaited.retain(|id, _| present.contains(id));
            is_done |= waiter.awaited.is_empty();
        }
        is_done
    }

    /// Asks all virtual machines that have answered their last request.
    fn wake(&mut self) {
        let now = Instant::now();
        for entry in self.entries.values_mut() {
            // A channel of one place is free, because the thread has taken the last word
            // out of it before it answered.
            if entry.asked.is_none() && entry.wake.try_send(()).is_ok() {
                entry.asked = Some(Asked {
                    at: now,
                    is_counted: false,
                });
            }
        }
    }

    /// Notes that a scraper waits for a collection. Returns the scraper's number.
    fn add_waiter(&mut self, generation: u64, begin: Instant, deadline: Instant) -> u64 {
        let patience = deadline.saturating_duration_since(begin);
        let entries = self.entries.iter();
        let entries = entries.filter(|(_, entry)| !entry.has_outcome(generation) && !entry.hung());
        let awaited = entries.filter_map(|(id, entry)| {
            let asked = entry.asked?;
            // Nobody waits for a request longer than if it were the scraper's own.
            Some((*id, asked.at.checked_add(patience)?.min(deadline)))
        });
        let awaited = awaited.collect();
        let number = self.next_waiter;
        self.next_waiter += 1;
        self.waiters.insert(number, Waiter { awaited });
        number
    }

    /// Returns how long a scraper has to wait until it waits for fewer virtual machines, even
    /// if none answers; `None` if it waits for none.
    fn time_to_wait(&mut self, waiter: u64) -> Option<Duration> {
        let awaited = &mut self.waiters.get_mut(&waiter)?.awaited;
        let now = Instant::now();
        awaited.retain(|_, until| *until > now);
        let until = awaited.values().min()?;
        Some(until.saturating_duration_since(now))
    }

    /// Counts the requests that a scraper does not wait for any longer.
    fn count_overdue(&mut self, generation: u64) {
        for entry in self.entries.values_mut() {
            let (reason, _) = entry.overdue_failure();
            let is_overdue = !entry.has_outcome(generation);
            let asked = entry.asked.as_mut().filter(|_| is_overdue);
            if let Some(asked) = asked.filter(|asked| !asked.is_counted) {
                asked.is_counted = true;
                *self.failures.entry(reason).or_default() += 1;
            }
        }
    }
}

impl Entry {
    /// Returns whether a request had an outcome since a collection began.
    fn has_outcome(&self, generation: u64) -> bool {
        let outcome = self.outcome.as_ref();
        outcome.is_some_and(|outcome| outcome.generation >= generation)
    }

    /// Returns whether the last request failed because the virtual machine hung.
    fn hung(&self) -> bool {
        let failure = self.outcome.as_ref().and_then(|last| last.failure.as_ref());
        failure.is_some_and(|(reason, _)| matches!(reason, Reason::Timeout | Reason::Silent))
    }

    /// Returns the reason why a virtual machine that was asked has not answered, also in
    /// words.
    fn overdue_failure(&self) -> (Reason, &'static str) {
        if self.is_connected || self.last.is_some() {
            (Reason::Timeout, TIMEOUT)
        } else {
            (Reason::Silent, SILENT)
        }
    }

    /// Returns the state that a scraper of a collection sees.
    fn state(&self, generation: u64) -> VmState {
        let outcome = self.outcome.as_ref();
        match outcome.filter(|_| self.has_outcome(generation) || self.hung()) {
            Some(outcome) => self.with(outcome.failure.clone()),
            None => self.overdue(),
        }
    }

    /// Returns the state after the last request that has an outcome, or that a scraper has
    /// waited for in vain.
    fn known(&self) -> VmState {
        match &self.outcome {
            _ if self.asked.is_some_and(|asked| asked.is_counted) => self.overdue(),
            Some(outcome) => self.with(outcome.failure.clone()),
            None => self.with(Some((Reason::Silent, "no answer so far".to_owned()))),
        }
    }

    fn overdue(&self) -> VmState {
        let (reason, text) = self.overdue_failure();
        self.with(Some((reason, text.to_owned())))
    }

    fn with(&self, failure: Option<(Reason, String)>) -> VmState {
        VmState {
            vm: Arc::clone(&self.vm),
            last: self.last.clone(),
            failure,
        }
    }
}

impl Shared {
    /// The thread of a virtual machine. Ends when the virtual machine is removed.
    fn observe(&self, vm: &Vm, woken: &Receiver<()>) {
        let options = &self.options;
        let credentials = options.credentials.as_deref();
        let endpoint = vm.endpoint.clone().with_credentials(credentials);
        let mut observer = Observer::new(endpoint, options.selection.clone(), self.clock);
        while woken.recv().is_ok() {
            let outcome = observer.ask(&mut |is_connected| {
                if let Some(entry) = self.state.lock().entries.get_mut(&vm.id) {
                    entry.is_connected = is_connected;
                }
            });
            self.finish(vm, outcome);
        }
    }

    /// Notes the outcome of a request.
    fn finish(&self, vm: &Vm, outcome: Result<Arc<Answer>, (Reason, String)>) {
        let now = Timestamp::of_wall_clock();
        let mut state = self.state.lock();
        let generation = state.generation;
        let Some(entry) = state.entries.get_mut(&vm.id) else {
            return;
        };
        let is_counted = entry.asked.take().is_some_and(|asked| asked.is_counted);
        let failure = match outcome {
            Ok(answer) => {
                entry.last = Some((now, answer));
                None
            }
            Err(failure) => Some(failure),
        };
        let reason = failure.as_ref().map(|(reason, _)| *reason);
        entry.outcome = Some(Outcome {
            generation,
            failure,
        });
        if let Some(reason) = reason.filter(|_| !is_counted) {
            *state.failures.entry(reason).or_default() += 1;
        }
        let mut is_done = false;
        for waiter in state.waiters.values_mut() {
            is_done |= waiter.awaited.remove(&vm.id).is_some() && waiter.awaited.is_empty();
        }
        if is_done {
            self.state.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_is_shared_when_it_began_after_a_scraper_came() {
        let options = CollectorOptions {
            credentials: None,
            selection: Selection::new(None, Vec::new(), &[], Vec::new()),
        };
        let collector = Collector::new(Vec::new(), options);
        let collect = |arrival| collector.collect(arrival, Instant::now()).generation;
        let arrival = Instant::now();
        assert_eq!(collect(arrival), 1);
        thread::sleep(2 * SHARED_AGE);
        // It came at the same time as the first one, and waited for a processor.
        assert_eq!(collect(arrival), 1);
        assert_eq!(collect(Instant::now()), 2);
    }
}
