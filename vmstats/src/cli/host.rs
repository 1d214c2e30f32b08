//! The arguments of `host`.
//!
//! In: words. Out: where VMMs hand over, and where their VMs are shown.

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "export")]
use super::export::ExpositionArgs;
use super::server::{group, mode, user};
use crate::endpoint::HOST_FOLDER;

/// Serve the statistics of virtual machines from files that their VMMs hand over.
///
/// VMMs that have no monitor hand their statistics files over at FOLDER/handover.sock, see
/// docs/handover.md; `vmstats adopt` hands over those of QEMUs. Each VM then has a QMP
/// socket FOLDER/vms/NAME.sock, which every command of vmstats takes: `vmstats top host:`
/// shows them all, and with --listen they are metrics for Prometheus, as of `vmstats export`.
/// A VM is dropped when its VMM's process ends or closes the connection.
///
/// The process needs no right of the VMMs. It gives up its own rights at the start, with
/// seccomp and Landlock. Under systemd its restart loses no VM (see docs/host.md).
///
/// Serves until SIGINT, SIGTERM or SIGHUP.
#[derive(Debug, Args)]
pub struct HostArgs {
    /// The folder of the sockets
    #[arg(long, value_name = "FOLDER", default_value = HOST_FOLDER)]
    pub folder: PathBuf,
    /// The mode of the socket for hand-overs; ignored if systemd made the socket
    /// (SocketMode=)
    #[arg(long, value_name = "OCTAL", default_value = "660", value_parser = mode)]
    pub handover_mode: u32,
    /// The group of the socket for hand-overs, a name or a number: that of the VMMs
    /// [default: that of the process]
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub handover_group: Option<u32>,
    /// Let this user, a name or a number, hand over the files of other processes, as
    /// `vmstats adopt` does; may be given several times. root and the user of this process
    /// may do so in any case
    #[arg(long = "adopter", value_name = "USER", value_parser = user)]
    pub adopters: Vec<u32>,
    /// The mode of the VMs' sockets
    #[arg(long, value_name = "OCTAL", default_value = "660", value_parser = mode)]
    pub mode: u32,
    /// The group of the VMs' sockets, a name or a number [default: that of the process]
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub group: Option<u32>,
    /// The largest number of VMs
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub vms_max: u32,
    /// The largest number of VMs of one user
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    pub vms_per_user_max: u32,
    /// Keep all rights of the process, to find out whether a failure is due to seccomp or
    /// Landlock
    #[arg(long)]
    pub no_sandbox: bool,
    /// The metrics of the VMs, which are served if there is a --listen.
    #[cfg(feature = "export")]
    #[command(flatten)]
    pub exposition: ExpositionArgs,
    /// Inspect hand-overs for the process that started this one
    #[arg(long, hide = true)]
    pub inspector: bool,
}
