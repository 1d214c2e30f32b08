//! The command line's arguments.
//!
//! In: words. Out: a command to run, every value checked.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use nix::unistd::{Group, User};
use qapi_stats::stats::StatsTarget;

use crate::endpoint::Endpoint;
use crate::listen::{Connect, Listen};
use crate::selector::{NamePatterns, VcpuSelector};
use crate::uuid::Uuid;
use qapi_wire::client::deadline::TIMEOUT_MAX;

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

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot a tiny guest and show its statistics as they change
    Demo(DemoArgs),
    /// Serve recorded statistics files as if they were live
    Serve(ServeArgs),
    /// Ask monitors for statistics
    Query(QueryArgs),
    /// Ask monitors what their statistics mean
    Schemas(SchemasArgs),
    /// Explain what statistics of KVM mean, without a monitor
    Explain(ExplainArgs),
    /// Talk to a monitor in QMP or as a human monitor, by hand or from a script
    Shell(ShellArgs),
    /// Decode a copy of a KVM binary statistics file
    Decode(DecodeArgs),
}

/// Boot a tiny guest and show its statistics as they change.
///
/// The guest does a little port I/O on each vCPU and sleeps until its timer
/// wakes it, about a thousand times a second. Its monitor listens on a Unix
/// socket that only you can connect to. The numbers shown come from that socket,
/// as they would for any client. Without access to /dev/kvm, recorded statistics
/// files are served instead, and the numbers do not change.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The number of the guest's vCPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub vcpus: u16,
    /// The number of seconds to show statistics for [default: 5, with --hold 0]
    #[arg(long, value_name = "S")]
    pub seconds: Option<u64>,
    /// How the monitor is served.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The name of the VM
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub name: String,
    /// The UUID of the VM [default: none, which clients see as zeros]
    #[arg(long, value_name = "UUID")]
    pub uuid: Option<Uuid>,
    /// Serve until SIGINT, SIGTERM or SIGHUP; the first line printed is the socket's path
    #[arg(long)]
    pub hold: bool,
    /// Run only the first K vCPUs [default: all]
    #[arg(long, value_name = "K")]
    pub running: Option<u16>,
}

/// Where a monitor is served, to whom, and within which limits.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The path of the monitor's socket [default: in a new private folder]
    #[arg(long, value_name = "PATH")]
    pub qmp: Option<PathBuf>,
    /// Another address to listen at; may be given several times
    #[arg(
        long,
        value_name = "unix:PATH|tcp:ADDRESS:PORT|tls:ADDRESS:PORT|vsock:CID:PORT|fd:NAME"
    )]
    pub listen: Vec<Listen>,
    /// Connect to a program that waits for the monitor at this address, and serve
    /// it; may be given several times
    #[arg(long, value_name = "unix:PATH|tcp:ADDRESS:PORT")]
    pub connect: Vec<Connect>,
    /// The folder with ca-cert.pem, server-cert.pem and server-key.pem, for tls:;
    /// clients whose certificate is in its ca-crl.pem, if there is one, are refused
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// The mode of the Unix sockets' files
    #[arg(long, value_name = "OCTAL", default_value = "600", value_parser = mode)]
    pub mode: u32,
    /// Serve only processes of this user, a name or a number, on Unix sockets;
    /// may be given several times
    #[arg(long, value_name = "USER", value_parser = user)]
    pub allow_uid: Vec<u32>,
    /// Serve only processes of this group, a name or a number, besides those of
    /// --allow-uid; a process's supplementary groups count
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub allow_gid: Vec<u32>,
    /// The group of the Unix sockets' files, a name or a number, such as kvm with
    /// --mode 660 [default: that of the process]
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub group: Option<u32>,
    /// Serve only clients whose certificate has this subject, such as
    /// `O=Example,CN=monitoring`, on tls:; may be given several times
    #[arg(long, value_name = "SUBJECT", requires = "tls")]
    pub tls_allow: Vec<String>,
    /// Let clients stop, continue, power down and quit the VM, not only observe it
    #[arg(long)]
    pub control: bool,
    /// Offer the human monitor too: on a Unix socket, or - for this terminal
    #[arg(long, value_name = "unix:PATH|-", value_parser = hmp_endpoint)]
    pub hmp: Option<HmpEndpoint>,
    /// Limits of what clients may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// The heading of the options of [`LimitArgs`] in the help.
const LIMITS: &str = "Limits of the server";

/// Limits of what the clients of a server may use.
#[derive(Clone, Debug, Default, Args)]
pub struct LimitArgs {
    /// The number of connections at once; further ones are closed [default: 16]
    #[arg(long, help_heading = LIMITS, value_name = "N", value_parser = connections)]
    pub connections_max: Option<usize>,
    /// The number of threads, at least 2; each command that runs takes one
    /// [default: 4]
    #[arg(long, help_heading = LIMITS, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// The memory that all clients together may make the server hold, such as 64M;
    /// beyond, the clients that hold the most are disconnected [default: 16M]
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", value_parser = held_bytes)]
    pub held_bytes_max: Option<usize>,
    /// The length of a client's message, such as 4M; a longer one is an error
    /// [default: 1M]
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", value_parser = message_bytes)]
    pub message_bytes_max: Option<usize>,
}

/// Serve recorded statistics files as if they were live.
///
/// DIR holds vm.bin, vcpu0.bin, vcpu1.bin and so on: copies of statistics files,
/// read from offset 0. The first line printed is the socket's path. Serves until
/// SIGINT, SIGTERM or SIGHUP.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The folder with the recorded files
    #[arg(long, value_name = "DIR")]
    pub replay: PathBuf,
    /// How the monitor is served.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The name of the VM
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// How monitors are reached.
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// The folder with ca-cert.pem, client-cert.pem and client-key.pem, for tls:
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// How many seconds to wait for the connection, and later for each reply; also
    /// for a server that does not listen yet [default: 10, and not for such a server]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<Duration>,
}

/// One monitor, and how to reach it.
#[derive(Debug, Args)]
pub struct ConnectionArgs {
    /// The monitor: a socket's path, @NAME for an abstract socket, HOST:PORT or
    /// tcp:HOST:PORT, tls:HOST:PORT or vsock:CID:PORT
    #[arg(value_name = "ENDPOINT", value_parser = endpoint())]
    pub endpoint: Endpoint,
    /// How the monitor is reached.
    #[command(flatten)]
    pub reach: ReachArgs,
}

impl ConnectionArgs {
    /// Returns the endpoint with the credentials for TLS.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        let endpoint = self.endpoint.clone();
        endpoint.with_credentials(self.reach.tls.as_deref())
    }
}

/// Several monitors, and how to reach them.
#[derive(Debug, Args)]
pub struct MonitorsArgs {
    /// The monitors: a socket's path, @NAME for an abstract socket, HOST:PORT or
    /// tcp:HOST:PORT, tls:HOST:PORT or vsock:CID:PORT; several are asked at once
    #[arg(value_name = "ENDPOINT", required = true, value_parser = endpoint())]
    pub endpoints: Vec<Endpoint>,
    /// How the monitors are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
}

impl MonitorsArgs {
    /// Returns the endpoints with the credentials for TLS.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoints = self.endpoints.iter().cloned();
        let credentials = self.reach.tls.as_deref();
        endpoints
            .map(|endpoint| endpoint.with_credentials(credentials))
            .collect()
    }

    /// Returns whether there is a single monitor.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.endpoints.len() == 1
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
}

/// Ask monitors what their statistics mean.
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

/// Where the human monitor is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HmpEndpoint {
    /// On a Unix socket at this path.
    Unix(PathBuf),
    /// On the program's own terminal.
    Terminal,
}

/// Returns the parser of a monitor's address, which may be a path of any bytes.
fn endpoint() -> impl TypedValueParser<Value = Endpoint> {
    OsStringValueParser::new().try_map(|text| Endpoint::parse(&text))
}

fn hmp_endpoint(text: &str) -> Result<HmpEndpoint, String> {
    match text.strip_prefix("unix:") {
        _ if text == "-" => Ok(HmpEndpoint::Terminal),
        Some(path) if !path.is_empty() => Ok(HmpEndpoint::Unix(path.into())),
        _ => Err("expected unix:PATH, or - for this terminal".to_owned()),
    }
}

fn user(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    match User::from_name(text) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err("no user has this name".to_owned()),
        Err(error) => Err(format!("cannot look the user up: {error}")),
    }
}

fn group(text: &str) -> Result<u32, String> {
    if let Ok(gid) = text.parse() {
        return Ok(gid);
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err("no group has this name".to_owned()),
        Err(error) => Err(format!("cannot look the group up: {error}")),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("expected up to three octal digits, such as 660".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match duration {
        Some(duration) if !duration.is_zero() && duration <= TIMEOUT_MAX => Ok(duration),
        _ => Err(format!(
            "expected a number of seconds above 0, at most {}",
            TIMEOUT_MAX.as_secs()
        )),
    }
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("expected a number of connections, at least 1".to_owned()),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 2..) => Ok(number),
        _ => Err("expected a number of threads, at least 2".to_owned()),
    }
}

/// The shortest limit of a message: a shorter one would refuse requests that
/// every client sends.
const MESSAGE_BYTES_MIN: usize = 4 << 10;

/// The longest limit of a message: that of QEMU.
const MESSAGE_BYTES_LIMIT: usize = 64 << 20;

fn message_bytes(text: &str) -> Result<usize, String> {
    match bytes(text) {
        Some(bytes @ MESSAGE_BYTES_MIN..=MESSAGE_BYTES_LIMIT) => Ok(bytes),
        _ => Err("expected a number of bytes from 4K to 64M, such as 65536, 64K or 1M".to_owned()),
    }
}

/// The smallest limit of the memory of all clients: a smaller one would close
/// connections of clients that behave.
const HELD_BYTES_MIN: usize = 1 << 20;

fn held_bytes(text: &str) -> Result<usize, String> {
    match bytes(text) {
        Some(bytes @ HELD_BYTES_MIN..) => Ok(bytes),
        _ => Err("expected a number of bytes, at least 1M, such as 16777216, 64M or 1G".to_owned()),
    }
}

/// Parses a number of bytes that may end with K, M or G.
fn bytes(text: &str) -> Option<usize> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let unit = units.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let (number, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(unit)?, factor),
        None => (text, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_refused_when_no_deadline_could_be_that_late() {
        for (text, expected) in [
            ("0.5", Some(Duration::from_millis(500))),
            ("31536000", Some(TIMEOUT_MAX)),
            ("31536001", None),
            ("1e19", None),
            ("1e300", None),
            ("inf", None),
            ("NaN", None),
            ("-1", None),
            ("0", None),
            ("1e-10", None),
            ("", None),
            ("1s", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn bytes_may_have_a_unit() {
        assert_eq!(bytes("65536"), Some(64 << 10));
        assert_eq!(bytes("64K"), Some(64 << 10));
        assert_eq!(bytes("3M"), Some(3 << 20));
        assert_eq!(bytes("2G"), Some(2 << 30));
        for wrong in ["", "K", "1 K", "1k", "1.5M", "-1", "99999999999G"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert!(message_bytes("1K").is_err() && message_bytes("65M").is_err());
        assert!(held_bytes("1K").is_err() && held_bytes("1G").is_ok());
    }
}
