//! Samples of many virtual machines at an interval.
//!
//! In: places. Out: a stream of updates. Each virtual machine has a thread, so that one
//! that hangs delays no other; another thread looks for sockets that came or went.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::discovery::Place;
use super::monitor::Monitor;
use super::process::Incarnation;
use crate::client::{Client, ClientError};
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::lock::Lock;
use crate::sample::{Clock, Identity, Sample, Table};
use crate::selection::Selection;
use crate::threads::spawn;

/// The time between two looks for sockets.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two tries to connect to a monitor that nobody serves.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two tries to connect to a server that does not greet, or that has no
/// statistics. Such a try occupies a server that has room for one client.
const RETRY_SILENT_INTERVAL: Duration = Duration::from_secs(30);

/// The number of updates that wait for the reader. Beyond it, samples are taken later.
const UPDATES_MAX: usize = 1024;

/// The number of virtual machines.
const VMS_MAX: usize = 4096;

/// The number of addresses without a socket whose last virtual machine is known. Beyond
/// it all are forgotten; one that comes again begins with run 0 then.
const PAST_MAX: usize = 4 * VMS_MAX;

/// How samples are taken.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The time between two samples of a virtual machine.
    pub interval: Duration,
    /// How long a connection, and later each reply, may take.
    pub timeout: Duration,
    /// The folder with the certificates for TLS.
    pub credentials: Option<PathBuf>,
    /// The statistics to ask for.
    pub selection: Selection,
    /// True if the steal time of the vCPUs is read too.
    pub with_steal: bool,
}

/// A virtual machine of a fleet.
#[derive(Debug, PartialEq, Eq)]
pub struct Vm {
    /// A number that no other virtual machine of the fleet has or had.
    pub id: usize,
    /// The address of its monitor.
    pub endpoint: Endpoint,
}

/// News of a fleet.
#[derive(Debug)]
pub enum Update {
    /// News of a virtual machine.
    Vm(Arc<Vm>, Event),
    /// The place has at least one socket (`None`), or has none for this reason.
    Place(String, Option<String>),
}

/// News of a virtual machine.
#[derive(Debug)]
pub enum Event {
    /// Its address was found. Its monitor has not been asked yet.
    Found,
    /// Its monitor answered, and described itself.
    Connected(Arc<Connected>),
    /// Its statistics were read.
    Sampled(Arc<Sample>),
    /// Its monitor cannot be asked, for this reason. It is tried again.
    Failed(String),
    /// Its socket is gone. Nothing more comes of it.
    Gone,
}

/// The description of a monitor that answered.
#[derive(Debug)]
pub struct Connected {
    /// The identity of the virtual machine.
    pub identity: Identity,
    /// The selected statistics.
    pub tables: Vec<Arc<Table>>,
    /// The number of the run of the virtual machine: see [`Sample::run`].
    pub run: u32,
    /// The parts of the selection that nothing matches, as sentences.
    pub problems: Vec<String>,
}

/// The threads that take samples. They end when the fleet is dropped.
#[derive(Debug)]
pub struct Fleet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: FleetOptions,
    clock: Clock,
    begin: Instant,
    control: Lock<Control>,
    updates: SyncSender<Update>,
}

#[derive(Debug)]
struct Control {
    is_stopped: bool,
    interval: Duration,
}

impl Fleet {
    /// Starts to take samples. The clock gives the times of the samples.
    ///
    /// # Errors
    ///
    /// Returns an error if a thread cannot be started.
    pub fn start(
        places: Vec<Place>,
        options: FleetOptions,
        clock: Clock,
    ) -> Result<(Self, Receiver<Update>), Failure> {
        raise_file_limit();
        let (sender, receiver) = sync_channel(UPDATES_MAX);
        let shared = Arc::new(Shared {
            clock,
            begin: Instant::now(),
            control: Lock::new(Control {
                is_stopped: false,
                interval: options.interval,
            }),
            updates: sender,
            options,
        });
        let search = Search {
            shared: Arc::clone(&shared),
            places,
            found: HashMap::new(),
            past: HashMap::new(),
            told: HashMap::new(),
            next: 0,
        };
        spawn("discovery", move || search.run())?;
        Ok((Self { shared }, receiver))
    }

    /// Changes the interval from the next sample on.
    pub fn set_interval(&self, interval: Duration) {
        self.shared.control.lock().interval = interval;
        self.shared.control.notify();
    }

    /// Makes the threads end, without waiting for those that wait for a monitor.
    pub fn stop(&self) {
        self.shared.control.lock().is_stopped = true;
        self.shared.control.notify();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // A thread that waits for a monitor ends when the monitor answers or the time for
        // it is over; the program need not wait for it.
        self.stop();
    }
}

/// Raises the limit of open files (often 1,024) as far as this program may. A virtual
/// machine needs a file for its monitor and one for each vCPU's steal time.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // With a lower limit, the files that cannot be opened are told one by one.
    let _ = setrlimit(Resource::Nofile, raised);
}

impl Shared {
    /// Waits, but not beyond the end of the fleet. Returns whether the fleet goes on.
    fn sleep(&self, duration: Duration) -> bool {
        let control = self.control.lock();
        let control = self
            .control
            .wait_while(control, duration, |control| !control.is_stopped);
        !control.is_stopped
    }

    /// Waits for the next tick of the interval, which may change while it waits.
    /// Returns whether the fleet goes on.
    fn sleep_until_tick(&self) -> bool {
        let since_begin = self.begin.elapsed();
        let mut control = self.control.lock();
        loop {
            if control.is_stopped {
                return false;
            }
            let interval = control.interval;
            let next = next_tick(since_begin, interval);
            let left = next.saturating_sub(self.begin.elapsed());
            if left.is_zero() {
                return true;
            }
            control = self.control.wait_while(control, left, |control| {
                !control.is_stopped && control.interval == interval
            });
        }
    }

    /// Sends an update. Returns whether anybody reads updates.
    fn send(&self, update: Update) -> bool {
        self.updates.send(update).is_ok()
    }
}

/// Returns the first multiple of the interval that is later. Ticks that were missed are
/// left out, so that a monitor that was slow is not asked twice at once.
fn next_tick(since_begin: Duration, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let next = (since_begin.as_nanos() / interval + 1) * interval;
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

/// The thread that looks for sockets.
struct Search {
    shared: Arc<Shared>,
    places: Vec<Place>,
    found: HashMap<String, JoinHandle<History>>,
    /// The histories of addresses whose sockets are gone. QEMU removes its socket when it
    /// ends, and a virtual machine that is started again has the same address.
    past: HashMap<String, History>,
    told: HashMap<usize, Option<String>>,
    next: usize,
}

impl Search {
    fn run(mut self) {
        loop {
            for index in 0..self.places.len() {
                if !self.scan(index) {
                    return;
                }
            }
            let is_searched = self.places.iter().any(Place::is_searched);
            if !is_searched || !self.shared.sleep(SCAN_INTERVAL) {
                return;
            }
            self.forget_ended();
        }
    }

    /// Makes the addresses free whose threads have ended.
    fn forget_ended(&mut self) {
        let ended = self.found.extract_if(|_, thread| thread.is_finished());
        for (address, thread) in ended {
            if self.past.len() >= PAST_MAX {
                self.past.clear();
            }
            // A thread that panicked has told so, and is started again.
            if let Ok(history) = thread.join() {
                self.past.insert(address, history);
            }
        }
    }

    /// Looks at a place once. Returns whether anybody reads updates.
    fn scan(&mut self, index: usize) -> bool {
        let Some(place) = self.places.get(index) else {
            return true;
        };
        let problem = match place.scan() {
            Ok(endpoints) if endpoints.is_empty() => Some(place.nothing()),
            Ok(endpoints) => {
                let (place, is_searched) = (place.clone(), place.is_searched());
                self.observe(&place, endpoints, is_searched)
            }
            Err(problem) => Some(problem),
        };
        if self.told.get(&index) == Some(&problem) {
            return true;
        }
        self.told.insert(index, problem.clone());
        let name = self.places.get(index).map(Place::to_string);
        self.shared
            .send(Update::Place(name.unwrap_or_default(), problem))
    }

    /// Starts a thread for each address that has none. Returns a problem, if there is
    /// one.
    fn observe(
        &mut self,
        place: &Place,
        endpoints: Vec<Endpoint>,
        is_searched: bool,
    ) -> Option<String> {
        for endpoint in endpoints {
            let key = endpoint.to_string();
            if self.found.contains_key(&key) {
                continue;
            }
            if self.found.len() >= VMS_MAX {
                return Some(format!(
                    "{place}: more than {VMS_MAX} virtual machines; the others are left out"
                ));
            }
            let vm = Arc::new(Vm {
                id: self.next,
                endpoint,
            });
            self.next += 1;
            // Send before the thread starts, so that this is the first news of each.
            if !self.shared.send(Update::Vm(Arc::clone(&vm), Event::Found)) {
                return None;
            }
            let observer = Observer {
                shared: Arc::clone(&self.shared),
                vm: Arc::clone(&vm),
                is_searched,
                history: self.past.remove(&key).unwrap_or_default(),
            };
            match spawn("vm", move || observer.run()) {
                Ok(thread) => {
                    self.found.insert(key, thread);
                }
                Err(failure) => {
                    self.shared.send(Update::Vm(vm, Event::Gone));
                    return Some(failure.to_string());
                }
            }
        }
        None
    }
}

/// The thread of one virtual machine.
struct Observer {
    shared: Arc<Shared>,
    vm: Arc<Vm>,
    /// True if the address is forgotten when its socket is gone.
    is_searched: bool,
    history: History,
}

/// The past of the virtual machines at an address.
#[derive(Default)]
struct History {
    last: Option<Incarnation>,
    /// The number of times that the virtual machine was started again.
    run: u32,
    /// True if the socket was away since the last connection.
    was_gone: bool,
}

impl Observer {
    /// Observes until the fleet ends or the socket is gone.
    fn run(mut self) -> History {
        self.observe_all();
        self.history
    }

    fn observe_all(&mut self) {
        let mut told: Option<String> = None;
        loop {
            let error = match self.connect() {
                Ok(monitor) => {
                    told = None;
                    match self.observe(monitor) {
                        Some(error) => error,
                        None => return,
                    }
                }
                Err(error) => error,
            };
            if self.is_searched && is_gone(&self.vm.endpoint) {
                self.history.was_gone = true;
                self.send(Event::Gone);
                return;
            }
            let reason = error.to_string();
            if told.as_ref() != Some(&reason) {
                if !self.send(Event::Failed(reason.clone())) {
                    return;
                }
                told = Some(reason);
            }
            let interval = match error {
                ClientError::Connect(..) | ClientError::Transport(_) => RETRY_INTERVAL,
                _ => RETRY_SILENT_INTERVAL,
            };
            if !self.shared.sleep(interval) {
                return;
            }
        }
    }

    fn connect(&mut self) -> Result<Monitor, ClientError> {
        let options = &self.shared.options;
        let credentials = options.credentials.as_deref();
        let endpoint = self.vm.endpoint.clone().with_credentials(credentials);
        let client = Client::connect(&endpoint, options.timeout)?;
        let monitor = Monitor::open(
            client,
            &self.vm.endpoint.to_string(),
            options.selection.clone(),
            self.shared.clock,
            options.with_steal,
        )?;
        let history = &mut self.history;
        let now = monitor.incarnation();
        let last = history.last.replace(now.clone());
        if last.is_some_and(|last| !now.continues(&last, history.was_gone)) {
            history.run += 1;
        }
        history.was_gone = false;
        Ok(monitor)
    }

    /// Takes samples until the connection breaks. Returns `None` if the fleet ends.
    fn observe(&mut self, mut monitor: Monitor) -> Option<ClientError> {
        let connected = Connected {
            identity: monitor.identity().clone(),
            tables: monitor.tables().cloned().collect(),
            run: self.history.run,
            problems: monitor.problems().to_vec(),
        };
        if !self.send(Event::Connected(Arc::new(connected))) {
            return None;
        }
        loop {
            match monitor.sample(self.history.run) {
                Ok(sample) => {
                    if !self.send(Event::Sampled(Arc::new(sample))) {
                        return None;
                    }
                }
                Err(error) => {
                    // vCPUs were plugged in since the connection was made.
                    self.history.last = Some(monitor.incarnation().clone());
                    return Some(error);
                }
            }
            if !self.shared.sleep_until_tick() {
                return None;
            }
        }
    }

    fn send(&self, event: Event) -> bool {
        self.shared.send(Update::Vm(Arc::clone(&self.vm), event))
    }
}

/// Returns whether the file of a socket does not exist.
fn is_gone(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Unix(path) if !path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_tick_is_later_and_leaves_out_missed_ones() {
        let (second, half) = (Duration::from_secs(1), Duration::from_millis(500));
        assert_eq!(next_tick(Duration::ZERO, second), second);
        assert_eq!(next_tick(half, second), second);
        assert_eq!(next_tick(second, second), 2 * second);
        assert_eq!(next_tick(7 * half, second), 4 * second);
    }
}
