//! What goes to the client unasked: events.
//!
//! In: a generated event and when it happened. Out: a line.

use qapi::wire::Writer;
use qapi::wire::command::Event;
use qapi::wire::compat::Policy;
use qapi::wire::message::Timestamp;

use super::reply::LINE_END;

/// Writes an event. Data of which the policy, or the sender, leaves nothing are
/// left out altogether, as QEMU does (`scripts/qapi/events.py`).
pub(crate) fn event<E: Event>(out: &mut Vec<u8>, policy: Policy, event: &E, at: Timestamp) {
    let mut writer = Writer::new(out).with_policy(policy);
    let mut line = writer.object();
    let mut timestamp = line.name("timestamp").object();
    timestamp.required("seconds", &at.seconds);
    timestamp.required("microseconds", &at.microseconds);
    timestamp.end();
    line.required("event", E::NAME);
    if E::HAS_DATA {
        line.object_if_any("data", event);
    }
    line.end();
    writer.raw(LINE_END);
}
