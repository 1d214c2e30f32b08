//! The commands of `machine.json`: vCPUs, KVM, the UUID and the power button.
//!
//! In: decoded arguments. Out: the host's answers, and the event POWERDOWN.

use qapi_stats::machine::{
    CpuInfoFast, CpuInfoFastBranch, CpuInfoS390, KvmInfo, S390CpuState, SysEmuTarget, UuidInfo,
};
use qapi_stats::run_state::RunState;
use qapi_stats::run_state::events::Powerdown;
use qapi_stats::stats::StatsProvider;
use qapi_stats::wire::{Dict, Error};

use super::Monitor;
use crate::host::Vcpu;

/// The UUID that clients get from a VM without one, as from QEMU. The test
/// `monitor_answers_as_a_bare_vm_when_the_host_has_only_defaults` pins it.
const UUID_NONE: &str = "00000000-0000-0000-0000-000000000000";

impl qapi_stats::machine::Commands for Monitor {
    fn query_cpus_fast(&self) -> Result<Vec<CpuInfoFast>, Error> {
        let target = self.host().target();
        let state = self.host().run_state();
        let vcpus = self.vcpus().into_iter();
        Ok(vcpus.map(|vcpu| describe(vcpu, &target, &state)).collect())
    }

    fn query_uuid(&self) -> Result<UuidInfo, Error> {
        let uuid = self.host().uuid();
        Ok(UuidInfo {
            uuid: uuid.unwrap_or_else(|| UUID_NONE.to_owned()),
        })
    }

    fn query_kvm(&self) -> Result<KvmInfo, Error> {
        Ok(self.host().kvm().unwrap_or_else(|| {
            let is_present = self.registry().names().contains(&StatsProvider::Kvm);
            KvmInfo {
                enabled: is_present,
                present: is_present,
            }
        }))
    }

    fn system_powerdown(&self) -> Result<(), Error> {
        let change = self.host().system_powerdown()?;
        self.queue_for(change, &Powerdown {}).wake();
        Ok(())
    }
}

fn describe(vcpu: Vcpu, target: &SysEmuTarget, state: &RunState) -> CpuInfoFast {
    let target = match target {
        SysEmuTarget::S390x => CpuInfoFastBranch::S390x(CpuInfoS390 {
            cpu_state: if *state == RunState::Running {
                S390CpuState::Operating
            } else {
                S390CpuState::Stopped
            },
            dedicated: None,
            entitlement: None,
        }),
        // Pass the name of any other architecture through, because only s390x has
        // members of its own.
        other => CpuInfoFastBranch::Unknown {
            tag: other.name().into(),
            members: Dict::new(),
        },
    };
    CpuInfoFast {
        cpu_index: i64::try_from(vcpu.index).unwrap_or(i64::MAX),
        qom_path: vcpu.qom_path,
        thread_id: vcpu.thread_id.map_or(0, i64::from),
        props: vcpu.props,
        target,
    }
}
