//! The thread that turns tails into segments.
//!
//! In: the numbers of tails. Out: segments, and no more of them than the recording may
//! have. It shares nothing with the thread that writes lines, so that a slow disk delays
//! no sample.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::failure::Failure;
use crate::recording::file::{self, Contents};
use crate::recording::folder::{
    damaged_name, events_name, rows_name, sealing_name, segments, temporary_name,
};
use crate::recording::read_lines;
use crate::recording::row::{self, Layout};
use crate::sample::Timestamp;

/// The time between two tries to seal on a full disk.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// How much of a recording is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    /// The age of the oldest segment.
    pub(super) keep: Option<Duration>,
    /// The number of bytes.
    pub(super) size: Option<u64>,
}

/// A tail to seal.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) layouts: Vec<Layout>,
    pub(super) now: Timestamp,
}

/// The thread.
pub(super) struct Sealer {
    jobs: Sender<Job>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Sealer {
    /// Starts the thread.
    pub(super) fn start(folder: &Path, ring: Ring) -> Result<Self, Failure> {
        let (jobs, receiver) = channel();
        let folder = folder.to_owned();
        let thread = thread::Builder::new()
            .name("sealer".to_owned())
            .spawn(move || run(&folder, ring, &receiver))
            .map_err(|error| Failure::other(format!("cannot start a thread: {error}")))?;
        Ok(Self { jobs, thread })
    }

    /// Seals a tail soon.
    pub(super) fn seal(&self, job: Job) {
        // Fails only if the thread ended by a panic, which `finish` reports.
        let _ = self.jobs.send(job);
    }

    /// Waits until everything is sealed.
    pub(super) fn finish(self) -> Result<(), Failure> {
        drop(self.jobs);
        let outcome = self.thread.join();
        outcome.unwrap_or_else(|_| Err(Failure::other("the thread that seals failed")))
    }
}

fn run(folder: &Path, ring: Ring, jobs: &Receiver<Job>) -> Result<(), Failure> {
    let mut waiting: VecDeque<Job> = VecDeque::new();
    let mut told = false;
    loop {
        let timeout = if waiting.is_empty() {
            Duration::from_secs(3600)
        } else {
            RETRY_INTERVAL
        };
        let mut is_last = false;
        match jobs.recv_timeout(timeout) {
            Ok(job) => waiting.push_back(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => is_last = true,
        }
        while let Some(job) = waiting.front() {
            match seal(folder, job).and_then(|()| limit(folder, ring, job.now)) {
                Ok(()) => {
                    told = false;
                    waiting.pop_front();
                }
                Err(failure) if is_last => return Err(failure),
                Err(failure) => {
                    if !told {
                        let _ = writeln!(io::stderr(), "vmstats: {failure}; trying again");
                    }
                    told = true;
                    break;
                }
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Turns a tail into a segment. The removal of the tail, when the files are on the disk,
/// is what makes the segment complete.
fn seal(folder: &Path, job: &Job) -> Result<(), Failure> {
    let tail = folder.join(sealing_name(job.number));
    let explain = |error: io::Error| Failure::other(format!("{}: {error}", tail.display()));
    let mut contents = match read_lines(&tail, &job.layouts) {
        Ok(contents) => contents,
        Err(failure) if tail.exists() => {
            // Keep the lines for people, so that the segments after them are sealed.
            fs::rename(&tail, folder.join(damaged_name(job.number))).map_err(explain)?;
            return Err(failure);
        }
        // The lines were found damaged before.
        Err(_) => return Ok(()),
    };
    let span = contents.span();
    row::sort(&mut contents.rows);
    let mut rows: Vec<Vec<_>> = job.layouts.iter().map(|_| Vec::new()).collect();
    for (place, row) in contents.rows {
        if let Some(rows) = rows.get_mut(place) {
            rows.push((0, row));
        }
    }
    for (layout, rows) in job.layouts.iter().zip(rows) {
        if !rows.is_empty() {
            let layouts = vec![layout.clone()];
            let contents = Contents {
                layouts,
                rows,
                events: Vec::new(),
            };
            write(folder, &rows_name(job.number, layout), &contents, span)?;
        }
    }
    let events = Contents {
        events: contents.events,
        ..Contents::default()
    };
    // Every segment has this file, because a reader looks for the segment's span there.
    write(folder, &events_name(job.number), &events, span)?;
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(explain)?;
    fs::remove_file(&tail).map_err(explain)
}

/// Writes a file whole or not at all.
fn write(
    folder: &Path,
    name: &str,
    contents: &Contents,
    span: Option<(Timestamp, Timestamp)>,
) -> Result<(), Failure> {
    let path = folder.join(name);
    let temporary = folder.join(temporary_name(name));
    let explain =
        |error: &dyn std::fmt::Display| Failure::other(format!("{}: {error}", path.display()));
    let outcome = file::write(&temporary, contents, span).map_err(|error| explain(&error));
    let publish = || fs::rename(&temporary, &path);
    let outcome = outcome.and_then(|()| publish().map_err(|error| explain(&error)));
    if outcome.is_err() {
        // A part of a file would keep a full disk full.
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

/// Removes the oldest segments, but not the last one.
fn limit(folder: &Path, ring: Ring, now: Timestamp) -> Result<(), Failure> {
    let explain = |error: io::Error| Failure::other(format!("{}: {error}", folder.display()));
    let mut segments: Vec<(Vec<PathBuf>, u64)> = Vec::new();
    for segment in self::segments(folder).map_err(explain)?.into_values() {
        if segment.sealing.is_none() {
            let sizes = segment
                .files
                .iter()
                .map(|path| Ok(fs::metadata(path)?.len()));
            let bytes = sizes.sum::<io::Result<u64>>().map_err(explain)?;
            segments.push((segment.files, bytes));
        }
    }
    let mut total: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
    segments.pop();
    for (files, bytes) in segments {
        let is_too_large = ring.size.is_some_and(|size| total > size);
        if !is_too_large && !is_older(&files, ring, now)? {
            break;
        }
        for path in files {
            fs::remove_file(path).map_err(explain)?;
        }
        total = total.saturating_sub(bytes);
    }
    Ok(())
}

/// Returns whether all rows of a segment are older than what is kept.
fn is_older(files: &[PathBuf], ring: Ring, now: Timestamp) -> Result<bool, Failure> {
    let Some(keep) = ring.keep else {
        return Ok(false);
    };
    for path in files {
        let span = file::span(path);
        let span = span.map_err(|error| Failure::other(format!("{}: {error}", path.display())))?;
        if span.is_some_and(|(_, end)| now.since(end) <= keep) {
            return Ok(false);
        }
    }
    Ok(true)
}
