//! The time of an event.
//!
//! In: the system's clock, or a message. Out: seconds and microseconds as the
//! protocol has them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::decode::{Decode, DecodeMembers, Members, decode_object};
use crate::document::Node;
use crate::error::Result;
use crate::path::ValuePath;

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970; -1 if the clock could not be read.
    pub seconds: i64,
    /// Microseconds within the second; -1 if the clock could not be read.
    pub microseconds: i64,
}

impl Timestamp {
    /// The timestamp of a server whose clock could not be read.
    pub const UNKNOWN: Self = Self {
        seconds: -1,
        microseconds: -1,
    };
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self {
                seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                microseconds: i64::from(since.subsec_micros()),
            },
            Err(_) => Self::UNKNOWN,
        }
    }
}

impl DecodeMembers for Timestamp {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        Ok(Self {
            seconds: members.required("seconds")?,
            microseconds: members.required("microseconds")?,
        })
    }
}

impl Decode for Timestamp {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}
