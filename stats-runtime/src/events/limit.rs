//! The limits on how often an event goes out, QEMU's among them.
//!
//! In: nothing. Out: limits, which the hub enforces. This file knows no
//! subscriber.

use std::time::Duration;

/// The interval in which an event goes out at most once.
///
/// The first event goes out at once. Of the events that follow within the
/// interval only the last one goes out, at the interval's end, with the
/// timestamp of its emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimit {
    pub(super) interval: Duration,
    pub(super) member: Option<&'static str>,
}

impl EventLimit {
    /// Creates a limit of one event in every `interval`.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        let member = None;
        Self { interval, member }
    }

    /// Counts separately for each value of `member`, which is a member of the
    /// event's data.
    #[must_use]
    pub const fn per(self, member: &'static str) -> Self {
        let member = Some(member);
        Self { member, ..self }
    }
}

/// The interval of QEMU's limits.
const QEMU_INTERVAL: Duration = Duration::from_secs(1);

/// The events that QEMU limits, from `monitor_qapi_event_conf` in its
/// `monitor/monitor.c`.
pub(super) const QEMU_LIMITS: [(&str, EventLimit); 8] = {
    let limit = EventLimit::new(QEMU_INTERVAL);
    [
        ("BALLOON_CHANGE", limit),
        ("HV_BALLOON_STATUS_REPORT", limit),
        ("MEMORY_DEVICE_SIZE_CHANGE", limit.per("qom-path")),
        ("QUORUM_FAILURE", limit),
        ("QUORUM_REPORT_BAD", limit.per("node-name")),
        ("RTC_CHANGE", limit),
        ("VSERPORT_CHANGE", limit.per("id")),
        ("WATCHDOG", limit),
    ]
};
