//! The commands of `misc.json`: the VM's name, stopping and continuing the VM,
//! and lines of the human monitor.
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
        self.change_run_state(|host| host.stop(), &Stop {})
    }

    fn cont(&self) -> Result<(), Error> {
        self.change_run_state(|host| host.cont(), &Resume {})
    }

    fn query_name(&self) -> Result<NameInfo, Error> {
        Ok(NameInfo {
            name: self.host().name(),
        })
    }

    #[cfg(feature = "hmp")]
    fn human_monitor_command(&self, arguments: HumanMonitorCommand) -> Result<String, Error> {
        let mut state = crate::hmp::HmpState::new();
        if let Some(index) = arguments.cpu_index {
            state.select(self, index)?;
        }
        Ok(state.execute(self, &arguments.command_line))
    }

    /// Never called through a session: without the feature `hmp` the table in
    /// `access.rs` has no row for this command.
    #[cfg(not(feature = "hmp"))]
    fn human_monitor_command(&self, _: HumanMonitorCommand) -> Result<String, Error> {
        Err(Error::command_not_found(
            "This monitor was built without the human monitor",
        ))
    }
}

impl Monitor {
    /// Has the host change its run state, and emits `event` unless the host has.
    fn change_run_state<E: Event>(
        &self,
        change: impl FnOnce(&dyn Host) -> Result<Change, Error>,
        event: &E,
    ) -> Result<(), Error> {
        let wakeups = {
            let _serialized = self.run_state_change.lock();
            let change = change(self.host())?;
            self.queue_for(change, event)
        };
        // Wake after the lock is released: a subscriber's function may be slow.
        wakeups.wake();
        Ok(())
    }
}
