//! `vmstats export`: statistics for Prometheus and OpenTelemetry.
//!
//! In: arguments. Out: an HTTP server, a file or messages, until a signal. A virtual
//! machine is asked when somebody wants to know: nothing is asked between scrapes.

mod answer;
mod busiest;
mod choice;
mod collector;
mod connections;
mod dry_run;
mod encoder;
mod exporter;
mod finding;
mod http;
mod journal;
mod landing;
mod listener;
mod naming;
mod negotiation;
mod observer;
mod otlp;
mod own;
mod plan;
mod points;
mod sums;
mod textfile;
mod texts;
mod totals;
mod unplugged;
mod watched;

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use qapi_wire::client::deadline;
use stats_runtime::exposition::Format;

use crate::cli::ExportArgs;
use crate::failure::{Failure, warn};
use crate::listen::Listen;
use crate::sample::Clock;
use crate::selection::Selection;
use crate::shutdown::PendingSignals;
use crate::source::raise_file_limit;
use crate::threads::spawn;
use choice::Choice;
use collector::{Collector, CollectorOptions};
use encoder::Encoder;
use exporter::Exporter;
use journal::Journal;
use listener::Listener;
use otlp::Receiver;
use otlp::message::message;
use textfile::Textfile;

/// How long virtual machines are waited for if neither a scraper nor the arguments say it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The time from one file or message to the next without `--interval`.
const INTERVAL: Duration = Duration::from_secs(15);

/// The port without `--listen`.
const PORT: u16 = 9747;

/// The maximum number of threads that collect and encode for scrapers.
const SCRAPES_MAX: usize = 16;

/// Runs `vmstats export`.
///
/// # Errors
///
/// Returns an error if an option cannot act, an address cannot be bound, or a file cannot
/// be written.
pub fn run(arguments: &ExportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(why) = arguments.contradiction() {
        return Err(Failure::usage(why));
    }
    raise_file_limit();
    let interval = arguments.interval.unwrap_or(INTERVAL);
    let choice = Choice::new(arguments);
    let timeout = arguments.timeout.unwrap_or(TIMEOUT);
    if arguments.dry_run {
        let collection = make_collector(arguments, choice.everything())
            .collect(Instant::now(), deadline::after(timeout));
        return dry_run::print(&collection, &choice, arguments.hosts, out);
    }
    let signals = PendingSignals::install()?;
    let collector = make_collector(arguments, choice.selection());
    let receiver = arguments.otlp.clone().map(Receiver::new);
    let journal = Journal::new(choice.names.clone(), arguments.providers.clone());
    let encoder = Encoder::new(choice);
    let exporter = Exporter::new(collector, encoder, receiver.clone(), journal);
    let exporter = Arc::new(exporter);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(SCRAPES_MAX)
        .build()
        .map_err(|error| Failure::other(format!("cannot start: {error}")))?;
    let entered = runtime.enter();
    let mut listeners = Vec::new();
    for address in addresses(arguments) {
        let credentials = arguments.tls.as_deref();
        let listener = Listener::bind(&address, credentials, &arguments.tls_allow)?;
        writeln!(out, "{}", listener.url)?;
        listeners.push(listener);
    }
    out.flush()?;
    drop(entered);
    let shutdown = signals.start()?;
    let textfile = arguments.textfile.as_deref().map(Textfile::new);
    if let Some(writer) = textfile.as_ref().map(Textfile::writer) {
        let exporter = Arc::clone(&exporter);
        let write =
            move || writer.write(&exporter.scrape(deadline::after(timeout), Format::Prometheus));
        // The first file is written before anything else, so that a folder that does not
        // exist is an error of the command.
        write()?;
        repeat("textfile", interval, move || {
            if let Err(failure) = write() {
                warn(&failure.to_string());
            }
        })?;
    }
    let started = Clock::start().now();
    if let Some(receiver) = receiver.clone() {
        let exporter = Arc::clone(&exporter);
        let push = move || {
            let message = exporter.collect(
                Instant::now(),
                deadline::after(timeout),
                |collection, encoder| message(collection, encoder, started),
            );
            receiver.push(&message);
        };
        push();
        repeat("otlp", interval, push)?;
    }
    let (sender, ended) = tokio::sync::oneshot::channel();
    spawn("shutdown", move || {
        shutdown.wait();
        // Fails if the program is ending already.
        let _ = sender.send(());
    })?;
    let service = Arc::new(http::Service::new(Arc::clone(&exporter), timeout));
    runtime.block_on(async {
        for listener in listeners {
            tokio::spawn(http::serve(listener, Arc::clone(&service)));
        }
        if let Some(receiver) = receiver {
            tokio::spawn(receiver.send());
        }
        // Fails if the thread of the signals has ended, which is an end too.
        let _ = ended.await;
    });
    // A scrape that waits for a virtual machine need not delay the end.
    runtime.shutdown_background();
    drop(textfile);
    Ok(())
}

/// Makes a collector of the places of the arguments.
fn make_collector(arguments: &ExportArgs, selection: Selection) -> Collector {
    let options = CollectorOptions {
        credentials: arguments.tls.clone(),
        selection,
    };
    Collector::new(arguments.places(), options)
}

/// Returns the addresses to serve at.
fn addresses(arguments: &ExportArgs) -> Vec<Listen> {
    let has_other = arguments.textfile.is_some() || arguments.otlp.is_some();
    if arguments.listen.is_empty() && !has_other {
        return vec![Listen::Tcp(([127, 0, 0, 1], PORT).into())];
    }
    arguments.listen.clone()
}

/// Starts a thread that does something at an interval, for the first time after it.
fn repeat(
    name: &str,
    interval: Duration,
    mut act: impl FnMut() + Send + 'static,
) -> Result<(), Failure> {
    let run = move || {
        let begin = Instant::now();
        loop {
            // The next multiple of the interval, so that a slow turn moves no other one.
            let since = begin.elapsed().as_nanos();
            let left = interval.as_nanos() - since % interval.as_nanos().max(1);
            thread::sleep(Duration::from_nanos(
                u64::try_from(left).unwrap_or(u64::MAX),
            ));
            act();
        }
    };
    spawn(name, run).map(drop)
}
