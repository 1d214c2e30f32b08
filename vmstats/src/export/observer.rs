//! One virtual machine, asked again and again.
//!
//! In: an address. Out: an answer for each question, over a connection that stays open as
//! long as the same server is at the address. Nothing here waits for other virtual machines.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Answer, Reason};
use super::unplugged::unplugged;
use crate::client::{Client, ClientError};
use crate::endpoint::Endpoint;
use crate::sample::Clock;
use crate::selection::Selection;
use crate::source::Monitor;

/// How long a connection and each reply may take. Scrapes do not wait so long; beyond it
/// the connection is made again.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The time between two tries to connect to a monitor that does not greet. Such a try
/// takes a place in the queue of a QEMU that serves another client.
const RETRY_SILENT_INTERVAL: Duration = Duration::from_secs(30);

/// The connection to a virtual machine's monitor.
pub(super) struct Observer {
    endpoint: Endpoint,
    selection: Selection,
    clock: Clock,
    /// The connection, with the socket's file when it was made.
    monitor: Option<(Monitor, Option<(u64, u64)>)>,
    /// The last answer.
    last: Option<Arc<Answer>>,
    /// The last time at which the monitor did not greet, and the error.
    silent: Option<(Instant, String)>,
}

impl Observer {
    /// Makes an observer that is not connected.
    pub(super) fn new(endpoint: Endpoint, selection: Selection, clock: Clock) -> Self {
        Self {
            endpoint,
            selection,
            clock,
            monitor: None,
            last: None,
            silent: None,
        }
    }

    /// Asks for statistics; connects if necessary. `connected` is called when the monitor
    /// has greeted, and before it is connected again.
    ///
    /// # Errors
    ///
    /// Returns the reason, also in words.
    pub(super) fn ask(
        &mut self,
        connected: &mut dyn FnMut(bool),
    ) -> Result<Arc<Answer>, (Reason, String)> {
        if let Some((since, text)) = &self.silent
            && since.elapsed() < RETRY_SILENT_INTERVAL
        {
            return Err((Reason::Silent, text.clone()));
        }
        let file = self.file();
        // Another server may have bound the path, while the connection leads to the old one.
        self.monitor = self.monitor.take().filter(|(_, of)| *of == file);
        let outcome = match self.monitor.take() {
            Some((monitor, _)) => match self.sample(monitor, file) {
                // The virtual machine may have been started again since the last question.
                Err(error) if Reason::of(&error) == Reason::Closed => {
                    self.connect_and_sample(connected, file)
                }
                outcome => outcome,
            },
            None => self.connect_and_sample(connected, file),
        };
        outcome.map_err(|error| {
            let reason = Reason::of(&error);
            let text = match reason {
                // The error's own words name an option that this command lacks.
                Reason::Timeout => reason.explanation().to_owned(),
                _ => error.to_string(),
            };
            self.silent = (reason == Reason::Silent).then(|| (Instant::now(), text.clone()));
            connected(false);
            (reason, text)
        })
    }

    fn connect_and_sample(
        &mut self,
        connected: &mut dyn FnMut(bool),
        file: Option<(u64, u64)>,
    ) -> Result<Arc<Answer>, ClientError> {
        connected(false);
        let client = Client::connect(&self.endpoint, TIMEOUT)?;
        connected(true);
        let (endpoint, selection) = (self.endpoint.to_string(), self.selection.clone());
        let monitor = Monitor::open(client, &endpoint, selection, self.clock, true)?;
        self.sample(monitor, file)
    }

    fn sample(
        &mut self,
        mut monitor: Monitor,
        file: Option<(u64, u64)>,
    ) -> Result<Arc<Answer>, ClientError> {
        let begin = Instant::now();
        // The exporter compares no samples, so that the number of the run does not matter.
        let sample = monitor.sample(0)?;
        let started = monitor.started();
        let answer = Arc::new(Answer {
            identity: monitor.identity().clone(),
            vcpus: monitor.vcpus(),
            started,
            unplugged: unplugged(self.last.as_deref(), &sample, started),
            sample,
            duration: begin.elapsed(),
            left_out: monitor.left_out(),
        });
        self.last = Some(Arc::clone(&answer));
        self.monitor = Some((monitor, file));
        Ok(answer)
    }

    /// Returns the device and the inode of the socket.
    fn file(&self) -> Option<(u64, u64)> {
        let Endpoint::Unix(path) = &self.endpoint else {
            return None;
        };
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
}
