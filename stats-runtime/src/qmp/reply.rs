//! What goes to the client: the greeting and replies.
//!
//! In: values. Out: lines at the end of the output, each ended by CR LF, which
//! is what clients split at. Their members come in QEMU's order.

use qapi_stats::control::VersionInfo;
use qapi_stats::wire::compat::Policy;
use qapi_stats::wire::{Encode, Error, Node, Writer};

/// The end of every line.
pub(super) const LINE_END: &[u8] = b"\r\n";

/// Writes the greeting.
pub(super) fn greeting(out: &mut Vec<u8>, version: &VersionInfo) {
    let mut writer = Writer::new(out);
    writer.raw(b"{\"QMP\": {\"version\": ");
    version.encode(&mut writer);
    writer.raw(b", \"capabilities\": [\"oob\"]}}");
    writer.raw(LINE_END);
}

/// Writes the reply to a request: what `write` writes, or if it fails or is
/// longer than `bytes_max` an error, and then nothing of what it wrote. Without
/// `success` only an error is answered.
pub(super) fn reply(
    out: &mut Vec<u8>,
    id: Option<Node<'_>>,
    success: bool,
    bytes_max: usize,
    policy: Policy,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) {
    let mark = out.len();
    let mut writer = Writer::limited(out, mark.saturating_add(bytes_max)).with_policy(policy);
    writer.raw(b"{\"return\": ");
    let outcome = write(&mut writer);
    let outcome = if writer.overflowed() {
        Err(too_long(bytes_max))
    } else {
        outcome
    };
    // What follows the value has room in any case.
    let mut writer = Writer::new(out);
    match outcome {
        Ok(()) if success => {
            if let Some(id) = id {
                writer.raw(b", \"id\": ");
                id.encode(&mut writer);
            }
            writer.raw(b"}");
            writer.raw(LINE_END);
        }
        Ok(()) => writer.truncate(mark),
        Err(error) => {
            writer.truncate(mark);
            self::error(out, id, &error);
        }
    }
}

/// Writes an error reply.
pub(super) fn error(out: &mut Vec<u8>, id: Option<Node<'_>>, error: &Error) {
    let mut writer = Writer::new(out);
    let mut line = writer.object();
    if let Some(id) = id {
        line.required("id", &id);
    }
    let mut body = line.name("error").object();
    body.required("class", error.class().name());
    body.required("desc", error.desc());
    body.end();
    line.end();
    writer.raw(LINE_END);
}

fn too_long(bytes_max: usize) -> Error {
    Error::generic(format!("The reply is longer than {bytes_max} bytes"))
}
