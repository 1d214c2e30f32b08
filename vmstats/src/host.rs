//! What `demo` and `serve` tell their monitor's clients about the VM.
//!
//! In: a guest or what was recorded of one. Out: answers, a guest that stops
//! and goes on, and the news that the program is to end.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use qapi_stats::machine::CpuInstanceProperties;
use qapi_stats::run_state::RunState;
use qapi_stats::wire::Error;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use stats_runtime::Host;
use stats_runtime::host::{Change, End, Vcpu};

use crate::failure::Failure;
use crate::uuid::Uuid;
use demo_guest::{Guest, GuestError};

/// The VM that `demo` and `serve` run.
#[derive(Debug)]
pub struct Vm {
    name: Option<String>,
    uuid: Option<String>,
    vcpus: Vec<Vcpu>,
    /// None where statistics are only replayed.
    guest: Option<Arc<Guest>>,
    /// Held while the guest is being stopped or continued: of two clients one
    /// has made the change.
    run_state: Mutex<RunState>,
    ending: Sender<()>,
}

impl Vm {
    /// A guest that runs. Its clients' `quit` goes to `ending`.
    #[must_use]
    pub fn live(guest: Arc<Guest>, ending: &Ending) -> Self {
        let vcpus = (0..).zip(guest.qom_paths()).map(|(index, qom_path)| {
            let id = usize::try_from(index).ok();
            let id = id.and_then(|index| guest.thread_ids().get(index).copied());
            Vcpu::new(index, qom_path.as_str())
                .on_thread(id)
                .at(place(index))
        });
        Self {
            name: None,
            uuid: None,
            vcpus: vcpus.collect(),
            guest: Some(guest),
            run_state: Mutex::new(RunState::Running),
            ending: ending.sender.clone(),
        }
    }

    /// What is left of a VM whose statistics were recorded: vCPUs at these QOM
    /// paths, which do not run.
    #[must_use]
    pub fn recorded(qom_paths: Vec<String>, ending: &Ending) -> Self {
        let vcpus = (0..)
            .zip(qom_paths)
            .map(|(index, qom_path)| Vcpu::new(index, qom_path).at(place(index)));
        Self {
            name: None,
            uuid: None,
            vcpus: vcpus.collect(),
            guest: None,
            run_state: Mutex::new(RunState::Paused),
            ending: ending.sender.clone(),
        }
    }

    /// The same under a name.
    #[must_use]
    pub fn called(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// The same with a UUID.
    #[must_use]
    pub fn identified(self, uuid: Option<Uuid>) -> Self {
        let uuid = uuid.map(|uuid| uuid.to_string());
        Self { uuid, ..self }
    }

    /// Brings the guest into a state, if it is in another.
    fn bring(
        &self,
        wanted: RunState,
        with: impl FnOnce(&Guest) -> Result<(), GuestError>,
    ) -> Result<Change, Error> {
        let mut state = self
            .run_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *state == wanted {
            return Ok(Change::None);
        }
        let Some(guest) = &self.guest else {
            return Err(Error::generic("Recorded statistics cannot be made to run"));
        };
        with(guest).map_err(|error| {
            *state = RunState::InternalError;
            Error::generic(error.to_string())
        })?;
        *state = wanted;
        Ok(Change::Made)
    }
}

/// One core per vCPU, in one socket, as QEMU's `-smp N` makes it.
fn place(index: u64) -> CpuInstanceProperties {
    CpuInstanceProperties {
        socket_id: Some(0),
        core_id: i64::try_from(index).ok(),
        thread_id: Some(0),
        ..CpuInstanceProperties::default()
    }
}

impl Host for Vm {
    fn name(&self) -> Option<String> {
        self.name.clone()
    }

    fn uuid(&self) -> Option<String> {
        self.uuid.clone()
    }

    fn run_state(&self) -> RunState {
        let state = self
            .run_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    fn vcpus(&self) -> Vec<Vcpu> {
        self.vcpus.clone()
    }

    fn stop(&self) -> Result<Change, Error> {
        self.bring(RunState::Paused, Guest::pause)
    }

    fn cont(&self) -> Result<Change, Error> {
        self.bring(RunState::Running, Guest::resume)
    }

    /// The guest has no operating system to notice, and goes on: as one of
    /// QEMU's does that has none, or does not look.
    fn system_powerdown(&self) -> Result<(), Error> {
        Ok(())
    }

    fn quit(&self) -> Result<End<'_>, Error> {
        // Nobody waits any more where the program is ending already.
        Ok(Box::new(|| self.ending.send(()).unwrap_or_default()))
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
