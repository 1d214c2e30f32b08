//! Copies of the recording that a signal asks for.
//!
//! In: SIGUSR1. Out: folders beside the recording. A thread copies, so that no sample is
//! delayed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use signal_hook::consts::SIGUSR1;

use super::progress::tell;
use crate::cli::CopyArgs;
use crate::failure::Failure;
use crate::recording::copy::snapshot;
use crate::sample::{Clock, Timestamp};

/// The copies.
pub(super) struct Snapshots {
    is_wanted: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Snapshots {
    /// Listens to the signal from now on.
    pub(super) fn on_signal() -> Result<Self, Failure> {
        let is_wanted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGUSR1, Arc::clone(&is_wanted))
            .map_err(|error| Failure::other(format!("cannot listen for signals: {error}")))?;
        Ok(Self {
            is_wanted,
            thread: None,
        })
    }

    /// Starts a copy if a signal asked for one, and the last one is complete.
    pub(super) fn look(&mut self, folder: &Path, clock: Clock) {
        let is_busy = (self.thread.as_ref()).is_some_and(|thread| !thread.is_finished());
        // Relaxed, because the flag guards no other memory.
        if is_busy || !self.is_wanted.swap(false, Ordering::Relaxed) {
            return;
        }
        let folder = folder.to_owned();
        let time = clock.now();
        let thread = thread::Builder::new().name("snapshot".to_owned());
        match thread.spawn(move || copy(&folder, time)) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tell(&format!("cannot make a snapshot: {error}")),
        }
    }

    /// Waits until the last copy is complete.
    pub(super) fn finish(self) {
        if let Some(thread) = self.thread {
            // A panic is on the standard error stream already.
            let _ = thread.join();
        }
    }
}

fn copy(folder: &Path, time: Timestamp) {
    let outcome = output(folder, time).and_then(|output| {
        let arguments = CopyArgs {
            recording: folder.to_owned(),
            output,
        };
        snapshot(&arguments)?;
        Ok(arguments.output)
    });
    match outcome {
        Ok(output) => tell(&format!("the snapshot is in {}", output.display())),
        Err(failure) => tell(&format!("cannot make a snapshot: {failure}")),
    }
}

/// Returns the path of a copy: that of the folder with the time.
fn output(folder: &Path, time: Timestamp) -> Result<PathBuf, Failure> {
    let explain = |error| Failure::other(format!("{}: {error}", folder.display()));
    // The path may be `.` or end with a slash.
    let mut path = fs::canonicalize(folder).map_err(explain)?.into_os_string();
    let time = UNIX_EPOCH + Duration::from_nanos(time.0);
    let time = humantime::format_rfc3339_seconds(time).to_string();
    path.push(format!("-snapshot-{}", time.replace(['-', ':'], "")));
    Ok(path.into())
}
