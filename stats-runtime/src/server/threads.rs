//! The threads that drive a server.
//!
//! In: listeners and a monitor. Out: a fixed number of threads, all made at the
//! start, that wait for readiness events. At least one of them executes no
//! command, so that a server whose commands all block still answers.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{Event, EventData, EventFlags};
use rustix::io::Errno;

use super::listener::Listener;
use super::options::Options;
use super::reactor::{Driver, Reactor};
use crate::lock::{Lock, Signal};
use crate::monitor::Monitor;
use crate::sys;

/// The time after which a thread with nothing to do gives memory back.
const IDLE_TIME: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// The time that threads get to end once they need not wait for anything.
const JOIN_TIME_MAX: Duration = Duration::from_secs(1);

/// The time for which a thread rests after an error of `epoll_wait` that a
/// correct program does not see, so that it does not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// The number of threads from which on each keeps no large buffer.
const THREADS_FEW: usize = 2;

/// A reactor's threads.
#[derive(Debug)]
pub(super) struct Threads {
    reactor: Arc<Reactor>,
    alive: Arc<Alive>,
    handles: Vec<JoinHandle<()>>,
}

/// The count of threads that have not ended.
#[derive(Debug, Default)]
struct Alive {
    count: Lock<usize>,
    /// Signalled when a thread ends.
    ended: Signal,
}

impl Threads {
    pub(super) fn start(
        monitor: Monitor,
        listeners: Vec<Listener>,
        options: Options,
    ) -> io::Result<Self> {
        let count = options.threads;
        let mut threads = Self {
            reactor: Reactor::new(monitor, listeners, options, Some(count - 1))?,
            alive: Arc::default(),
            handles: Vec::new(),
        };
        // The VMM's handlers of signals run in the VMM's threads only.
        let started = sys::with_signals_blocked(|| threads.spawn(count));
        if started.is_err() {
            // The first threads may serve clients already.
            threads.stop(Duration::ZERO);
        }
        started.map(|()| threads)
    }

    pub(super) fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }

    fn spawn(&mut self, count: usize) -> io::Result<()> {
        let (report, reports) = mpsc::channel();
        for _ in 0..count {
            let (reactor, alive) = (Arc::clone(&self.reactor), Arc::clone(&self.alive));
            let report = report.clone();
            let mut builder = thread::Builder::new().name("qmp-server".to_owned());
            if let Some(bytes) = self.reactor.options().thread_stack_bytes {
                builder = builder.stack_size(bytes);
            }
            *self.alive.count.lock() += 1;
            let work = move || {
                let _end = EndOfThread(&alive);
                let outcome = reactor.options().begin_thread();
                let may_work = outcome.is_ok();
                // Ignore the error: `start` has given up.
                let _ = report.send(outcome);
                drop(report);
                if may_work {
                    work(&reactor, count);
                }
            };
            match builder.spawn(work) {
                Ok(handle) => self.handles.push(handle),
                Err(error) => {
                    *self.alive.count.lock() -= 1;
                    return Err(error);
                }
            }
        }
        drop(report);
        let mut started = 0;
        for outcome in reports {
            outcome?;
            started += 1;
        }
        if started < count {
            return Err(io::Error::other("the function on_thread_start panicked"));
        }
        Ok(())
    }

    /// Ends the server: see [`Server::stop`](super::Server::stop).
    pub(super) fn stop(&mut self, time_max: Duration) {
        let begin = Instant::now();
        self.reactor.begin_end();
        self.reactor.wait_until_empty(time_max);
        self.reactor.end();
        let left = time_max.saturating_sub(begin.elapsed());
        self.wait_while(left, |alive| alive > 0);
        // Do not wait for a thread whose command does not return: that thread
        // ends when the command returns.
        self.wait_while(JOIN_TIME_MAX, |alive| alive > self.reactor.executing());
        let are_all = *self.alive.count.lock() == 0;
        for handle in self.handles.drain(..) {
            if are_all || handle.is_finished() {
                let _ = handle.join();
            }
        }
    }

    fn wait_while(&self, time_max: Duration, condition: impl Fn(usize) -> bool) {
        let count = self.alive.count.lock();
        let alive = &self.alive.ended;
        drop(alive.wait_while_for(count, time_max, |count| condition(*count)));
    }
}

/// Counts a thread's end, also if the thread panics.
struct EndOfThread<'a>(&'a Alive);

impl Drop for EndOfThread<'_> {
    fn drop(&mut self) {
        *self.0.count.lock() -= 1;
        self.0.ended.notify_all();
    }
}

/// Waits for readiness events and handles them, until the server has ended.
fn work(reactor: &Arc<Reactor>, threads: usize) {
    let mut driver = Driver::new();
    let mut news = [Event {
        flags: EventFlags::empty(),
        data: EventData::new_u64(0),
    }];
    while !reactor.has_ended() {
        // A thread without memory to give back sleeps until a descriptor is ready.
        let timeout = driver.buffers.has_reply_room().then_some(&IDLE_TIME);
        match reactor.wait(&mut news, timeout) {
            Ok(0) => driver.buffers.shrink(),
            Ok(_) if reactor.has_ended() => {}
            Ok(_) => {
                let [news] = news;
                reactor.handle(news, &mut driver);
                // No client's account counts the buffer's memory.
                if threads > THREADS_FEW && driver.buffers.has_large_reply() {
                    driver.buffers.shrink();
                }
            }
            Err(Errno::INTR) => {}
            Err(_) => thread::sleep(ERROR_PAUSE),
        }
    }
    // Another thread may have taken the signal of the end.
    reactor.signal();
}
