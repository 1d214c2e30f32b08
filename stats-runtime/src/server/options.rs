//! What bounds a server.
//!
//! In: the VMM's choices. Out: the numbers that the server keeps to, each with
//! a default that suits a monitor on a host.

use std::time::Duration;

use crate::qmp::Limits;

/// How many clients a server takes, what each may hold, and how long each may
/// keep it waiting.
///
/// ```
/// use std::time::Duration;
/// use stats_runtime::server::Options;
///
/// let options = Options::new()
///     .connections_max(16)
///     .idle_timeout(Some(Duration::from_secs(600)));
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) limits: Limits,
    pub(super) connections_max: usize,
    pub(super) threads_max: usize,
    pub(super) held_bytes_max: usize,
    pub(super) negotiation_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stop_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            connections_max: 1024,
            threads_max: 1024,
            held_bytes_max: 256 << 20,
            negotiation_timeout: Some(Duration::from_secs(60)),
            write_timeout: Some(Duration::from_secs(30)),
            idle_timeout: None,
            stop_timeout: Duration::from_secs(1),
        }
    }
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What each client's session may hold. By default [`Limits::default`].
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Connections that may be open at once; a further client is turned away.
    /// By default 1024.
    #[must_use]
    pub fn connections_max(self, connections_max: usize) -> Self {
        Self {
            connections_max,
            ..self
        }
    }

    /// Threads that may run at once, at least two. There are as many as
    /// commands are being executed, and two that wait; only if this many
    /// handlers or providers block do they hold up other clients. By default
    /// 1024.
    #[must_use]
    pub fn threads_max(self, threads_max: usize) -> Self {
        Self {
            threads_max: threads_max.max(2),
            ..self
        }
    }

    /// Bytes that all clients together may have the server hold between two
    /// steps: of requests that are not complete, and of replies that are not
    /// read. When there are more, those are given up that hold the most. By
    /// default 256 MiB.
    #[must_use]
    pub fn held_bytes_max(self, held_bytes_max: usize) -> Self {
        Self {
            held_bytes_max,
            ..self
        }
    }

    /// How long a client may take to negotiate, a TLS handshake included.
    /// `None`: for ever. By default 60 seconds.
    #[must_use]
    pub fn negotiation_timeout(self, negotiation_timeout: Option<Duration>) -> Self {
        Self {
            negotiation_timeout,
            ..self
        }
    }

    /// How long a client may leave what it is sent unread, without taking a
    /// single byte. `None`: for ever. By default 30 seconds.
    #[must_use]
    pub fn write_timeout(self, write_timeout: Option<Duration>) -> Self {
        Self {
            write_timeout,
            ..self
        }
    }

    /// How long a client may neither send nor be sent anything. By default
    /// `None`, for ever: management software keeps its connection for as long as the VM lives.
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Option<Duration>) -> Self {
        Self {
            idle_timeout,
            ..self
        }
    }

    /// How long a stopping server waits for clients that do not read, and for
    /// handlers that do not return. By default one second.
    #[must_use]
    pub fn stop_timeout(self, stop_timeout: Duration) -> Self {
        Self {
            stop_timeout,
            ..self
        }
    }
}
