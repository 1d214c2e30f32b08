//! What bounds a session.
//!
//! In: a server's choices. Out: the numbers that the session keeps to.

use qapi_stats::wire::json;

/// How much a session may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What one message may hold.
    pub message: json::Limits,
    /// Requests that wait while another is executed; more are left unread. In
    /// QEMU, 8.
    pub queued_requests_max: usize,
    /// Bytes of a reply's value; a longer one becomes an error.
    pub reply_bytes_max: usize,
    /// Bytes of output from which on no further request is executed until the
    /// client has read. One reply may exceed it.
    pub output_bytes_high: usize,
    /// Bytes of output that a client may leave unread: beyond, events no
    /// longer fit and the session ends.
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
