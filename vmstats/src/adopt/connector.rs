//! Connections to `vmstats host`, which may not be there or may restart.
//!
//! In: a socket's path and the time. Out: a new connection, or `None` until the next try is
//! due. This file knows no VM.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use stats_handover::connect;
use tracing::{info, warn};

/// The time until the second try.
pub(super) const RETRY_DELAY_MIN: Duration = Duration::from_secs(1);

/// The most time between two tries.
pub(super) const RETRY_DELAY_MAX: Duration = Duration::from_secs(10);

/// Connects to the host, with longer pauses while nobody listens.
#[derive(Debug)]
pub(super) struct Connector {
    socket: PathBuf,
    is_down: bool,
    delay: Duration,
    retry_at: Option<Instant>,
}

impl Connector {
    /// Makes a connector to the socket at a path.
    pub(super) fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            is_down: false,
            delay: RETRY_DELAY_MIN,
            retry_at: None,
        }
    }

    /// Connects, if a try is due. Logs that the host is away, and that it is back, once each.
    pub(super) fn connect(&mut self, now: Instant) -> Option<OwnedFd> {
        if self.retry_at.is_some_and(|time| now < time) {
            return None;
        }
        match connect(&self.socket) {
            Ok(connection) => {
                if self.is_down {
                    info!("the host listens at {} again", self.socket.display());
                }
                self.is_down = false;
                self.delay = RETRY_DELAY_MIN;
                self.retry_at = None;
                Some(connection)
            }
            // The host has not accepted the connections of other VMs yet.
            Err(error) if error.errno() == Some(Errno::AGAIN.raw_os_error()) => None,
            Err(error) => {
                if !self.is_down {
                    warn!(
                        "{error}; is vmstats-host.socket active, and may this user connect? Retrying"
                    );
                }
                self.is_down = true;
                self.retry_at = Some(now + self.delay);
                self.delay = (self.delay * 2).min(RETRY_DELAY_MAX);
                None
            }
        }
    }
}
