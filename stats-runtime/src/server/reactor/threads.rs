//! The threads of a reactor: how many there are, and how they end.
//!
//! In: the need for one, the wish to stop. Out: news from the kernel, each to
//! one thread.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::super::connection::{Buffers, Connection, End};
use super::{Reactor, TIMER, WAKE};

/// Threads that go on waiting when there is nothing to do.
pub(super) const KEPT: usize = 2;

/// How many threads at a time may wait for the client that they serve.
pub(super) const STAYING_MAX: usize = 8;

/// How long further ones wait.
pub(super) const IDLE_TIME: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// How often a stopping server looks whether its clients are done.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// How long threads may take to end once they need not wait for anything.
const JOIN_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a thread rests from an error of the kernel's that makes no sense.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

impl Reactor {
    /// Ends it: see [`Server::stop`](crate::server::Server::stop).
    pub(in crate::server) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let listeners = std::mem::take(&mut *self.listeners());
        for listener in listeners {
            let _ = epoll::delete(&self.epoll, &listener);
            // Who has connected and not been taken sees an end.
            while listener.accept().is_ok_and(|client| client.is_some()) {}
        }
        let begin = Instant::now();
        let mut told = BTreeSet::new();
        loop {
            let slots = self.table().slots();
            if slots.is_empty() || begin.elapsed() >= self.options.stop_timeout {
                break;
            }
            for slot in slots {
                // What they have sent is still read, and then the end.
                let tell = |connection: &Connection| {
                    rustix::net::shutdown(connection, rustix::net::Shutdown::Read)
                };
                if !told.contains(&slot.token()) && slot.with(tell).is_some() {
                    told.insert(slot.token());
                }
            }
            thread::sleep(STOP_POLL_INTERVAL);
        }
        self.ended.store(true, Ordering::Release);
        let slots = self.table().slots();
        for slot in slots {
            self.close(&slot, None);
        }
        self.join();
    }

    /// Waits for the threads. One that a handler keeps is left behind: it ends
    /// when the handler returns.
    fn join(&self) {
        let begin = Instant::now();
        let mut threads = std::mem::take(&mut *self.threads());
        while !threads.is_empty() && begin.elapsed() < JOIN_TIME_MAX {
            // Each that waits takes one signal.
            self.waker.signal();
            thread::sleep(STOP_POLL_INTERVAL);
            join_finished(&mut threads);
        }
    }

    /// Starts a thread, if there may be another.
    pub(super) fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let mut threads = self.threads();
        join_finished(&mut threads);
        if threads.len() >= self.options.threads_max || self.has_ended() {
            return Ok(());
        }
        // Before it runs, so that no second one is started for the same need.
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let reactor = Arc::clone(self);
        let spawned = thread::Builder::new()
            .name("qmp-server".to_owned())
            .spawn(move || reactor.work());
        match spawned {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                self.waiting.fetch_sub(1, Ordering::AcqRel);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What a thread does: it waits, and does what there is to do.
    pub(super) fn work(self: Arc<Self>) {
        let mut buffers = Buffers::new();
        while let Some(news) = self.wait() {
            let Some((token, flags)) = news else {
                continue;
            };
            if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                // Nobody is left to wait. Without a further thread the others
                // wait until this one is back.
                let _ = self.spawn();
            }
            match token {
                WAKE => self.deliver(&mut buffers),
                TIMER => self.ring(&mut buffers),
                _ => self.serve(token, flags, &mut buffers),
            }
            self.waiting.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Waits for the next news; `None` if the thread is to end.
    fn wait(&self) -> Option<Option<(u64, EventFlags)>> {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(WAKE),
        }];
        let count = epoll::wait(&self.epoll, &mut events, Some(&IDLE_TIME));
        if self.has_ended() {
            return None;
        }
        match count {
            Ok(0) if self.retires() => None,
            Ok(count) => {
                let [event] = events;
                let news = (count > 0).then_some((event.data.u64(), event.flags));
                Some(news)
            }
            // A signal; anything else would be a bug of ours, and is not to
            // take the processor.
            Err(error) => {
                if error != rustix::io::Errno::INTR {
                    thread::sleep(ERROR_PAUSE);
                }
                Some(None)
            }
        }
    }

    /// Waits a moment for a client that has just been answered, as long as
    /// others wait for the rest; true if it has sent something.
    pub(super) fn stay(
        &self,
        connection: &mut Connection,
        buffers: &mut Buffers,
    ) -> Result<bool, End> {
        let busy =
            self.stopping.load(Ordering::Acquire) || self.waiting.load(Ordering::Acquire) == 0;
        if busy || !connection.can_wait() {
            return Ok(false);
        }
        let staying = self.staying.fetch_add(1, Ordering::AcqRel);
        let outcome = if staying < STAYING_MAX {
            connection.wait(buffers)
        } else {
            Ok(false)
        };
        self.staying.fetch_sub(1, Ordering::AcqRel);
        outcome
    }

    /// Whether a thread that had nothing to do is one too many. It no longer
    /// counts as waiting then.
    fn retires(&self) -> bool {
        let fewer = |waiting| (waiting > KEPT).then(|| waiting - 1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        self.waiting.fetch_update(set, fetch, fewer).is_ok()
    }
}

fn join_finished(threads: &mut Vec<JoinHandle<()>>) {
    let (finished, running) = std::mem::take(threads)
        .into_iter()
        .partition(JoinHandle::is_finished);
    *threads = running;
    let finished: Vec<JoinHandle<()>> = finished;
    for thread in finished {
        let _ = thread.join();
    }
}
