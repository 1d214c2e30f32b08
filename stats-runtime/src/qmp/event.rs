//! What goes to the client unasked: events.
//!
//! In: a generated event and when it happened. Out: a line.

use std::time::{SystemTime, UNIX_EPOCH};

use qapi::wire::Writer;
use qapi::wire::command::Event;

use super::reply::LINE_END;

/// When an event happened, as the protocol tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970; -1 if the clock could not be read.
    pub seconds: i64,
    /// Microseconds within the second; -1 if the clock could not be read.
    pub microseconds: i64,
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self {
                seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                microseconds: i64::from(since.subsec_micros()),
            },
            Err(_) => Self {
                seconds: -1,
                microseconds: -1,
            },
        }
    }
}

/// Writes an event.
pub(super) fn event<E: Event>(out: &mut Vec<u8>, event: &E, at: Timestamp) {
    let mut writer = Writer::new(out);
    let mut line = writer.object();
    let mut timestamp = line.name("timestamp").object();
    timestamp.required("seconds", &at.seconds);
    timestamp.required("microseconds", &at.microseconds);
    timestamp.end();
    line.required("event", E::NAME);
    if E::HAS_DATA {
        line.name("data").members(event);
    }
    line.end();
    writer.raw(LINE_END);
}
