//! The core of every server: the clients of listeners, a step at a time.
//!
//! In: listeners, and the kernel's readiness events. Out: steps of
//! connections, in the thread that calls. It knows neither a protocol nor the
//! threads that drive it.
//!
//! A descriptor is armed for one event at a time. The thread that gets the
//! event takes the connection out of its slot, steps it without holding a lock,
//! and puts it back. While a command is executed, the connection waits in its
//! slot, where other threads deliver events, read out-of-band commands, and
//! notice that the client has left.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

mod accept;
mod capacity;
mod command;
mod driver;
mod end;

pub(super) use self::driver::{Driver, HandedOver};

use self::capacity::Capacity;
use super::budget::{Budget, Charge};
use super::clients::{ClientTable, PutBack, Slot};
use super::connection::{Connection, End, Interest, Ready, Step};
use super::listener::Listener;
use super::options::Options;
use super::report::{Counters, Report};
use super::waker::Waker;
use crate::lock::{Lock, Signal};
use crate::monitor::Monitor;

/// The token of the waker's descriptor.
const WAKER: u64 = 0;
/// The token of the timer's descriptor.
const TIMER: u64 = 1;
/// The token of the first listener. The clients' tokens follow the listeners'.
const FIRST_LISTENER: u64 = 2;

/// The longest time for which the timer is armed, so that the value fits.
const ALARM_MAX: Timespec = Timespec {
    tv_sec: 3600,
    tv_nsec: 0,
};

/// The time after which a client's descriptor is watched although a command of
/// the client is executed. See [`Slot::put_back_for_command`].
const UNWATCHED_TIME_MAX: Duration = Duration::from_secs(1);

/// The commands of one client after each of which the socket is read at once. A
/// client in a tight loop is then served without `epoll_ctl`, `epoll_wait` and a
/// change of threads. Other clients pay a `recv` that finds nothing.
const EAGER_READS_MAX: usize = 16;

pub(super) struct Reactor {
    monitor: Monitor,
    options: Options,
    epoll: OwnedFd,
    waker: Arc<Waker>,
    timer: OwnedFd,
    /// The listeners; none once the server is stopping.
    listeners: Lock<Vec<Arc<Listener>>>,
    listeners_end: u64,
    clients: Lock<ClientTable>,
    /// Signalled when the last client has gone.
    emptied: Signal,
    capacity: Capacity,
    budget: Budget,
    report: Report,
    /// `true` while the timer is armed to look for slow commands.
    is_watching: AtomicBool,
    /// The clients to step although their descriptors are not ready.
    turns: Lock<VecDeque<(u64, Ready)>>,
    /// Set with the clients locked: no client is added afterwards.
    is_ending: AtomicBool,
    has_ended: AtomicBool,
}

/// A descriptor's readiness events, from [`Reactor::wait`].
pub(super) type News = epoll::Event;

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl Reactor {
    /// Makes the core of a server that executes at most `commands_max` commands
    /// at the same time; `None` if one thread drives it. The caller drives it with [`wait`](Self::wait) and
    /// [`handle`](Self::handle).
    pub(super) fn new(
        monitor: Monitor,
        listeners: Vec<Listener>,
        options: Options,
        commands_max: Option<usize>,
    ) -> io::Result<Arc<Self>> {
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        let count = u64::try_from(listeners.len()).unwrap_or(u64::MAX);
        let listeners_end = FIRST_LISTENER.saturating_add(count);
        let timerfd = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let reactor = Self {
            monitor,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            waker: Arc::new(Waker::new()?),
            timer: rustix::time::timerfd_create(TimerfdClockId::Monotonic, timerfd)?,
            clients: Lock::new(ClientTable::new(listeners_end)),
            emptied: Signal::default(),
            listeners: Lock::new(listeners.clone()),
            listeners_end,
            capacity: Capacity::new(commands_max),
            budget: Budget::new(options.held_bytes_max),
            report: Report::new(options.on_client_lost.clone()),
            is_watching: AtomicBool::new(false),
            options,
            turns: Lock::default(),
            is_ending: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        };
        for (token, fd) in [
            (WAKER, reactor.waker.as_fd()),
            (TIMER, reactor.timer.as_fd()),
        ] {
            let data = EventData::new_u64(token);
            epoll::add(&reactor.epoll, fd, data, EventFlags::IN)?;
        }
        for (token, listener) in (FIRST_LISTENER..).zip(&listeners) {
            let flags = EventFlags::IN | EventFlags::ONESHOT;
            epoll::add(&reactor.epoll, listener, EventData::new_u64(token), flags)?;
        }
        Ok(Arc::new(reactor))
    }

    /// Waits for readiness events. Returns the number of ready descriptors, or 0 after
    /// `timeout`; `None` waits without a limit.
    pub(super) fn wait<const COUNT: usize>(
        &self,
        news: &mut [News; COUNT],
        timeout: Option<&Timespec>,
    ) -> rustix::io::Result<usize> {
        epoll::wait(&self.epoll, news, timeout)
    }

    /// Handles the readiness events of one descriptor.
    pub(super) fn handle(self: &Arc<Self>, news: News, driver: &mut Driver) {
        match news.data.u64() {
            WAKER => {
                self.wake_subscribers();
                self.step_next(driver);
            }
            TIMER => self.run_expired_timers(),
            token if self.is_listener(token) => self.accept(token),
            token => self.serve(token, news.flags, driver),
        }
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        self.report.counters()
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the number of connected clients.
    pub(super) fn connections(&self) -> usize {
        self.clients.lock().len()
    }

    fn client(&self, token: u64) -> Option<Arc<Slot>> {
        self.clients.lock().get(token)
    }

    /// Wakes the clients that have events.
    fn wake_subscribers(&self) {
        for token in self.waker.take() {
            self.wake(token);
        }
    }

    /// Has a client's connection stepped soon, by any thread.
    fn wake(&self, token: u64) {
        if let Some(slot) = self.client(token) {
            slot.wake(|connection| self.arm_to_wake(token, connection));
        }
    }

    /// Deals with the clients and listeners whose deadline has passed, and arms
    /// the timer for the next deadline.
    fn run_expired_timers(&self) {
        let _ = rustix::io::read(&self.timer, &mut [0; 8]);
        let now = Instant::now();
        let due = self.clients.lock().take_due(now);
        for token in due {
            if token == TIMER {
                self.watch_slow_commands(now);
            } else if self.is_listener(token) {
                self.listen(token);
            } else if let Some(slot) = self.client(token) {
                // The table's entry is gone: the next `put_back` must make a
                // new one even if the deadline is the same.
                slot.set_deadline(None);
                let lateness = |connection: &Connection| connection.lateness(now, &self.options);
                match slot.with(lateness).flatten() {
                    Some(lateness) => self.close(&slot, None, &End::Late(lateness)),
                    None => self.wake(token),
                }
            }
        }
        self.arm_timer(&mut self.clients.lock());
    }

    /// Serves a client whose descriptor is ready.
    fn serve(self: &Arc<Self>, token: u64, flags: EventFlags, driver: &mut Driver) {
        let Some(slot) = self.client(token) else {
            return;
        };
        let ready = Ready {
            to_read: flags != EventFlags::OUT,
            hung_up: flags.intersects(EventFlags::HUP | EventFlags::ERR),
            must_end: false,
        };
        if let Some(connection) = slot.take(ready) {
            self.step(&slot, connection, ready, driver);
        }
    }

    /// Steps a connection, and executes its commands, until it waits or has had
    /// its turn.
    fn step(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        mut connection: Box<Connection>,
        mut ready: Ready,
        driver: &mut Driver,
    ) {
        let mut commands = 0;
        loop {
            let results = slot.take_results();
            let step = AssertUnwindSafe(|| {
                let buffers = &mut driver.buffers;
                connection.step(ready, results, &self.monitor, &self.options, buffers)
            });
            // Panics of handlers and providers are error replies by now. One
            // that unwinds to here is a bug of this crate: it costs the client
            // its connection, and the server nothing.
            let step = catch_unwind(step);
            self.report.moved(connection.take_traffic());
            let step = match step {
                Ok(Ok(step)) => step,
                Ok(Err(end)) => return self.close(slot, Some(connection), &end),
                Err(_) => return self.close(slot, Some(connection), &End::Panicked),
            };
            if self.has_ended() {
                return self.close(slot, Some(connection), &End::Stopped);
            }
            let next = match step {
                Step::Execute(task) if commands == driver.commands_max => {
                    connection.hold_back(task);
                    self.wait_for_turn(slot, connection)
                }
                Step::Execute(task) => {
                    commands += 1;
                    let next = self.execute(slot, connection, task, driver);
                    // A client in a tight loop may have sent its next request
                    // already.
                    let to_read = commands < EAGER_READS_MAX;
                    next.map(|(taken, why)| (taken, Ready { to_read, ..why }))
                }
                Step::Wait => self.wait_in_slot(slot, connection),
                Step::Yield => self.wait_for_turn(slot, connection),
            };
            match next {
                Some((taken, why)) => (connection, ready) = (taken, why),
                None => return,
            }
        }
    }

    /// Puts a connection back into its slot, to wait for its socket or its
    /// deadline. Returns it if it must be stepped again at once.
    fn wait_in_slot(
        &self,
        slot: &Slot,
        connection: Box<Connection>,
    ) -> Option<(Box<Connection>, Ready)> {
        let arm = |connection: &Connection| {
            self.arm(slot.token(), connection, connection.interest());
        };
        self.put_back(slot, connection, arm)
    }

    /// Puts a connection back into its slot, to go on when others have had their
    /// turn.
    fn wait_for_turn(
        &self,
        slot: &Slot,
        connection: Box<Connection>,
    ) -> Option<(Box<Connection>, Ready)> {
        // Queue the turn rather than arm the descriptor for output: a socket that
        // takes no output until the client reads must not keep commands waiting.
        self.queue_turns([(slot.token(), Ready::default())]);
        self.wait_in_slot(slot, connection)
    }

    fn queue_turns(&self, turns: impl IntoIterator<Item = (u64, Ready)>) {
        self.turns.lock().extend(turns);
        self.waker.signal();
    }

    /// Steps the client that has waited the longest for its turn. Wakes another
    /// thread for the next one first, because the command of this one may take
    /// long.
    fn step_next(self: &Arc<Self>, driver: &mut Driver) {
        let turn = {
            let mut turns = self.turns.lock();
            let turn = turns.pop_front();
            if !turns.is_empty() {
                self.waker.signal();
            }
            turn
        };
        if let Some((token, ready)) = turn
            && let Some(slot) = self.client(token)
            && let Some(connection) = slot.take(ready)
        {
            self.step(&slot, connection, ready, driver);
        }
    }

    fn put_back(
        &self,
        slot: &Slot,
        connection: Box<Connection>,
        arm: impl FnOnce(&Connection),
    ) -> Option<(Box<Connection>, Ready)> {
        if !self.charge(slot, &connection, false) {
            self.close(slot, Some(connection), &End::Evicted);
            return None;
        }
        self.set_deadline(slot, connection.deadline(&self.options));
        match slot.put_back(connection, arm) {
            PutBack::Waits => None,
            PutBack::Again(connection, ready) => Some((connection, ready)),
            PutBack::Closed(connection) => {
                self.close(slot, Some(connection), &End::Stopped);
                None
            }
        }
    }

    /// Charges a client with what it holds, and evicts others that hold more if
    /// that is too much. Returns `false` if the client itself must go.
    fn charge(&self, slot: &Slot, connection: &Connection, begins_command: bool) -> bool {
        let held = connection.held();
        self.evict_for(self.budget.charge(slot.token(), held, begins_command))
    }

    /// Evicts the clients that a charge names. Returns whether it was granted.
    fn evict_for(&self, charge: Charge) -> bool {
        match charge {
            Charge::Refused => false,
            Charge::Granted { evict } => {
                for token in evict {
                    if let Some(other) = self.client(token) {
                        self.close(&other, None, &End::Evicted);
                    }
                }
                true
            }
        }
    }

    fn set_deadline(&self, slot: &Slot, deadline: Option<Instant>) {
        let before = slot.set_deadline(deadline);
        if before != deadline {
            let mut clients = self.clients.lock();
            clients.move_deadline(slot.token(), before, deadline);
            self.arm_timer(&mut clients);
        }
    }

    /// Arms a client's descriptor for one event. A hang-up is reported whatever
    /// the interest.
    fn arm(&self, token: u64, connection: &Connection, interest: Interest) {
        let mut flags = EventFlags::ONESHOT;
        flags.set(EventFlags::IN, interest.read);
        flags.set(EventFlags::OUT, interest.write);
        // The descriptor is open and was added: this cannot fail.
        let _ = epoll::modify(&self.epoll, connection, EventData::new_u64(token), flags);
    }

    /// Arms a client's descriptor so that the kernel reports it at once. A
    /// connection that waits for the socket to take output stays as it is,
    /// because nothing can be done for it before that.
    fn arm_to_wake(&self, token: u64, connection: &Connection) {
        let interest = Interest {
            write: true,
            ..connection.interest()
        };
        self.arm(token, connection, interest);
    }

    /// Arms the timer for the first deadline, unless it is armed for an earlier
    /// time.
    fn arm_timer(&self, clients: &mut ClientTable) {
        if let Some(after) = clients.next_alarm(Instant::now()) {
            let alarm = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(after).unwrap_or(ALARM_MAX),
            };
            let _ = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &alarm);
        }
    }

    /// Arms the timer to look for slow commands, unless it is armed for that.
    fn watch_later(&self) {
        if !self.is_watching.swap(true, Ordering::SeqCst) {
            let mut clients = self.clients.lock();
            let later = Instant::now().checked_add(UNWATCHED_TIME_MAX);
            clients.move_deadline(TIMER, None, later);
            self.arm_timer(&mut clients);
        }
    }

    /// Watches the descriptors of clients whose command takes long. Looks again
    /// later as long as commands run.
    fn watch_slow_commands(&self, now: Instant) {
        if let Some(before) = now.checked_sub(UNWATCHED_TIME_MAX) {
            let slots = self.clients.lock().slots();
            for slot in slots {
                slot.watch(before, |connection| {
                    self.arm(slot.token(), connection, connection.interest());
                });
            }
        }
        // Clear the flag before the count is read: a command that begins after
        // the count was read finds the flag cleared, and arms the timer itself.
        self.is_watching.store(false, Ordering::SeqCst);
        if self.capacity.executing() > 0 {
            self.watch_later();
        }
    }

    /// Ends a connection: closes the socket and forgets the client. If another
    /// thread has the connection, that thread drops it at the end of its step.
    ///
    /// Logs `end` unless the slot is closed already: the first reason counts.
    fn close(&self, slot: &Slot, connection: Option<Box<Connection>>, end: &End) {
        let closed = slot.close();
        if closed.is_first {
            self.report.ended(slot.token(), end);
        }
        self.budget.close(slot.token());
        self.capacity.forget(slot.token());
        // Dropped with nothing locked, because dropping a subscription takes
        // the lock of the events.
        drop((closed.connection, connection));
        // Last, because a caller that waits for the end of all clients may drop
        // what their connections use.
        let mut clients = self.clients.lock();
        clients.remove(slot.token(), closed.deadline);
        if clients.len() == 0 {
            self.emptied.notify_all();
        }
    }
}

impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests;
