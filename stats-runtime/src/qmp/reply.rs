//! The lines a session sends: the greeting and replies.
//!
//! In: values. Out: text lines, each ended by CR LF, where clients split the
//! stream. The members of a line come in QEMU's order.

use std::cell::Cell;

use qapi_stats::control::VersionInfo;
use qapi_stats::wire::compat::Policy;
use qapi_stats::wire::{Encode, Error, Node, Writer};

/// The bytes that end every line.
pub(super) const LINE_END: &[u8] = b"\r\n";

/// Writes the greeting.
pub(super) fn greeting(out: &mut Vec<u8>, version: &VersionInfo) {
    let mut writer = Writer::new(out);
    writer.raw(b"{\"QMP\": {\"version\": ");
    version.encode(&mut writer);
    writer.raw(b", \"capabilities\": [\"oob\"]}}");
    writer.raw(LINE_END);
}

/// Writes a reply up to the end of its value into `buffer`, whose previous
/// contents are discarded. [`finish`] completes the line.
///
/// # Errors
///
/// Returns the error of `write`, or a `GenericError` if the text is longer than
/// `bytes_max`. The buffer then holds an unfinished text.
pub(super) fn begin(
    buffer: &mut Vec<u8>,
    bytes_max: usize,
    policy: Policy,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    begin_granted(buffer, bytes_max, &|_| true, policy, write)
}

/// The bytes of a reply that need no grant.
const FREE_BYTES: usize = 64 << 10;

/// The bytes that are granted at a time.
const GRANT_BYTES: usize = 1 << 20;

/// Like [`begin`], but the text grows beyond 64 KiB only as far as `grants`
/// permits, which is asked for each further MiB with the bytes that the text
/// may have then.
pub(crate) fn begin_granted(
    buffer: &mut Vec<u8>,
    bytes_max: usize,
    grants: &dyn Fn(usize) -> bool,
    policy: Policy,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    buffer.clear();
    let is_refused = Cell::new(false);
    let raise_limit = |len: usize| {
        let limit = len.saturating_add(GRANT_BYTES).min(bytes_max);
        is_refused.set(limit > len && !grants(limit));
        if is_refused.get() { len } else { limit }
    };
    let mut writer = Writer::limited(buffer, FREE_BYTES.min(bytes_max))
        .with_raised_limit(&raise_limit)
        .with_policy(policy);
    writer.raw(b"{\"return\": ");
    let outcome = write(&mut writer);
    if is_refused.get() {
        let desc = "The reply needs more memory than the server may use now";
        return Err(Error::generic(desc));
    }
    if writer.overflowed() {
        return Err(too_long(bytes_max));
    }
    outcome
}

/// Completes a reply that [`begin`] has written. The few bytes of the id and
/// the end of the line do not count against the limit.
pub(super) fn finish(buffer: &mut Vec<u8>, id: Option<Node<'_>>) {
    let mut writer = Writer::new(buffer);
    if let Some(id) = id {
        writer.raw(b", \"id\": ");
        id.encode(&mut writer);
    }
    writer.raw(b"}");
    writer.raw(LINE_END);
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
