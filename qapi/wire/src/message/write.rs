//! Writing of messages: a client's requests and a server's events.
//!
//! In: typed values. Out: one line for each. Nothing here knows a schema.

use super::id::RequestId;
use super::timestamp::Timestamp;
use crate::command::{Event, Request};
use crate::compat::Policy;
use crate::encode::Writer;

/// Appends a request. The reply repeats its `id`. An empty object of arguments is
/// left out.
///
/// ```
/// use qapi_wire::command::{CommandInfo, Empty, Request};
/// use qapi_wire::message::{RequestIds, write_request};
/// use qapi_wire::{EncodeMembers, ObjectWriter};
///
/// // What qapi-gen makes of
/// // { 'command': 'balloon', 'data': { 'value': 'int' } }
/// struct Balloon {
///     value: i64,
/// }
/// impl EncodeMembers for Balloon {
///     fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
///         out.required("value", &self.value);
///     }
/// }
/// impl Request for Balloon {
///     type Reply = Empty;
///     const INFO: &'static CommandInfo = &CommandInfo::new("balloon");
/// }
///
/// let (id, mut line) = (RequestIds::new().next_id(), Vec::new());
/// write_request(&mut line, &id, &Balloon { value: 1024 });
/// let line = String::from_utf8(line).unwrap();
/// let begin = "{\"execute\": \"balloon\", \"arguments\": {\"value\": 1024}, \"id\": ";
/// assert_eq!(line, format!("{begin}\"{id}\"}}\n"));
/// ```
pub fn write_request<R: Request>(out: &mut Vec<u8>, id: &RequestId, request: &R) {
    write_command(out, "execute", id, request);
}

/// Appends a request for out-of-band execution, in which a command overtakes the
/// commands before it. The command must
/// [allow it](crate::command::CommandInfo::allow_oob), and the client must have
/// enabled the server's capability `oob`.
pub fn write_oob_request<R: Request>(out: &mut Vec<u8>, id: &RequestId, request: &R) {
    write_command(out, "exec-oob", id, request);
}

fn write_command<R: Request>(out: &mut Vec<u8>, how: &str, id: &RequestId, request: &R) {
    let mut writer = Writer::new(out);
    let mut line = writer.object();
    line.required(how, R::INFO.name);
    line.object_if_any("arguments", request);
    line.required("id", id);
    line.end();
    writer.raw(b"\n");
}

/// Appends an event. The member `data` is left out if it would be empty, as in
/// QEMU (`scripts/qapi/events.py`). The caller must check whether the policy hides
/// the event itself: see
/// [`Policy::hides`] and [`SpecialFeatures::among`](crate::SpecialFeatures::among).
pub fn write_event<E: Event>(out: &mut Vec<u8>, policy: Policy, event: &E, at: Timestamp) {
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
    writer.raw(b"\r\n");
}
