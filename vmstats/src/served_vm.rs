//! The host interface of the VM that `demo` and `serve` run.
//!
//! In: a guest, or the QOM paths of a recorded one. Out: answers to a monitor's
//! clients, a guest that stops and goes on, and the wish that the program ends.

use std::sync::Arc;

use demo_guest::{Guest, GuestError};
use qapi_stats::machine::CpuInstanceProperties;
use qapi_stats::run_state::RunState;
use qapi_stats::wire::Error;
use stats_runtime::Host;
use stats_runtime::host::{Change, Vcpu};

use crate::lock::Lock;
use crate::sample::Identity;
use crate::shutdown::ShutdownTrigger;
use crate::uuid::Uuid;

/// The VM that `demo` and `serve` run.
#[derive(Debug)]
pub struct Vm {
    name: Option<String>,
    uuid: Option<String>,
    /// The vCPUs; `None` if they are those whose statistics are played.
    vcpus: Option<Vec<Vcpu>>,
    /// The guest; `None` if statistics are replayed.
    guest: Option<Arc<Guest>>,
    /// Locked while the guest is stopped or continued, so that of two clients
    /// that ask for the same change exactly one makes it.
    run_state: Lock<RunState>,
    shutdown: ShutdownTrigger,
}

impl Vm {
    /// Makes the VM of a guest that runs. A client's `quit` calls `shutdown`.
    #[must_use]
    pub fn live(guest: Arc<Guest>, shutdown: ShutdownTrigger) -> Self {
        let vcpus = (0..).zip(guest.qom_paths()).map(|(index, qom_path)| {
            let id = usize::try_from(index).ok();
            let id = id.and_then(|index| guest.thread_ids().get(index).copied());
            Vcpu::new(index, qom_path.as_str())
                .on_thread(id)
                .at(topology(index))
        });
        Self {
            name: None,
            uuid: None,
            vcpus: Some(vcpus.collect()),
            guest: Some(guest),
            run_state: Lock::new(RunState::Running),
            shutdown,
        }
    }

    /// Makes a VM whose statistics were recorded. Its vCPUs have these QOM paths
    /// and do not run.
    #[must_use]
    pub fn recorded(qom_paths: Vec<String>, shutdown: ShutdownTrigger) -> Self {
        let vcpus = (0..)
            .zip(qom_paths)
            .map(|(index, qom_path)| Vcpu::new(index, qom_path).at(topology(index)));
        Self {
            name: None,
            uuid: None,
            vcpus: Some(vcpus.collect()),
            guest: None,
            run_state: Lock::new(RunState::Paused),
            shutdown,
        }
    }

    /// Makes a VM whose recorded statistics move. Its vCPUs are those that the providers
    /// know, which come and go as they did.
    #[must_use]
    pub fn played(identity: Identity, shutdown: ShutdownTrigger) -> Self {
        Self {
            name: identity.name,
            uuid: identity.uuid,
            vcpus: None,
            guest: None,
            run_state: Lock::new(RunState::Running),
            shutdown,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// Sets the UUID.
    #[must_use]
    pub fn with_uuid(self, uuid: Option<Uuid>) -> Self {
        let uuid = uuid.map(|uuid| uuid.to_string());
        Self { uuid, ..self }
    }

    /// Calls `change` if the guest is not in the state `wanted`.
    fn change_state(
        &self,
        wanted: RunState,
        change: impl FnOnce(&Guest) -> Result<(), GuestError>,
    ) -> Result<Change, Error> {
        let mut state = self.run_state.lock();
        if *state == wanted {
            return Ok(Change::Unchanged);
        }
        let Some(guest) = &self.guest else {
            return Err(Error::generic(match wanted {
                RunState::Running => "Recorded statistics cannot be made to run",
                _ => "A recording cannot be stopped",
            }));
        };
        change(guest).map_err(|error| {
            *state = RunState::InternalError;
            Error::generic(error.to_string())
        })?;
        *state = wanted;
        Ok(Change::Made)
    }
}

/// Returns the place of a vCPU in the machine: all vCPUs are in one socket, each
/// in a core of its own, as with QEMU's `-smp N`.
fn topology(index: u64) -> CpuInstanceProperties {
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
        self.run_state.lock().clone()
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        self.vcpus.clone()
    }

    fn stop(&self) -> Result<Change, Error> {
        self.change_state(RunState::Paused, Guest::pause)
    }

    fn cont(&self) -> Result<Change, Error> {
        self.change_state(RunState::Running, Guest::resume)
    }

    /// Does nothing: the guest has no operating system that could react to the
    /// power button. A QEMU with such a guest goes on as well.
    fn system_powerdown(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }

    fn quit(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }

    fn end(&self) {
        self.shutdown.shut_down();
    }
}
