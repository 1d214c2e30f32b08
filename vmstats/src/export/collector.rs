//! Samples of many virtual machines when somebody asks for them.
//!
//! In: places. Out: what each virtual machine answered before a deadline. Each has a thread
//! and a connection that stays open, so that one that hangs delays no other: it is waited
//! for once, and then not before it has answered. This file knows no metric.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Answer, Reason, Vm, VmState};
use super::observer::Observer;
use crate::lock::Lock;
use crate::sample::{Clock, Timestamp};
use crate::selection::Selection;
use crate::source::Place;

/// The age up to which a collection is given to a second scraper too.
const SHARED_AGE: Duration = Duration::from_millis(100);

/// The number of virtual machines.
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

/// The virtual machines at some places.
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
pub(super) struct Shared {
    options: CollectorOptions,
    clock: Clock,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<usize, Entry>,
    ids: HashMap<String, usize>,
    next: usize,
    /// The number of sockets at each place, or the reason for a place without any.
    places: Vec<Result<usize, String>>,
    /// The number of collections.
    generation: u64,
    began: Option<Instant>,
    /// The number of virtual machines that were asked, did not answer, and are waited for.
    awaited: usize,
    /// The number of failures for each reason.
    failures: HashMap<Reason, u64>,
}

/// A virtual machine.
#[derive(Debug)]
struct Entry {
    vm: Arc<Vm>,
    wake: SyncSender<()>,
    request: Request,
    /// True if the thread has connected, and waits for values.
    is_connected: bool,
    outcome: Option<Outcome>,
    /// The last answer with its time.
    last: Option<(Timestamp, Arc<Answer>)>,
}

/// The request to a virtual machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// Nobody has asked.
    None,
    /// A collection has asked, and waits.
    Awaited,
    /// A collection has asked, and its deadline has passed.
    Overdue,
}

/// The outcome of the last request, with the number of the collection that read it.
#[derive(Debug)]
struct Outcome {
    generation: u64,
    failure: Option<(Reason, String)>,
}

/// The answers of all virtual machines.
#[derive(Debug)]
pub(super) struct Collection {
    /// The virtual machines, in the order in which they were found.
    pub(super) vms: Vec<VmState>,
    /// The places, each with its number of sockets, or the reason for a place without any.
    pub(super) places: Vec<(String, Result<usize, String>)>,
    /// The end of the collection.
    pub(super) at: Timestamp,
    /// The time that the collection took.
    pub(super) duration: Duration,
    /// The number of collections so far.
    pub(super) generation: u64,
    /// The number of failures so far, for each reason.
    pub(super) failures: Vec<(Reason, u64)>,
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

    /// Asks all virtual machines, and waits for their answers for at most `timeout`. A
    /// collection that began a moment ago is shared.
    pub(super) fn collect(&self, timeout: Duration) -> Collection {
        let begin = Instant::now();
        self.ask();
        let state = self.shared.state.lock();
        let left = timeout.saturating_sub(begin.elapsed());
        let mut state = { &self.shared.state }.wait_while(state, left, |state| state.awaited > 0);
        if state.awaited > 0 {
            state.stop_waiting();
            // Another scraper that shares the collection need not wait either.
            self.shared.state.notify();
        }
        self.snapshot(&state, begin.elapsed())
    }

    /// Returns what is known without asking anybody.
    pub(super) fn known(&self) -> Collection {
        let state = self.shared.state.lock();
        self.snapshot(&state, Duration::ZERO)
    }

    /// Begins a collection, unless one began a moment ago.
    fn ask(&self) {
        let scan = self.scan.lock();
        let is_fresh = |state: &State| state.began.is_some_and(|at| at.elapsed() < SHARED_AGE);
        if is_fresh(&self.shared.state.lock()) {
            return;
        }
        let found: Vec<_> = self.places.iter().map(Place::scan).collect();
        let mut state = self.shared.state.lock();
        state.generation += 1;
        state.began = Some(Instant::now());
        let mut present = HashSet::new();
        state.places.clear();
        for endpoints in found {
            let endpoints = match endpoints {
                Ok(endpoints) => endpoints,
                Err(problem) => {
                    state.places.push(Err(problem));
                    continue;
                }
            };
            state.places.push(Ok(endpoints.len()));
            for endpoint in endpoints {
                let vm = state.ids.get(&endpoint.to_string()).copied();
                let vm = vm.or_else(|| {
                    let id = state.next;
                    let vm = Arc::new(Vm { id, endpoint });
                    self.add(&mut state, vm).then_some(id)
                });
                present.extend(vm);
            }
        }
        state.retain(&present);
        state.wake();
        drop(state);
        drop(scan);
    }

    /// Adds a virtual machine with its thread. Returns false if there are too many.
    fn add(&self, state: &mut State, vm: Arc<Vm>) -> bool {
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
        state.ids.insert(vm.endpoint.to_string(), vm.id);
        let entry = Entry {
            wake,
            request: Request::None,
            is_connected: false,
            outcome: None,
            last: None,
            vm,
        };
        state.entries.insert(entry.vm.id, entry);
        true
    }

    fn snapshot(&self, state: &State, duration: Duration) -> Collection {
        let mut vms: Vec<_> = { state.entries.values() }
            .map(|entry| entry.state(state.generation))
            .collect();
        vms.sort_by_key(|vm| vm.vm.id);
        let places = self.places.iter().map(ToString::to_string);
        let mut failures: Vec<_> = { state.failures.iter() }
            .map(|(reason, count)| (*reason, *count))
            .collect();
        failures.sort_unstable();
        Collection {
            vms,
            at: self.shared.clock.now(),
            places: places.zip(state.places.iter().cloned()).collect(),
            duration,
            generation: state.generation,
            failures,
        }
    }
}

impl State {
    /// Removes the virtual machines whose sockets are gone. Their threads end.
    fn retain(&mut self, present: &HashSet<usize>) {
        self.entries.retain(|id, _| present.contains(id));
        self.ids.retain(|_, id| present.contains(id));
        let requests = self.entries.values().map(|entry| entry.request);
        self.awaited = requests
            .filter(|request| *request == Request::Awaited)
            .count();
    }

    /// Asks all virtual machines that have answered their last request.
    fn wake(&mut self) {
        for entry in self.entries.values_mut() {
            // A channel of one place is free, because the thread has taken the last word
            // out of it before it answered.
            if entry.request == Request::None && entry.wake.try_send(()).is_ok() {
                entry.request = Request::Awaited;
                self.awaited += 1;
            }
        }
    }

    fn stop_waiting(&mut self) {
        self.awaited = 0;
        for entry in self.entries.values_mut() {
            if entry.request == Request::Awaited {
                entry.request = Request::Overdue;
                let reason = entry.overdue_reason();
                *self.failures.entry(reason).or_default() += 1;
            }
        }
    }
}

impl Entry {
    /// Returns the reason why a virtual machine that was asked has not answered.
    fn overdue_reason(&self) -> Reason {
        if self.is_connected {
            Reason::Timeout
        } else {
            Reason::Silent
        }
    }

    fn state(&self, generation: u64) -> VmState {
        let failure = match (&self.request, &self.outcome) {
            (Request::None, Some(outcome)) if outcome.generation == generation => {
                outcome.failure.clone()
            }
            _ => {
                let reason = self.overdue_reason();
                Some((reason, reason.explanation().to_owned()))
            }
        };
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
        let now = self.clock.now();
        let mut state = self.state.lock();
        let generation = state.generation;
        let Some(entry) = state.entries.get_mut(&vm.id) else {
            return;
        };
        let was_awaited = entry.request == Request::Awaited;
        // An answer that came too late belongs to no collection: the next one asks again.
        let generation = if was_awaited { generation } else { 0 };
        entry.request = Request::None;
        let failure = match outcome {
            Ok(answer) => {
                entry.last = Some((now, answer));
                None
            }
            Err((reason, text)) => Some((reason, text)),
        };
        let reason = failure.as_ref().map(|(reason, _)| *reason);
        entry.outcome = Some(Outcome {
            generation,
            failure,
        });
        if let Some(reason) = reason.filter(|_| was_awaited) {
            *state.failures.entry(reason).or_default() += 1;
        }
        if was_awaited {
            state.awaited -= 1;
            if state.awaited == 0 {
                self.state.notify();
            }
        }
    }
}
