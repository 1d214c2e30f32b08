//! A server of `/metrics` for virtual machines at some places.
//!
//! In: places, and the choice of what scrapers get. Out: bound sockets, then a thread that
//! serves them until its handle is dropped. This file writes no metric.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::choice::Choice;
use super::collector::{Collector, CollectorOptions};
use super::encoder::Encoder;
use super::exporter::Exporter;
use super::http;
use super::journal::Journal;
use super::listener::Listener;
use super::otlp::Receiver;
use crate::cli::ExpositionArgs;
use crate::failure::Failure;
use crate::listen::Listen;
use crate::source::Place;
use crate::threads::spawn;

/// How long virtual machines are waited for if neither a scraper nor the arguments say it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum number of threads that collect and encode for scrapers.
const SCRAPES_MAX: usize = 16;

/// A server whose sockets are bound, and which serves nobody yet: a program can sandbox
/// itself before it [starts](Self::start).
pub struct MetricsServer {
    runtime: Runtime,
    listeners: Vec<Listener>,
    exporter: Arc<Exporter>,
    receiver: Option<Receiver>,
    timeout: Duration,
}

/// A thread that serves `/metrics`. When this value is dropped, the thread ends and removes
/// its sockets; a scrape that waits for a virtual machine does not delay the end.
#[derive(Debug)]
pub struct RunningServer {
    /// The thread ends when the sender is dropped.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Binds the addresses of the arguments, for the virtual machines at some places.
    ///
    /// # Errors
    ///
    /// Returns an error if options contradict each other, or if an address cannot be bound.
    pub fn bind(places: Vec<Place>, arguments: &ExpositionArgs) -> Result<Self, Failure> {
        if let Some(why) = arguments.contradiction() {
            return Err(Failure::usage(why));
        }
        Self::bind_at(&arguments.listen, places, arguments, None)
    }

    /// Binds addresses, which replace those of the arguments. The metrics have the figures
    /// of `receiver`, and the thread sends its messages.
    pub(super) fn bind_at(
        addresses: &[Listen],
        places: Vec<Place>,
        arguments: &ExpositionArgs,
        receiver: Option<Receiver>,
    ) -> Result<Self, Failure> {
        let choice = Choice::new(arguments);
        let options = CollectorOptions {
            credentials: arguments.tls.clone(),
            selection: choice.selection(),
        };
        let collector = Collector::new(places, options);
        let journal = Journal::new(choice.names.clone(), arguments.providers.clone());
        let encoder = Encoder::new(choice);
        let exporter = Exporter::new(collector, encoder, receiver.clone(), journal);
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(SCRAPES_MAX)
            .build()
            .map_err(|error| Failure::other(format!("cannot start: {error}")))?;
        let entered = runtime.enter();
        let credentials = arguments.tls.as_deref();
        let bind = |address| Listener::bind(address, credentials, &arguments.tls_allow);
        let listeners = addresses.iter().map(bind).collect::<Result<_, _>>()?;
        drop(entered);
        Ok(Self {
            runtime,
            listeners,
            exporter: Arc::new(exporter),
            receiver,
            timeout: arguments.timeout.unwrap_or(TIMEOUT),
        })
    }

    /// Returns where scrapers connect: a URL for each address, or the path of its socket.
    pub fn urls(&self) -> impl ExactSizeIterator<Item = &str> {
        self.listeners.iter().map(|listener| listener.url.as_str())
    }

    /// Returns the exporter, for other outputs of the same statistics.
    pub(super) fn exporter(&self) -> Arc<Exporter> {
        Arc::clone(&self.exporter)
    }

    /// Starts the thread that serves scrapers.
    ///
    /// # Errors
    ///
    /// Returns an error if the thread cannot be started.
    pub fn start(self) -> Result<RunningServer, Failure> {
        let (end, ended) = oneshot::channel();
        let thread = spawn("metrics", move || self.serve(ended))?;
        Ok(RunningServer {
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Serves scrapers until the sender is dropped.
    fn serve(self, ended: oneshot::Receiver<()>) {
        let service = Arc::new(http::Service::new(self.exporter, self.timeout));
        self.runtime.block_on(async {
            for listener in self.listeners {
                tokio::spawn(http::serve(listener, Arc::clone(&service)));
            }
            if let Some(receiver) = self.receiver {
                tokio::spawn(receiver.send());
            }
            // Fails when the sender is dropped, which is the end.
            let _ = ended.await;
        });
        // A scrape that waits for a virtual machine need not delay the end.
        self.runtime.shutdown_background();
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        drop(self.end.take());
        // A thread that panicked has told so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
