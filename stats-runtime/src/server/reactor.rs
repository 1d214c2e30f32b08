//! The threads that serve all clients of a server.
//!
//! In: listeners, and what the kernel says is ready. Out: steps of connections,
//! each in whichever thread is free. It knows no protocol.
//!
//! A thread that has been told of a connection takes it out of its slot, steps
//! it and puts it back, so nothing is locked meanwhile; and if it was the last
//! one to wait, another is started to wait in its place. A provider that blocks
//! holds up the client that asked, and nobody else; a thousand idle clients
//! cost two threads.

use std::cmp::Reverse;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

mod arrivals;
mod threads;

use self::threads::STAYING_MAX;

use super::connection::{Buffers, Connection, Interest, Ready, Step};
use super::listener::Listener;
use super::options::Options;
use super::slots::{Slot, Table};
use super::waker::Waker;
use crate::commands::Monitor;

/// What is waited for, besides listeners and connections.
const WAKE: u64 = 0;
const TIMER: u64 = 1;
const FIRST_LISTENER: u64 = 2;

/// Whom a thread serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// One client, as long as it has requests.
    Own,
    /// One of several, or one that has just come: others wait for this thread,
    /// which therefore executes no command.
    Passing,
}

pub(super) struct Reactor {
    monitor: Monitor,
    options: Options,
    epoll: OwnedFd,
    waker: Arc<Waker>,
    timer: OwnedFd,
    /// Empty when it has stopped.
    listeners: Mutex<Vec<Arc<Listener>>>,
    listeners_end: u64,
    table: Mutex<Table>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Threads that wait for something to do.
    waiting: AtomicUsize,
    /// Threads that step a client, or wait for the one they have just answered.
    staying: AtomicUsize,
    held_bytes: AtomicUsize,
    stopping: AtomicBool,
    ended: AtomicBool,
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("listeners", &self.listeners())
            .finish_non_exhaustive()
    }
}

impl Reactor {
    pub(super) fn start(
        monitor: Monitor,
        listeners: Vec<Listener>,
        options: Options,
    ) -> io::Result<Arc<Self>> {
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        let count = u64::try_from(listeners.len()).unwrap_or(u64::MAX);
        let listeners_end = FIRST_LISTENER.saturating_add(count);
        let timerfd = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let reactor = Arc::new(Self {
            monitor,
            options,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            waker: Arc::new(Waker::new()?),
            timer: rustix::time::timerfd_create(TimerfdClockId::Monotonic, timerfd)?,
            table: Mutex::new(Table::new(listeners_end)),
            listeners: Mutex::new(listeners.clone()),
            listeners_end,
            threads: Mutex::default(),
            waiting: AtomicUsize::new(0),
            staying: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        for (token, fd) in [
            (WAKE, reactor.waker.as_fd()),
            (TIMER, reactor.timer.as_fd()),
        ] {
            epoll::add(
                &reactor.epoll,
                fd,
                EventData::new_u64(token),
                EventFlags::IN,
            )?;
        }
        for (token, listener) in (FIRST_LISTENER..).zip(&listeners) {
            let flags = EventFlags::IN | EventFlags::ONESHOT;
            epoll::add(&reactor.epoll, listener, EventData::new_u64(token), flags)?;
        }
        for _ in 0..threads::KEPT {
            reactor.spawn()?;
        }
        Ok(reactor)
    }

    /// How many clients are connected.
    pub(super) fn connections(&self) -> usize {
        self.table().len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Arc<Listener>>> {
        let listeners = self.listeners.lock();
        listeners.unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Hands events to those who have some.
    fn deliver(&self, buffers: &mut Buffers) {
        for token in self.waker.take() {
            let slot = self.table().get(token);
            if let Some(slot) = slot {
                self.nudge(&slot, buffers);
            }
        }
    }

    /// Steps those whose time has come, and sets the timer anew.
    fn ring(&self, buffers: &mut Buffers) {
        let _ = rustix::io::read(&self.timer, &mut [0; 8]);
        let due = self.table().due(Instant::now());
        for token in due {
            if self.is_listener(token) {
                self.listen(token);
                continue;
            }
            let slot = self.table().get(token);
            if let Some(slot) = slot {
                // Its entry is gone, and it is to make a new one.
                slot.set_deadline(None);
                self.nudge(&slot, buffers);
            }
        }
        self.set_timer(&mut self.table());
    }

    fn serve(&self, token: u64, flags: EventFlags, buffers: &mut Buffers) {
        if self.is_listener(token) {
            return self.accept(token, buffers);
        }
        let slot = self.table().get(token);
        if let Some(slot) = slot {
            let ready = Ready {
                socket: !flags.is_empty(),
                ..Ready::default()
            };
            if let Some(connection) = slot.take(ready) {
                self.step_on(&slot, connection, ready, Turn::Own, buffers);
            }
        }
    }

    /// Steps a connection that has events or is late, unless another thread
    /// does already: then that one steps it again.
    fn nudge(&self, slot: &Slot, buffers: &mut Buffers) {
        let ready = Ready::default();
        if let Some(connection) = slot.take(ready) {
            self.step_on(slot, connection, ready, Turn::Passing, buffers);
        }
    }

    fn step_on(
        &self,
        slot: &Slot,
        mut connection: Box<Connection>,
        mut ready: Ready,
        turn: Turn,
        buffers: &mut Buffers,
    ) {
        let mut errand = None;
        loop {
            let outcomes = slot.outcomes();
            let is_one_of_few = self.staying.fetch_add(1, Ordering::AcqRel) < STAYING_MAX;
            let others_wait = self.waiting.load(Ordering::Acquire) > 0;
            buffers.may_wait = turn == Turn::Own && is_one_of_few && others_wait;
            let step = AssertUnwindSafe(|| {
                connection.step(ready, outcomes, &self.monitor, &self.options, buffers)
            });
            // Handlers' and providers' panics are errors by now: this is what
            // remains, and costs only its client.
            let stepped = catch_unwind(step);
            self.staying.fetch_sub(1, Ordering::AcqRel);
            let Ok(Ok(Step {
                interest,
                errand: new,
                has_answered,
            })) = stepped
            else {
                return self.close(slot, Some(connection));
            };
            if self.has_ended() || !self.make_room(slot, &connection) {
                return self.close(slot, Some(connection));
            }
            if has_answered && errand.is_none() && new.is_none() {
                match self.stay(&mut connection, buffers) {
                    Ok(false) => {}
                    Ok(true) => {
                        ready = Ready {
                            socket: true,
                            has_read: true,
                        };
                        continue;
                    }
                    Err(_) => return self.close(slot, Some(connection)),
                }
            }
            // Before it is back in its slot, whence others may take it.
            if self.arm(slot, &connection, interest).is_err() {
                return self.close(slot, Some(connection));
            }
            // There is no second one before the first is done.
            errand = errand.or(new);
            let mut next = slot.put_back(connection);
            if next.is_none()
                && let Some(errand) = errand.take()
            {
                slot.leave(errand.run(&self.monitor));
                let why = Ready {
                    socket: true,
                    ..Ready::default()
                };
                next = slot.take(why).map(|connection| (connection, why));
            }
            match next {
                None => return,
                Some((taken, why)) if why.socket && turn == Turn::Passing => {
                    return self.hand_over(slot, taken, interest);
                }
                Some((taken, why)) => (connection, ready) = (taken, why),
            }
        }
    }

    /// Leaves a connection to whoever the kernel tells next that it can be
    /// written, which it can be unless it waits for that anyway.
    fn hand_over(&self, slot: &Slot, mut connection: Box<Connection>, interest: Interest) {
        let interest = Interest {
            write: true,
            ..interest
        };
        loop {
            if self.arm(slot, &connection, interest).is_err() {
                return self.close(slot, Some(connection));
            }
            match slot.put_back(connection) {
                None => return,
                Some((taken, _)) if slot.is_given_up() => {
                    return self.close(slot, Some(taken));
                }
                // They were quicker than this thread.
                Some((taken, _)) => connection = taken,
            }
        }
    }

    fn arm(&self, slot: &Slot, connection: &Connection, interest: Interest) -> io::Result<()> {
        let token = slot.token();
        let before = slot.set_deadline(interest.deadline);
        if before != interest.deadline {
            let mut table = self.table();
            table.set_deadline(token, before, interest.deadline);
            self.set_timer(&mut table);
        }
        if !interest.read && !interest.write {
            // A command is being executed, and the client has left, which the
            // kernel would tell again and again.
            return Ok(());
        }
        let mut flags = EventFlags::ONESHOT;
        flags.set(EventFlags::IN, interest.read);
        flags.set(EventFlags::OUT, interest.write);
        Ok(epoll::modify(
            &self.epoll,
            connection,
            EventData::new_u64(token),
            flags,
        )?)
    }

    /// Sets the timer to the first deadline, if that is before what it is set
    /// to.
    fn set_timer(&self, table: &mut Table) {
        if let Some(after) = table.next_alarm(Instant::now()) {
            let value = Timespec::try_from(after).unwrap_or(threads::IDLE_TIME);
            let alarm = Itimerspec {
                it_interval: Timespec::default(),
                it_value: value,
            };
            let _ = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &alarm);
        }
    }

    /// Sees to it that all clients together hold little enough: those who hold
    /// the most are given up. False if that is this one.
    fn make_room(&self, slot: &Slot, connection: &Connection) -> bool {
        let held = connection.held_bytes();
        let Some(before) = slot.hold(held) else {
            return false;
        };
        self.count_held(before, held);
        if self.has_room() {
            return true;
        }
        let mut slots = self.table().slots();
        slots.sort_by_cached_key(|other| Reverse(other.held_bytes()));
        for other in slots {
            if self.has_room() {
                return true;
            }
            if other.token() == slot.token() {
                return false;
            }
            // One that is being stepped ends when that has been done.
            self.count_held(other.give_up(), 0);
            if let Some(connection) = other.empty() {
                self.close(&other, Some(connection));
            }
        }
        // Another thread gives it up.
        false
    }

    fn count_held(&self, before: usize, now: usize) {
        // It wraps around: a difference below zero is added all the same.
        let difference = now.wrapping_sub(before);
        self.held_bytes.fetch_add(difference, Ordering::AcqRel);
    }

    fn has_room(&self) -> bool {
        self.held_bytes.load(Ordering::Acquire) <= self.options.held_bytes_max
    }

    /// Ends a connection: the socket is closed, and nothing remains.
    fn close(&self, slot: &Slot, connection: Option<Box<Connection>>) {
        let deadline = slot.set_deadline(None);
        self.count_held(slot.give_up(), 0);
        self.table().remove(slot.token(), deadline);
        drop(slot.empty());
        drop(connection);
    }
}
