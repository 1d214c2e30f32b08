//! The state of the human monitor between two lines of one client.
//!
//! In: the machine's vCPUs. Out: the vCPU that lines are about. This file knows no
//! command.

use qapi_stats::wire::Error;

use crate::host::Vcpu;
use crate::monitor::Monitor;

/// The state that is kept from one line of a client to the next.
#[derive(Clone, Debug, Default)]
pub struct HmpState {
    /// The index of the vCPU that lines are about. `None` means the first vCPU.
    cpu_index: Option<i64>,
}

impl HmpState {
    /// Creates the state of a new client, whose lines are about the first vCPU.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects the vCPU that the following lines are about.
    ///
    /// # Errors
    ///
    /// Fails if the machine has no vCPU of that index. The selection then stays as
    /// it was.
    pub fn select(&mut self, monitor: &Monitor, cpu_index: i64) -> Result<(), Error> {
        let mut vcpus = monitor.vcpus().into_iter();
        if !vcpus.any(|vcpu| i64::try_from(vcpu.index) == Ok(cpu_index)) {
            return Err(Error::generic("Parameter 'cpu-index' expects a CPU number"));
        }
        self.cpu_index = Some(cpu_index);
        Ok(())
    }

    /// Returns the vCPU that lines are about: the selected one, or the first if
    /// the selected one has gone. Returns `None` if the machine has no vCPU.
    pub(super) fn vcpu(&self, monitor: &Monitor) -> Option<Vcpu> {
        let mut vcpus = monitor.vcpus();
        let chosen = vcpus
            .iter()
            .position(|vcpu| i64::try_from(vcpu.index).ok() == self.cpu_index);
        let index = chosen.unwrap_or_default();
        (index < vcpus.len()).then(|| vcpus.swap_remove(index))
    }
}
