//! The arguments of commands that ask monitors.
//!
//! In: words. Out: the addresses of monitors, and how they are reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::value::{endpoint, place, seconds};
use crate::endpoint::Endpoint;
use crate::source::Place;

/// How monitors are reached.
#[derive(Clone, Debug, Args)]
pub struct ReachArgs {
    /// The folder with ca-cert.pem, client-cert.pem and client-key.pem, for tls:
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// How many seconds a connection or a reply may take [default: 10]; if it is given,
    /// a server that does not listen yet is waited for as long
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<Duration>,
}

/// One monitor, and how to reach it.
#[derive(Debug, Args)]
pub struct ConnectionArgs {
    /// The monitor: a socket's path, host:NAME for a virtual machine of `vmstats host`,
    /// @NAME for an abstract socket, HOST:PORT or tcp:HOST:PORT, tls:HOST:PORT or
    /// vsock:CID:PORT
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
#[derive(Clone, Debug, Args)]
pub struct MonitorsArgs {
    /// The monitors: a socket's path, a folder of sockets, a glob such as
    /// '/run/vm/*.sock', host: for all virtual machines of `vmstats host` or host:NAME for
    /// one, @NAME for an abstract socket, HOST:PORT or tcp:HOST:PORT, tls:HOST:PORT or
    /// vsock:CID:PORT; several are asked at once
    #[arg(value_name = "ENDPOINT-OR-GLOB", required = true, value_parser = place())]
    places: Vec<Place>,
    /// How the monitors are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
}

impl MonitorsArgs {
    /// Returns where the monitors are, with the credentials for TLS.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        with_credentials(&self.places, self.reach.tls.as_deref())
    }

    /// Returns whether monitors are looked for at a single place.
    #[must_use]
    pub fn is_one_place(&self) -> bool {
        self.places.len() == 1
    }

    /// Returns whether there is a single monitor.
    #[must_use]
    pub fn is_one(&self) -> bool {
        matches!(self.places.as_slice(), [place] if !place.is_searched())
    }
}

/// Returns places with the credentials for TLS.
pub(super) fn with_credentials(places: &[Place], folder: Option<&Path>) -> Vec<Place> {
    let places = places.iter().cloned();
    places.map(|place| place.with_credentials(folder)).collect()
}
