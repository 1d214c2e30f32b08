//! The command line's arguments.
//!
//! In: words. Out: a command to run, every value checked.

#[cfg(feature = "host")]
mod adopt;
#[cfg(feature = "export")]
mod export;
mod fleet;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "record")]
mod past;
mod reach;
mod record;
mod server;
mod top;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use qapi_stats::stats::StatsTarget;

use crate::selector::{NamePatterns, VcpuSelector};
use value::interval;

#[cfg(feature = "host")]
pub use adopt::AdoptArgs;
#[cfg(feature = "export")]
pub use export::{ExportArgs, ExpositionArgs, OtlpUrl};
pub use fleet::FleetArgs;
#[cfg(feature = "host")]
pub use host::HostArgs;
#[cfg(feature = "record")]
pub use past::{DiffArgs, DiffFormat, DumpArgs, DumpFormat, ReportArgs};
pub use reach::{ConnectionArgs, MonitorsArgs, ReachArgs};
pub use record::{CopyArgs, RecordArgs};
pub use server::{DemoArgs, HmpEndpoint, LimitArgs, ServeArgs, ServerArgs};
pub use top::{ReplayArgs, TopArgs};

/// Statistics of virtual machines, without a shell on the host.
///
/// vmstats asks a monitor (ours, or a QEMU's) over QMP for the descriptions and
/// the values of its statistics. `vmstats demo` shows it at work on this machine.
#[derive(Debug, Parser)]
#[command(version = env!("VMSTATS_VERSION"), propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Log more on the standard error stream: once connections, twice requests
    ///
    /// Warnings, such as clients that are refused and why, are always logged. The
    /// variable RUST_LOG sets levels by target instead, as the crate
    /// tracing-subscriber describes it.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// A command. The documentation of its arguments is its help; a comment at a variant would
/// replace that, and hide all but one line of it.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "clap takes the help from the arguments")]
pub enum Command {
    Demo(DemoArgs),
    Serve(ServeArgs),
    #[cfg(feature = "top")]
    Top(TopArgs),
    #[cfg(feature = "record")]
    Record(RecordArgs),
    /// Copy a recording that may be growing into another folder
    ///
    /// The recorder goes on and is not asked. The copy has what was recorded up to now,
    /// also what --keep and --size will remove. Sealed segments are the same files in both
    /// folders if these are on one file system, and take no room twice.
    #[cfg(feature = "record")]
    Snapshot(CopyArgs),
    /// Write a recording into one Parquet file, to send it
    ///
    /// The commands that read a recording take the file in place of the folder. The recorder
    /// goes on and is not asked.
    #[cfg(feature = "record")]
    Pack(CopyArgs),
    #[cfg(all(feature = "top", feature = "record"))]
    Replay(ReplayArgs),
    Query(QueryArgs),
    Schemas(SchemasArgs),
    #[cfg(feature = "record")]
    Diff(DiffArgs),
    #[cfg(feature = "record")]
    Report(ReportArgs),
    #[cfg(feature = "record")]
    Dump(DumpArgs),
    #[cfg(feature = "export")]
    Export(ExportArgs),
    #[cfg(feature = "host")]
    Host(HostArgs),
    #[cfg(feature = "host")]
    Adopt(AdoptArgs),
    Explain(ExplainArgs),
    Shell(ShellArgs),
    Decode(DecodeArgs),
}

impl Command {
    /// Returns whether programs read the output, so that it must be the same wherever it
    /// goes.
    #[must_use]
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::Query(arguments) => arguments.format != Format::Table,
            Self::Schemas(arguments) => arguments.format != Format::Table,
            #[cfg(feature = "top")]
            Self::Top(arguments) => arguments.csv || arguments.json,
            #[cfg(feature = "record")]
            Self::Diff(arguments) => arguments.format != DiffFormat::Table,
            #[cfg(feature = "record")]
            Self::Dump(_) => true,
            #[cfg(feature = "host")]
            Self::Adopt(arguments) => arguments.json,
            Self::Decode(_) => true,
            _ => false,
        }
    }
}

/// Ask monitors for statistics.
///
/// Without other options, prints everything that is not 0. Each vCPU has a column,
/// or all of them are summed if the columns do not fit. A percentile (p50, p99) is
/// the bucket of the histogram in which it lies. The exit status is 1 if a monitor
/// fails or if a part of the selection matches nothing.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The monitors.
    #[command(flatten)]
    pub monitors: MonitorsArgs,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Ask only about objects of this kind
    #[arg(long)]
    pub target: Option<Target>,
    /// Ask only this provider; may be given several times
    #[arg(long = "provider", value_name = "P")]
    pub providers: Vec<String>,
    /// Ask only for statistics with these names, globs such as 'halt_*' or regular
    /// expressions such as '/poll|wait/'; a table then shows the buckets of
    /// histograms
    #[arg(long, value_name = "A,B")]
    pub names: Vec<NamePatterns>,
    /// Ask only about these vCPUs: numbers such as 0,2-3, or QOM paths; may be given
    /// several times
    #[arg(long = "vcpu", value_name = "N", value_delimiter = ',')]
    pub vcpus: Vec<VcpuSelector>,
    /// Show statistics that are 0 too, in a table
    #[arg(long)]
    pub zeros: bool,
    /// Show the buckets of histograms, the lowest first, in a table
    #[arg(long)]
    pub buckets: bool,
    /// Show what moved every S seconds, with rates, until interrupted; a vCPU's time
    /// of waiting for a processor of this host is run_delay_ns
    #[arg(long, value_name = "S", value_parser = interval, allow_negative_numbers = true)]
    pub watch: Option<Duration>,
}

/// Ask monitors what their statistics mean.
///
/// Prints each statistic with its type and unit as the monitor describes it, and what it
/// means if this build knows. The exit status is 1 if a monitor fails.
#[derive(Debug, Args)]
pub struct SchemasArgs {
    /// The monitors.
    #[command(flatten)]
    pub monitors: MonitorsArgs,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Ask only about this provider
    #[arg(long, value_name = "P")]
    pub provider: Option<String>,
}

/// Explain what statistics of KVM mean, without a monitor.
///
/// Prints a line for each statistic, with the file of Linux that counts it. Without
/// names, explains all that this build knows.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Names, globs such as 'halt_*' or regular expressions such as '/poll|wait/'
    #[arg(value_name = "NAME")]
    pub names: Vec<NamePatterns>,
}

/// Talk to a monitor in QMP or as a human monitor, by hand or from a script.
///
/// A line is `COMMAND [NAME=VALUE]...` or a request as JSON. A VALUE is JSON if
/// it is a number, true, false or null, or begins with a bracket or a quotation
/// mark; any other VALUE is a string. NAME.MEMBER=VALUE is for objects. At a
/// terminal there are completion, a history (without lines that begin with a
/// blank), `help`, and events as they come. Ctrl-D leaves.
///
/// Without a terminal, lines are read one by one, and each reply is printed as
/// one line of JSON; events go to the standard error stream. The first line that
/// fails is named and ends the shell with exit status 1.
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// The monitor.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Read lines of the human monitor, such as `info stats vm`
    #[arg(long)]
    pub hmp: bool,
    /// Go on after a line that fails; the exit status is 1 nevertheless
    #[arg(long)]
    pub keep_going: bool,
    /// Print JSON over several lines, as at a terminal
    #[arg(long)]
    pub pretty: bool,
    /// Execute commands that end, stop or reset the machine, such as quit, without
    /// asking; a script needs it for them
    #[arg(long)]
    pub yes: bool,
    /// Neither read nor write a history
    #[arg(long)]
    pub no_history: bool,
}

/// Decode a copy of a KVM binary statistics file.
///
/// Prints {"results": [...], "schemas": [...]}, as query-stats and
/// query-stats-schemas would return them: the highest bucket of a histogram comes
/// first. The copy may come from a machine with the other byte order.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// The copy of a statistics file, read from offset 0; - reads standard input
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// The object that the statistics are about [default: what the copy says]
    #[arg(long, value_enum)]
    pub target: Option<KvmTarget>,
    /// The QOM path to put in the result
    #[arg(long, value_name = "P")]
    pub qom_path: Option<String>,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// In columns, for people
    Table,
    /// Exactly as the monitor returns it: the highest bucket of a histogram comes
    /// first. Of several monitors, or without --target, each reply is a line
    /// {"endpoint": E, "target": T, "return": REPLY}
    Json,
    /// One line of JSON for each object and statistic, with its unit; the lowest
    /// bucket of a histogram comes first
    Jsonl,
    /// The fields of jsonl as CSV with a heading; the buckets are JSON in one field
    Csv,
}

/// A target of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The virtual machine as a whole.
    Vm,
    /// Its virtual CPUs.
    Vcpu,
    /// Its cryptographic devices.
    Cryptodev,
}

/// A target that KVM has statistics of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KvmTarget {
    /// The virtual machine as a whole.
    Vm,
    /// One of its virtual CPUs.
    Vcpu,
}

impl KvmTarget {
    /// Returns the name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Vcpu => "vcpu",
        }
    }
}

impl From<Target> for StatsTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Vm => Self::Vm,
            Target::Vcpu => Self::Vcpu,
            Target::Cryptodev => Self::Cryptodev,
        }
    }
}

impl From<KvmTarget> for StatsTarget {
    fn from(target: KvmTarget) -> Self {
        match target {
            KvmTarget::Vm => Self::Vm,
            KvmTarget::Vcpu => Self::Vcpu,
        }
    }
}
