//! The commands of `misc.json`: the VM's name, stopping and continuing it, and
//! lines of the human monitor.
//!
//! In: decoded arguments. Out: the host's answers, and the events STOP and
//! RESUME if the run state has changed.

use qapi_stats::misc::NameInfo;
use qapi_stats::misc::commands::HumanMonitorCommand;
use qapi_stats::run_state::events::{Resume, Stop};
use qapi_stats::wire::Error;
use qapi_stats::wire::command::Event;

use super::Monitor;
use crate::host::{Change, Host};

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
        let mut human = crate::hmp::HmpState::new();
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
            let _one_by_one = self.changes.lock();
            match change(self.host())? {
                Change::Made => self.queue(event),
                Change::None => return Ok(()),
            }
        };
        woken.wake();
        Ok(())
    }
}
