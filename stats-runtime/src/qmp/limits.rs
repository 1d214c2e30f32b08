//! The bounds of a session.
//!
//! In: a server's choices. Out: the numbers that the session keeps to.

use qapi_stats::wire::json;

/// The bounds of what a session buffers. Start from [`Limits::default`] and
/// change single limits with the methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The limits of one message.
    pub message: json::Limits,
    /// The number of requests that may wait while another is executed; further
    /// requests stay in the socket. QEMU's number is 8.
    pub queued_requests_max: usize,
    /// The bytes of a reply up to the end of its value. A longer reply becomes an
    /// error.
    pub reply_bytes_max: usize,
    /// The bytes of output from which on no further request is executed until the
    /// client has read some of them. One reply may exceed this number.
    pub output_bytes_high: usize,
    /// The bytes of output that a client may leave unread. An event that would
    /// follow more than these ends the session.
    pub output_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: json::Limits::default(),
            queued_requests_max: 8,
            reply_bytes_max: 64 << 20,
            output_bytes_high: 1 << 20,
            output_bytes_max: 64 << 20,
        }
    }
}

impl Limits {
    /// Sets the limits of one message.
    #[must_use]
    pub const fn with_message(mut self, message: json::Limits) -> Self {
        self.message = message;
        self
    }

    /// Sets the number of requests that may wait while another is executed.
    #[must_use]
    pub const fn with_queued_requests_max(mut self, queued_requests_max: usize) -> Self {
        self.queued_requests_max = queued_requests_max;
        self
    }

    /// Sets the length of the longest reply in bytes.
    #[must_use]
    pub const fn with_reply_bytes_max(mut self, reply_bytes_max: usize) -> Self {
        self.reply_bytes_max = reply_bytes_max;
        self
    }

    /// Sets the bytes of output from which on no further request is executed.
    #[must_use]
    pub const fn with_output_bytes_high(mut self, output_bytes_high: usize) -> Self {
        self.output_bytes_high = output_bytes_high;
        self
    }

    /// Sets the bytes of output that a client may leave unread.
    #[must_use]
    pub const fn with_output_bytes_max(mut self, output_bytes_max: usize) -> Self {
        self.output_bytes_max = output_bytes_max;
        self
    }
}
