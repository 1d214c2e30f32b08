//! Targets as a client's filter names them.

use crate::stats::{StatsFilterBranch, StatsTarget, StatsVCPUFilter};
use crate::wire::Dict;

/// Selects all objects of a target.
impl From<&StatsTarget> for StatsFilterBranch {
    fn from(target: &StatsTarget) -> Self {
        match target {
            StatsTarget::Vm => Self::Vm,
            StatsTarget::Vcpu => Self::Vcpu(StatsVCPUFilter { vcpus: None }),
            StatsTarget::Cryptodev => Self::Cryptodev,
            StatsTarget::Unknown(tag) => Self::Unknown {
                tag: tag.clone(),
                members: Dict::new(),
            },
        }
    }
}
