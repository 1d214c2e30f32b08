//! The command of `run-state.json`: `query-status`.
//!
//! In: nothing. Out: the host's run state.

use qapi_stats::run_state::{RunState, StatusInfo};
use qapi_stats::wire::Error;

use super::Monitor;

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
