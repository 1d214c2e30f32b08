//! The arguments of commands that read recordings.
//!
//! In: words. Out: parts of recordings, and how they are printed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::selector::NamePatterns;
use crate::time_span::{Moment, PlacedPart};

/// Compare two recordings, or two parts of one.
///
/// A part is FOLDER@FROM..TO, or FOLDER@TIME for the time between the two samples around
/// a moment. A time is in UTC: 10:00, 10:00:30 or 2026-11-28T10:00:00Z; or relative to
/// the recording: +10m after its beginning, -90s before its end. A time without a date is
/// the first one in the recording, and as TO the first one after FROM. FROM or TO may be
/// left out.
///
/// Counters are compared by their rates per second, which leave out resets, restarts and
/// gaps; gauges by their means; truth values by the share of time in which they are true;
/// peaks by their maxima; histograms by their rates and the buckets of their percentiles.
/// The largest change comes first: it is counted in doublings, with one event more on
/// both sides, so that a few events do not lead, and percentiles count if ten events lie
/// beyond them. VMs belong together by their name, else
/// their UUID, else their endpoint.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The first recording or part
    #[arg(value_name = "A", value_parser = PlacedPart::parse)]
    pub before: PlacedPart,
    /// The second recording or part
    #[arg(value_name = "B", value_parser = PlacedPart::parse)]
    pub after: PlacedPart,
    /// How to print the differences
    #[arg(long, value_enum, default_value_t = DiffFormat::Table)]
    pub format: DiffFormat,
    /// Only statistics with these names, globs such as 'halt_*' or regular expressions
    /// such as '/poll|wait/'
    #[arg(long, value_name = "A,B")]
    pub names: Vec<NamePatterns>,
    /// Compare each vCPU and device for itself, not their sum
    #[arg(long)]
    pub per_vcpu: bool,
    /// Show statistics that did not move too, and in a table those that differ by less
    /// than 5 %
    #[arg(long)]
    pub zeros: bool,
}

/// How differences are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// In columns, for people
    Table,
    /// One line of JSON for each VM and statistic; rates and means are in the unit of the
    /// statistic
    Jsonl,
    /// The fields of jsonl as CSV with a heading
    Csv,
}

/// Write the values of a recording as text.
///
/// The lines of csv and jsonl are those of `vmstats query --watch`: a line for each
/// sample, object and statistic, with its value, its growth since the sample before and
/// the rate. openmetrics is for programs that take in the past.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example:\n  vmstats dump REC --format openmetrics > rec.om\n  \
                  promtool tsdb create-blocks-from openmetrics rec.om /var/lib/prometheus/data"
)]
pub struct DumpArgs {
    /// The recording, or a part of it: FOLDER@FROM..TO as for `vmstats diff`
    #[arg(value_name = "RECORDING", value_parser = PlacedPart::parse)]
    pub recording: PlacedPart,
    /// The form of the text
    #[arg(long, value_enum)]
    pub format: DumpFormat,
    /// Only statistics with these names, globs such as 'halt_*' or regular expressions
    /// such as '/poll|wait/'
    #[arg(long, value_name = "A,B")]
    pub names: Vec<NamePatterns>,
}

/// The form of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpFormat {
    /// One line of JSON for each sample, object and statistic
    Jsonl,
    /// The fields of jsonl as CSV with a heading
    Csv,
    /// OpenMetrics with timestamps; needs as much room for temporary files as its text
    Openmetrics,
}

/// Write a recording as one page for the review of an incident.
///
/// The page is one HTML file that loads nothing and needs no script: who was recorded,
/// what changed between two parts of the time, plots, histograms over time, steal, and
/// what the statistics mean. Its size does not grow with the length of the recording.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The recording, or a part of it: FOLDER@FROM..TO as for `vmstats diff`
    #[arg(value_name = "RECORDING", value_parser = PlacedPart::parse)]
    pub recording: PlacedPart,
    /// The file to write
    #[arg(long, short, value_name = "FILE.html")]
    pub output: PathBuf,
    /// The moment that divides the time into the two parts that are compared: a time as
    /// for `vmstats diff` [default: the middle]
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true)]
    pub split: Option<Moment>,
}
