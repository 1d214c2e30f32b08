//! The way in which events wake the threads of a server.
//!
//! In: tokens of clients that have events, from any thread. Out: a descriptor
//! that becomes readable, and the tokens.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::EventfdFlags;

use crate::lock::Lock;

#[derive(Debug)]
pub(super) struct Waker {
    fd: OwnedFd,
    tokens: Lock<Vec<u64>>,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            fd: rustix::event::eventfd(0, flags)?,
            tokens: Lock::default(),
        })
    }

    /// Has a client woken by a thread of the server.
    pub(super) fn wake(&self, token: u64) {
        let was_empty = {
            let mut tokens = self.tokens.lock();
            tokens.push(token);
            tokens.len() == 1
        };
        if was_empty {
            self.signal();
        }
    }

    /// Wakes a thread that waits.
    pub(super) fn signal(&self) {
        // Ignore the error: the write fails only if the counter is full, and a full
        // counter wakes the threads as well.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Takes the tokens of the clients to wake.
    pub(super) fn take(&self) -> Vec<u64> {
        // Read the signal before the tokens. In the other order a token that is
        // added in between would lose its signal and wait for the next one.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
        std::mem::take(&mut self.tokens.lock())
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
