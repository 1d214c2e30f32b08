//! The end of a program that serves.
//!
//! In: SIGINT, SIGTERM, SIGHUP, or a client's request. Out: a signal that the program
//! waits for.

use std::io;
#[cfg(feature = "host")]
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
#[cfg(feature = "host")]
use signal_hook::low_level::pipe;

use crate::failure::Failure;

/// The signals that end a program.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// The signals that end the program, once they no longer kill it.
///
/// A signal that comes while the program starts is kept until
/// [`start`](Self::start), so that the program removes the sockets that it has
/// bound by then.
#[derive(Debug)]
pub struct PendingSignals(Signals);

impl PendingSignals {
    /// Handles SIGINT, SIGTERM and SIGHUP from now on. Has no thread yet, because
    /// inherited sockets must be taken before the program has threads.
    ///
    /// # Errors
    ///
    /// Returns an error if the signals' handler cannot be installed.
    pub fn install() -> Result<Self, Failure> {
        Signals::new(SIGNALS).map(Self).map_err(cannot_listen)
    }

    /// Starts the thread that waits for the signals.
    ///
    /// # Errors
    ///
    /// Returns an error if the thread cannot be started.
    pub fn start(self) -> Result<ShutdownSignal, Failure> {
        let (sender, receiver) = mpsc::channel();
        let trigger = ShutdownTrigger(sender);
        let for_signals = trigger.clone();
        let mut signals = self.0;
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for _ in signals.forever() {
                    for_signals.shut_down();
                }
            })
            .map_err(cannot_listen)?;
        Ok(ShutdownSignal { trigger, receiver })
    }
}

/// Handles SIGINT, SIGTERM and SIGHUP from now on. Returns a socket that is readable once one
/// has come, for a program that waits for descriptors.
///
/// # Errors
///
/// Returns an error if the signals' handler cannot be installed.
#[cfg(feature = "host")]
pub(crate) fn socket() -> Result<UnixStream, Failure> {
    let (reader, writer) = UnixStream::pair().map_err(cannot_listen)?;
    for signal in SIGNALS {
        let writer = writer.try_clone().map_err(cannot_listen)?;
        pipe::register(signal, writer).map_err(cannot_listen)?;
    }
    Ok(reader)
}

fn cannot_listen(error: io::Error) -> Failure {
    Failure::other(format!("cannot listen for signals: {error}"))
}

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
