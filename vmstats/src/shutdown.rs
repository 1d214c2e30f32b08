//! The end of a program that serves.
//!
//! In: SIGINT, SIGTERM, or a client's request. Out: a signal that the program
//! waits for.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// The signal that the program has to end.
#[derive(Debug)]
pub struct ShutdownSignal {
    trigger: ShutdownTrigger,
    receiver: Receiver<()>,
}

/// A handle that makes the program end.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger(Sender<()>);

impl ShutdownTrigger {
    /// Makes the program end.
    pub fn shut_down(&self) {
        // Fails if the program is ending already.
        let _ = self.0.send(());
    }
}

impl ShutdownSignal {
    /// Handles SIGINT and SIGTERM from now on. They no longer kill the program.
    ///
    /// # Errors
    ///
    /// Returns an error if the signals' handler cannot be installed.
    pub fn install() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel();
        let trigger = ShutdownTrigger(sender);
        let cannot = |error| Failure::other(format!("cannot listen for signals: {error}"));
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(cannot)?;
        let for_signals = trigger.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for _ in signals.forever() {
                    for_signals.shut_down();
                }
            })
            .map_err(cannot)?;
        Ok(Self { trigger, receiver })
    }

    /// Returns a handle that makes the program end.
    #[must_use]
    pub fn trigger(&self) -> ShutdownTrigger {
        self.trigger.clone()
    }

    /// Waits until the program has to end.
    pub fn wait(&self) {
        // Cannot fail, because `trigger` keeps a sender.
        let _ = self.receiver.recv();
    }

    /// Waits until the program has to end, but at most `timeout`. Returns whether
    /// the program has to end.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        !matches!(
            self.receiver.recv_timeout(timeout),
            Err(RecvTimeoutError::Timeout)
        )
    }
}
