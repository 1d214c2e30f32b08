//! The bounds of a server.
//!
//! In: the VMM's choices. Out: the numbers that the server keeps to. The
//! defaults suit a monitor inside a VMM, whose memory is the guest's.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use qapi_stats::wire::json;

use super::lost_client::{LossHook, LostClient};
use crate::qmp::Limits;

/// The number of clients that a server takes, what they may make the server
/// hold, and how long they may keep the server waiting.
///
/// ```
/// use std::time::Duration;
/// use stats_runtime::server::Options;
///
/// let options = Options::new()
///     .connections_max(16)
///     .idle_timeout(Some(Duration::from_secs(600)));
/// ```
#[derive(Clone)]
pub struct Options {
    pub(super) limits: Limits,
    pub(super) connections_max: usize,
    pub(super) held_bytes_max: usize,
    pub(super) negotiation_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) busy_timeout: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) threads: usize,
    pub(super) thread_stack_bytes: Option<usize>,
    on_thread_start: Option<ThreadHook>,
    pub(super) on_client_lost: Option<LossHook>,
}

/// A function that each thread of a server calls first.
type ThreadHook = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connections_max", &self.connections_max)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The default of [`Options::limits`].
fn default_limits() -> Limits {
    Limits {
        message: json::Limits::default()
            .with_message_bytes_max(1 << 20)
            .with_tokens_max(64 << 10),
        reply_bytes_max: 16 << 20,
        output_bytes_max: 16 << 20,
        ..Limits::default()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: default_limits(),
            connections_max: 16,
            held_bytes_max: 16 << 20,
            negotiation_timeout: Some(Duration::from_secs(60)),
            write_timeout: Some(Duration::from_secs(30)),
            idle_timeout: None,
            busy_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(1),
            threads: 4,
            thread_stack_bytes: None,
            on_thread_start: None,
            on_client_lost: None,
        }
    }
}

impl Options {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limits of each client's session. By default those of
    /// [`Limits::default`], except that a message has at most 1 MiB and 64 Ki
    /// tokens, and a reply and the unread output at most 16 MiB each. A request
    /// with these limits takes at most 6 MiB while it is read and executed.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the length of a client's message in bytes, and leaves the other
    /// limits unchanged but for the number of tokens, which grows with the length
    /// beyond the default. By default 1 MiB.
    #[must_use]
    pub fn message_bytes_max(mut self, message_bytes_max: usize) -> Self {
        let tokens_max = self.limits.message.tokens_max.max(message_bytes_max / 16);
        self.limits.message = self
            .limits
            .message
            .with_message_bytes_max(message_bytes_max)
            .with_tokens_max(tokens_max);
        self
    }

    /// Sets the number of connections that may be open at the same time. The
    /// server closes the connections of further clients at once. By default 16.
    #[must_use]
    pub fn connections_max(self, connections_max: usize) -> Self {
        Self {
            connections_max,
            ..self
        }
    }

    /// Sets the number of threads of a [`Server`](super::Server), at least two. All
    /// are made when the server starts. One is kept for what does not block; each
    /// of the others executes one command at a time. By default four.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self {
            threads: threads.max(2),
            ..self
        }
    }

    /// Sets the size of the stack of each thread in bytes. By default that of the
    /// standard library, 2 MiB of address space.
    #[must_use]
    pub fn thread_stack_bytes(self, bytes: usize) -> Self {
        Self {
            thread_stack_bytes: Some(bytes),
            ..self
        }
    }

    /// Has each thread of a [`Server`](super::Server) call `hook` first, for example
    /// to apply a filter of system calls, to join a control group or to set its
    /// affinity. If a call fails, [`Server::start`](super::Server::start) returns
    /// its error.
    #[must_use]
    pub fn on_thread_start(
        self,
        hook: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            on_thread_start: Some(Arc::new(hook)),
            ..self
        }
    }

    /// Has the server call `hook` for each client that it refuses, or disconnects
    /// although neither the client nor the VMM wanted that. `hook` is called with
    /// no lock of the server held: in a thread of the server, in
    /// [`Polled::turn`](super::Polled::turn), and in callers of `add_client` and of
    /// [`Pending::finish`](super::Pending::finish), which must not hold a lock that the
    /// hook takes. It should return soon.
    #[must_use]
    pub fn on_client_lost(self, hook: impl Fn(&LostClient<'_>) + Send + Sync + 'static) -> Self {
        Self {
            on_client_lost: Some(Arc::new(hook)),
            ..self
        }
    }

    /// Prepares the calling thread, which the server has made.
    pub(super) fn begin_thread(&self) -> io::Result<()> {
        self.on_thread_start.as_ref().map_or(Ok(()), |hook| hook())
    }

    /// Sets the number of bytes that all clients together may make the server
    /// hold, beyond 16 KiB for each: of requests that are incomplete, waiting or
    /// executed, and of replies that are written or unread. Beyond this number
    /// the server closes the connections of the clients that hold the most; a
    /// client that holds no more than its 16 KiB is never closed for it. By
    /// default 16 MiB.
    ///
    /// Beside these bytes a thread uses its stack, a buffer of 64 KiB, and while
    /// it reads a message a small multiple of the message's length, which
    /// [`json::Limits`](qapi_stats::wire::json::Limits) states.
    #[must_use]
    pub fn held_bytes_max(self, held_bytes_max: usize) -> Self {
        Self {
            held_bytes_max,
            ..self
        }
    }

    /// Sets the time that a client may take to negotiate, including a TLS
    /// handshake. `None` means no limit. By default 60 seconds.
    #[must_use]
    pub fn negotiation_timeout(self, negotiation_timeout: Option<Duration>) -> Self {
        Self {
            negotiation_timeout,
            ..self
        }
    }

    /// Sets the time for which a client may leave output unread without taking
    /// a single byte. `None` means no limit. By default 30 seconds.
    #[must_use]
    pub fn write_timeout(self, write_timeout: Option<Duration>) -> Self {
        Self {
            write_timeout,
            ..self
        }
    }

    /// Sets the time for which a client may neither send nor be sent anything.
    /// By default `None`, no limit, because management software keeps its
    /// connection for as long as the VM lives.
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Option<Duration>) -> Self {
        Self {
            idle_timeout,
            ..self
        }
    }

    /// Sets the time for which a command waits while all threads execute others
    /// that do not return. The command is then answered with an error. By
    /// default 10 seconds.
    #[must_use]
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        Self {
            busy_timeout,
            ..self
        }
    }

    /// Sets the time for which a stopping server waits for clients that do not
    /// read, and for commands that do not return. By default one second.
    #[must_use]
    pub fn stop_timeout(self, stop_timeout: Duration) -> Self {
        Self {
            stop_timeout,
            ..self
        }
    }
}
