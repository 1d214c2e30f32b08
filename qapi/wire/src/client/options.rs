//! The choices of a client.
//!
//! In: the caller's wishes. Out: numbers and flags that the session and the
//! clients keep to.

use std::time::Duration;

use crate::json::Limits;

/// The choices of a client.
///
/// ```
/// use std::time::Duration;
///
/// use qapi_wire::client::Options;
///
/// let options = Options::default()
///     .with_timeout(Duration::from_secs(2))
///     .with_out_of_band();
/// assert!(options.out_of_band);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The time for connecting and negotiating, and later for each call. 10 s by
    /// default.
    pub timeout: Duration,
    /// `true` to enable out-of-band execution if the server offers it.
    pub out_of_band: bool,
    /// The bytes of memory for events that have come and that nobody has read. 4
    /// MiB by default.
    pub event_bytes_max: usize,
    /// The limits of one message of the server.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            out_of_band: false,
            event_bytes_max: 4 << 20,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Returns these options with another timeout. More than
    /// [a year](super::deadline::TIMEOUT_MAX) counts as a year.
    #[must_use]
    pub const fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns these options with out-of-band execution, if the server offers it.
    #[must_use]
    pub const fn with_out_of_band(self) -> Self {
        Self {
            out_of_band: true,
            ..self
        }
    }

    /// Returns these options with another bound for the memory of unread events.
    #[must_use]
    pub const fn with_event_bytes_max(self, event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            ..self
        }
    }

    /// Returns these options with other limits of a message.
    #[must_use]
    pub const fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}
