//! What `demo` and `serve` tell their monitor's clients about the VM.
//!
//! In: a name, the vCPUs' paths. Out: answers, and the news that the program
//! is to end.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use qapi::wire::Error;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use stats_runtime::Host;
use stats_runtime::host::Vcpu;

use crate::failure::Failure;

/// The VM that `demo` and `serve` run.
#[derive(Debug)]
pub struct Vm {
    name: Option<String>,
    vcpus: Vec<Vcpu>,
    ending: Sender<()>,
}

impl Vm {
    /// A VM with vCPUs at these QOM paths. Its clients' `quit` goes to
    /// `ending`.
    #[must_use]
    pub fn new(name: Option<String>, qom_paths: Vec<String>, ending: &Ending) -> Self {
        let vcpus = (0..)
            .zip(qom_paths)
            .map(|(index, qom_path)| Vcpu { index, qom_path });
        Self {
            name,
            vcpus: vcpus.collect(),
            ending: ending.sender.clone(),
        }
    }
}

impl Host for Vm {
    fn name(&self) -> Option<String> {
        self.name.clone()
    }

    fn vcpus(&self) -> Vec<Vcpu> {
        self.vcpus.clone()
    }

    fn quit(&self) -> Result<(), Error> {
        self.ending
            .send(())
            .map_err(|_| Error::generic("The program is ending already"))
    }
}

/// What ends the program: SIGINT, SIGTERM, or a client's `quit`.
#[derive(Debug)]
pub struct Ending {
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Ending {
    /// Begins to listen for the signals, which from now on do not kill.
    ///
    /// # Errors
    ///
    /// What installing a signal handler says.
    pub fn listen() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel();
        let cannot = |error| Failure::other(format!("cannot listen for signals: {error}"));
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(cannot)?;
        let for_signals = sender.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for _ in signals.forever() {
                    // Nobody waits any more: the program is ending.
                    let _ = for_signals.send(());
                }
            })
            .map_err(cannot)?;
        Ok(Self { sender, receiver })
    }

    /// Waits until the program is to end.
    pub fn wait(&self) {
        // The sender lives as long as this does.
        let _ = self.receiver.recv();
    }

    /// Waits, but not longer than this; true if the program is to end.
    #[must_use]
    pub fn wait_timeout(&self, at_most: Duration) -> bool {
        !matches!(
            self.receiver.recv_timeout(at_most),
            Err(RecvTimeoutError::Timeout)
        )
    }
}
