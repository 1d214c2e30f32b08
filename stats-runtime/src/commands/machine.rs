//! What a client asks about the machine, and does with it.
//!
//! In: decoded arguments. Out: the host's answers, and events where something
//! has changed.

use qapi_stats::machine::{
    CpuInfoFast, CpuInfoFastBranch, CpuInfoS390, KvmInfo, S390CpuState, SysEmuTarget, UuidInfo,
};
use qapi_stats::misc::NameInfo;
use qapi_stats::misc::commands::HumanMonitorCommand;
use qapi_stats::run_state::events::{Powerdown, Resume, Stop};
use qapi_stats::run_state::{RunState, StatusInfo};
use qapi_stats::stats::StatsProvider;
use qapi_stats::wire::command::Event;
use qapi_stats::wire::{Dict, Error};

use super::Monitor;
use crate::host::{Change, Host, Vcpu};

/// The UUID of a VM that has none: QEMU tells this one.
const UUID_NONE: &str = "00000000-0000-0000-0000-000000000000";

impl qapi_stats::machine::Commands for Monitor {
    fn query_cpus_fast(&self) -> Result<Vec<CpuInfoFast>, Error> {
        let target = self.host().target();
        let state = self.host().run_state();
        let vcpus = self.host().vcpus().into_iter();
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
            let is_there = self.registry().names().contains(&StatsProvider::Kvm);
            KvmInfo {
                enabled: is_there,
                present: is_there,
            }
        }))
    }

    fn system_powerdown(&self) -> Result<(), Error> {
        self.host().system_powerdown()?;
        self.emit(&Powerdown {});
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
        // On the wire no other one has members of its own, and all look alike.
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

impl qapi_stats::run_state::Commands for Monitor {
    fn query_status(&self) -> Result<StatusInfo, Error> {
        let status = self.host().run_state();
        // Clients of QEMU up to 9.0 may count on `singlestep`.
        #[allow(deprecated, reason = "the policy decides whether it is sent")]
        Ok(StatusInfo {
            running: status == RunState::Running,
            singlestep: Some(false),
            status,
        })
    }
}

impl Monitor {
    /// Has the host change its run state, and tells of it. One change comes
    /// after the other, its event included: of two clients that stop and
    /// continue at once, the last event is the state that the machine is in.
    fn change<E: Event>(
        &self,
        change: impl FnOnce(&dyn Host) -> Result<Change, Error>,
        event: &E,
    ) -> Result<(), Error> {
        let woken = {
            let _one_by_one = self.changes();
            match change(self.host())? {
                Change::Made => self.queue(event),
                Change::None => return Ok(()),
            }
        };
        woken.wake();
        Ok(())
    }
}

impl qapi_stats::misc::Commands for Monitor {
    fn stop(&self) -> Result<(), Error> {
        self.change(|host| host.stop(), &Stop {})
    }

    fn cont(&self) -> Result<(), Error> {
        self.change(|host| host.cont(), &Resume {})
    }

    fn query_name(&self) -> Result<NameInfo, Error> {
        Ok(NameInfo {
            name: self.host().name(),
        })
    }

    #[cfg(feature = "hmp")]
    fn human_monitor_command(&self, arguments: HumanMonitorCommand) -> Result<String, Error> {
        let mut human = crate::hmp::Human::new();
        if let Some(index) = arguments.cpu_index {
            human.select(self.host(), index)?;
        }
        Ok(human.execute(self, &arguments.command_line))
    }

    #[cfg(not(feature = "hmp"))]
    fn human_monitor_command(&self, _: HumanMonitorCommand) -> Result<String, Error> {
        Err(Error::command_not_found(
            "This monitor was built without the human monitor",
        ))
    }
}
