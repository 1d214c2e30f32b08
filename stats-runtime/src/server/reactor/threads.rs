//! The threads of a reactor: how many there are, and how they end.
//!
//! In: the commands that begin and end, the order to stop. Out: threads that
//! wait for the kernel's news, of which at least one executes no command, so
//! that a server whose commands all block still answers.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::super::connection::{Buffers, Connection, End};
use super::thread_count::{IDLE_THREADS_MIN, State, join_finished};
use super::{Reactor, TIMER, WAKER};

/// The time after which a thread with nothing to do gives memory back, and ends
/// if there are enough others.
const IDLE_TIME: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// The interval at which a stopping server looks whether its clients are done.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// The time that threads get to end once they need not wait for anything.
const JOIN_TIME_MAX: Duration = Duration::from_secs(1);

/// The time for which a thread rests after an error of `epoll_wait` that a
/// correct program does not see, so that it does not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

impl Reactor {
    pub(super) fn start_threads(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.threads.state.lock();
        while state.alive < IDLE_THREADS_MIN {
            self.spawn(&mut state)?;
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        join_finished(&mut state.handles);
        let reactor = Arc::clone(self);
        let handle = thread::Builder::new()
            .name("qmp-server".to_owned())
            .spawn(move || reactor.work())?;
        state.handles.push(handle);
        state.alive += 1;
        Ok(())
    }

    /// Counts the calling thread as one that executes a command. Starts another
    /// thread first if this one is the last that waits for news.
    ///
    /// If there can be no other, returns `false` and remembers the client. The
    /// same lock covers the count and the list: a command that ends now would
    /// otherwise find the list empty, and nobody would wake the client.
    pub(super) fn begin_command(self: &Arc<Self>, client: u64) -> bool {
        let mut state = self.threads.state.lock();
        if state.alive - state.executing < 2 {
            let may_spawn = state.alive < self.threads.threads_max && !self.has_ended();
            if !may_spawn || self.spawn(&mut state).is_err() {
                state.parked.insert(client);
                return false;
            }
        }
        state.executing += 1;
        true
    }

    /// Counts the calling thread as one that is free, and wakes the clients that
    /// wait for one.
    pub(super) fn end_command(&self) {
        let parked = {
            let mut state = self.threads.state.lock();
            state.executing -= 1;
            std::mem::take(&mut state.parked)
        };
        for client in parked {
            self.wake(client);
        }
    }

    /// Waits for news and deals with them, until the thread ends.
    fn work(self: Arc<Self>) {
        let mut buffers = Buffers::new();
        while let Some(news) = self.wait(&mut buffers) {
            match news {
                News::None => {}
                News::Of(WAKER, _) => self.wake_subscribers(),
                News::Of(TIMER, _) => self.run_expired_timers(),
                News::Of(token, _) if self.is_listener(token) => self.accept(token),
                News::Of(token, flags) => self.serve(token, flags, &mut buffers),
            }
            // Shrink a large reply buffer while more than `IDLE_THREADS_MIN`
            // threads are alive, because no client's account counts its memory.
            if buffers.has_large_reply() && self.threads.are_many() {
                buffers.shrink();
            }
            // Look for slow commands here, because a busy server has no idle
            // thread to do so.
            self.watch_slow_commands();
        }
    }

    /// Waits for the next news. Returns `None` if the thread must end.
    fn wait(&self, buffers: &mut Buffers) -> Option<News> {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(WAKER),
        }];
        let waited = epoll::wait(&self.epoll, &mut events, Some(&IDLE_TIME));
        if self.has_ended() {
            self.threads.state.lock().alive -= 1;
            return None;
        }
        match waited {
            Ok(0) => {
                buffers.shrink();
                (!self.threads.retire_one()).then_some(News::None)
            }
            Ok(_) => {
                let [event] = events;
                Some(News::Of(event.data.u64(), event.flags))
            }
            Err(error) => {
                if error != rustix::io::Errno::INTR {
                    thread::sleep(ERROR_PAUSE);
                }
                Some(News::None)
            }
        }
    }

    /// Ends the server: see [`Server::stop`](crate::server::Server::stop).
    pub(in crate::server) fn stop(&self) {
        let listeners = std::mem::take(&mut *self.listeners.lock());
        for listener in listeners {
            let _ = epoll::delete(&self.epoll, &listener);
            // Clients in the backlog see the end of their connection.
            while listener.accept().is_ok_and(|client| client.is_some()) {}
        }
        let begin = Instant::now();
        let mut told = BTreeSet::new();
        loop {
            let slots = self.clients.lock().slots();
            if slots.is_empty() || begin.elapsed() >= self.options.stop_timeout {
                break;
            }
            for slot in slots {
                // The connection still reads what the client has sent, and then
                // finds the end.
                let tell = |connection: &Connection| {
                    rustix::net::shutdown(connection, rustix::net::Shutdown::Read)
                };
                if !told.contains(&slot.token()) && slot.with(tell).is_some() {
                    told.insert(slot.token());
                }
            }
            thread::sleep(STOP_POLL_INTERVAL);
        }
        self.has_ended.store(true, Ordering::Release);
        let slots = self.clients.lock().slots();
        for slot in slots {
            self.close(&slot, None, &End::Stopped);
        }
        self.join();
    }

    /// Waits for the threads to end, but not for a thread whose command does not
    /// return: that thread ends when the command returns.
    fn join(&self) {
        let begin = Instant::now();
        let mut handles = std::mem::take(&mut self.threads.state.lock().handles);
        while !handles.is_empty() && begin.elapsed() < JOIN_TIME_MAX {
            // Nobody reads the waker any more, so one signal wakes all threads.
            self.waker.signal();
            thread::sleep(STOP_POLL_INTERVAL);
            join_finished(&mut handles);
        }
    }
}

/// The outcome of waiting.
enum News {
    /// The descriptor with this token is ready.
    Of(u64, EventFlags),
    None,
}
