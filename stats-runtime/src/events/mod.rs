//! Events on their way to every client of a monitor.
//!
//! In: the lines of events, from any thread. Out: the same lines in the session
//! of every subscriber, in the order of emission, as often as QEMU lets them
//! through. This module knows no monitor and no socket.

mod hub;
mod limit;
mod subscription;

pub(crate) use hub::{Events, PendingWakeups};
pub use limit::EventLimit;
pub use subscription::Subscription;
