//! `vmstats record`: the statistics of many virtual machines, in a folder.
//!
//! In: places of monitors. Out: the files of a recording, which `recording/` reads. One
//! thread writes lines, and another one turns them into segments.

mod command;
mod folder;
mod progress;
mod recorder;
mod sealer;
mod snapshots;

use std::fs;
use std::time::{Duration, Instant};

use self::command::Command;
use self::folder::{Folder, Opened};
use self::progress::Progress;
use self::recorder::Recorder;
use self::sealer::{Ring, Sealer};
use self::snapshots::Snapshots;
use crate::cli::RecordArgs;
use crate::failure::Failure;
use crate::recording::row::EventKind;
use crate::sample::Clock;
use crate::shutdown::PendingSignals;
use crate::source::Fleet;

/// A tail that is larger is sealed. A recorder needs some times the size in memory.
const TAIL_BYTES_MAX: u64 = 8 << 20;

/// A tail that is smaller is not sealed because of the recording's size.
const TAIL_BYTES_MIN: u64 = 64 << 10;

/// The time between two looks at signals, the command and the clock.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `vmstats record`.
///
/// # Errors
///
/// Returns an error if the folder is of something else or in use, if the command cannot be
/// started, or if nothing could be recorded.
pub fn run(arguments: &RecordArgs) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    let mut snapshots = Snapshots::on_signal()?;
    let clock = Clock::start();
    let mut recorder = open(arguments, clock)?;
    let mut command = Command::start(&arguments.command)?;
    let (fleet, updates) =
        Fleet::start(arguments.fleet.places(), arguments.fleet.options(), clock)?;
    let begin = Instant::now();
    let mut progress = Progress::new();
    let mut looked = begin;
    let mut is_over = false;
    let outcome = loop {
        if let Ok(update) = updates.recv_timeout(LOOK_INTERVAL) {
            recorder.take(update);
        }
        if looked.elapsed() < LOOK_INTERVAL {
            continue;
        }
        looked = Instant::now();
        recorder.look();
        progress.show(|| recorder.progress());
        snapshots.look(&arguments.output, clock);
        if let Some(outcome) = command.outcome()? {
            break outcome;
        }
        let is_signalled = signals.wait_timeout(Duration::ZERO);
        let is_due = { arguments.duration }.is_some_and(|duration| begin.elapsed() >= duration);
        if is_signalled || is_due && !is_over {
            is_over |= is_due;
            // Without a command, this is the end; otherwise samples go on until it ends.
            if !command.end() {
                break Ok(());
            }
        }
    };
    fleet.stop();
    // A slow disk may have kept the recorder from samples that were taken.
    for update in updates.try_iter() {
        recorder.take(update);
    }
    progress.end();
    recorder.finish()?;
    snapshots.finish();
    outcome
}

/// Opens the folder, and lets lines go on where the recorder before ended.
fn open(arguments: &RecordArgs, clock: Clock) -> Result<Recorder, Failure> {
    let [name, release] = ["hostname", "osrelease"]
        .map(|file| fs::read_to_string(format!("/proc/sys/kernel/{file}")))
        .map(Result::unwrap_or_default);
    let Opened {
        folder,
        about,
        pending,
        is_torn,
    } = Folder::open(&arguments.output, |about| {
        about.host = format!("{}, Linux {}", name.trim_end(), release.trim_end());
        about
            .intervals
            .change(clock.now(), arguments.fleet.interval);
    })?;
    let ring = Ring {
        keep: arguments.keep,
        size: arguments.size,
    };
    let sealer = Sealer::start(&arguments.output, ring, clock)?;
    let size = { arguments.size }.map_or(u64::MAX, |size| (size / 8).max(TAIL_BYTES_MIN));
    let mut recorder = Recorder::new(folder, about, clock, sealer, size.min(TAIL_BYTES_MAX));
    for number in pending {
        recorder.seal(number);
    }
    if is_torn {
        let text = "the recorder before was killed while it wrote a line";
        recorder.note(EventKind::Lost, text.to_owned());
    }
    Ok(recorder)
}
