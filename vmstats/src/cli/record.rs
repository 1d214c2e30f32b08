//! The arguments of `record`.
//!
//! In: words. Out: places, a folder, and how much of a recording is kept.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::FleetArgs;
use super::value::{bytes, span};

/// Record the statistics of virtual machines in a folder.
///
/// The folder has a description (schema.json), segments that DuckDB and pandas read
/// (NNNN-PROVIDER-TARGET.parquet, and NNNN-events.parquet with gaps and failures), and the
/// lines since the last segment (tail.jsonl). A recorder that is killed loses at most the
/// sample that it writes, and a power failure the last seconds that Linux had not written;
/// the next recorder on the same folder goes on. Only this user can read a folder that it
/// makes.
///
/// Ends after --duration, when the command ends, or on SIGINT, SIGTERM or SIGHUP. The exit
/// status is that of the command. SIGUSR1 copies the recording to FOLDER-snapshot-TIME.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The monitors, and how samples are taken.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// The folder, which is made if it does not exist
    #[arg(long, short, value_name = "FOLDER")]
    pub output: PathBuf,
    /// End after this time, such as 90 (seconds), 10m or 1h30m; a command is asked to end
    /// with SIGTERM
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub duration: Option<Duration>,
    /// Remove segments that are older than this time, such as 2h
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub keep: Option<Duration>,
    /// Remove the oldest segments when the recording is larger than this number of bytes,
    /// such as 1G
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub size: Option<u64>,
    /// A command to run, and to record for as long as it runs. A signal that ends the
    /// recorder asks the command to end, and a second one kills it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Where a recording is copied to.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// The folder of the recording, which may be growing
    #[arg(value_name = "FOLDER")]
    pub recording: PathBuf,
    /// The copy, which must not exist
    #[arg(long, short, value_name = "PATH")]
    pub output: PathBuf,
}

/// The smallest bound of a recording.
const SIZE_MIN: u64 = 1 << 20;

fn size(text: &str) -> Result<u64, String> {
    let size = bytes(text).and_then(|bytes| u64::try_from(bytes).ok());
    size.filter(|size| *size >= SIZE_MIN)
        .ok_or_else(|| "expected a number of bytes such as 1G, at least 1M".to_owned())
}
