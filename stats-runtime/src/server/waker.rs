//! How events wake the threads of a server.
//!
//! In: tokens of connections that have events, from any thread. Out: a
//! descriptor that can be read, and the tokens.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::EventfdFlags;

#[derive(Debug)]
pub(super) struct Waker {
    fd: OwnedFd,
    tokens: Mutex<Vec<u64>>,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            fd: rustix::event::eventfd(0, flags)?,
            tokens: Mutex::default(),
        })
    }

    /// Has the connection stepped.
    pub(super) fn wake(&self, token: u64) {
        let was_idle = {
            let mut tokens = self.tokens();
            tokens.push(token);
            tokens.len() == 1
        };
        if was_idle {
            self.signal();
        }
    }

    /// Wakes a thread that waits.
    pub(super) fn signal(&self) {
        // It can only fail by having been signalled often enough.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// The connections to step.
    pub(super) fn take(&self) -> Vec<u64> {
        // Before the tokens, or a signal could get lost.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
        std::mem::take(&mut self.tokens())
    }

    fn tokens(&self) -> MutexGuard<'_, Vec<u64>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
