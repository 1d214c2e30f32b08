//! The arguments of commands that observe many virtual machines over time.
//!
//! In: words. Out: the places of monitors, and how samples are taken.

use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::ReachArgs;
use super::value::interval;
use crate::client::TIMEOUT;
use crate::selection::{Selection, provider};
use crate::selector::NamePatterns;
use crate::source::{FleetOptions, Place};

/// Several virtual machines, and how samples of them are taken.
#[derive(Clone, Debug, Args)]
pub struct FleetArgs {
    /// The monitors: a socket's path, a folder of sockets, a glob such as
    /// '/run/vm/*.sock', @NAME for an abstract socket, HOST:PORT or tcp:HOST:PORT,
    /// tls:HOST:PORT or vsock:CID:PORT; sockets of folders and globs may come and go
    #[arg(value_name = "ENDPOINT-OR-GLOB", required = true, value_parser = place())]
    pub places: Vec<Place>,
    /// How monitors are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// The number of seconds from one sample to the next, at least 0.01
    #[arg(long, short, value_name = "S", default_value = "1", value_parser = interval, allow_negative_numbers = true)]
    pub interval: Duration,
    /// Only statistics with these names, globs such as 'halt_*' or regular expressions
    /// such as '/poll|wait/'
    #[arg(long, value_name = "A,B")]
    pub names: Vec<NamePatterns>,
    /// Only statistics of this provider; may be given several times
    #[arg(long = "provider", value_name = "P")]
    pub providers: Vec<String>,
}

impl FleetArgs {
    /// Returns the places with the credentials for TLS.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let credentials = self.reach.tls.as_deref();
        let places = self.places.iter().cloned();
        places
            .map(|place| place.with_credentials(credentials))
            .collect()
    }

    /// Returns how samples are taken.
    #[must_use]
    pub fn options(&self) -> FleetOptions {
        let providers = self.providers.iter().map(|name| provider(name));
        FleetOptions {
            interval: self.interval,
            timeout: self.reach.timeout.unwrap_or(TIMEOUT),
            credentials: self.reach.tls.clone(),
            selection: Selection::new(None, providers.collect(), &self.names, Vec::new()),
            with_steal: true,
        }
    }
}

fn place() -> impl TypedValueParser<Value = Place> {
    OsStringValueParser::new().try_map(|text| Place::parse(&text))
}
