//! The arguments of commands that serve a monitor.
//!
//! In: words. Out: where a monitor is served, to whom and within which limits.

use std::path::PathBuf;

use clap::Args;
use nix::unistd::{Group, User};

use super::value::bytes;
use crate::listen::{Connect, Listen};
use crate::time_span::PlacedPart;
use crate::uuid::Uuid;

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
    /// Hand the statistics files over to the `vmstats host` that listens at this socket, as
    /// a VMM without a monitor does
    #[cfg(feature = "host")]
    #[arg(long, value_name = "PATH")]
    pub handover: Option<PathBuf>,
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

/// Serve a recorded VM as if it were live.
///
/// The statistics of a recording that `vmstats record` made move as they did then: a
/// client gets the values of the last sample before the playback position. In a gap of the
/// recording, and before the first sample, it gets an error; after the end of the recording
/// the last values stay. A monitor shows one VM, so that --vm chooses one of several.
///
/// A folder with vm.bin, vcpu0.bin, vcpu1.bin and so on, which are copies of statistics
/// files read from offset 0, is served with values that do not change.
///
/// The first line printed is the socket's path. Serves until SIGINT, SIGTERM or SIGHUP.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The recording, or a part of it: FOLDER@10:00 begins there, and FOLDER@FROM..TO
    /// ends too, with times as for `vmstats diff`; or the folder of statistics files
    #[arg(long, value_name = "FOLDER", value_parser = PlacedPart::parse)]
    pub replay: PlacedPart,
    /// The VM of the recording, by its name, UUID or endpoint
    #[arg(long, value_name = "VM")]
    pub vm: Option<String>,
    /// How the monitor is served.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The name of the VM [default: the recorded one]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Where the human monitor is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HmpEndpoint {
    /// On a Unix socket at this path.
    Unix(PathBuf),
    /// On the program's own terminal.
    Terminal,
}

fn hmp_endpoint(text: &str) -> Result<HmpEndpoint, String> {
    match text.strip_prefix("unix:") {
        _ if text == "-" => Ok(HmpEndpoint::Terminal),
        Some(path) if !path.is_empty() => Ok(HmpEndpoint::Unix(path.into())),
        _ => Err("expected unix:PATH, or - for this terminal".to_owned()),
    }
}

pub(super) fn user(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    match User::from_name(text) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err("no user has this name".to_owned()),
        Err(error) => Err(format!("cannot look the user up: {error}")),
    }
}

pub(super) fn group(text: &str) -> Result<u32, String> {
    if let Ok(gid) = text.parse() {
        return Ok(gid);
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err("no group has this name".to_owned()),
        Err(error) => Err(format!("cannot look the group up: {error}")),
    }
}

pub(super) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("expected up to three octal digits, such as 660".to_owned()),
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

#[cfg(test)]
mod tests {
    use super::{held_bytes, message_bytes};

    #[test]
    fn limits_are_refused_when_a_server_could_not_work_with_them() {
        assert!(message_bytes("1K").is_err() && message_bytes("65M").is_err());
        assert!(held_bytes("1K").is_err() && held_bytes("1G").is_ok());
    }
}
