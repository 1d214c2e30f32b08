//! The command of `run-state.json`: `query-status`.
//!
//! In: nothing. Out: the host's run state.

use qapi_stats::run_state::{RunState, StatusInfo};
use qapi_stats::wire::Error;

use super::Monitor;

impl qapi_stats::run_state::Commands for Monitor {
    fn query_status(&self) -> Result<StatusInfo, Error> {
        let status = self.host().run_state();
        // Send `singlestep`, because clients of QEMU up to 9.0 may require it. The
        // test `query_status_omits_singlestep_when_deprecated_members_are_hidden`
        // pins how a policy hides it.
        #[allow(deprecated, reason = "the policy decides whether it is sent")]
        Ok(StatusInfo {
            running: status == RunState::Running,
            singlestep: Some(false),
            status,
        })
    }
}
