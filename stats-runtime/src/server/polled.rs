//! A server without threads, for a VMM that has an event loop.
//!
//! In: listeners, a monitor, and the loop's word that the server's descriptor is
//! readable. Out: served clients, and the commands that the VMM executes itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{Event, EventData, EventFlags};
use rustix::io::Errno;

use super::conversation::Protocol;
use super::reactor::{Driver, Reactor};
use super::stream::Stream;
use super::{Listener, Options, Pending, statistics};
use crate::monitor::Monitor;
use crate::set::StatsSet;

/// The number of ready descriptors that one turn handles.
const NEWS_MAX: usize = 16;

/// The commands that one turn executes.
const COMMANDS_MAX: usize = 16;

/// A server that runs in a loop of the VMM: it has no thread, never blocks, and
/// does a bounded amount of work in each [`turn`](Self::turn).
///
/// Add its descriptor to the loop (`epoll`, event-manager, tokio's `AsyncFd`), for
/// reading and level-triggered, and call `turn` whenever the descriptor is
/// readable. This one descriptor covers all clients and all timeouts of
/// [`Options`]. Whatever is left over keeps it readable.
///
/// ```
/// use std::time::Duration;
/// use stats_runtime::server::{Listener, Options, Polled};
/// # use std::sync::Arc;
/// # use stats_runtime::{Monitor, NoHost, Registry, host::Change};
///
/// # let monitor = Monitor::new(Registry::new(), NoHost);
/// let listener = Listener::tcp("127.0.0.1:0".parse()?)?;
/// let mut server = Polled::new(monitor, [listener], Options::new())?.hand_over(["stop"]);
/// // Whenever the descriptor is readable:
/// for command in server.turn()? {
///     // The VMM stops its vCPUs, and the server emits STOP.
///     command.finish(Ok(Change::Made));
/// }
/// // At the end of the VMM:
/// server.drain(Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Commands are executed in `turn`, so a provider that is slow holds the loop up:
/// register it with a deadline, or use a [`Server`](super::Server).
#[derive(Debug)]
pub struct Polled {
    reactor: Arc<Reactor>,
    driver: Driver,
    is_idle: bool,
}

impl Polled {
    /// Serves `monitor` to the clients of `listeners`. Every descriptor of the
    /// server is made here, so that a filter of system calls may be applied
    /// afterwards.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if a descriptor cannot be created.
    pub fn new(
        monitor: Monitor,
        listeners: impl IntoIterator<Item = Listener>,
        options: Options,
    ) -> io::Result<Self> {
        let listeners = listeners.into_iter().collect();
        let reactor = Reactor::new(monitor, listeners, options, None)?;
        Ok(Self {
            reactor,
            driver: Driver::new(),
            is_idle: false,
        })
    }

    /// Has [`turn`](Self::turn) return the commands with these names instead of
    /// executing them, for a VMM whose machine belongs to its loop. The names may
    /// be those of this library's commands and of the VMM's own; a command that
    /// the monitor refuses is never handed over.
    #[must_use]
    pub fn hand_over(mut self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let commands = commands.into_iter().map(Into::into);
        self.driver.handed_over.extend(commands);
        self
    }

    /// Does the work that is due, up to a bound: accepts clients, reads, executes
    /// commands, sends, and disconnects clients that are late. Returns the commands
    /// that the VMM has to execute.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if the server's descriptor fails, which a correct
    /// program does not see.
    pub fn turn(&mut self) -> io::Result<Vec<Pending>> {
        self.turn_within(&Timespec::default())
    }

    fn turn_within(&mut self, timeout: &Timespec) -> io::Result<Vec<Pending>> {
        let no_news = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        let mut news = [no_news; NEWS_MAX];
        let count = match self.reactor.wait(&mut news, Some(timeout)) {
            Err(Errno::INTR) => 0,
            waited => waited?,
        };
        self.is_idle = count == 0;
        // Every client that is ready gets the same share.
        self.driver.commands_max = COMMANDS_MAX.div_ceil(count.max(1));
        for news in news.into_iter().take(count) {
            self.reactor.handle(news, &mut self.driver);
        }
        // No client's account counts the buffer's memory.
        if self.driver.buffers.has_large_reply() {
            self.driver.buffers.shrink();
        }
        let handed = self.driver.handed.drain(..);
        Ok(handed
            .map(|handed| Pending::new(Arc::downgrade(&self.reactor), handed))
            .collect())
    }

    /// Returns whether the last [`turn`](Self::turn) found nothing to do. A loop
    /// that is edge-triggered, such as tokio's, must call `turn` until then.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Serves a client on a socket that is connected already, like
    /// [`Server::add_client`](super::Server::add_client).
    ///
    /// # Errors
    ///
    /// As for [`Server::add_client`](super::Server::add_client).
    pub fn add_client(&self, socket: OwnedFd) -> io::Result<()> {
        let stream = Stream::from_connected(socket)?;
        self.reactor.add_connected(stream, Protocol::Qmp)
    }

    /// Serves a client on a connected Unix socket, like
    /// [`Server::add_unix_client`](super::Server::add_unix_client).
    ///
    /// # Errors
    ///
    /// As for [`Server::add_unix_client`](super::Server::add_unix_client).
    pub fn add_unix_client(&self, socket: UnixStream) -> io::Result<()> {
        let stream = Stream::from_unix(socket);
        self.reactor.add_connected(stream, Protocol::Qmp)
    }

    /// Returns the number of connected clients.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.reactor.connections()
    }

    /// Returns the provider of the server's statistics of itself, like
    /// [`Server::statistics`](super::Server::statistics).
    #[must_use]
    pub fn statistics(&self) -> StatsSet {
        statistics::of(self.reactor.counters())
    }

    /// Stops accepting clients. Each connection ends after the requests of its client
    /// are answered. Returns at once: the loop calls [`turn`](Self::turn) as before,
    /// until [`connections`](Self::connections) returns 0.
    pub fn end(&self) {
        self.reactor.begin_end();
    }

    /// Ends the server: like [`end`](Self::end) and the turns that follow. Waits at
    /// most `time_max` for clients that do not read their answers and for commands
    /// that the VMM has not finished; commands that would be handed over now are
    /// answered with an error.
    ///
    /// # Errors
    ///
    /// As for [`turn`](Self::turn).
    pub fn drain(mut self, time_max: Duration) -> io::Result<()> {
        self.end();
        let begin = Instant::now();
        while self.connections() > 0 {
            let left = time_max.saturating_sub(begin.elapsed());
            if left.is_zero() {
                break;
            }
            // Whole milliseconds, for which epoll_pwait is enough.
            let left = left.as_millis().clamp(1, 1000);
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(1000));
            let timeout = Timespec::try_from(left).unwrap_or_default();
            drop(self.turn_within(&timeout)?);
        }
        Ok(())
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.reactor.begin_end();
        self.reactor.end();
    }
}

impl AsFd for Polled {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reactor.as_fd()
    }
}

impl AsRawFd for Polled {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
