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
mod metrics_server;
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
use std::thread;
use std::time::{Duration, Instant};

use qapi_wire::client::deadline;
use stats_runtime::exposition::Format;

use crate::cli::ExportArgs;
use crate::failure::{Failure, warn};
use crate::listen::Listen;
use crate::sample::Clock;
use crate::shutdown::PendingSignals;
use crate::source::raise_file_limit;
use crate::threads::spawn;
use metrics_server::TIMEOUT;
use otlp::Receiver;
use otlp::message::message;
use textfile::Textfile;

pub use metrics_server::{MetricsServer, RunningServer};

/// The time from one file or message to the next without `--interval`.
const INTERVAL: Duration = Duration::from_secs(15);

/// The port without `--listen`.
const PORT: u16 = 9747;

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
    let timeout = arguments.exposition.timeout.unwrap_or(TIMEOUT);
    if arguments.dry_run {
        return dry_run::run(arguments, timeout, out);
    }
    let signals = PendingSignals::install()?;
    let receiver = arguments.otlp.clone().map(Receiver::new);
    let server = MetricsServer::bind_at(
        &addresses(arguments),
        arguments.places(),
        &arguments.exposition,
        receiver.clone(),
    )?;
    for url in server.urls() {
        writeln!(out, "{url}")?;
    }
    out.flush()?;
    let shutdown = signals.start()?;
    let textfile = arguments.textfile.as_deref().map(Textfile::new);
    if let Some(writer) = textfile.as_ref().map(Textfile::writer) {
        let exporter = server.exporter();
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
    if let Some(receiver) = receiver {
        let exporter = server.exporter();
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
    let running = server.start()?;
    shutdown.wait();
    drop(running);
    drop(textfile);
    Ok(())
}

/// Returns the addresses to serve at.
fn addresses(arguments: &ExportArgs) -> Vec<Listen> {
    let has_other = arguments.textfile.is_some() || arguments.otlp.is_some();
    if arguments.exposition.listen.is_empty() && !has_other {
        return vec![Listen::Tcp(([127, 0, 0, 1], PORT).into())];
    }
    arguments.exposition.listen.clone()
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
