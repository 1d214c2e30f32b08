//! The state of the human monitor between two lines of one client.
//!
//! In: the host's vCPUs. Out: the vCPU that lines are about. This file knows no
//! command.

use qapi_stats::wire::Error;

use crate::host::{Host, Vcpu};

/// A person at a monitor: what is remembered from line to line.
#[derive(Clone, Debug, Default)]
pub struct HmpState {
    /// The vCPU that lines are about; the first if none was chosen.
    cpu_index: Option<i64>,
}

impl HmpState {
    /// Nothing was said yet: lines are about the first vCPU.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines are about the vCPU of this number from now on.
    ///
    /// # Errors
    ///
    /// That there is none; nothing changes then.
    pub fn select(&mut self, host: &dyn Host, cpu_index: i64) -> Result<(), Error> {
        let mut vcpus = host.vcpus().into_iter();
        if !vcpus.any(|vcpu| i64::try_from(vcpu.index) == Ok(cpu_index)) {
            return Err(Error::generic("Parameter 'cpu-index' expects a CPU number"));
        }
        self.cpu_index = Some(cpu_index);
        Ok(())
    }

    /// The vCPU that lines are about. One that was chosen and has gone since
    /// leaves it to the first.
    pub(super) fn vcpu(&self, host: &dyn Host) -> Option<Vcpu> {
        let mut vcpus = host.vcpus();
        let chosen = vcpus
            .iter()
            .position(|vcpu| i64::try_from(vcpu.index).ok() == self.cpu_index);
        let index = chosen.unwrap_or_default();
        (index < vcpus.len()).then(|| vcpus.swap_remove(index))
    }
}
